"""Half-open spans of time, and the local days and months that only a named zone can tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from openami.shared.errors import OpenAmiError


class NaiveInstantError(OpenAmiError):
    """A time without a zone was given where an instant is needed."""


class UnknownZoneError(OpenAmiError):
    """A zone name that the zone database does not know."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `start` (inside) to `end` (outside), both aware and in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise NaiveInstantError(
                f"The span {self.start} to {self.end} has no zone.", hint="Give aware times; inside, all is UTC."
            )
        if self.end < self.start:
            raise ValueError(f"a span cannot end ({self.end}) before it starts ({self.start})")

    @property
    def duration_s(self) -> int:
        """Length in whole seconds."""
        return round((self.end - self.start).total_seconds())

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def overlap(self, other: Span) -> Span | None:
        """The part that both share, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name.

    Raises:
        UnknownZoneError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder of zones is none
        raise UnknownZoneError(
            f"There is no time zone {name!r}.", hint="Use an IANA name such as Europe/Amsterdam."
        ) from error


@lru_cache(maxsize=65536)
def local_midnight(zone_name: str, day: date) -> datetime:
    """The instant (UTC) at which a local day begins."""
    return datetime.combine(day, time(), tzinfo=zone(zone_name)).astimezone(UTC)


def local_day(zone_name: str, day: date) -> Span:
    """A local day: 23, 24 or 25 hours."""
    return Span(local_midnight(zone_name, day), local_midnight(zone_name, day + timedelta(days=1)))


def local_month(zone_name: str, year: int, month: int) -> Span:
    """A local calendar month."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return Span(local_midnight(zone_name, date(year, month, 1)), local_midnight(zone_name, following))


def local_date(zone_name: str, instant: datetime) -> date:
    """The local date on which an instant falls."""
    return instant.astimezone(zone(zone_name)).date()


def days(first: date, past_last: date) -> list[date]:
    """The dates from `first` up to, not including, `past_last`."""
    return [first + timedelta(days=offset) for offset in range((past_last - first).days)]


def intervals_of_day(zone_name: str, day: date, interval_s: int) -> int:
    """How many intervals a local day has: 92, 96 or 100 quarter-hours."""
    return local_day(zone_name, day).duration_s // interval_s
