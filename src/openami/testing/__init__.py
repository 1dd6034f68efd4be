"""Public test kit: a wire that loses and repeats, for whoever tests a system on one of the seams.

Comes in: the address of a real area and a seed. Goes out: an address that behaves like a bad line to it.
"""

from openami.testing.wire import LossyWire, WireCounters

__all__ = ["LossyWire", "WireCounters"]
