"""Longer gaps from other days: E03 like-day average."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.vee.catalogue import Work, method
from openami.mdus.vee.model import Filled, Parameters, Reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOLIDAY: Final = 7
_FAR: Final = 1 << 20
_OTHER_TYPE: Final = 2 * _FAR


@method(
    "E03",
    "A gap takes the mean of the same slots of the nearest valid days of the same weekday, else of the same type.",
    n_days=int,
    min_days=int,
    history_days=int,
    allow_partial_day=bool,
    side=str,
)
def like_day_average(work: Work, p: Parameters) -> Filled:
    """The nearest `n_days` usable days: same weekday before same type (weekday, weekend, holiday); rounded half up."""
    reference = work.facts.reference
    if reference is None or not reference.values.shape[1]:
        return Filled(work.values, np.zeros_like(work.needed))
    usable = reference.usable if p["allow_partial_day"] else _whole(reference)
    order = _order(reference, work.facts.day_type, p)
    chosen = np.argsort(order, axis=1, kind="stable")
    used, total, count = _first_usable(reference, usable, order, chosen, p["n_days"])
    mask = work.needed & (count >= p["min_days"])
    parts = np.maximum(count, 1)
    return Filled((2 * total + parts) // (2 * parts), mask, {"days": used})


def _whole(reference: Reference) -> NDArray[np.bool_]:
    """Only days all of whose slots are usable."""
    return np.logical_and(reference.usable, reference.usable.all(axis=2, keepdims=True))


def _order(reference: Reference, day_type: NDArray[np.int8], p: Parameters) -> NDArray[np.int64]:
    """How good each candidate is by its date alone: lower is better, `_OTHER_TYPE` and above is out."""
    own, other = day_type[:, None], reference.day_type
    same_day = own == other
    same_type = _kind(own) == _kind(other)
    order = np.abs(reference.distance) + np.where(same_day, 0, np.where(same_type, _FAR, _OTHER_TYPE))
    out = (np.abs(reference.distance) > p["history_days"]) | (reference.distance == 0)
    if p["side"] == "before":
        out |= reference.distance > 0
    return np.where(out, _OTHER_TYPE, order)


def _kind(day_type: NDArray[np.int8]) -> NDArray[np.int8]:
    """0 weekday, 1 weekend, 2 holiday."""
    return np.where(day_type == HOLIDAY, 2, np.where(day_type >= 5, 1, 0)).astype(np.int8)


def _first_usable(
    reference: Reference,
    usable: NDArray[np.bool_],
    order: NDArray[np.int64],
    chosen: NDArray[np.intp],
    wanted: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The distances used by row, and sum and count by slot, of the first `wanted` usable candidates of each slot."""
    rows, candidates, n = reference.values.shape
    total, count = np.zeros((rows, n), np.int64), np.zeros((rows, n), np.int64)
    used = np.zeros((rows, candidates), np.int64)
    row = np.arange(rows)
    for rank in range(candidates):  # a loop over candidates, never over rows
        pick = chosen[:, rank]
        take = usable[row, pick] & (order[row, pick] < _OTHER_TYPE)[:, None] & (count < wanted)
        total += np.where(take, reference.values[row, pick], 0)
        count += take
        used[:, rank] = np.where(take.any(axis=1), reference.distance[row, pick], 0)
    return used, total, count
