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


def _digits(readings: Candidates, _limits: Limits) -> Iterator[Failing]:
    value = readings.value_milli
    # what has more than 15 whole digits does not fit into the books either
    past_last = 10 ** np.clip(readings.whole_digits, 0, 15) * 1000

    def say(place: int) -> str:
        return f"{_shown(value[place])} does not fit on a display of {readings.whole_digits[place]} digits"

    yield (value < 0) | (value >= past_last), say


def _order(readings: Candidates, _limits: Limits) -> Iterator[Failing]:
    value, before, after = readings.value_milli, readings.before_milli, readings.after_milli

    def below(place: int) -> str:
        return f"{_shown(value[place])} is below {_shown(before[place])} of {_minute(readings.before_at[place])}"

    def above(place: int) -> str:
        return f"{_shown(value[place])} is above {_shown(after[place])} of {_minute(readings.after_at[place])}"

    yield ~np.isnat(readings.before_at) & (value < before), below
    yield ~np.isnat(readings.after_at) & (value > after), above


def _rate(readings: Candidates, limits: Limits) -> Iterator[Failing]:
    units, unit = np.unique(np.asarray(readings.unit, np.str_), return_inverse=True)
    allowed = np.array([limits.rate_milli_per_hour.get(str(one), -1) for one in units], np.int64)[unit]
    known = ~np.isnat(readings.before_at) & (allowed >= 0)
    before_at = np.where(known, readings.before_at, readings.at)
    seconds: Integers = (readings.at - before_at).astype(np.int64) // MICROSECONDS
    used = readings.value_milli - readings.before_milli

    def say(place: int) -> str:
        hours = Decimal(int(seconds[place])) / 3600
        return f"{_shown(used[place])} in {hours:.2f} hours is more than a connection can carry"

    # whole thousandths: more than a fraction of one is more than what is below it
    yield known & (used > allowed * seconds // 3600), say


def _date(readings: Candidates, limits: Limits) -> Iterator[Failing]:
    at, wanted = readings.at, readings.wanted_at

    def say(place: int) -> str:
        return f"read at {_minute(at[place])}, wanted for {_minute(wanted[place])}"

    yield np.abs(at - wanted) > np.timedelta64(limits.date_tolerance), say  # never true without an instant


RULES: Final = (
    PlausibilityRule("P01", "The value fits on the register's display.", _digits),
    PlausibilityRule("P02", "The value is not below an earlier or above a later one.", _order),
    PlausibilityRule("P03", "No more was used since the reading before than a connection can carry.", _rate),
    PlausibilityRule("P04", "The reading was taken near the day for which it was ordered.", _date),
)


def _shown(value_milli: Any) -> str:  # noqa: ANN401 - a number of numpy's
    return f"{Decimal(int(value_milli)).scaleb(-3):f}"


def _minute(instant: Any) -> str:  # noqa: ANN401 - an instant of numpy's
    return f"{instant.item():%Y-%m-%d %H:%M} UTC"
