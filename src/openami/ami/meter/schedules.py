"""When a meter pushes by itself: by its single action schedule (class 22), and when it tries again (class 40).

Every meter waits a while of its own, so that not all of a city speak at once (Blue Book 4.4.8.2.2).
"""

from __future__ import annotations

import zlib
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from openami.ami.dlms.errors import DlmsError
from openami.ami.dlms.times import NOT_SPECIFIED, YEAR_NOT_SPECIFIED, CosemDate, CosemDateTime, CosemTime
from openami.ami.meter.calendars import fits
from openami.ami.meter.settings import PUSH_INTERVAL, PUSH_LAST_GASP, PUSH_SCHEDULE
from openami.ami.meter.times import instant_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, tzinfo

    from openami.ami.dlms.data import Data
    from openami.ami.dlms.obis import Obis
    from openami.ami.meter.facts import DuePush
    from openami.ami.meter.settings import Settings

EXECUTION_TIME = COMMUNICATION_WINDOW = 4
_WINDOW_DAYS = 32
"""A window that opens in no month is none."""


def due_pushes_s(settings: Settings, serial: str, after_s: int, to_s: int, place: tzinfo, most: int) -> list[int]:
    """When in (after, to] the interval push is due, the newest `most` of them, oldest first.

    The meter of a customer who does not take part says nothing.
    """
    entries = _entries(settings.of(PUSH_SCHEDULE, EXECUTION_TIME)) if settings.takes_part else []
    spread_s = settings.spread_s(PUSH_INTERVAL)
    found: list[int] = []
    day = instant_of(to_s).astimezone(place).date()
    last = instant_of(after_s - spread_s).astimezone(place).date()
    while entries and day >= last and len(found) < most:
        dues_s = [due_s + _wait_s(serial, due_s, spread_s) for due_s in _of_day(entries, day, place)]
        found += [due_s for due_s in dues_s if after_s < due_s <= to_s]
        day -= timedelta(days=1)
    return sorted(set(found))[-most:]


def first_try_s(settings: Settings, serial: str, push: DuePush, place: tzinfo) -> int | None:
    """When a push is sent: what came up by itself waits its while; one that was due has waited, a last gasp cannot.

    None if none of its windows opens any more.
    """
    if push.setup == PUSH_LAST_GASP:
        return push.at_s
    waits_s = 0 if push.setup == PUSH_INTERVAL else _wait_s(serial, push.at_s, settings.spread_s(push.setup))
    return _in_window_s(settings, push.setup, push.at_s + waits_s, place)


def next_try_s(settings: Settings, serial: str, push: DuePush, failed: int, now_s: int, place: tzinfo) -> int | None:
    """When a push that failed so many times is tried again; None when the meter gives up.

    A last gasp has one try: the capacitor holds no longer.
    """
    if push.setup == PUSH_LAST_GASP or failed >= settings.tries(push.setup):
        return None
    pause_s, spread_s = settings.repeat_after_s(push.setup, failed)
    return _in_window_s(settings, push.setup, now_s + pause_s + _wait_s(serial, now_s, spread_s), place)


def _in_window_s(settings: Settings, setup: Obis, at_s: int, place: tzinfo) -> int | None:
    """The first instant from `at_s` on in a communication window of a push setup; one without windows may always."""
    windows = settings.of(setup, COMMUNICATION_WINDOW).elements()
    if not windows:
        return at_s
    today = instant_of(at_s).astimezone(place).date()
    days = [today + timedelta(days=offset) for offset in range(-1, _WINDOW_DAYS)]
    spans = [span for window in windows for span in _spans(window, days, place)]
    return min((max(begin_s, at_s) for begin_s, end_s in spans if end_s > at_s), default=None)


def _spans(window: Data, days: list[date], place: tzinfo) -> Iterator[tuple[int, int]]:
    """When a window is open: once, or where its start has wildcards on every day that fits, over midnight too."""
    try:
        start, end = (CosemDateTime.decode(each.octets()) for each in window.fields(2))
        if YEAR_NOT_SPECIFIED not in (start.date.year, end.date.year):
            yield tuple(seconds_of(each.instant(zone=place)) for each in (start, end))  # type: ignore[misc]
            return
        begins, ends = (_time_of(each.time) for each in (start, end))
    except (DlmsError, ValueError):
        return  # one that cannot be understood never opens
    for day in days:
        if fits(start.date, day):
            last = day if ends > begins else day + timedelta(days=1)
            yield tuple(  # type: ignore[misc]
                seconds_of(datetime.combine(on, at, tzinfo=place)) for on, at in ((day, begins), (last, ends))
            )


def _time_of(given: CosemTime) -> time:
    hour, minute, second = (0 if part == NOT_SPECIFIED else part for part in (given.hour, given.minute, given.second))
    return time(hour, minute, second)


def _entries(listed: Data) -> list[tuple[CosemTime, CosemDate]]:
    """The entries that can be understood."""
    found = []
    for entry in listed.elements():
        try:
            at, on = entry.fields(2)
            found.append((CosemTime.decode(at.octets()), CosemDate.decode(on.octets())))
        except (DlmsError, ValueError):
            continue
    return found


def _of_day(entries: list[tuple[CosemTime, CosemDate]], day: date, place: tzinfo) -> Iterator[int]:
    for at, on in entries:
        if not fits(on, day):
            continue
        hours = range(24) if at.hour == NOT_SPECIFIED else [at.hour]
        minutes = range(60) if at.minute == NOT_SPECIFIED else [at.minute]
        second = 0 if at.second == NOT_SPECIFIED else at.second
        if max(*hours, 0) > 23 or max(*minutes, second) > 59:
            continue  # no such time
        for hour in hours:
            for minute in minutes:
                yield seconds_of(datetime.combine(day, time(hour, minute, second), tzinfo=place))


def _wait_s(serial: str, due_s: int, spread_s: int) -> int:
    return zlib.crc32(f"{serial}:{due_s}".encode()) % (spread_s + 1)
