"""Public test kit, for whoever tests a system on one of the seams; `openami testkit` runs it from the command line.

`run` plays SAP (`scripts`, one function a process) or MDUS (`roles`) over HTTP, with `faults` from a seed and meters
from a `field`; `report` tells what passed. `wire` is a line that loses and repeats, before a real area.
"""

from openami.testing.wire import LossyWire, WireCounters

__all__ = ["LossyWire", "WireCounters"]
