"""Plausibility of register readings: named rules, each with an id and a sentence.

A reading is compared with the plausible ones before and after it, so that late and repeated results are judged as
fairly as timely ones. Readings are judged together, a column a field; words are found for those that fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    # which readings fail, and what to say of the one at a place
    Failing = tuple[NDArray[np.bool_], Callable[[int], str]]
    Instants = NDArray[np.datetime64]
    Integers = NDArray[np.int64]

MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What is plausible. The rate is a house connection's limit, in thousandths of the unit per hour."""

    rate_milli_per_hour: Mapping[str, int]
    date_tolerance: timedelta = timedelta(days=3)


DEFAULT_LIMITS: Final = Limits(
    # 3 x 80 A at 230 V is 55.2 kW; a G16 gas meter passes 25 m3/h, a Q3 4 water meter 5 m3/h
    rate_milli_per_hour={"KWH": 55_200, "M3": 25_000}
)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Readings to be judged, with their neighbours in time; an instant is NaT where there is none."""

    at: Instants
    value_milli: Integers
    unit: Sequence[str]
    whole_digits: Integers
    before_at: Instants
    before_milli: Integers
    after_at: Instants
    after_milli: Integers
    wanted_at: Instants


@dataclass(frozen=True, slots=True)
class PlausibilityRule:
    """One rule."""

    id: str
    sentence: str
    check: Callable[[Candidates, Limits], Iterator[Failing]]


def check(candidates: Candidates, limits: Limits = DEFAULT_LIMITS) -> dict[int, tuple[str, ...]]:
    """All objections by place, each with the rule's id; a plausible reading has none."""
    found: dict[int, tuple[str, ...]] = {}
    for rule in RULES:
        for failing, say in rule.check(candidates, limits):
            for place in np.flatnonzero(failing).tolist():
                found[place] = (*found.get(place, ()), f"{rule.id}: {say(place)}")
    return found


def register_range_milli(whole_digits: Integers | np.int64) -> Integers:
    """After how many thousandths a register of so many digits shows zero again."""
    # what has more than 15 whole digits does not fit into the books either
    return 10 ** np.clip(whole_digits, 0, 15) * 1000


def advance_milli(
    earlier: Integers | np.int64, later: Integers | np.int64, range_milli: Integers | np.int64
) -> Integers:
    """How far a register moved between two readings; below zero if it moved back.

    One that fell by more than half its range has turned over (meter overrun) and went on from zero.
    """
    moved = later - earlier
    return np.where(-moved > range_milli // 2, moved + range_milli, moved)


def _digits(readings: Candidates, _limits: Limits) -> Iterator[Failing]:
    value, past_last = readings.value_milli, register_range_milli(readings.whole_digits)

    def say(place: int) -> str:
        return f"{_shown(value[place])} does not fit on a display of {readings.whole_digits[place]} digits"

    yield (value < 0) | (value >= past_last), say


def _order(readings: Candidates, limits: Limits) -> Iterator[Failing]:
    value, before, after = readings.value_milli, readings.before_milli, readings.after_milli
    sides = (
        ("below", before, readings.before_at, _advance(readings, limits, before, value, readings.before_at)),
        ("above", after, readings.after_at, _advance(readings, limits, value, after, readings.after_at)),
    )
    for word, other, other_at, (moved, failing) in sides:

        def say(
            place: int, word: str = word, other: Integers = other, at: Instants = other_at, moved: Integers = moved
        ) -> str:
            found = f"{_shown(value[place])} is {word} {_shown(other[place])} of {_minute(at[place])}"
            if moved[place] < 0:
                return found
            return f"{found}; to turn over, it would need {_shown(moved[place])}, more than a connection can carry"

        yield failing, say


def _advance(
    readings: Candidates, limits: Limits, earlier: Integers, later: Integers, other_at: Instants
) -> tuple[Integers, NDArray[np.bool_]]:
    """How far the register moved, and whether it moved back: it may have turned over if a connection can carry that."""
    moved = advance_milli(earlier, later, register_range_milli(readings.whole_digits))
    known, most = _carried_at_most(readings, limits, other_at)
    turned_too_far = (later < earlier) & known & (moved > most)
    return moved, ~np.isnat(other_at) & ((moved < 0) | turned_too_far)


def _carried_at_most(readings: Candidates, limits: Limits, other_at: Instants) -> tuple[NDArray[np.bool_], Integers]:
    """Where a limit is known, and how much a connection can carry between a reading and its neighbour."""
    units, unit = np.unique(np.asarray(readings.unit, np.str_), return_inverse=True)
    allowed = np.array([limits.rate_milli_per_hour.get(str(one), -1) for one in units], np.int64)[unit]
    known = ~np.isnat(other_at) & (allowed >= 0)
    # whole thousandths: more than a fraction of one is more than what is below it
    return known, np.where(known, allowed * _seconds(readings, other_at) // 3600, 0)


def _seconds(readings: Candidates, other_at: Instants) -> Integers:
    between = np.where(np.isnat(other_at), np.timedelta64(0, "us"), readings.at - other_at)
    seconds: Integers = np.abs(between.astype(np.int64)) // MICROSECONDS
    return seconds


def _rate(readings: Candidates, limits: Limits) -> Iterator[Failing]:
    span = register_range_milli(readings.whole_digits)
    used = advance_milli(readings.before_milli, readings.value_milli, span)
    known, most = _carried_at_most(readings, limits, readings.before_at)
    seconds = _seconds(readings, readings.before_at)

    def say(place: int) -> str:
        hours = Decimal(int(seconds[place])) / 3600
        return f"{_shown(used[place])} in {hours:.2f} hours is more than a connection can carry"

    forward = readings.value_milli >= readings.before_milli  # of one that turned over, P02 says so
    yield known & forward & (used > most), say


def _date(readings: Candidates, limits: Limits) -> Iterator[Failing]:
    at, wanted = readings.at, readings.wanted_at

    def say(place: int) -> str:
        return f"read at {_minute(at[place])}, wanted for {_minute(wanted[place])}"

    yield np.abs(at - wanted) > np.timedelta64(limits.date_tolerance), say  # never true without an instant


RULES: Final = (
    PlausibilityRule("P01", "The value fits on the register's display.", _digits),
    PlausibilityRule("P02", "The value is not below an earlier or above a later one, or it turned over.", _order),
    PlausibilityRule("P03", "No more was used since the reading before than a connection can carry.", _rate),
    PlausibilityRule("P04", "The reading was taken near the day for which it was ordered.", _date),
)


def _shown(value_milli: Any) -> str:  # noqa: ANN401 - a number of numpy's
    return f"{Decimal(int(value_milli)).scaleb(-3):f}"


def _minute(instant: Any) -> str:  # noqa: ANN401 - an instant of numpy's
    return f"{instant.item():%Y-%m-%d %H:%M} UTC"
