"""Plausibility of register readings: named rules, each with an id and a sentence.

A reading is compared with the plausible ones before and after it, so that late and repeated results are judged as
fairly as timely ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from openami.office.readings.model import RegisterReading


@dataclass(frozen=True, slots=True)
class Limits:
    """What is plausible. The rate is a house connection's limit, in thousandths of the unit per hour."""

    rate_milli_per_hour: Mapping[str, int]
    date_tolerance: timedelta = timedelta(days=3)


DEFAULT_LIMITS: Final = Limits(
    # 3 x 80 A at 230 V is 55.2 kW; a G16 gas meter passes 25 m3/h, a Q3 4 water meter 5 m3/h
    rate_milli_per_hour={"KWH": 55_200, "M3": 25_000}
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reading to be judged, with its neighbours in time."""

    reading: RegisterReading
    unit: str
    total_digits: int
    fraction_digits: int
    before: RegisterReading | None = None
    after: RegisterReading | None = None
    wanted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlausibilityRule:
    """One rule."""

    id: str
    sentence: str
    check: Callable[[Candidate, Limits], Iterator[str]]


def check(candidate: Candidate, limits: Limits = DEFAULT_LIMITS) -> tuple[str, ...]:
    """All objections, each with the rule's id; empty when the reading is plausible."""
    return tuple(f"{rule.id}: {text}" for rule in RULES for text in rule.check(candidate, limits))


def _digits(candidate: Candidate, _limits: Limits) -> Iterator[str]:
    whole_digits = candidate.total_digits - candidate.fraction_digits
    if not 0 <= candidate.reading.value_milli < 10**whole_digits * 1000:
        yield f"{_shown(candidate.reading.value_milli)} does not fit on a display of {whole_digits} digits"


def _order(candidate: Candidate, _limits: Limits) -> Iterator[str]:
    value, before, after = candidate.reading, candidate.before, candidate.after
    if before is not None and value.value_milli < before.value_milli:
        yield f"{_shown(value.value_milli)} is below {_shown(before.value_milli)} of {before.at:%Y-%m-%d %H:%M} UTC"
    if after is not None and value.value_milli > after.value_milli:
        yield f"{_shown(value.value_milli)} is above {_shown(after.value_milli)} of {after.at:%Y-%m-%d %H:%M} UTC"


def _rate(candidate: Candidate, limits: Limits) -> Iterator[str]:
    before = candidate.before
    allowed = limits.rate_milli_per_hour.get(candidate.unit)
    if before is None or allowed is None:
        return
    hours = Decimal((candidate.reading.at - before.at) // timedelta(seconds=1)) / 3600
    used = candidate.reading.value_milli - before.value_milli
    if used > allowed * hours:
        yield f"{_shown(used)} in {hours:.2f} hours is more than a connection can carry"


def _date(candidate: Candidate, limits: Limits) -> Iterator[str]:
    wanted = candidate.wanted_at
    if wanted is not None and abs(candidate.reading.at - wanted) > limits.date_tolerance:
        yield f"read at {candidate.reading.at:%Y-%m-%d %H:%M} UTC, wanted for {wanted:%Y-%m-%d %H:%M} UTC"


RULES: Final = (
    PlausibilityRule("P01", "The value fits on the register's display.", _digits),
    PlausibilityRule("P02", "The value is not below an earlier or above a later one.", _order),
    PlausibilityRule("P03", "No more was used since the reading before than a connection can carry.", _rate),
    PlausibilityRule("P04", "The reading was taken near the day for which it was ordered.", _date),
)


def _shown(value_milli: int) -> str:
    return f"{Decimal(value_milli).scaleb(-3):f}"
