"""Estimates made to agree with registers: E10 scale all, E11 the estimated part, E12 by tariff, E13 flat remainder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.series.model import Flag
from openami.mdus.vee.catalogue import Work, method
from openami.mdus.vee.estimates.exact import share_out
from openami.mdus.vee.model import Filled, Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray


@method("E10", "All intervals of a day are scaled so that they sum to what the register advanced, exactly.")
def scale_all(work: Work, _: Parameters) -> Filled:
    """X' = x * advance / sum of x; equal shares when all are 0 (Oracle: Scalar / Total * Interval)."""
    facts = work.facts
    rows = facts.advance_known & (facts.advance >= 0) & ~(work.needed & facts.active).any(axis=1)
    mask = facts.active & rows[:, None]
    return _shared(work, mask, facts.advance, {"advance": facts.advance})


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
    movable = _movable(work)
    fixed = np.where(facts.active & ~work.needed & ~movable, work.values, 0).sum(axis=1)
    present = np.where(movable, work.values, 0).sum(axis=1)
    remainder = facts.advance - fixed
    rows = facts.advance_known & movable.any(axis=1) & ~(work.needed & facts.active).any(axis=1)
    rows &= np.abs(remainder - present) >= facts.step
    if p["negative_remainder"]:
        rows &= (remainder >= 0) | (present > 0)
    else:
        rows &= remainder >= 0
    inputs = {"advance": facts.advance, "actual": fixed, "estimated": present}
    return _shared(work, movable & rows[:, None], remainder, inputs)


@method(
    "E12",
    "Estimated intervals are scaled tariff by tariff where each has a register of its own.",
    negative_remainder=bool,
)
def scale_by_tariff(work: Work, p: Parameters) -> Filled:
    """E11 within each tariff. Needs `tariff` [row, slot] and `tariff_advance` [row, tariff], below 0 where unknown."""
    facts = work.facts
    if "tariff" not in facts.more or "tariff_advance" not in facts.more:
        return Filled(work.values, np.zeros_like(work.needed))
    tariff, advance = facts.more["tariff"], facts.more["tariff_advance"]
    complete = np.asarray(~(work.needed & facts.active).any(axis=1), np.bool_)
    movable = _movable(work) & complete[:, None]
    values, mask = np.zeros_like(work.values), np.zeros_like(movable)
    for number in range(advance.shape[1]):
        mine = movable & (tariff == number)
        fixed = np.where((tariff == number) & facts.active & ~mine, work.values, 0).sum(axis=1)
        remainder = advance[:, number] - fixed
        rows = mine.any(axis=1) & (advance[:, number] >= 0) & ((remainder >= 0) | p["negative_remainder"])
        part = _shared(work, mine & rows[:, None], remainder, {})
        values[part.mask], mask[part.mask] = part.values[part.mask], True
    return Filled(values, mask, {"tariff_advance": advance})


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


def _movable(work: Work) -> NDArray[np.bool_]:
    """Estimated slots whose value may be scaled: not those that are 0 because the supply was off."""
    facts = work.facts
    off = facts.dead | ((facts.days.flags & Flag.OUTAGE) != 0)
    estimated = facts.active & ~work.actual & ~work.needed
    return np.asarray(estimated & ~(off & (work.values == 0)), np.bool_)


def _shared(
    work: Work, mask: NDArray[np.bool_], total: NDArray[np.int64], inputs: dict[str, NDArray[np.int64]]
) -> Filled:
    values = np.zeros_like(work.values)
    group = np.nonzero(mask)[0].astype(np.int64)
    values[mask] = share_out(total, work.values[mask], group)
    return Filled(values, mask, inputs)
