"""Local days as rows of a matrix: where they start, how many intervals they have, which slot an instant falls in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.errors import OpenAmiError
from openami.shared.spans import Span, zone

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_S: Final = 86_400
_EPOCH_S = datetime(1970, 1, 1, tzinfo=UTC)


class UnevenDayError(OpenAmiError):
    """A local day that the interval length does not divide."""


@lru_cache(maxsize=65536)
def _start_s(zone_name: str, day_start_s: int, day: int) -> int:
    local = datetime.combine(date.fromordinal(day), time(), tzinfo=zone(zone_name)) + timedelta(seconds=day_start_s)
    return round((local.astimezone(UTC) - _EPOCH_S).total_seconds())


@dataclass(frozen=True, slots=True)
class Calendar:
    """How a channel cuts time: zone, interval length, and when its day starts (06:00 for European gas).

    Days are proleptic ordinals (`date.toordinal`), instants are whole seconds since 1970 UTC.
    """

    zone: str
    interval_s: int
    day_start_s: int = 0

    def start_s(self, day: int) -> int:
        """The instant at which the local day begins, seconds since 1970."""
        return _start_s(self.zone, self.day_start_s, day)

    def starts_s(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        """The instants at which many local days begin."""
        distinct, inverse = np.unique(days, return_inverse=True)
        begins = np.array([self.start_s(int(day)) for day in distinct], dtype=np.int64)
        return begins[inverse]

    def span(self, day: int) -> Span:
        """The local day as a span."""
        return Span(_instant(self.start_s(day)), _instant(self.start_s(day + 1)))

    def count(self, day: int) -> int:
        """How many intervals the local day has, counted in elapsed time: 92, 96 or 100 quarter-hours.

        An interval of a day is the local day, however long that is.

        Raises:
            UnevenDayError: the interval length does not divide the day.
        """
        if self.interval_s == DAY_S:
            return 1
        length_s = self.start_s(day + 1) - self.start_s(day)
        count, rest = divmod(length_s, self.interval_s)
        if rest:
            raise UnevenDayError(
                f"{date.fromordinal(day)} in {self.zone} has {length_s} s: not a whole number of {self.interval_s} s.",
                hint="Declare the channel with a zone whose clock shifts by whole intervals.",
            )
        return count

    def local_seconds(self, day: int) -> NDArray[np.int64]:
        """The local time of day, in seconds, at which each interval of a local day begins."""
        of = zone(self.zone)
        starts = (
            _instant(self.start_s(day) + slot * self.interval_s).astimezone(of) for slot in range(self.count(day))
        )
        return np.array([one.hour * 3600 + one.minute * 60 + one.second for one in starts], np.int64)

    def day_of(self, instant_s: int) -> int:
        """The local day (ordinal) in which an instant falls."""
        day = _instant(instant_s).astimezone(zone(self.zone)).date().toordinal()
        if instant_s < self.start_s(day):
            return day - 1
        return day + 1 if instant_s >= self.start_s(day + 1) else day

    def days_of(self, span: Span) -> range:
        """The local days (ordinals) that a span touches."""
        if span.end <= span.start:
            return range(0)
        return range(self.day_of(seconds(span.start)), self.day_of(seconds(span.end) - 1) + 1)

    def slots(self, instants_s: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Day, slot and whether it lies on the grid, for many interval starts at once."""
        if not instants_s.size:
            empty = np.empty(0, dtype=np.int64)
            return empty, empty, np.empty(0, dtype=np.bool_)
        first, last = self.day_of(int(instants_s.min())), self.day_of(int(instants_s.max()))
        begins = np.array([self.start_s(day) for day in range(first, last + 1)], dtype=np.int64)
        offset = np.searchsorted(begins, instants_s, side="right") - 1
        slot, rest = np.divmod(instants_s - begins[offset], self.interval_s)
        return offset + first, slot, rest == 0


def seconds(instant: datetime) -> int:
    """Whole seconds since 1970 of an aware instant."""
    return (instant - _EPOCH_S) // timedelta(seconds=1)


def _instant(instant_s: int) -> datetime:
    return _EPOCH_S + timedelta(seconds=instant_s)


instant_of = _instant
