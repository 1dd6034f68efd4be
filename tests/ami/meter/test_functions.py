"""What a head-end can do to a meter beside reading and switching it; and that all of it lasts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.ami.meter.conftest import GENESIS, SECRET, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.push.listener import Listener
from openami.ami.dlms.queries import act, read, read_entries, write
from openami.ami.dlms.security.keys import KeyId
from openami.ami.dlms.security.rotation import key_transfer
from openami.ami.dlms.selection import CLOCK_COLUMN, CaptureObject
from openami.ami.dlms.times import CosemDate, CosemDateTime, CosemTime
from openami.ami.dlms.wrapper import WrapperFrame
from openami.ami.meter import derived
from openami.ami.meter.breaker import Trigger
from openami.ami.meter.customer_port import p1_telegram
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.happenings import happening_of
from openami.ami.meter.prepayment import token_of
from openami.ami.meter.protection import factory_keys, keys_of, system_title
from openami.ami.meter.pushing import destination_of, push_frame
from openami.ami.meter.times import instant_of, seconds_of
from openami.ami.p1 import decode_p1
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.ami.dlms.data import Data
    from openami.ami.meter.model import Meter

SERIAL = "OAE0000001"
WITH_SLAVES = "OAE0000003"
START_S = seconds_of(GENESIS)
CALENDAR, BLOCK = "0-0:13.0.0", 512


@pytest.fixture
def meter(fleet: Fleet) -> Meter:
    return fleet.meters[SERIAL]


def reborn(fleet: Fleet) -> Fleet:
    """The same street after its process was killed."""
    facts, happenings = fleet.take_changes()
    again = Fleet(fleet.street, ZONE, fleet.genesis_s)
    again.replay(facts, happenings, fleet.lived_s)
    return again


def codes(meter: Meter) -> list[int]:
    return [event.code for event in meter.events]


def day_profile(number: int, *switches: tuple[int, int]) -> Data:
    actions = [
        d.structure(
            d.octet_string(CosemTime(hour, 0, 0, 0)), d.octet_string(Obis.of("0-0:10.0.100")), d.unsigned16(tariff)
        )
        for hour, tariff in switches
    ]
    return d.structure(d.unsigned8(number), d.array(actions))


def download(reader: Reader, *switches: tuple[int, int]) -> None:
    start = CosemDateTime(CosemDate(month=1, day=1))
    season = d.structure(d.octet_string(b"S"), d.octet_string(start), d.octet_string(b"W"))
    week = d.structure(d.octet_string(b"W"), *(d.unsigned8(1) for _ in range(7)))
    for attribute, value in (
        (6, d.octet_string(b"THREE")),
        (7, d.array([season])),
        (8, d.array([week])),
        (9, d.array([day_profile(1, *switches), day_profile(2, (0, 4))])),
    ):
        reader.ask(write(CALENDAR, 20, attribute, value))


def test_a_tariff_that_was_downloaded_holds_from_its_activation_on(fleet: Fleet, reader: Reader, meter: Meter):
    fleet.live_through(START_S + 36 * 3600)
    before = derived.tariff_registers(meter, fleet.lived_s, ZONE)
    download(reader, (0, 1), (6, 3), (20, 2))
    assert derived.tariff_registers(meter, fleet.lived_s, ZONE) == before
    reader.ask(act(CALENDAR, 20, 1))
    assert reader.ask(read(CALENDAR, 20, 2)).octets() == b"THREE"
    assert reader.ask(read("0-0:96.14.0", 1)).text() == "0003"
    fleet.live_through(fleet.lived_s + 24 * 3600)
    after = derived.tariff_registers(meter, fleet.lived_s, ZONE)
    assert sum(after) == meter.register_at(fleet.lived_s)
    assert after[2] > before[2] == 0
    assert {19, 9} <= set(codes(meter))
    again = reborn(fleet)
    assert derived.tariff_registers(again.meters[SERIAL], fleet.lived_s, ZONE) == after


def test_a_special_day_and_an_activation_in_the_future(fleet: Fleet, reader: Reader, meter: Meter):
    download(reader, (0, 1))
    holiday = d.structure(d.unsigned16(1), d.octet_string(CosemDate(2026, 3, 2)), d.unsigned8(2))
    reader.ask(act("0-0:11.0.0", 11, 1, holiday))
    at = datetime(2026, 3, 1, 11, tzinfo=UTC)
    reader.ask(write(CALENDAR, 20, 10, d.octet_string(CosemDateTime.of(at, zone=zone(ZONE)))))
    fleet.live_through(seconds_of(at) + 86400 + 60)
    assert meter.calendars[-1][0] == seconds_of(at)
    assert derived.tariff_at(meter, seconds_of(at) + 60, ZONE) == 1
    assert derived.tariff_at(meter, seconds_of(at) + 86400, ZONE) == 4, "the second of March is special"
    reader.ask(act("0-0:11.0.0", 11, 2, d.unsigned16(1)))
    assert reader.ask(read("0-0:11.0.0", 11)).elements() == ()


def test_a_calendar_that_is_none_is_not_activated(reader: Reader):
    reader.ask(write(CALENDAR, 20, 9, d.array([day_profile(1, (0, 9))])))
    with pytest.raises(ActionRefusedError):
        reader.ask(act(CALENDAR, 20, 1))
    with pytest.raises(AccessDeniedError):
        reader.ask(write(CALENDAR, 20, 9, d.unsigned8(1)))


def test_the_emergency_profile_limits_while_it_lasts(fleet: Fleet, reader: Reader, meter: Meter):
    begins = GENESIS + timedelta(hours=2)
    stamp = d.octet_string(CosemDateTime.of(begins))
    reader.ask(write("0-0:17.0.0", 71, 5, d.unsigned32(1)))
    reader.ask(write("0-0:17.0.0", 71, 6, d.unsigned32(60)))
    reader.ask(write("0-0:17.0.0", 71, 8, d.structure(d.unsigned16(7), stamp, d.unsigned32(3600))))
    fleet.live_through(START_S + 3 * 3600 + 600)
    assert meter.breaker.closed, "another group is meant"
    fleet.lived_s = START_S  # the same once more, now it is ours
    reader.ask(write("0-0:17.0.0", 71, 9, d.array([d.unsigned16(7)])))
    fleet.live_through(START_S + 2 * 3600 - 1)
    assert meter.breaker.closed
    assert not reader.ask(read("0-0:17.0.0", 71, 10)).boolean()
    fleet.live_through(START_S + 2 * 3600 + 3000)
    assert reader.ask(read("0-0:17.0.0", 71, 10)).boolean()
    assert reader.ask(read("0-0:17.0.0", 71, 3)).integer() == 1
    assert not reader.ask(read("0-0:96.3.10", 70, 2)).boolean()
    assert [event.at_s for event in meter.events if event.code == 65] == [START_S + 2 * 3600 + 60]
    assert reborn(fleet).meters[SERIAL].limiter == meter.limiter


def test_firmware_comes_in_blocks_in_any_order_and_survives_a_restart(fleet: Fleet, reader: Reader):
    content = bytes(range(256)) * 5
    identifier = f"OPENAMI-METER-2:{hashlib.sha256(content).hexdigest()}".encode()
    image = "0-0:44.0.0"
    start = d.structure(d.octet_string(identifier), d.unsigned32(len(content)))
    reader.ask(act(image, 18, 1, start))
    assert reader.ask(read(image, 18, 2)).integer() == BLOCK

    def send(asked: Reader, number: int) -> None:
        block = content[number * BLOCK : (number + 1) * BLOCK]
        asked.ask(act(image, 18, 2, d.structure(d.unsigned32(number), d.octet_string(block))))

    send(reader, 2)
    send(reader, 0)
    assert reader.ask(read(image, 18, 4)).integer() == 1
    with pytest.raises(ActionRefusedError):
        reader.ask(act(image, 18, 3))
    with pytest.raises(ActionRefusedError):
        send(reader, 1)  # a failed verification begins anew
    reader.ask(act(image, 18, 1, start))
    for number in (1, 0, 2):
        send(reader, number)
    again = Reader(reborn(fleet), SERIAL).open()
    again.ask(act(image, 18, 3))
    (info,) = again.ask(read(image, 18, 7)).elements()
    assert info.elements()[0].integer() == len(content)
    again.ask(act(image, 18, 4))
    assert again.ask(read("1-0:0.2.0", 1)).text() == "OPENAMI-METER-2"
    assert again.ask(read(image, 18, 6)).integer() == 6


def test_keys_are_changed_by_wrapped_ones_only(fleet: Fleet, reader: Reader, meter: Meter):
    keys = factory_keys(SECRET, SERIAL)
    fresh = bytes(range(16))
    wrong = key_transfer(bytes(16), {KeyId.GLOBAL_UNICAST_ENCRYPTION: fresh})
    with pytest.raises(ActionRefusedError):
        reader.ask(act("0-0:43.0.0", 64, 2, wrong))
    assert keys_of(SECRET, SERIAL, meter.wrapped_keys) == keys
    transfer = key_transfer(keys.key_encryption, {KeyId.GLOBAL_UNICAST_ENCRYPTION: fresh})
    reader.ask(act("0-0:43.0.0", 64, 2, transfer))
    again = reborn(fleet).meters[SERIAL]
    assert keys_of(SECRET, SERIAL, again.wrapped_keys).encryption == fresh
    assert 48 in codes(again)


def test_gas_and_water_are_seen_through_their_channels(fleet: Fleet):
    fleet.live_through(START_S + 5 * 3600 + 1200)
    meter = fleet.meters[WITH_SLAVES]
    reader = Reader(fleet, WITH_SLAVES).open()
    gas, water = fleet.slaves_of(meter)
    assert reader.ask(read("0-1:24.1.0", 72, 6)).integer() == int(gas.device.mbus_id, 16)
    assert reader.ask(read("0-2:24.1.0", 72, 9)).integer() == 7
    assert reader.ask(read("0-3:24.1.0", 72, 6)).integer() == 0
    hour_s = START_S + 5 * 3600
    assert reader.ask(read("0-1:24.2.1", 4)).integer() == gas.register_at(hour_s)
    assert reader.ask(read("0-2:24.2.1", 4, 5)).instant() == instant_of(hour_s)
    rows = reader.ask(read_entries("0-2:24.3.0"))
    assert rows.columns[1].values.tolist() == [water.register_at(START_S + hour * 3600) for hour in range(6)]
    reader.ask(act("0-1:24.1.0", 72, 7, d.octet_string(bytes(16))))
    assert reader.ask(read("0-1:24.1.0", 72, 14)).integer() == 1
    reader.ask(act("0-1:24.1.0", 72, 2))
    assert reader.ask(read("0-1:24.1.0", 72, 6)).integer() == 0
    with pytest.raises(ActionRefusedError):
        reader.ask(act("0-3:24.1.0", 72, 1, d.unsigned8(3)))
    again = reborn(fleet)
    assert again.meters[WITH_SLAVES].channels.of(1).decoupled
    Reader(again, WITH_SLAVES).open().ask(act("0-1:24.1.0", 72, 1, d.unsigned8(1)))
    assert not again.meters[WITH_SLAVES].channels.of(1).decoupled


def test_a_sag_shows_in_voltage_counter_profile_and_log(fleet: Fleet, reader: Reader, meter: Meter):
    at = GENESIS + timedelta(hours=1)
    body = {"kind": "voltage_sag", "serial": SERIAL, "at": at.isoformat(), "to": (at + timedelta(hours=1)).isoformat()}
    fleet.order(happening_of(body, fleet.street, ZONE))
    fleet.live_through(seconds_of(at) + 1800)
    assert reader.ask(read("1-0:32.7.0", 3)).integer() == 1840
    fleet.live_through(seconds_of(at) + 7200)
    assert 2260 <= reader.ask(read("1-0:32.7.0", 3)).integer() <= 2340
    assert reader.ask(read("1-0:32.32.0", 1)).integer() == 1
    assert reader.ask(read_entries("0-0:99.98.4")).columns[1].values.tolist() == [76, 85]
    profile = reader.ask(read_entries("1-0:99.1.1"))
    low = profile.columns[1].values < 2000
    assert low.sum() == 4, "four quarter hours"
    assert reader.ask(read("1-0:31.7.124", 3)).integer() < 100
    assert reader.ask(read("0-0:25.6.0", 47, 6)).elements()[2].integer() >= 12
    assert meter.breaker.closed


def test_the_power_of_a_profile_is_what_was_measured_then(fleet: Fleet, reader: Reader, meter: Meter):
    columns = [CLOCK_COLUMN, CaptureObject(3, Obis.of("1-0:1.7.0"), 2)]
    reader.ask(write("0-1:94.31.6", 7, 3, d.array(each.data() for each in columns)))
    reader.ask(write("0-1:94.31.6", 7, 4, d.unsigned32(900)))
    opened_s = fleet.lived_s
    meter.trigger(opened_s, Trigger.REMOTE_DISCONNECT)
    fleet.live_through(opened_s + 4 * 3600)
    meter.trigger(fleet.lived_s, Trigger.REMOTE_RECONNECT)
    fleet.live_through(opened_s + 8 * 3600)
    rows = reader.ask(read_entries("0-1:94.31.6"))
    open_then = (rows.times_s >= opened_s) & (rows.times_s < opened_s + 4 * 3600)
    assert open_then.any()
    assert (rows.columns[1].values[open_then] == 0).all()
    assert (rows.columns[1].values[~open_then] > 0).any()


def test_the_columns_of_the_definable_profile_are_chosen(fleet: Fleet, reader: Reader, meter: Meter):
    fleet.live_through(START_S + 4 * 3600)
    columns = [CaptureObject(8, Obis.of("0-0:1.0.0"), 2), CaptureObject(3, Obis.of("1-0:1.8.0"), 2)]
    reader.ask(write("0-1:94.31.6", 7, 3, d.array(each.data() for each in columns)))
    reader.ask(write("0-1:94.31.6", 7, 4, d.unsigned32(3600)))
    rows = reader.ask(read_entries("0-1:94.31.6"))
    assert rows.columns[1].values.tolist() == [meter.register_at(START_S + hour * 3600) for hour in range(1, 5)]
    unknown = CaptureObject(3, Obis.of("1-0:99.99.0"), 2)
    with pytest.raises(AccessDeniedError):
        reader.ask(write("0-1:94.31.6", 7, 3, d.array([unknown.data()])))


def test_a_token_buys_energy_once_and_an_empty_purse_opens_the_breaker(fleet: Fleet, reader: Reader, meter: Meter):
    reader.ask(act("0-0:19.20.0", 113, 1, d.array([d.structure(d.octet_string(b""), d.integer16(250))])))
    reader.ask(write("0-0:19.0.0", 111, 2, d.structure(d.enum(2), d.enum(2))))
    reader.ask(write("0-0:96.3.10", 70, 4, d.enum(6)))
    authentication = factory_keys(SECRET, SERIAL).authentication
    reader.ask(act("0-0:19.40.0", 115, 1, d.octet_string(token_of(authentication, SERIAL, 1, 1000))))
    assert reader.ask(read("0-0:19.10.0", 112)).integer() == 1000
    for bad in (token_of(authentication, SERIAL, 1, 1000), token_of(bytes(16), SERIAL, 2, 1000), b"x"):
        with pytest.raises(ActionRefusedError):
            reader.ask(act("0-0:19.40.0", 115, 1, d.octet_string(bad)))
    fleet.live_through(START_S + 5 * 86400)
    assert not meter.breaker.closed
    assert meter.register_at(fleet.lived_s) - meter.device.start_register == pytest.approx(4000, abs=20)
    assert reader.ask(read("0-0:19.0.0", 111, 5)).integer() == pytest.approx(0, abs=6)
    again = reborn(fleet)
    assert again.meters[SERIAL].purse == meter.purse
    reader.ask(act("0-0:19.40.0", 115, 1, d.octet_string(token_of(authentication, SERIAL, 2, 5000))))
    assert meter.breaker.closed


def test_small_settings_last(fleet: Fleet, reader: Reader, meter: Meter):
    fleet.live_through(START_S + 36 * 3600)
    reader.ask(act("0-1:96.3.10", 70, 1))
    assert not reader.ask(read("0-1:96.3.10", 70, 2)).boolean()
    assert reader.ask(read("0-0:96.3.10", 70, 2)).boolean(), "the relay is not the breaker"
    assert reader.ask(read("1-0:1.6.0", 4)).integer() > 0
    reader.ask(act("0-0:10.0.1", 9, 1, d.unsigned16(1)))
    assert reader.ask(read("1-0:1.6.0", 4)).integer() == 0
    reader.ask(write("0-0:96.13.0", 1, 2, d.octet_string(b"Good morning")))
    reader.ask(write("0-1:94.31.0", 1, 2, d.enum(1)))
    reader.ask(write("0-0:1.0.0", 8, 8, d.boolean(False)))
    again = Reader(reborn(fleet), SERIAL).open()
    assert again.ask(read("0-0:96.13.0", 1)).text() == "Good morning"
    assert again.ask(read("0-1:94.31.0", 1)).integer() == 1
    assert not again.ask(read("0-0:1.0.0", 8, 8)).boolean()
    assert not again.ask(read("0-1:96.3.10", 70, 2)).boolean()
    assert 47 in codes(meter)


def test_a_register_rolls_over_behind_its_last_digit(fleet: Fleet, reader: Reader, meter: Meter):
    fleet.live_through(START_S + 86400)
    whole = meter.register_at(fleet.lived_s)
    object.__setattr__(meter.device, "digits", 3)
    try:
        assert reader.ask(read("1-0:1.8.0", 3)).integer() == whole % 1000
        midnight = reader.ask(read_entries("1-0:98.2.0")).columns[1].values[-1]
        assert midnight == whole % 1000
    finally:
        object.__setattr__(meter.device, "digits", 9)


def test_the_customers_port_says_what_the_meter_knows(fleet: Fleet):
    fleet.live_through(START_S + 30 * 3600 + 40)
    meter = fleet.meters[WITH_SLAVES]
    reader = Reader(fleet, WITH_SLAVES).open()
    reader.ask(write("0-0:96.13.0", 1, 2, d.octet_string(b"Hello")))
    telegram = decode_p1(p1_telegram(meter, fleet.slaves_of(meter), fleet.lived_s, ZONE))
    assert telegram.checked
    assert telegram.serial == WITH_SLAVES
    low, normal, *_ = derived.tariff_registers(meter, fleet.lived_s, ZONE)
    found = {each.obis: each for each in telegram.objects}
    assert found["1-0:1.8.1"].number is not None
    assert found["1-0:1.8.1"].number * 1000 == low
    assert found["1-0:1.8.2"].number is not None
    assert found["1-0:1.8.2"].number * 1000 == normal
    gas = fleet.slaves_of(meter)[0]
    assert found["0-1:24.2.1"].number is not None
    assert found["0-1:24.2.1"].number * 1000 == gas.register_at(fleet.lived_s // 3600 * 3600)
    assert bytes.fromhex(found["0-0:96.13.0"].value.text) == b"Hello"


def test_an_alarm_and_a_last_gasp_are_pushed_sealed(fleet: Fleet, reader: Reader, meter: Meter):
    for setup in ("0-1:25.9.0", "0-3:25.9.0"):
        target = d.structure(d.enum(1), d.octet_string(b"127.0.0.1:4321"), d.enum(0))
        reader.ask(write(setup, 40, 3, target))
    assert not fleet.wants_to_push
    meter.log(START_S, 44)
    meter.power_down(START_S + 60)
    pushes = fleet.take_pushes()
    assert [(push.setup, push.codes) for _, push in pushes] == [
        (Obis.of("0-1:25.9.0"), (44,)),
        (Obis.of("0-3:25.9.0"), (1,)),
    ]
    keys = factory_keys(SECRET, SERIAL)
    listener = Listener(lambda title: keys if title == system_title(SERIAL) else None)
    heard = [listener.take(WrapperFrame.decode(push_frame(fleet, SERIAL, push, SECRET)).payload) for _, push in pushes]
    alarm, gasp = heard
    assert alarm is not None
    assert gasp is not None
    assert alarm.authentic
    assert gasp.counter is not None
    assert alarm.counter is not None
    assert gasp.counter > alarm.counter
    assert {str(each.obis): each.number for each in alarm.values}["0-0:97.98.0.255"] == 1 << 13
    assert {str(each.obis): each.number for each in gasp.values}["0-0:96.11.0.255"] == 1
    destination = destination_of(fleet, SERIAL, pushes[0][1].setup)
    assert destination is not None
    assert (destination.host, destination.port) == ("127.0.0.1", 4321)


def test_what_the_filter_holds_back_is_not_pushed(reader: Reader, fleet: Fleet, meter: Meter):
    target = d.structure(d.enum(1), d.octet_string(b"127.0.0.1:4321"), d.enum(0))
    reader.ask(write("0-1:25.9.0", 40, 3, target))
    reader.ask(write("0-0:97.98.10", 1, 2, d.unsigned32(1)))
    meter.log(START_S, 44)
    assert not fleet.wants_to_push
    reader.ask(act("0-0:25.9.0", 40, 1))
    assert not fleet.wants_to_push, "the interval push has no destination"
    reader.ask(act("0-1:25.9.0", 40, 1))
    assert fleet.wants_to_push


@pytest.mark.parametrize(
    ("kind", "logged"),
    [("tamper_terminal", [40, 41]), ("tamper_magnet", [42, 43]), ("tamper_reverse", [91]), ("tamper_bypass", [200])],
)
def test_each_kind_of_tamper_shows_in_the_fraud_log(fleet: Fleet, reader: Reader, kind: str, logged: list[int]):
    body = {"kind": kind, "serial": SERIAL, "at": (GENESIS + timedelta(hours=1)).isoformat()}
    fleet.order(happening_of(body, fleet.street, ZONE))
    fleet.live_through(START_S + 3 * 3600)
    assert reader.ask(read_entries("0-0:99.98.1")).columns[1].values.tolist() == logged


def test_a_clock_that_drifts_says_nothing_but_shows_it(fleet: Fleet, reader: Reader, meter: Meter):
    body = {"kind": "clock_drift", "serial": SERIAL, "at": GENESIS.isoformat(), "seconds": -45}
    fleet.order(happening_of(body, fleet.street, ZONE))
    fleet.live_through(START_S + 60)
    assert reader.ask(read("0-0:1.0.0", 8)).instant() == instant_of(fleet.lived_s - 45)
    assert codes(meter) == []
    assert reborn(fleet).meters[SERIAL].clock_offset_s == -45
