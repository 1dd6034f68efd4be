"""A meter pushes by itself at the times it was told, and says a last word when mains go."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, SECRET, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.push.listener import Listener
from openami.ami.dlms.queries import read, write
from openami.ami.dlms.times import CosemDate, CosemDateTime, CosemTime
from openami.ami.dlms.wrapper import WrapperFrame
from openami.ami.meter.calendars import fits
from openami.ami.meter.capacitor import CAPACITY_MJ, CHARGING_MW, GASP_MJ, Capacitor
from openami.ami.meter.facts import DuePush
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.model import PUSHES_MAX
from openami.ami.meter.protection import factory_keys, system_title
from openami.ami.meter.pushing import push_frame
from openami.ami.meter.schedules import due_pushes_s, first_try_s, next_try_s
from openami.ami.meter.settings import (
    CONFIGURATION,
    PUSH_ALARM,
    PUSH_INTERVAL,
    PUSH_LAST_GASP,
    PUSH_SCHEDULE,
    RANDOMISATION,
    Flag,
    Settings,
)
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.spans import zone

SERIAL = "OAE0000001"
START_S = seconds_of(GENESIS)
PLACE = zone(ZONE)


def entry(hour: int, minute: int = 0, on: CosemDate = CosemDate()) -> d.Data:  # noqa: B008 - a value
    return d.structure(d.octet_string(CosemTime(hour, minute, 0, 0)), d.octet_string(on))


def told(*entries: d.Data, spread_s: int = 0) -> Settings:
    settings = Settings()
    settings.put(PUSH_SCHEDULE, 4, encode(d.array(entries)))
    settings.put(PUSH_INTERVAL, 5, encode(d.unsigned16(spread_s)))
    return settings


def local(seconds: int) -> str:
    return f"{instant_of(seconds).astimezone(PLACE):%d %H:%M}"


def send_to(reader: Reader, setup: str) -> None:
    reader.ask(write(setup, 40, 3, d.structure(d.enum(0), d.octet_string(b"127.0.0.1:1"), d.enum(0))))


def test_it_pushes_at_local_times_whatever_the_steps_of_time(fleet: Fleet, reader: Reader):
    send_to(reader, "0-0:25.9.0")
    reader.ask(write("0-0:15.0.4", 22, 4, d.array([entry(6), entry(18, 30)])))
    for hours in (1, 7, 12, 60):
        fleet.live_through(fleet.lived_s + hours * 3600)
    pushes = fleet.take_pushes()
    days = [f"{day:02d} {at}" for day in (28, 1, 2) for at in ("06:00", "18:30")]
    assert [local(push.at_s) for _, push in pushes] == [*days, "03 06:00"]
    assert {(meter.serial, push.setup) for meter, push in pushes} == {(SERIAL, PUSH_INTERVAL)}


def test_what_it_pushes_is_its_register_then(fleet: Fleet, reader: Reader):
    send_to(reader, "0-0:25.9.0")
    reader.ask(write("0-0:15.0.4", 22, 4, d.array([entry(6)])))
    fleet.live_through(START_S + 9 * 3600)
    ((meter, push),) = fleet.take_pushes()
    keys = factory_keys(SECRET, SERIAL)
    listener = Listener(lambda title: keys if title == system_title(SERIAL) else None)
    heard = listener.take(WrapperFrame.decode(push_frame(fleet, SERIAL, push, SECRET)).payload)
    assert heard is not None
    said = {str(each.obis): each.number for each in heard.values}
    assert said["1-0:1.8.0.255"] == meter.register_at(START_S + 6 * 3600)


def test_without_mains_or_destination_nothing_is_pushed(fleet: Fleet, reader: Reader):
    reader.ask(write("0-0:15.0.4", 22, 4, d.array([entry(6)])))
    fleet.live_through(START_S + 12 * 3600)
    assert not fleet.wants_to_push
    send_to(reader, "0-0:25.9.0")
    fleet.meters[SERIAL].power_down(fleet.lived_s)
    fleet.live_through(START_S + 36 * 3600)
    assert not fleet.wants_to_push


def test_summer_time_moves_the_push_and_nothing_else():
    settings = told(entry(6))
    from_s = seconds_of(datetime(2026, 3, 27, 12, tzinfo=PLACE))
    dues = due_pushes_s(settings, SERIAL, from_s, from_s + 3 * 86400, PLACE, 9)
    assert [local(due_s) for due_s in dues] == ["28 06:00", "29 06:00", "30 06:00"]
    assert dues[1] - dues[0] == 23 * 3600


def test_days_that_fit_wildcards_and_nonsense():
    sunday = entry(6, 0, CosemDate(day_of_week=7))
    last = entry(7, 0, CosemDate(day=0xFE))
    assert [local(due) for due in due_pushes_s(told(sunday, last), SERIAL, START_S, START_S + 3 * 86400, PLACE, 9)] == [
        "28 07:00",
        "01 06:00",
    ]
    each_hour = told(entry(0xFF, 30))
    assert len(due_pushes_s(each_hour, SERIAL, START_S, START_S + 86400, PLACE, 99)) == 24
    for nonsense in (entry(25), entry(3, 60), d.structure(d.octet_string(b"x"), d.octet_string(b"y")), d.unsigned8(1)):
        assert due_pushes_s(told(nonsense), SERIAL, START_S, START_S + 86400, PLACE, 9) == []


def test_only_the_newest_are_remembered():
    dues = due_pushes_s(told(entry(0xFF, 0xFF)), SERIAL, START_S, START_S + 5 * 86400, PLACE, PUSHES_MAX)
    assert len(dues) == PUSHES_MAX
    assert dues[-1] == START_S + 5 * 86400


@given(st.integers(0, 3600), st.lists(st.integers(1, 90_000), min_size=1, max_size=8))
def test_each_is_due_once_however_time_is_cut(spread_s: int, steps: list[int]):
    settings = told(entry(6), entry(6, 20), spread_s=spread_s)
    at_s, found = START_S, []
    for step in steps:
        found += due_pushes_s(settings, SERIAL, at_s, at_s + step, PLACE, 99)
        at_s += step
    assert found == due_pushes_s(settings, SERIAL, START_S, at_s, PLACE, 99)


def test_meters_do_not_speak_all_at_once():
    settings = told(entry(6), spread_s=900)
    serials = [f"OAE{number:07d}" for number in range(50)]
    dues_s = [due_pushes_s(settings, serial, START_S, START_S + 86400, PLACE, 9)[0] for serial in serials]
    waits = {due_s - START_S - 6 * 3600 for due_s in dues_s}
    assert len(waits) > 40
    assert max(waits) <= 900


@given(st.dates(date(2026, 1, 1), date(2027, 12, 31)))
def test_a_date_fits_itself_and_its_wildcards(day: date):
    exact = CosemDate(day.year, day.month, day.day, day.isoweekday())
    assert fits(exact, day)
    assert fits(CosemDate(), day)
    assert not fits(exact, day + timedelta(days=1))
    assert fits(CosemDate(day=0xFE), day) == ((day + timedelta(days=1)).day == 1)


def test_a_capacitor_that_was_hardly_filled_says_nothing(fleet: Fleet, reader: Reader):
    send_to(reader, "0-3:25.9.0")
    meter = fleet.meters[SERIAL]
    fleet.live_through(START_S + 3600)
    at_s = fleet.lived_s
    said = []
    for seconds, on in ((0, False), (5, True), (10, False), (20, True), (60, False)):
        (meter.power_up if on else meter.power_down)(at_s + seconds)
        said.append([push.setup for push in meter.take_pushes()])
    assert said == [[PUSH_LAST_GASP], [], [], [], [PUSH_LAST_GASP]]
    facts, happenings = fleet.take_changes()
    again = Fleet(fleet.street, ZONE, fleet.genesis_s)
    again.replay(facts, happenings, fleet.lived_s)
    assert again.meters[SERIAL].capacitor == meter.capacitor


@pytest.mark.parametrize(("seconds", "level"), [(0, 0), (10, 1500), (60, CAPACITY_MJ), (10**9, CAPACITY_MJ)])
def test_mains_fill_it_up_to_its_capacity(seconds: int, level: int):
    filling = Capacitor().mains(100, on=True)
    assert filling.level_at(100 + seconds) == level
    assert (filling.gasped(100 + seconds) is None) == (level < GASP_MJ)
    assert CHARGING_MW * 60 == CAPACITY_MJ


def test_without_mains_it_keeps_what_it_has():
    dark = Capacitor().mains(0, on=True).mains(60, on=False)
    assert dark.level_at(10**9) == CAPACITY_MJ
    gasped = dark.gasped(61)
    assert gasped is not None
    assert gasped.level_at(10**9) == CAPACITY_MJ - GASP_MJ
    assert gasped.gasped(62) is None


def randomised(window_s: int, *, direct: int = 0, factor: int = 1, tries: int = 0) -> Settings:
    settings = Settings()
    members = (d.unsigned8(direct), d.unsigned16(window_s), d.unsigned8(factor), d.unsigned8(tries))
    settings.put(RANDOMISATION, 2, encode(d.structure(*members)))
    return settings


def flags(*flags: Flag) -> bytes:
    bits = "".join("1" if bit in flags else "0" for bit in range(16))
    return encode(d.structure(d.enum(1), d.bit_string(bits)))


ALARM, DUE, GASP = (DuePush(setup, START_S) for setup in (PUSH_ALARM, PUSH_INTERVAL, PUSH_LAST_GASP))


def test_what_comes_up_by_itself_waits_a_while_of_its_own_meter():
    settings = Settings()
    assert first_try_s(settings, SERIAL, ALARM, PLACE) == START_S
    settings.put(PUSH_ALARM, 5, encode(d.unsigned16(600)))
    settings.put(PUSH_LAST_GASP, 5, encode(d.unsigned16(600)))
    tries_s = [first_try_s(settings, f"OAE{number:07d}", ALARM, PLACE) for number in range(50)]
    waits = {at_s - START_S for at_s in tries_s if at_s is not None}
    assert len(waits) > 30
    assert all(0 <= wait <= 600 for wait in waits)
    assert first_try_s(settings, SERIAL, GASP, PLACE) == START_S, "the capacitor does not wait"
    assert first_try_s(settings, SERIAL, DUE, PLACE) == START_S, "the schedule has waited already"


def test_a_push_is_tried_as_often_as_its_setup_says():
    settings = Settings()
    settings.put(PUSH_ALARM, 6, encode(d.unsigned8(2)))
    settings.put(PUSH_ALARM, 7, encode(d.unsigned16(90)))
    assert [next_try_s(settings, SERIAL, ALARM, failed, START_S, PLACE) for failed in (1, 2, 3)] == [
        *(START_S + 90, START_S + 90),
        None,
    ]
    assert next_try_s(settings, SERIAL, GASP, 1, START_S, PLACE) is None


def test_pauses_grow_by_the_exponent_of_the_push_setup_up_to_its_longest():
    settings = Settings()
    settings.put(PUSH_ALARM, 6, encode(d.unsigned8(10)))
    settings.put(PUSH_ALARM, 7, encode(d.structure(d.unsigned16(60), d.unsigned16(200), d.unsigned16(300))))
    pauses = [(next_try_s(settings, SERIAL, ALARM, failed, 0, PLACE) or 0) for failed in range(1, 6)]
    assert pauses == [60, 120, 240, 300, 300]


@given(st.integers(1, 600), st.integers(1, 7), st.integers(1, 31), st.integers(1, 31))
def test_the_window_grows_by_the_factor_and_tries_end(window_s: int, factor: int, tries: int, failed: int):
    settings = randomised(window_s, factor=factor, tries=tries)
    settings.put(PUSH_ALARM, 6, encode(d.unsigned8(0)))
    settings.put(PUSH_ALARM, 7, encode(d.unsigned16(0)))
    at_s = next_try_s(settings, SERIAL, ALARM, failed, START_S, PLACE)
    if failed >= 1 + tries:
        assert at_s is None
    else:
        assert at_s is not None
        assert 0 <= at_s - START_S <= min(window_s * factor**failed, 86_400)


def test_who_calls_directly_does_not_wait_whichever_setting_says_so():
    assert randomised(300).spread_s(PUSH_ALARM) == 300
    assert randomised(300, direct=1).spread_s(PUSH_ALARM) == 0
    settings = randomised(300)
    settings.put(CONFIGURATION, 2, flags(Flag.HLS5_ON_P3, Flag.DIRECT_ATTACH_AT_POWER_ON))
    assert settings.spread_s(PUSH_ALARM) == 0


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (d.unsigned16(30), True),
        (d.structure(d.unsigned16(30), d.unsigned16(150), d.unsigned16(900)), True),
        (d.structure(d.unsigned16(30), d.unsigned16(150)), False),
        (d.unsigned8(30), False),
    ],
)
def test_the_pause_is_written_as_either_version_of_the_class_has_it(reader: Reader, value: d.Data, taken: bool):
    query = write("0-1:25.9.0", 40, 7, value)
    if taken:
        reader.ask(query)
        assert reader.ask(read("0-1:25.9.0", 40, 7)) == value
    else:
        with pytest.raises(AccessDeniedError):
            reader.ask(query)


def window(start: CosemDateTime, end: CosemDateTime) -> d.Data:
    return d.structure(d.octet_string(start), d.octet_string(end))


def daily(first: int, last: int, on: CosemDate = CosemDate()) -> d.Data:  # noqa: B008 - a value
    return window(CosemDateTime(on, CosemTime(first)), CosemDateTime(CosemDate(), CosemTime(last)))


def at_local(day: int, hour: int, month: int = 3) -> int:
    return seconds_of(datetime(2026, month, day, hour, tzinfo=PLACE))


MONDAYS = CosemDate(day_of_week=1)
ONCE = window(*(CosemDateTime(CosemDate(2026, 3, day), CosemTime(12, 0, 0)) for day in (4, 6)))


@pytest.mark.parametrize(
    ("windows", "due", "sent"),
    [
        ([], (3, 10), (3, 10)),
        ([daily(8, 12)], (3, 10), (3, 10)),
        ([daily(8, 12)], (3, 12), (4, 8)),
        ([daily(8, 12), daily(14, 16)], (3, 12), (3, 14)),
        ([daily(22, 2)], (3, 1), (3, 1)),  # it is open since yesterday
        ([daily(22, 2)], (3, 3), (3, 22)),
        ([daily(8, 12, MONDAYS)], (3, 10), (9, 8)),
        ([daily(2, 4)], (28, 5), (29, 3)),  # an hour that the clock leaves out
        ([ONCE], (3, 10), (4, 12)),
        ([ONCE], (5, 10), (5, 10)),
        ([ONCE], (6, 12), None),
        ([daily(8, 12, CosemDate(month=9))], (3, 10), None),
        ([d.structure(d.octet_string(b"x"), d.octet_string(b"y"))], (3, 10), None),
    ],
)
def test_a_push_waits_for_its_window(windows: list[d.Data], due: tuple[int, int], sent: tuple[int, int] | None):
    settings = Settings()
    settings.put(PUSH_ALARM, 4, encode(d.array(windows)))
    push = DuePush(PUSH_ALARM, at_local(*due))
    assert first_try_s(settings, SERIAL, push, PLACE) == (None if sent is None else at_local(*sent))


def test_another_try_waits_for_the_window_too():
    settings = Settings()
    settings.put(PUSH_ALARM, 4, encode(d.array([daily(8, 12)])))
    settings.put(PUSH_ALARM, 7, encode(d.unsigned16(7200)))
    push = DuePush(PUSH_ALARM, at_local(3, 10))
    assert next_try_s(settings, SERIAL, push, 1, at_local(3, 11), PLACE) == at_local(4, 8)


@given(st.binary(max_size=14), st.binary(max_size=14), st.integers(0, 2**33))
def test_any_window_opens_in_time_or_never(start: bytes, end: bytes, at_s: int):
    settings = Settings()
    settings.put(PUSH_ALARM, 4, encode(d.array([d.structure(d.octet_string(start), d.octet_string(end))])))
    found = first_try_s(settings, SERIAL, DuePush(PUSH_ALARM, at_s), PLACE)
    assert found is None or found >= at_s
