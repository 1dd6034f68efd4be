"""A meter's own idea of local time: the fields of its clock object (class 8, Blue Book 4.5.1) as a time zone.

As long as nobody writes them they describe the zone in which the meter hangs. Written ones act at once: on the time
that it shows, on the stamps of its rows and logs, and on the times of its schedules. Days, months and tariffs stay
civil.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import decode
from openami.ami.dlms.errors import DlmsError
from openami.ami.dlms.times import NOT_SPECIFIED, YEAR_NOT_SPECIFIED, CosemDate, CosemDateTime, CosemTime
from openami.ami.meter.settings import CLOCK
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.ami.dlms.data import Data
    from openami.ami.meter.settings import Settings

TIME_ZONE, BEGIN, END, DEVIATION, ENABLED = 3, 5, 6, 7, 8
"""The attributes that make local time."""
_LAST, _SECOND_LAST = 0xFE, 0xFD
_OFFSET_MAX_MIN: Final = 14 * 60
"""No place on earth is further from UTC: a clock that says so is not believed."""


@dataclass(frozen=True)
class OwnZone(tzinfo):
    """Local time by rule: a standard offset, and a summer time between two dates of each year."""

    standard: timedelta
    daylight: timedelta
    begin: CosemDateTime
    end: CosemDateTime
    enabled: bool

    def utcoffset(self, local: datetime | None) -> timedelta:
        """What local time is ahead of UTC; of an hour that comes twice, `fold` says which."""
        return self.standard + self.dst(local)

    def dst(self, local: datetime | None) -> timedelta:
        """How much of that is summer time."""
        if local is None or not self.enabled:
            return timedelta(0)
        naive = local.replace(tzinfo=None)
        as_summer, as_winter = (
            self._is_summer(naive - self.standard - shift) for shift in (self.daylight, timedelta(0))
        )
        summer = as_summer if as_summer == as_winter else as_summer and not local.fold
        return self.daylight if summer else timedelta(0)

    def tzname(self, _local: datetime | None) -> str:
        """It has no name but its offset."""
        return f"UTC{self.standard.total_seconds() / 3600:+g}"

    def fromutc(self, utc: datetime) -> datetime:
        """The local time of an instant."""
        naive = utc.replace(tzinfo=None)
        summer = self.enabled and self._is_summer(naive)
        local = naive + self.standard + (self.daylight if summer else timedelta(0))
        twice = self.enabled and not summer and self._is_summer(naive - self.daylight)
        return local.replace(tzinfo=self, fold=int(twice))

    def _is_summer(self, utc: datetime) -> bool:
        begin, end = _switch(self.begin, utc.year), _switch(self.end, utc.year)
        if begin is None or end is None:
            return False
        begin, end = begin - self.standard, end - self.standard - self.daylight
        return begin <= utc < end if begin < end else not end <= utc < begin

    def __repr__(self) -> str:
        return f"<local time of a meter, {self.tzname(None)}>"


def place_of(settings: Settings, zone_name: str) -> tzinfo:
    """The local time that a meter keeps."""
    written = tuple([settings.written(CLOCK, attribute) for attribute in (TIME_ZONE, BEGIN, END, DEVIATION, ENABLED)])
    return _place(written, zone_name) if any(written) else zone(zone_name)


def shown_rule(settings: Settings, zone_name: str, attribute: int, year: int) -> Data:
    """One of the attributes: what was written, or what describes the zone in a year."""
    written = settings.written(CLOCK, attribute)
    return settings.of(CLOCK, attribute) if written else _factory(zone_name, year)[attribute]


@lru_cache(maxsize=256)
def _place(written: tuple[bytes | None, ...], zone_name: str) -> tzinfo:
    factory = _factory(zone_name, 2026)
    offset, begin, end, deviation, enabled = (
        factory[attribute] if octets is None else decode(octets)
        for attribute, octets in zip((TIME_ZONE, BEGIN, END, DEVIATION, ENABLED), written, strict=True)
    )
    if abs(offset.integer()) > _OFFSET_MAX_MIN:
        return zone(zone_name)
    try:
        return OwnZone(
            -timedelta(minutes=offset.integer()),
            timedelta(minutes=deviation.integer()),
            CosemDateTime.decode(begin.octets()),
            CosemDateTime.decode(end.octets()),
            enabled.boolean(),
        )
    except DlmsError:
        return zone(zone_name)


@lru_cache(maxsize=64)
def _factory(zone_name: str, year: int) -> dict[int, Data]:
    """The attributes that describe a zone in a year."""
    place = zone(zone_name)
    hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(366 * 24)]
    local = [instant.astimezone(place) for instant in hours]
    begin = end = CosemDateTime()
    daylight = timedelta(0)
    for before, after, instant in zip(local, local[1:], hours[1:], strict=False):
        if bool(before.dst()) == bool(after.dst()):
            continue
        shown = instant.astimezone(UTC).replace(tzinfo=None) + (before.utcoffset() or timedelta(0))
        if after.dst():
            begin, daylight = _stamp(shown), after.dst() or timedelta(0)
        else:
            end = _stamp(shown)
    standard = min(each.utcoffset() or timedelta(0) for each in local)
    return {
        TIME_ZONE: d.integer16(-int(standard.total_seconds()) // 60),
        BEGIN: d.octet_string(begin),
        END: d.octet_string(end),
        DEVIATION: d.integer8(int(daylight.total_seconds()) // 60),
        ENABLED: d.boolean(bool(daylight)),
    }


def _stamp(local: datetime) -> CosemDateTime:
    """The switch of a zone: all that have one switch on the last Sunday of a month, or on the first after a day."""
    last = (local + timedelta(days=7)).month != local.month
    day = _LAST if last else (local.day - 1) // 7 * 7 + 1
    date = CosemDate(month=local.month, day=day, day_of_week=local.isoweekday())
    return CosemDateTime(date, CosemTime(local.hour, local.minute, 0, 0))


def _switch(stamp: CosemDateTime, year: int) -> datetime | None:
    """The local time of a switch in a year; None if the stamp says none."""
    date, time = stamp.date, stamp.time
    if date.year not in (YEAR_NOT_SPECIFIED, year) or not 1 <= date.month <= 12:
        return None
    first = datetime(year, date.month, 1)  # noqa: DTZ001 - local by definition
    following = datetime(year + date.month // 12, date.month % 12 + 1, 1)  # noqa: DTZ001
    if date.day in (_LAST, _SECOND_LAST):
        day = following - timedelta(days=1 if date.day == _LAST or date.day_of_week != NOT_SPECIFIED else 2)
        if date.day_of_week != NOT_SPECIFIED:
            day -= timedelta(days=(day.isoweekday() - date.day_of_week) % 7 + 7 * (date.day == _SECOND_LAST))
    else:
        day = first + timedelta(days=min(date.day, (following - first).days) - 1 if date.day != NOT_SPECIFIED else 0)
        if date.day_of_week != NOT_SPECIFIED:
            day += timedelta(days=(date.day_of_week - day.isoweekday()) % 7)
    known = [0 if part == NOT_SPECIFIED else part for part in (time.hour, time.minute)]
    return day + timedelta(hours=min(known[0], 23), minutes=min(known[1], 59))
