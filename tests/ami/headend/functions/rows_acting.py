"""What functions that act leave behind at the meter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from tests.ami.headend.functions.rows import (
    HOUR,
    IMAGE,
    TARGET,
    alarmed,
    astray,
    begun_image,
    decoupled,
    pushed_at,
    pushes,
    relay_open,
    rich,
    row,
    scheduled,
    tampered,
    told_push,
    whole_image,
)
from tests.ami.headend.functions.world import SERIAL, World
from tests.ami.meter.conftest import GENESIS, SECRET, ZONE

from openami.ami.dlms.obis import Obis
from openami.ami.dlms.selection import capture_objects
from openami.ami.meter import derived, distortion, quality
from openami.ami.meter.alarms import alarm_register
from openami.ami.meter.happenings import happening_of
from openami.ami.meter.prepayment import token_of
from openami.ami.meter.protection import factory_keys
from openami.ami.meter.settings import (
    ADMINISTRATIVE_STATUS,
    CONFIGURATION,
    MESSAGE_CODE,
    MESSAGE_TEXT,
    PUSH_ALARM,
    PUSH_INTERVAL,
    PUSH_LAST_GASP,
    PUSH_SMS,
)

if TYPE_CHECKING:
    from openami.ami.headend.functions.model import Found

TO = {"destination": "127.0.0.1:4321", "transport": "tcp", "retries": 5}


@row(before=astray)
def synchronize_clock(world: World, found: Found) -> None:
    assert found == {"drift_before_s": 75, "drift_after_s": 0}
    assert world.meter.clock_offset_s == 0
    assert world.codes[-2:] == [4, 5]


@row({"time_zone_min": -180, "begin": "ffff03fe0702000000800000", "end": "ffff0afe0703000000800000", "enabled": False})
def configure_clock(world: World, found: Found) -> None:
    place = world.meter.place(ZONE)
    for month in (1, 7):  # three hours ahead in winter, and no summer time
        assert datetime(2026, month, 1, tzinfo=UTC).astimezone(place).utcoffset() == 3 * HOUR


@row(
    {
        "name": "TWO",
        "days": {"1": {"00:00": 3, "07:00": 2}},
        "weeks": {"W": [1] * 7},
        "seasons": {"S": {"from": "01-01", "week": "W"}},
    }
)
def set_activity_calendar(world: World, found: Found) -> None:
    assert found == {"active": "TWO"}
    before = derived.tariff_registers(world.meter, world.now_s, ZONE)
    world.live(24 * HOUR)
    used = [
        now - then for now, then in zip(derived.tariff_registers(world.meter, world.now_s, ZONE), before, strict=True)
    ]
    assert used[0] == used[3] == 0
    assert min(used[1], used[2]) > 0


@row({"days": [{"date": "12-25", "day": 9}, {"date": "2026-03-05", "day": 9}]})
def set_special_days(world: World, found: Found) -> None:
    entries = [each.elements() for each in world.meter.settings.of(Obis.of("0-0:11.0.0"), 2).elements()]
    assert [(entry[1].octets()[:4].hex(), entry[2].integer()) for entry in entries] == [
        ("ffff0c19", 9),
        ("07ea0305", 9),
    ]


@row({"filter": 1})
def set_alarm_filter(world: World, found: Found) -> None:
    world.meter.write_setting(world.now_s, PUSH_ALARM, 3, TARGET)
    tampered(world)
    assert pushes(world) == [], "a fraud attempt is not among what is to be told"
    world.meter.log(world.now_s, 6)  # clock invalid: bit 0
    assert pushes(world) == [PUSH_ALARM]


@row(TO)
def set_alarm_push(world: World, found: Found) -> None:
    told_push(world, PUSH_ALARM, found)
    tampered(world)
    assert pushes(world) == [PUSH_ALARM]


@row(TO)
def set_sms_push(world: World, found: Found) -> None:
    told_push(world, PUSH_SMS, found)
    at = GENESIS + timedelta(hours=37)
    body = {"kind": "wake_up", "serial": SERIAL, "at": at.isoformat()}
    world.fleet.order(happening_of(body, world.fleet.street, ZONE))
    world.live(2 * HOUR)
    assert pushes(world) == [PUSH_SMS], "who is woken by an SMS answers there"


@row(TO)
def set_interval_push(world: World, found: Found) -> None:
    told_push(world, PUSH_INTERVAL, found)
    world.meter.push(world.now_s, PUSH_INTERVAL)
    assert pushes(world) == [PUSH_INTERVAL]


@row(TO)
def set_last_gasp_push(world: World, found: Found) -> None:
    told_push(world, PUSH_LAST_GASP, found)
    world.meter.power_down(world.now_s)
    assert pushes(world) == [PUSH_LAST_GASP]


@row({"times": ["00:05", "12:05"]})
def schedule_push(world: World, found: Found) -> None:
    assert pushed_at(world) == ["01 12:05:00", "02 00:05:00", "02 12:05:00", "03 00:05:00"]


@row({"flags": "0000001001000001", "mode": 0})
def set_configuration(world: World, found: Found) -> None:
    mode, flags = world.meter.settings.of(CONFIGURATION, 2).elements()
    assert (mode.integer(), flags.value) == (0, "0000001001000001")
    assert world.codes[-1] == 47


@row({"status": 1}, scheduled)
def set_administrative_status(world: World, found: Found) -> None:
    assert world.meter.settings.of(ADMINISTRATIVE_STATUS, 2).integer() == 1
    assert pushed_at(world) == [], "a customer who does not take part is not told about by itself"
    world.meter.write_setting(world.now_s, ADMINISTRATIVE_STATUS, 2, bytes((0x16, 2)))
    assert pushed_at(world) == ["04 06:00:00", "05 06:00:00"]


@row({"window_s": 3600}, scheduled)
def set_randomisation(world: World, found: Found) -> None:
    pushed = pushed_at(world)
    assert len(pushed) == 2
    assert all("06:00:00" < at[3:] < "07:00:01" for at in pushed)
    assert pushed[0][3:] != pushed[1][3:], "each time another wait"


@row({"limit_permille": 60, "hysteresis_permille": 10, "over_s": 600})
def set_harmonics_limits(world: World, found: Found) -> None:
    begin_s = world.now_s
    world.live(12 * HOUR)
    events = [each for each in world.meter.events if each.code in (distortion.OVER, distortion.NORMAL)]
    assert [each.code for each in events][:3] == [distortion.OVER, distortion.NORMAL, distortion.OVER]
    for each in events:
        before_s = np.arange(each.at_s - 600, each.at_s + 1, 60)
        measured = quality.harmonics(world.meter, 0, before_s)
        assert (measured > 60).all() if each.code == distortion.OVER else (measured < 50).all()
        assert each.at_s > begin_s


@row({"columns": ["1-0:1.8.0", "1-0:32.7.0"], "period_s": 3600})
def define_load_profile(world: World, found: Found) -> None:
    profile = Obis.of("0-1:94.31.6")
    columns = capture_objects(world.meter.settings.of(profile, 3))
    assert [str(each.obis) for each in columns] == ["0-0:1.0.0.255", "1-0:1.8.0.255", "1-0:32.7.0.255"]
    assert world.meter.settings.of(profile, 4).integer() == 3600


@row(before=tampered)
def clear_alarms(world: World, found: Found) -> None:
    assert found == {"cleared": 1 << 13}
    assert alarm_register(world.meter) == 0


@row({"threshold_w": 1, "over_s": 60})
def set_limiter(world: World, found: Found) -> None:
    assert found == {"active_w": 1}
    world.live(HOUR)
    assert not world.meter.breaker.closed, "more than a watt for more than a minute"


@row({"group": 3, "threshold_w": 1, "from": (GENESIS + timedelta(hours=38)).isoformat(), "duration_s": 3600})
def set_emergency_limit(world: World, found: Found) -> None:
    world.live(HOUR)
    assert world.meter.breaker.closed
    world.live(2 * HOUR)
    assert not world.meter.breaker.closed


@row({"mode": 6})
def set_breaker_mode(world: World, found: Found) -> None:
    assert world.meter.breaker.mode == 6


@row()
def open_relay(world: World, found: Found) -> None:
    assert found == {"relay": False}
    assert not world.meter.relay_closed
    assert world.meter.breaker.closed, "the relay is not the breaker"


@row(before=relay_open)
def close_relay(world: World, found: Found) -> None:
    assert found == {"relay": True}
    assert world.meter.relay_closed


@row({"text": "Good morning"})
def display_text(world: World, found: Found) -> None:
    assert world.meter.settings.of(MESSAGE_TEXT, 2).octets() == b"Good morning"


@row()
def reset_demand(world: World, found: Found) -> None:
    assert world.meter.demand_reset_s == world.now_s


@row({"class_id": 1, "obis": "0-0:96.13.1", "attribute": 2, "value": "090131"})
def write_attribute(world: World, found: Found) -> None:
    assert world.meter.settings.of(MESSAGE_CODE, 2).octets() == b"1"


# channels


@row(lambda world: {"identification": world.water.device.mbus_id.lower()}, decoupled)
def couple_mbus(world: World, found: Found) -> None:
    assert found == {"channel": 2}
    assert not world.meter.channels.of(2).decoupled


@row({"channel": 2}, decoupled)
def couple_mbus_channel(world: World, found: Found) -> None:
    assert not world.meter.channels.of(2).decoupled
    assert world.codes[-1] == 115


@row(lambda world: {"identification": world.water.device.mbus_id})
def decouple_mbus(world: World, found: Found) -> None:
    assert found == {"channel": 2}
    assert world.meter.channels.of(2).decoupled


@row({"channel": 2})
def decouple_mbus_channel(world: World, found: Found) -> None:
    assert world.meter.channels.of(2).decoupled
    assert not world.meter.channels.of(1).decoupled


@row({"channel": 1, "wrapped_key": bytes(24).hex()})
def set_mbus_key(world: World, found: Found) -> None:
    assert found == {"channel": 1, "key_status": 1}
    assert world.meter.channels.of(1).key_status == 1


@row(before=alarmed)
def clear_mbus_alarms(world: World, found: Found) -> None:
    assert [world.meter.channels.of(channel).alarm for channel in (1, 2)] == [0, 0]


# money


@row({"token": token_of(factory_keys(SECRET, SERIAL).authentication, SERIAL, 1, 700).hex()})
def enter_token(world: World, found: Found) -> None:
    assert found == {"credit": 700}
    assert (world.meter.purse.amount, world.meter.purse.last_token) == (700, 1)


@row({"amount": -500}, rich)
def add_credit(world: World, found: Found) -> None:
    assert found == {"credit": 3500}
    assert world.meter.purse.amount == 3500


@row({"prepaid": True, "price": 250}, lambda world: world.meter.credit(world.now_s, {"amount": 100}))
def set_payment_mode(world: World, found: Found) -> None:
    assert (world.meter.purse.prepaid, world.meter.purse.price) == (True, 250)
    world.live(48 * HOUR)
    assert not world.meter.breaker.closed, "what was paid is used up"


# firmware


@row({"image": "OPENAMI-METER-2", "content": IMAGE})
def update_firmware(world: World, found: Found) -> None:
    assert (found["previous"], found["version"], found["blocks_sent"]) == ("OPENAMI-METER-1", "OPENAMI-METER-2", 3)
    assert world.meter.image.version == "OPENAMI-METER-2"


@row(before=whole_image)
def activate_firmware(world: World, found: Found) -> None:
    assert found["version"] == world.meter.image.version == "OPENAMI-METER-2"


@row(before=begun_image)
def read_firmware_status(world: World, found: Found) -> None:
    assert found == {"first_missing": 0, "enabled": True, "status": 1}


@row(
    {
        "actions": [
            {"function": "open_relay"},
            {"function": "read_modem", "parameters": {"x": 1}},
            {"function": "display_text", "parameters": {"text": "Hi"}},
        ]
    }
)
def bundle(world: World, found: Found) -> None:
    relay, refused, _text = found["answers"]
    assert relay == {"function": "open_relay", "found": {"relay": False}}
    assert "does not take x" in refused["error"]
    assert not world.meter.relay_closed
    assert world.meter.settings.of(MESSAGE_TEXT, 2).octets() == b"Hi", "the fault of one stops none of the others"
