"""Three phases, both directions, four quadrants: read over DLMS as a head-end reads them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.ami.meter.conftest import GENESIS, ZONE, Reader

from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.queries import read, read_profile
from openami.ami.dlms.selection import capture_objects
from openami.ami.meter.customer_port import p1_telegram
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.phases import phase_power, power_at
from openami.ami.meter.recordings import Flow
from openami.ami.meter.street import MODERN, build_street
from openami.ami.meter.times import seconds_of
from openami.ami.p1 import decode_p1
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.ami.dlms.profile import Profile
    from openami.ami.meter.model import Meter

START_S = seconds_of(GENESIS)
LOAD_PROFILE, DAILY_PROFILE, BILLING_PROFILE = "1-0:99.1.0", "1-0:98.2.0", "1-0:98.1.0"


@pytest.fixture(scope="module")
def modern() -> Fleet:
    """A street of every sort of home, on a summer noon."""
    fleet = Fleet(build_street(10, 1, MODERN), ZONE, START_S)
    fleet.begin()
    fleet.live_through(START_S + 110 * 86400 + 13 * 3600)
    return fleet


@pytest.fixture(scope="module")
def generating(modern: Fleet) -> Meter:
    """A three-phase meter with a roof behind it."""
    found = [each for each in modern.meters.values() if each.home and each.device.exports and each.device.phases == 3]
    return found[0]


@pytest.fixture
def reader(modern: Fleet, generating: Meter) -> Reader:
    return Reader(modern, generating.serial).open()


def value(reader: Reader, obis: str) -> int:
    return reader.ask(read(obis, 3)).integer()


def test_each_phase_has_voltage_current_power_and_factor(reader: Reader):
    net = 0
    for phase in (1, 2, 3):
        first_c = 20 * phase
        volts, amperes = value(reader, f"1-0:{first_c + 12}.7.0") / 10, value(reader, f"1-0:{first_c + 11}.7.0") / 100
        taken, given = (value(reader, f"1-0:{first_c + way}.7.0") for way in (1, 2))
        reactive = value(reader, f"1-0:{first_c + 3}.7.0") - value(reader, f"1-0:{first_c + 4}.7.0")
        watts = taken - given
        assert not (taken and given)
        apparent = float(np.hypot(watts, reactive))
        assert volts * amperes == pytest.approx(apparent, abs=3)
        assert value(reader, f"1-0:{first_c + 13}.7.0") == pytest.approx(1000 * abs(watts) / apparent, abs=1)
        net += watts
    assert net == value(reader, "1-0:1.7.0") - value(reader, "1-0:2.7.0")
    assert [each.integer() for each in reader.ask(read("1-0:41.7.0", 3, 3)).elements()] == [0, 27]
    assert [each.integer() for each in reader.ask(read("1-0:43.7.0", 3, 3)).elements()] == [0, 29]


def test_on_a_summer_noon_it_gives(reader: Reader, modern: Fleet):
    assert value(reader, "1-0:2.7.0") > 0
    assert value(reader, "1-0:1.7.0") == 0


def test_phases_add_up_at_every_instant(modern: Fleet, generating: Meter):
    at_s = np.arange(modern.lived_s - 3 * 86400, modern.lived_s, 613, dtype=np.int64)
    phases = [phase_power(generating, phase, at_s) for phase in range(3)]
    total = power_at(generating, at_s)
    assert (np.sum([each.watts for each in phases], axis=0) == total.watts).all()
    assert (np.sum([each.var for each in phases], axis=0) == total.var).all()
    shares = {tuple(np.sign(phases[phase].watts)) for phase in range(3)}
    assert len(shares) > 1, "one phase may give while another takes"


def test_registers_of_both_directions_and_all_quadrants(reader: Reader, modern: Fleet, generating: Meter):
    now_s = modern.lived_s
    assert value(reader, "1-0:2.8.0") == generating.register_at(now_s, Flow.EXPORT) > 0
    by_tariff = [value(reader, f"1-0:2.8.{tariff}") for tariff in range(1, 5)]
    assert sum(by_tariff) == value(reader, "1-0:2.8.0")
    assert by_tariff[0] > 0, "a Sunday is cheap all day"
    quadrants = [value(reader, f"1-0:{c}.8.0") for c in (5, 6, 7, 8)]
    assert all(quadrants)
    assert value(reader, "1-0:3.8.0") == quadrants[0] + quadrants[1]
    assert value(reader, "1-0:4.8.0") == quadrants[2] + quadrants[3]
    assert reader.ask(read("1-0:5.8.0", 3, 3)).elements()[1].integer() == 32


def columns(reader: Reader, profile: str) -> list[str]:
    return [str(each.obis).removesuffix(".255") for each in capture_objects(reader.ask(read(profile, 7, 3)))]


def test_profiles_have_a_column_for_export(reader: Reader, modern: Fleet, generating: Meter):
    assert columns(reader, LOAD_PROFILE)[2:] == ["1-0:1.29.0", "1-0:2.29.0"]
    assert columns(reader, DAILY_PROFILE)[1:] == ["1-0:1.8.0", "1-0:2.8.0"]
    assert columns(reader, BILLING_PROFILE)[-1] == "1-0:2.8.0"
    first = GENESIS + timedelta(days=109)
    rows: Profile = reader.ask(read_profile(LOAD_PROFILE, first, first + timedelta(days=1), zone=zone(ZONE)))
    taken, given = (rows.columns[index].values for index in (2, 3))
    first_s = seconds_of(first)
    assert not (taken * given).any()
    assert given[1:].sum() == generating.register_at(first_s + 86400, Flow.EXPORT) - generating.register_at(
        first_s, Flow.EXPORT
    )
    assert value(reader, "1-0:2.29.0") > 0


def test_a_meter_ordered_for_one_direction_has_no_export(modern: Fleet):
    meter = next(each for each in modern.meters.values() if each.home and not each.device.exports and each.mains_fed)
    plain = Reader(modern, meter.serial).open()
    with pytest.raises(AccessDeniedError):
        plain.ask(read("1-0:2.8.0", 3))
    assert columns(plain, LOAD_PROFILE)[2:] == ["1-0:1.29.0"]
    assert value(plain, "1-0:2.7.0") == 0
    assert value(plain, "1-0:5.8.0") + value(plain, "1-0:8.8.0") > 0


def test_the_customers_port_tells_phases_and_directions(modern: Fleet, generating: Meter, reader: Reader):
    telegram = decode_p1(p1_telegram(generating, modern.slaves_of(generating), modern.lived_s, ZONE))
    found = {each.obis: each.number for each in telegram.objects if each.number is not None}
    assert telegram.checked
    assert found["1-0:2.8.1"] * 1000 == value(reader, "1-0:2.8.1")
    assert found["1-0:2.7.0"] * 1000 == value(reader, "1-0:2.7.0")
    for phase in (1, 2, 3):
        net = found[f"1-0:{20 * phase + 1}.7.0"] - found[f"1-0:{20 * phase + 2}.7.0"]
        first_c = 20 * phase
        assert net * 1000 == value(reader, f"1-0:{first_c + 1}.7.0") - value(reader, f"1-0:{first_c + 2}.7.0")
        assert found[f"1-0:{first_c + 12}.7.0"] * 10 == value(reader, f"1-0:{first_c + 12}.7.0")
        assert abs(found[f"1-0:{first_c + 11}.7.0"] * 100 - value(reader, f"1-0:{first_c + 11}.7.0")) <= 51
