"""A heat meter on the M-Bus: its telegram as bytes, and its channel at the electricity meter of the home."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.ami.meter.conftest import GENESIS, ZONE, Reader

from openami.ami.dlms.queries import read
from openami.ami.mbus import Medium
from openami.ami.meter.customer_port import p1_telegram
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.heat import volume_litres
from openami.ami.meter.slave import SlaveTelegram, telegram_of
from openami.ami.meter.street import MODERN, Kind, build_street
from openami.ami.meter.times import seconds_of
from openami.ami.p1 import decode_p1
from openami.ami.telegrams.decode import decode

if TYPE_CHECKING:
    from openami.ami.meter.model import Meter

START_S = seconds_of(GENESIS)


@pytest.fixture(scope="module")
def heated() -> tuple[Fleet, list[SlaveTelegram]]:
    """A street with district heat, at the end of a winter's day, and what was heard of it."""
    fleet = Fleet(build_street(10, 1, MODERN), ZONE, START_S)
    fleet.begin()
    return fleet, fleet.live_through(START_S + 86400 + 60)


@pytest.fixture(scope="module")
def meter(heated: tuple[Fleet, list[SlaveTelegram]]) -> Meter:
    (found,) = [each for each in heated[0].meters.values() if each.device.kind is Kind.HEAT]
    return found


def said(octets: bytes) -> dict[str, int | Decimal]:
    (telegram,) = decode(octets)
    assert telegram.language == "mbus"
    assert not telegram.error
    return {
        f"{reading.quantity} {reading.unit}": reading.value
        for reading in telegram.readings
        if isinstance(reading.value, int | Decimal)
    }


def test_it_tells_energy_volume_power_and_temperatures(heated: tuple[Fleet, list[SlaveTelegram]], meter: Meter):
    mine = [each for each in heated[1] if each.serial == meter.serial]
    assert len(mine) == 24
    for telegram in mine:
        found = said(telegram.octets)
        register = meter.register_at(telegram.taken_s)
        assert found["energy Wh"] == register
        assert found["volume m3"] * 1000 == volume_litres(register)
        assert found["flow temperature °C"] - found["return temperature °C"] == found["temperature difference K"]
    assert meter.register_at(START_S + 86400) > meter.device.start_register


@pytest.mark.parametrize(("power_w", "difference"), [(0, 0), (8000, 40)])
def test_it_is_warm_while_it_heats(meter: Meter, power_w: int, difference: int):
    found = said(telegram_of(meter.device, START_S, 10**6, power_w, ZONE).octets)
    assert found["power W"] == power_w
    assert found["temperature difference K"] == difference


def test_heat_is_carried_by_its_water():
    energy_wh = 50_000_000
    assert abs(volume_litres(energy_wh) * 40 * 1.163 - energy_wh) < 47, "to the litre"


def test_its_dial_rolls_over(meter: Meter):
    found = said(telegram_of(meter.device, START_S, 10**8 + 7, 0, ZONE).octets)
    assert found["energy Wh"] == 7


def test_the_electricity_meter_hears_it_on_a_channel(heated: tuple[Fleet, list[SlaveTelegram]], meter: Meter):
    fleet, _ = heated
    host = next(each for each in fleet.meters.values() if each.mains_fed and each.home == meter.home)
    reader = Reader(fleet, host.serial).open()
    assert reader.ask(read("0-1:24.1.0", 72, 9)).integer() == Medium.HEAT_INLET
    assert reader.ask(read("0-1:24.2.1", 4)).integer() == meter.register_at(fleet.lived_s // 3600 * 3600)
    assert [each.integer() for each in reader.ask(read("0-1:24.2.1", 4, 3)).elements()] == [0, 30]
    telegram = decode_p1(p1_telegram(host, fleet.slaves_of(host), fleet.lived_s, ZONE))
    (gigajoules,) = [each.number for each in telegram.objects if each.obis == "0-1:24.2.1"]
    assert gigajoules is not None
    assert int(gigajoules * 1000) == meter.register_at(fleet.lived_s // 3600 * 3600) * 36 // 10_000
