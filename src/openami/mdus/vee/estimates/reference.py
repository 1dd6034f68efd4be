"""Longer gaps from other days: E03 like-day average, E04 two-week like day, E05 average, E06 proxy day."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.vee.catalogue import Added, Work, method
from openami.mdus.vee.estimates.exact import rounded
from openami.mdus.vee.model import Filled, Parameters, Reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOLIDAY: Final = 7
_SUNDAY: Final = 6
_FAR: Final = 1 << 20
_OUT: Final = 4 * _FAR


@method(
    "E03",
    "A gap takes the mean of the same slots of the nearest valid days of the same weekday, else of the same type.",
    n_days=int,
    min_days=int,
    history_days=int,
    allow_partial_day=bool,
    side=str,
    weekday_first=Added(bool, True),
    holiday_as=Added(str, "holiday"),
)
def like_day_average(work: Work, p: Parameters) -> Filled:
    """The nearest `n_days` usable days: same weekday before same type (weekday, weekend, holiday); rounded half up.

    A holiday takes holidays first, then Sundays (E03h), each in the current period before those in history.
    """
    reference = work.facts.reference
    if reference is None or not reference.values.shape[1]:
        return Filled(work.values, np.zeros_like(work.needed))
    usable = reference.usable if p["allow_partial_day"] else _whole(reference)
    order = _by_type(reference, work.facts.day_type, p) + np.abs(reference.distance)
    out = (np.abs(reference.distance) > p["history_days"]) | (reference.distance == 0)
    if p["side"] == "before":
        out |= reference.distance > 0
    return _mean(work, usable, np.where(out, _OUT, order), p["n_days"], p["min_days"])


@method("E04", "A gap takes the same slots of the first valid day in a table of like days of two weeks.", table=list)
def two_week_like_day(work: Work, _p: Parameters) -> Filled:
    """The table names for each weekday (Mon to Sun, holiday) the days to try: `Tue-1` is Tuesday of the week before."""
    reference = work.facts.reference
    if reference is None or not reference.values.shape[1]:
        return Filled(work.values, np.zeros_like(work.needed))
    tables = [_distances(line, weekday) for weekday, line in enumerate(_p["table"])]
    order = np.full(reference.distance.shape, _OUT, np.int64)
    for weekday, distances in enumerate(tables):
        mine = work.facts.day_type == weekday
        for rank, distance in enumerate(distances):
            order[mine[:, None] & (reference.distance == distance)] = rank
    if (holidays := np.flatnonzero(work.facts.day_type == HOLIDAY)).size:
        order[holidays] = _sundays(work.facts.days.day[holidays], reference.distance[holidays])
    return _mean(work, _whole(reference), order, 1, 1)


@method(
    "E05", "A gap takes the mean of neighbouring like days, if not too much of the day is missing.",
    max_missing_share=Decimal, n_days=int,
)  # fmt: skip
def average(work: Work, p: Parameters) -> Filled:
    """Refused where the missing share of the day exceeds its limit (Oracle Interval Averaging)."""
    reference = work.facts.reference
    if reference is None or not reference.values.shape[1]:
        return Filled(work.values, np.zeros_like(work.needed))
    numerator, denominator = p.ratio("max_missing_share")
    missing = work.needed.sum(axis=1)
    allowed = missing * denominator <= numerator * work.facts.active.sum(axis=1)
    same = _kind(work.facts.day_type[:, None]) == _kind(reference.day_type)
    order = np.where(same & (reference.distance != 0) & allowed[:, None], np.abs(reference.distance), _OUT)
    return _mean(work, _whole(reference), order, p["n_days"], 1)


@method("E06", "A gap takes the mean of the nearest valid days of similar temperature.", band_mk=int, n_days=int)
def proxy_day(work: Work, p: Parameters) -> Filled:
    """Needs `temperature_mk` by row and `reference_temperature_mk` by row and candidate, in thousandths of a kelvin."""
    reference, more = work.facts.reference, work.facts.more
    if reference is None or "temperature_mk" not in more or "reference_temperature_mk" not in more:
        return Filled(work.values, np.zeros_like(work.needed))
    apart = np.abs(more["reference_temperature_mk"] - more["temperature_mk"][:, None])
    fits = (apart <= p["band_mk"]) & (_kind(work.facts.day_type[:, None]) == _kind(reference.day_type))
    order = np.where(fits & (reference.distance != 0), np.abs(reference.distance), _OUT)
    return _mean(work, _whole(reference), order, p["n_days"], 1)


def _whole(reference: Reference) -> NDArray[np.bool_]:
    """Only days all of whose slots are usable."""
    return np.logical_and(reference.usable, reference.usable.all(axis=2, keepdims=True))


def _by_type(reference: Reference, day_type: NDArray[np.int8], p: Parameters) -> NDArray[np.int64]:
    """How good each candidate is by its type alone: lower is better, `_OUT` and above is out."""
    own, other = day_type[:, None], reference.day_type
    if p["holiday_as"] == "sunday":
        own, other = np.where(own == HOLIDAY, _SUNDAY, own), np.where(other == HOLIDAY, _SUNDAY, other)
    same_day = (own == other) if p["weekday_first"] else (_kind(own) == _kind(other))
    rank = np.where(same_day, 0, np.where(_kind(own) == _kind(other), _FAR, _OUT))
    sundays = (own == HOLIDAY) & (other == _SUNDAY)
    return np.where(sundays, _FAR, rank).astype(np.int64)


def _kind(day_type: NDArray[np.int8]) -> NDArray[np.int8]:
    """0 weekday, 1 weekend, 2 holiday."""
    return np.where(day_type == HOLIDAY, 2, np.where(day_type >= 5, 1, 0)).astype(np.int8)


_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _distances(line: str, weekday: int) -> list[int]:
    """`Tue-1 Wed0` as distances in days from a day of that weekday."""
    return [7 * int(word[3:]) + _NAMES.index(word[:3]) - weekday for word in line.split()]


def _sundays(day: NDArray[np.int64], distance: NDArray[np.int64]) -> NDArray[np.int64]:
    """A holiday tries the Sunday of its own week, then that of the week before."""
    weekday = ((day + 6) % 7)[:, None]
    return np.where(distance == 6 - weekday, 0, np.where(distance == -1 - weekday, 1, _OUT)).astype(np.int64)


def _mean(work: Work, usable: NDArray[np.bool_], order: NDArray[np.int64], wanted: int, least: int) -> Filled:
    """For each slot the mean of the first `wanted` usable candidates in order; what was used, by row, as distances."""
    reference = work.facts.reference
    assert reference is not None
    rows, candidates, n = reference.values.shape
    chosen = np.argsort(order, axis=1, kind="stable")
    total, count = np.zeros((rows, n), np.int64), np.zeros((rows, n), np.int64)
    used = np.zeros((rows, candidates), np.int64)
    row = np.arange(rows)
    for rank in range(candidates):  # a loop over candidates, never over rows
        pick = chosen[:, rank]
        take = usable[row, pick] & (order[row, pick] < _OUT)[:, None] & (count < wanted)
        total += np.where(take, reference.values[row, pick], 0)
        count += take
        used[:, rank] = np.where(take.any(axis=1), reference.distance[row, pick], 0)
    mask = work.needed & (count >= least)
    return Filled(rounded(total, np.maximum(count, 1)), mask, {"days": used})
