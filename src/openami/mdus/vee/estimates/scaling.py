"""Estimates made to agree with registers: E11 scale the estimated part, E13 flat remainder."""

from __future__ import annotations

import numpy as np

from openami.mdus.series.model import Flag
from openami.mdus.vee.catalogue import Work, method
from openami.mdus.vee.estimates.exact import share_out
from openami.mdus.vee.model import Filled, Parameters


@method(
    "E11",
    "Estimated intervals of a day are scaled so that the day sums to what its register advanced, exactly.",
    negative_remainder=bool,
)
def scale_estimated(work: Work, p: Parameters) -> Filled:
    """E' = E * (advance - actual) / sum of E; refused where the actual part alone exceeds the advance (G 685, Oracle).

    Slots in which the supply was certainly off stay 0. A register coarser than the intervals only bounds the sum: a
    difference below one step of it is left alone.
    """
    facts = work.facts
    estimated = facts.active & ~work.actual & ~work.needed
    off = facts.dead | ((facts.days.flags & Flag.OUTAGE) != 0)
    movable = estimated & ~(off & (work.values == 0))
    fixed = np.where(facts.active & ~work.needed & ~movable, work.values, 0).sum(axis=1)
    present = np.where(movable, work.values, 0).sum(axis=1)
    remainder = facts.advance - fixed
    rows = facts.advance_known & movable.any(axis=1) & ~(work.needed & facts.active).any(axis=1)
    rows &= np.abs(remainder - present) >= facts.step
    if not p["negative_remainder"]:
        rows &= remainder >= 0
    mask = movable & rows[:, None]
    values = np.zeros_like(work.values)
    group = np.nonzero(mask)[0].astype(np.int64)
    values[mask] = share_out(remainder, work.values[mask], group)
    return Filled(values, mask, {"advance": facts.advance, "actual": fixed, "estimated": present})


@method("E13", "What the register advanced beyond the known intervals is spread evenly over the open ones.")
def flat_remainder(work: Work, _: Parameters) -> Filled:
    """(advance - sum) / open slots, whole numbers, exactly; not where the known part exceeds the advance."""
    facts = work.facts
    open_ = work.needed & facts.active
    known = np.where(facts.active & ~open_, work.values, 0).sum(axis=1)
    remainder = facts.advance - known
    mask = open_ & (facts.advance_known & (remainder >= 0))[:, None]
    values = np.zeros_like(work.values)
    group = np.nonzero(mask)[0].astype(np.int64)
    values[mask] = share_out(remainder, np.ones(len(group), np.int64), group)
    return Filled(values, mask, {"advance": facts.advance, "known": known})
