"""Periods of dates, and what may be done with lists of dated slices."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from openami.mdus.registry.errors import PeriodError
from openami.shared.spans import Span, local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

OPEN_DATE: Final = date(9999, 12, 31)
"""The back office's "until further notice"."""
OPEN_INSTANT: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Local days from `first` up to, not including, `past_last`; open when that is `OPEN_DATE`."""

    first: date
    past_last: date

    def __post_init__(self) -> None:
        if self.past_last < self.first:
            raise PeriodError(
                f"The period ends on {self.past_last} before it starts on {self.first}.",
                hint="Send an end date that is not before the start date.",
            )

    @classmethod
    def inclusive(cls, first: date, last: date) -> Period:
        """From the two dates of a message, where the last day belongs to the period."""
        return cls(first, last if last == OPEN_DATE else last + timedelta(days=1))

    @property
    def last(self) -> date:
        """The last day that belongs to the period, as messages carry it."""
        return self.past_last if self.past_last == OPEN_DATE else self.past_last - timedelta(days=1)

    def __contains__(self, day: date) -> bool:
        return self.first <= day < self.past_last or day == self.past_last == OPEN_DATE

    def overlaps(self, other: Period) -> bool:
        """Whether the two share a day."""
        return self.first < other.past_last and other.first < self.past_last

    def span(self, zone_name: str) -> Span:
        """The instants of these local days."""
        return Span(_midnight(zone_name, self.first), _midnight(zone_name, self.past_last))


class Dated(Protocol):
    """A slice that is valid for a period of days."""

    @property
    def period(self) -> Period:
        """The days of the slice."""
        ...


SliceT = TypeVar("SliceT", bound=Dated)


def without_overlap(slices: Iterable[SliceT], name: str) -> tuple[SliceT, ...]:
    """The slices in the order of time.

    Raises:
        PeriodError: two of them share a day.
    """
    ordered = sorted(slices, key=lambda one: (one.period.first, one.period.past_last))
    for earlier, later in itertools.pairwise(ordered):
        if earlier.period.overlaps(later.period):
            raise PeriodError(
                f"{name}: {earlier.period.first} to {earlier.period.last} and "
                f"{later.period.first} to {later.period.last} overlap.",
                hint="Send periods that follow one another.",
            )
    return tuple(ordered)


def replaced(
    kept: Sequence[SliceT], sent: Sequence[SliceT], *, complete: bool, key: Callable[[SliceT], object]
) -> tuple[SliceT, ...]:
    """The slices after a message: all of them when its list is complete, else those of the same key only."""
    if complete:
        return tuple(sent)
    touched = {key(one) for one in sent}
    return tuple(one for one in kept if key(one) not in touched) + tuple(sent)


def _midnight(zone_name: str, day: date) -> datetime:
    if day >= OPEN_DATE:
        return OPEN_INSTANT
    if day.year <= 1:  # zones have no midnight before the calendar
        return datetime(1, 1, 2, tzinfo=UTC)
    return local_midnight(zone_name, day)
