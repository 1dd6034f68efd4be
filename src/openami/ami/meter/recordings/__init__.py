"""What real homes used, as small whole-week recordings that replay without end.

In: `recordings.npz` and `recordings.json`, cut from public data sets by `cut.py` (sources and licences: SOURCES.md).
Out: `flows_of`, what a home imports and exports with a roof and a car behind its meter; `Loads`, the exact cumulative
use of many homes at any second. The fleet of simulated meters measures it.
"""

from __future__ import annotations

from openami.ami.meter.recordings.flows import Behind, Flow, flows_of
from openami.ami.meter.recordings.recording import Loads, Recording, UnknownRecordingError, library, load

__all__ = ["Behind", "Flow", "Loads", "Recording", "UnknownRecordingError", "flows_of", "library", "load"]
