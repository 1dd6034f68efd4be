"""The table of what functions do: the row of one, how it is entered, and what may have happened to a meter before."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.ami.headend.functions.world import SERIAL, World
from tests.ami.meter.conftest import GENESIS, ZONE

from openami.ami.dlms.obis import Obis
from openami.ami.meter.pushing import destination_of
from openami.ami.meter.settings import PUSH_INTERVAL
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.ami.headend.functions.model import Found

Check = Callable[[World, "Found"], None]
Parameters = dict[str, Any]
HOUR = timedelta(hours=1)
DAY: Parameters = {"from": GENESIS.isoformat(), "to": (GENESIS + timedelta(days=1)).isoformat()}
DAYS: Parameters = {"from": GENESIS.isoformat(), "to": (GENESIS + timedelta(days=9)).isoformat()}
TAMPER, UNDER_VOLTAGE, VOLTAGE_NORMAL = 44, 76, 85
IMAGE = bytes(range(256)) * 5
NEW = f"OPENAMI-METER-2:{hashlib.sha256(IMAGE).hexdigest()}"
TARGET = bytes.fromhex("0203 1600 090b") + b"127.0.0.1:1" + bytes.fromhex("1600")
"""A destination as a push setup keeps it."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a function is given, what happens before, and what must be true of the meter afterwards."""

    check: Check
    parameters: Parameters | Callable[[World], Parameters]
    before: Callable[[World], object] | None = None


ROWS: dict[str, Row] = {}


def row(
    parameters: Parameters | Callable[[World], Parameters] | None = None,
    before: Callable[[World], object] | None = None,
) -> Callable[[Check], Check]:
    """Enter the check below under its name, which is the function's."""

    def enter(check: Check) -> Check:
        ROWS[check.__name__] = Row(check, parameters or {}, before)
        return check

    return enter


# what happens before


def tampered(world: World) -> None:
    world.meter.log(world.now_s, TAMPER)


def sag(world: World) -> None:
    world.meter.log(world.now_s - 600, UNDER_VOLTAGE)
    world.meter.log(world.now_s - 300, VOLTAGE_NORMAL)


def outage(world: World) -> None:
    world.meter.power_down(world.now_s)
    world.live(HOUR)
    world.meter.power_up(world.now_s)


def keyed(world: World) -> None:
    world.meter.couple(world.now_s, {"channel": 1, "key_status": 1})


def decoupled(world: World) -> None:
    world.meter.couple(world.now_s, {"channel": 2, "decoupled": True})


def alarmed(world: World) -> None:
    for channel in (1, 2):
        world.meter.couple(world.now_s, {"channel": channel, "alarm": 4})


def astray(world: World) -> None:
    world.meter.drift(world.now_s, 75)


def relay_open(world: World) -> None:
    world.meter.switch_relay(world.now_s, closed=False)


def rich(world: World) -> None:
    world.meter.credit(world.now_s, {"prepaid": True, "price": 250, "amount": 4000})


def begun_image(world: World) -> None:
    world.meter.take_image(world.now_s, {"step": "initiate", "identifier": NEW, "size": len(IMAGE)})


def whole_image(world: World) -> None:
    begun_image(world)
    for number in range(3):
        block = base64.b64encode(IMAGE[number * 512 : (number + 1) * 512]).decode()
        world.meter.take_image(world.now_s, {"step": "block", "number": number, "octets": block})
    world.meter.take_image(world.now_s, {"step": "verify", "status": 3})


def told_push(world: World, setup: Obis, found: Found) -> None:
    """The setup is the one that was meant, and what it tells goes where it should."""
    assert found == {"setup": str(setup).removesuffix(".255")}
    destination = destination_of(world.fleet, SERIAL, setup)
    assert destination is not None
    assert (destination.transport, destination.host, destination.port) == (0, "127.0.0.1", 4321)
    assert world.meter.settings.of(setup, 6).integer() == 5


def pushes(world: World) -> list[Obis]:
    return [push.setup for _, push in world.fleet.take_pushes()]


def pushed_at(world: World) -> list[str]:
    """When a meter that has a destination pushes during the next two days, by local time."""
    world.meter.write_setting(world.now_s, PUSH_INTERVAL, 3, TARGET)
    world.live(48 * HOUR)
    return [f"{datetime.fromtimestamp(push.at_s, zone(ZONE)):%d %H:%M:%S}" for _, push in world.fleet.take_pushes()]


def scheduled(world: World) -> None:
    entry = bytes.fromhex("0202 0904 06000000 0905 ffffffffff")
    world.meter.write_setting(world.now_s, Obis.of("0-0:15.0.4"), 4, b"\x01\x01" + entry)
