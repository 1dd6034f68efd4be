"""Known states of the supply: E17 zero while disconnected, E20 zero in a known outage."""

from __future__ import annotations

import numpy as np

from openami.mdus.series.model import Flag
from openami.mdus.vee.catalogue import Work, method
from openami.mdus.vee.model import Filled, Parameters


@method("E17", "Whole intervals during which the supply was confirmed off are 0.")
def zero_when_off(work: Work, _: Parameters) -> Filled:
    """Zero only for a confirmed disconnection or outage (MeteringCode 2006 A7.1.2.2, MDFF 19)."""
    return Filled(np.zeros_like(work.values), work.needed & work.facts.dead)


@method("E20", "Intervals that the meter itself flags as outage and gives no value for are true zeros.")
def zero_in_outage(work: Work, _: Parameters) -> Filled:
    """The device's own power-failure flag is the evidence (VEE-A 4.1)."""
    flagged = (work.facts.days.flags & Flag.OUTAGE) != 0
    return Filled(np.zeros_like(work.values), work.needed & flagged & ~work.facts.present)
