"""Faults, swaps and power cuts at their exact instants, whatever the steps in which time is lived."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, ZONE

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.times import CosemDateTime
from openami.ami.mbus import decode_telegram, reading_of
from openami.ami.mbus.frames import LongFrame, decode
from openami.ami.meter import profiles
from openami.ami.meter.breaker import Trigger
from openami.ami.meter.fleet import CRADLE_S, Fleet, OtherStreetError
from openami.ami.meter.happenings import BadHappeningError, Stage, TooLateError, happening_of
from openami.ami.meter.settings import CALENDAR, PUSH_SCHEDULE
from openami.ami.meter.street import MODERN, Kind, Street, UnknownMeterError, build_street
from openami.ami.meter.times import instant_of, seconds_of

if TYPE_CHECKING:
    from openami.ami.meter.model import Meter

HOME_METER, SPARE, OTHER = "OAE0000001", "OAE0000011", "OAE0000002"
GENESIS_S = seconds_of(GENESIS)


def at(hours: float) -> str:
    return (GENESIS + timedelta(hours=hours)).isoformat()


def order(fleet: Fleet, **body: Any) -> None:
    fleet.order(happening_of(body, fleet.street, ZONE))


def live(fleet: Fleet, hours: float) -> None:
    fleet.live_through(GENESIS_S + int(hours * 3600))


def codes(meter: Meter) -> list[tuple[float, int]]:
    return [((event.at_s - GENESIS_S) / 3600, event.code) for event in meter.events]


def test_a_cover_is_opened_and_closed(fleet: Fleet):
    order(fleet, kind="tamper_cover", serial=HOME_METER, at=at(30.5))
    live(fleet, 48)
    assert codes(fleet.meters[HOME_METER]) == [(30.5, 44), (30.5 + 1 / 6, 45)]


def test_a_power_cut_stops_one_meter_and_is_logged(fleet: Fleet):
    meter = fleet.meters[HOME_METER]
    order(fleet, kind="power_cut", serial=HOME_METER, **{"from": at(10.2), "to": at(13.7)})
    live(fleet, 12)
    assert not fleet.answers(meter)
    assert fleet.answers(fleet.meters[OTHER])
    live(fleet, 24)
    assert fleet.answers(meter)
    assert codes(meter) == [(10.2, 1), (13.7, 2)]
    assert meter.register_at(GENESIS_S + 11 * 3600) == meter.register_at(GENESIS_S + 13 * 3600)
    rows = profiles.load_rows(meter, fleet.lived_s, 0, fleet.lived_s)
    missing = set(range(GENESIS_S + 1800, fleet.lived_s + 1, 1800)) - set(rows.ends_s.tolist())
    assert missing == {GENESIS_S + int(hours * 3600) for hours in (11, 11.5, 12, 12.5, 13, 13.5)}
    flagged = rows.ends_s[rows.status > 0].tolist()
    assert flagged == [GENESIS_S + int(hours * 3600) for hours in (10.5, 14)]


def test_a_lost_day_is_gone_from_memory_but_not_from_the_register(fleet: Fleet):
    meter = fleet.meters[HOME_METER]
    before = Fleet(fleet.street, ZONE, GENESIS_S)
    before.begin()
    order(fleet, kind="lose_profile_day", serial=HOME_METER, day="2026-03-01")
    for each in (fleet, before):
        live(each, 96)
    day_s = (GENESIS_S + 86400, GENESIS_S + 2 * 86400)
    rows = profiles.load_rows(meter, fleet.lived_s, 0, fleet.lived_s)
    assert not ((rows.ends_s > day_s[0]) & (rows.ends_s <= day_s[1])).any()
    assert len(rows.ends_s) == 48 * 3
    assert meter.register_at(fleet.lived_s) == before.meters[HOME_METER].register_at(before.lived_s)
    truth = profiles.interval_truth(meter, *day_s)
    assert truth.sum() == meter.register_at(day_s[1]) - meter.register_at(day_s[0]) > 0
    assert codes(meter) == [(48, 14)]
    midnights, _, _ = profiles.daily_rows(meter, ZONE, fleet.lived_s, 0, fleet.lived_s)
    assert len(midnights) == 5


def test_a_swap_hands_the_home_from_meter_to_meter(fleet: Fleet):
    old, new = fleet.meters[HOME_METER], fleet.meters[SPARE]
    alone = Fleet(fleet.street, ZONE, GENESIS_S)
    alone.begin()
    order(fleet, kind="swap", old_serial=HOME_METER, new_serial=SPARE, at=at(35))
    assert not fleet.answers(new)
    for each in (fleet, alone):
        live(each, 60)
    final = old.register_at(fleet.lived_s)
    assert final == alone.meters[HOME_METER].register_at(GENESIS_S + 35 * 3600)
    used = (final - old.device.start_register) + (new.register_at(fleet.lived_s) - new.device.start_register)
    assert used == alone.meters[HOME_METER].register_at(alone.lived_s) - old.device.start_register
    assert (old.home, new.home, old.hangs, new.hangs) == ("H0001", "H0001", False, True)
    rows = profiles.load_rows(old, fleet.lived_s, 0, fleet.lived_s)
    assert rows.ends_s[-1] == GENESIS_S + 35 * 3600
    assert profiles.load_rows(new, fleet.lived_s, 0, fleet.lived_s).ends_s[0] == GENESIS_S + int(35.5 * 3600)
    assert fleet.answers(old), "the fitter's cradle lets the head-end fetch what is left"
    assert fleet.answers(new)
    fleet.live_through(GENESIS_S + 35 * 3600 + CRADLE_S)
    assert not fleet.answers(old)


def test_swaps_that_cannot_be_are_refused(fleet: Fleet):
    for old, new in [(SPARE, "OAE0000012"), (HOME_METER, OTHER), (HOME_METER, "OAG0000001"), (HOME_METER, HOME_METER)]:
        with pytest.raises(BadHappeningError):
            order(fleet, kind="swap", old_serial=old, new_serial=new, at=at(1))
    two = Fleet(build_street(20, 1), ZONE, GENESIS_S)
    two.begin()
    with pytest.raises(BadHappeningError, match="same transformer"):
        order(two, kind="swap", old_serial=HOME_METER, new_serial="OAE0000024", at=at(1))


def test_two_swaps_of_one_instant_take_the_spare_once(fleet: Fleet):
    order(fleet, kind="swap", old_serial=HOME_METER, new_serial=SPARE, at=at(5))
    order(fleet, kind="swap", old_serial=OTHER, new_serial=SPARE, at=at(5))
    live(fleet, 6)
    assert [fleet.meters[serial].hangs for serial in (HOME_METER, OTHER, SPARE)].count(True) == 2


def test_the_past_cannot_be_ordered(fleet: Fleet):
    live(fleet, 10)
    with pytest.raises(TooLateError):
        order(fleet, kind="tamper_cover", serial=HOME_METER, at=at(9))
    order(fleet, kind="tamper_cover", serial=HOME_METER, at=at(10))
    assert fleet.next_due_s() == GENESIS_S + 10 * 3600
    live(fleet, 10)
    assert codes(fleet.meters[HOME_METER]) == [(10, 44)]


def test_the_same_order_twice_is_one(fleet: Fleet):
    for _ in range(2):
        order(fleet, kind="tamper_cover", serial=HOME_METER, at=at(1))
    live(fleet, 10)
    order(fleet, kind="tamper_cover", serial=HOME_METER, at=at(1))
    assert len(fleet.happenings) == 1
    assert next(iter(fleet.happenings.values())).stage is Stage.DONE
    assert len(fleet.meters[HOME_METER].events) == 2


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, "no kind"),
        ({"kind": "earthquake"}, "no kind 'earthquake'"),
        ({"kind": "tamper_cover", "serial": HOME_METER}, "`at` is missing"),
        ({"kind": "tamper_cover", "serial": HOME_METER, "at": "soon"}, "`at` is 'soon'"),
        ({"kind": "tamper_cover", "serial": HOME_METER, "at": "2026-03-09T14:00:00"}, "without a zone"),
        ({"kind": "tamper_cover", "serial": "OAG0000001", "at": at(1)}, "is a gas meter"),
        ({"kind": "power_cut", "serial": HOME_METER, "from": at(2), "to": at(1)}, "ends before it begins"),
        ({"kind": "lose_profile_day", "serial": HOME_METER, "day": "Pi day"}, "`day` is 'Pi day'"),
        ({"kind": "link_down", "from": at(1), "to": at(2)}, "`transformer` is missing"),
    ],
)
def test_an_order_that_cannot_be_understood_says_why(street: Street, body: dict[str, Any], found: str):
    with pytest.raises(BadHappeningError, match=found):
        happening_of(body, street, ZONE)


def test_an_order_for_an_unknown_meter(street: Street):
    with pytest.raises(UnknownMeterError):
        happening_of({"kind": "tamper_cover", "serial": "OAE0009999", "at": at(1)}, street, ZONE)


def test_a_link_is_down_from_to(fleet: Fleet):
    order(fleet, kind="link_down", transformer="T01", **{"from": at(1), "to": at(2)})
    states = []
    for hours in (0.5, 1, 1.9, 2):
        live(fleet, hours)
        states.append(fleet.link_is_down("T01"))
    assert states == [False, True, True, False]


def test_a_killed_process_is_a_power_cut_of_the_street(fleet: Fleet):
    live(fleet, 10.25)
    before = {serial: meter.register_at(fleet.lived_s) for serial, meter in fleet.meters.items()}
    fleet.power_cut(GENESIS_S + 20 * 3600)
    for serial, meter in fleet.meters.items():
        if meter.mains_fed and meter.hangs:
            assert meter.register_at(fleet.lived_s) == before[serial]
            assert codes(meter) == [(10.25, 1), (20, 2)]
        elif not meter.mains_fed:
            assert meter.register_at(fleet.lived_s) > before[serial], "gas and water need no mains"
    live(fleet, 24)
    assert fleet.meters[HOME_METER].register_at(fleet.lived_s) > before[HOME_METER]


def test_a_cut_home_stays_dark_when_the_street_gets_light(fleet: Fleet):
    order(fleet, kind="power_cut", serial=HOME_METER, **{"from": at(5), "to": at(30)})
    order(fleet, kind="power_cut", serial=OTHER, **{"from": at(5), "to": at(15)})
    live(fleet, 10)
    fleet.power_cut(GENESIS_S + 20 * 3600)
    assert not fleet.meters[HOME_METER].power.on
    assert fleet.meters[OTHER].power.on
    assert codes(fleet.meters[OTHER]) == [(5, 1), (20, 2)]
    live(fleet, 31)
    assert codes(fleet.meters[HOME_METER]) == [(5, 1), (30, 2)]


def test_slaves_answer_every_full_hour(fleet: Fleet):
    heard = fleet.live_through(GENESIS_S + 3 * 3600 + 1)
    assert len(heard) == 4 * 3
    for telegram in heard:
        frame = decode(telegram.octets)
        assert isinstance(frame, LongFrame)
        reading = reading_of(decode_telegram(frame), ZONE)
        assert reading.instant == instant_of(telegram.taken_s)
        assert reading.volume_litres == fleet.meters[telegram.serial].register_at(telegram.taken_s)
    fleet.power_cut(GENESIS_S + 6 * 3600)
    assert [telegram.taken_s for telegram in fleet.live_through(GENESIS_S + 7 * 3600)] == [GENESIS_S + 7 * 3600] * 4


STORY: list[dict[str, Any]] = [
    {"kind": "tamper_cover", "serial": HOME_METER, "at": at(9)},
    {"kind": "power_cut", "serial": OTHER, "from": at(3.3), "to": at(31.7)},
    {"kind": "swap", "old_serial": HOME_METER, "new_serial": SPARE, "at": at(20)},
    {"kind": "lose_profile_day", "serial": "OAE0000003", "day": "2026-03-01"},
    {"kind": "link_down", "transformer": "T01", "from": at(2), "to": at(40)},
]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0.01, 60), max_size=12))
def test_the_steps_in_which_time_is_lived_change_nothing(steps: list[float]):
    street = build_street(10, 1)
    fleets = []
    heard = []
    for stops in ([], sorted(steps)):
        fleet = Fleet(street, ZONE, GENESIS_S)
        fleet.begin()
        for body in STORY:
            order(fleet, **body)
        telegrams = [fleet.live_through(GENESIS_S + int(hours * 3600)) for hours in [*stops, 72]]
        heard.append([telegram for some in telegrams for telegram in some])
        fleets.append(fleet)
    assert heard[0] == heard[1]
    facts = [fleet.take_changes()[0] for fleet in fleets]
    assert facts[0] == facts[1]


def test_a_stored_life_replays_to_the_same_meters(fleet: Fleet):
    for body in STORY:
        order(fleet, **body)
    live(fleet, 50)
    fleet.meters["OAE0000004"].trigger(fleet.lived_s, Trigger.REMOTE_DISCONNECT)
    live(fleet, 72)
    facts, happenings = fleet.take_changes()
    again = Fleet(fleet.street, ZONE, GENESIS_S)
    again.replay(facts, happenings, fleet.lived_s)
    for serial, meter in fleet.meters.items():
        twin = again.meters[serial]
        assert (twin.events, twin.home, twin.breaker, twin.hangs) == (
            meter.events, meter.home, meter.breaker, meter.hangs
        )  # fmt: skip
        rows, twin_rows = (profiles.load_rows(each, fleet.lived_s, 0, fleet.lived_s) for each in (meter, twin))
        np.testing.assert_array_equal(rows.ends_s, twin_rows.ends_s)
        np.testing.assert_array_equal(rows.energy_wh, twin_rows.energy_wh)
        assert twin.register_at(fleet.lived_s) == meter.register_at(fleet.lived_s)
    assert not again.changed


def test_the_ring_holds_sixty_days(fleet: Fleet):
    live(fleet, 24 * 80)
    rows = profiles.load_rows(fleet.meters[HOME_METER], fleet.lived_s, 0, fleet.lived_s)
    assert len(rows.ends_s) == 60 * 48
    assert rows.ends_s[-1] == fleet.lived_s


def test_a_day_of_fifty_homes_is_lived_in_no_time():
    fleet = Fleet(build_street(50, 1), ZONE, GENESIS_S)
    fleet.begin()
    live(fleet, 24)
    begun = time.process_time()
    live(fleet, 48)
    assert time.process_time() - begun < 0.2, "20 ms here; a machine may be ten times slower"


def test_a_month_with_two_offsets_has_each_local_midnight(fleet: Fleet):
    fleet.live_through(seconds_of(datetime(2026, 4, 2, tzinfo=UTC)))
    midnights, registers, _ = profiles.daily_rows(fleet.meters[HOME_METER], ZONE, fleet.lived_s, 0, fleet.lived_s)
    assert len(midnights) == 1 + 31 + 2
    assert set(np.diff(midnights).tolist()) == {86400, 82800}
    assert (np.diff(registers) >= 0).all()


def test_what_is_done_is_not_looked_at_again(fleet: Fleet):
    for hour in range(3):
        order(fleet, kind="tamper_cover", serial=HOME_METER, at=at(hour))
    assert fleet.next_due_s() == seconds_of(GENESIS)
    live(fleet, 1.5)
    assert fleet.next_due_s() == seconds_of(GENESIS) + 2 * 3600
    live(fleet, 9)
    assert fleet.next_due_s() is None
    assert len(fleet.happenings) == 3
    facts, happenings = fleet.take_changes()
    again = Fleet(fleet.street, ZONE, fleet.genesis_s)
    again.replay(facts, happenings, fleet.lived_s)
    assert again.next_due_s() is None


def test_slaves_are_found_by_their_home_also_after_a_restart(fleet: Fleet):
    facts, happenings = fleet.take_changes()
    again = Fleet(fleet.street, ZONE, fleet.genesis_s)
    again.replay(facts, happenings, fleet.lived_s)
    for each in (fleet, again):
        with_slaves = {serial: each.slaves_of(meter) for serial, meter in each.meters.items() if meter.mains_fed}
        found = {serial: [slave.device.kind for slave in slaves] for serial, slaves in with_slaves.items() if slaves}
        assert len(found) == 2
        assert all(kinds == [Kind.GAS, Kind.WATER] for kinds in found.values())
        assert all(slave.home == each.meters[serial].home for serial, slaves in with_slaves.items() for slave in slaves)


@pytest.mark.parametrize("change", ["limit", "purse", "calendar", "push"])
def test_time_only_looks_at_meters_to_which_it_can_do_something(fleet: Fleet, change: str):
    meter = fleet.meters[HOME_METER]
    assert fleet._attention.timed == {}
    match change:
        case "limit":
            meter.set_limit(fleet.lived_s, 1000, 60)
        case "purse":
            meter.credit(fleet.lived_s, {"prepaid": True})
        case "calendar":
            meter.write_setting(fleet.lived_s, CALENDAR, 10, encode(d.octet_string(CosemDateTime())))
        case "push":
            meter.write_setting(fleet.lived_s, PUSH_SCHEDULE, 4, encode(d.array([])))
    assert fleet._attention.timed == {HOME_METER: meter}
    if change == "limit":
        meter.set_limit(fleet.lived_s, 0, 0)
        assert fleet._attention.timed == {}


def test_what_another_street_stored_is_not_taken_for_its_own():
    modern = Fleet(build_street(10, 1, MODERN), ZONE, GENESIS_S)
    modern.begin()
    facts, happenings = modern.take_changes()
    with pytest.raises(OtherStreetError, match="OAH0000001") as error:
        Fleet(build_street(10, 1), ZONE, GENESIS_S).replay(facts, happenings, GENESIS_S)
    assert "street as they were" in str(error.value.hint)
