"""The activity calendar (class 20): seasons, weeks and days that say which tariff is in force at an instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from openami.ami.dlms.axdr import encode
from openami.ami.dlms.enums import ActionResult
from openami.ami.dlms.errors import ActionRefusedError, DlmsError, TypeMismatchError
from openami.ami.dlms.times import NOT_SPECIFIED, YEAR_NOT_SPECIFIED, CosemDate, CosemDateTime, CosemTime
from openami.ami.meter.parts import Part
from openami.ami.meter.settings import CALENDAR, SPECIAL_DAYS
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openami.ami.dlms.data import Data
    from openami.ami.meter.model import Meter
    from openami.ami.meter.settings import Settings

LOW, NORMAL = 1, 2
"""Tariffs as Dutch meters number them: low at night and at the weekend, normal on working days."""
TARIFFS_MAX: Final = 4
_LAST_DAY: Final = 0xFE
_PASSIVE_TO_ACTIVE: Final = 4  # attributes 6 to 9 become 2 to 5

Switches = tuple[tuple[time, int], ...]
"""From which local time on which tariff (script selector) holds; before the first the last one of the day before."""


@dataclass(frozen=True, eq=False)
class Calendar:
    """A calendar in force: day profiles by number, weeks by name, seasons by their first day of the year."""

    days: Mapping[int, Switches]
    weeks: Mapping[bytes, tuple[int, ...]]
    seasons: tuple[tuple[int, int, bytes], ...]
    special: tuple[tuple[CosemDate, int], ...] = ()

    @cached_property
    def _cache(self) -> dict[date, Switches]:
        return {}

    def switches(self, day: date) -> Switches:
        """The tariff switches of a local day."""
        found = self._cache.get(day)
        if found is None:
            found = self._cache[day] = self.days.get(self._day_id(day), ())
        return found

    def tariff_at(self, local: datetime) -> int:
        """The tariff in force at a local time."""
        day, at = local.date(), local.time()
        for _ in range(8):  # a week without any switch has only one tariff
            for start, tariff in reversed(self.switches(day)):
                if start <= at:
                    return tariff
            day, at = day - timedelta(days=1), time.max
        return NORMAL

    def _day_id(self, day: date) -> int:
        for wanted, day_id in self.special:
            if fits(wanted, day):
                return day_id
        season = self._season(day)
        week = self.weeks.get(season, ())
        return week[day.weekday()] if week else 0

    def _season(self, day: date) -> bytes:
        begun = [name for month, first, name in self.seasons if (month, first) <= (day.month, day.day)]
        return begun[-1] if begun else self.seasons[-1][2] if self.seasons else b""


FACTORY: Final = Calendar(
    days={1: ((time(0), LOW), (time(7), NORMAL), (time(23), LOW)), 2: ((time(0), LOW),)},
    weeks={b"W": (1, 1, 1, 1, 1, 2, 2)},
    seasons=((1, 1, b"W"),),
)
"""What every meter leaves the factory with."""


def calendar_of(settings: Settings, *, passive: bool = False) -> Calendar:
    """The calendar that was written, or the factory's if none was.

    Raises:
        TypeMismatchError: it is not one.
    """
    first = 7 if passive else 3
    seasons, weeks, days = (settings.of(CALENDAR, first + number) for number in range(3))
    if not days.elements():
        return FACTORY
    return Calendar(
        days=dict(_day(each) for each in days.elements()),
        weeks=dict(_week(each) for each in weeks.elements()),
        seasons=tuple(sorted(_season(each) for each in seasons.elements())),
        special=tuple(_special_day(entry) for entry in _special(settings)),
    )


def calendar_part(meter: Meter, now_s: Callable[[], int]) -> Part:
    """The method that makes the passive calendar the active one."""

    def activate(_parameter: Data | None) -> None:
        try:
            calendar_of(meter.settings, passive=True)
        except (DlmsError, ValueError, IndexError) as error:
            raise ActionRefusedError(ActionResult.OTHER_REASON) from error
        meter.activate_calendar(now_s())

    return Part(methods={(CALENDAR, 1): activate})


def make_active(settings: Settings) -> None:
    """Copy the passive calendar over the active one."""
    for number in range(2, 2 + _PASSIVE_TO_ACTIVE):
        settings.put(CALENDAR, number, encode(settings.of(CALENDAR, number + _PASSIVE_TO_ACTIVE)))


def due_activation_s(settings: Settings, zone_name: str) -> int | None:
    """When the passive calendar becomes active by itself; None if it does not."""
    try:
        stamp = CosemDateTime.decode(settings.of(CALENDAR, 10).octets())
        return seconds_of(stamp.instant(zone=zone(zone_name)))
    except DlmsError:
        return None


def switch_instants(calendar: Calendar, from_s: int, to_s: int, zone_name: str) -> list[tuple[int, int]]:
    """When (seconds since 1970 UTC) which tariff begins, for all local days that touch a span."""
    place = zone(zone_name)
    day, last = (instant_of(each).astimezone(place).date() for each in (from_s, to_s))
    found: list[tuple[int, int]] = []
    while day <= last:
        found += [
            (seconds_of(datetime.combine(day, at, tzinfo=place)), tariff) for at, tariff in calendar.switches(day)
        ]
        day += timedelta(days=1)
    return found


def _special(settings: Settings) -> tuple[Data, ...]:
    return settings.of(SPECIAL_DAYS, 2).elements()


def _day(entry: Data) -> tuple[int, Switches]:
    number, actions = entry.fields(2)
    switches = []
    for action in actions.elements():
        at, _script, selector = action.fields(3)
        start = CosemTime.decode(at.octets())
        tariff = selector.integer()
        if not 1 <= tariff <= TARIFFS_MAX:
            msg = f"Tariff {tariff} is none of 1 to {TARIFFS_MAX}."
            raise TypeMismatchError(msg)
        switches.append((time(_or(start.hour, 0), _or(start.minute, 0), _or(start.second, 0)), tariff))
    return number.integer(), tuple(sorted(switches))


def _week(entry: Data) -> tuple[bytes, tuple[int, ...]]:
    name, *days = entry.elements()
    return name.octets(), tuple([each.integer() for each in days])


def _season(entry: Data) -> tuple[int, int, bytes]:
    _name, start, week = entry.fields(3)
    first = CosemDateTime.decode(start.octets()).date
    return _or(first.month, 1), _or(first.day, 1), week.octets()


def _special_day(entry: Data) -> tuple[CosemDate, int]:
    _index, day, day_id = entry.fields(3)
    return _date(day), day_id.integer()


def _date(value: Data) -> CosemDate:
    return CosemDate.decode(value.octets())


def fits(wanted: CosemDate, day: date) -> bool:
    """Whether a date with wildcards means a day; FEh is the last day of a month."""
    last = (day + timedelta(days=1)).month != day.month
    parts = (
        (wanted.year, day.year),
        (wanted.month, day.month),
        (wanted.day, _LAST_DAY if last and wanted.day == _LAST_DAY else day.day),
        (wanted.day_of_week, day.isoweekday()),
    )
    return all(given in (YEAR_NOT_SPECIFIED, NOT_SPECIFIED, found) for given, found in parts)


def _or(number: int, default: int) -> int:
    return default if number == NOT_SPECIFIED else number
