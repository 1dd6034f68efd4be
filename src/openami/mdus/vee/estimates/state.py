"""Known states and other sources: E09 check meter, E17 zero while disconnected, E18 agreed, E20 outage-aware."""

from __future__ import annotations

import numpy as np

from openami.mdus.series.model import Flag
from openami.mdus.vee.catalogue import Work, method
from openami.mdus.vee.estimates.exact import rounded
from openami.mdus.vee.model import Filled, Parameters
from openami.shared.quality import has_value


@method("E09", "The check or alternate meter's value stands in, unless it is doubtful itself.")
def check_meter(work: Work, _: Parameters) -> Filled:
    """Needs `check` [row, slot] and `check_good`; refused where it equals the value that was rejected (IEE)."""
    more = work.facts.more
    if "check" not in more or "check_good" not in more:
        return Filled(work.values, np.zeros_like(work.needed))
    same_as_rejected = work.facts.present & (more["check"] == work.facts.days.values)
    return Filled(more["check"], work.needed & more["check_good"] & ~same_as_rejected)


@method("E17", "Whole intervals during which the supply was confirmed off are 0.")
def zero_when_off(work: Work, _: Parameters) -> Filled:
    """Zero only for a confirmed disconnection or outage (MeteringCode 2006 A7.1.2.2, MDFF 19)."""
    return Filled(np.zeros_like(work.values), work.needed & work.facts.dead)


@method("E18", "A value that people agreed on stands, and no routine changes it.")
def agreed(work: Work, _: Parameters) -> Filled:
    """Needs `agreed` [row, slot] and `agreed_here`; what is kept as agreed is locked by the merge and the engine."""
    more = work.facts.more
    if "agreed" not in more or "agreed_here" not in more:
        return Filled(work.values, np.zeros_like(work.needed))
    return Filled(more["agreed"], work.needed & more["agreed_here"])


@method("E20", "Intervals wholly in an outage are true zeros; one partly in it keeps the share that was on.")
def outage_aware(work: Work, _: Parameters) -> Filled:
    """The device's power-failure flag without a value is 0; with `off_permille` and `like` the rest is linear."""
    facts, more = work.facts, work.facts.more
    zero = work.needed & ((facts.days.flags & Flag.OUTAGE) != 0) & ~has_value(facts.days.quality)
    values = np.zeros_like(work.values)
    if "off_permille" in more and "like" in more:
        off = more["off_permille"]
        zero |= work.needed & (off == 1000)
        partly = work.needed & (off > 0) & (off < 1000)
        values[partly] = rounded((more["like"] * (1000 - off))[partly], np.int64(1000))
        return Filled(values, zero | partly)
    return Filled(values, zero)
