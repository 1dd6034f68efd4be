"""What a session brought home, in the words of the seam."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from openami.ami.headend import reports
from openami.ami.headend.model import Address, Collected, Kind, Meter, RegisterValue

NOON = datetime(2026, 3, 16, 12, tzinfo=UTC)
METER = Meter("OAE0000006", Address("127.0.0.1", 4059), b"", mrid="4711", usage_point="871687110000000006")
IMPORT, EXPORT = "1-0:1.8.0", "1-0:2.8.0"


def dials(at: datetime, *earlier: datetime) -> Collected:
    registers = tuple(RegisterValue(IMPORT, each, Decimal(1_500), daily=True) for each in earlier)
    return Collected(METER.serial, at, registers=(*registers, RegisterValue(IMPORT, at, Decimal(1_501))))


def test_the_dials_of_a_hanging_meter_are_told():
    told = reports.meter_reading(METER, dials(NOON, NOON - timedelta(hours=12)), source="AMS1")
    assert told is not None
    assert [each.at for each in told.readings] == [NOON - timedelta(hours=12), NOON]
    assert [each.value for each in told.readings] == [Decimal("1.500"), Decimal("1.501")]  # kWh


def test_what_a_meter_tells_is_reported_in_whole_seconds():
    told = reports.meter_reading(METER, dials(NOON + timedelta(microseconds=250_000), NOON), source="AMS1")
    assert told is not None
    assert {each.reported for each in told.readings} == {NOON}


@pytest.mark.parametrize("after_s", [1, 600, 86_400])
def test_what_a_dial_shows_after_the_removal_is_not(after_s: int):
    removed = replace(METER, removed_at=NOON)
    told = reports.meter_reading(removed, dials(NOON + timedelta(seconds=after_s), NOON), source="AMS1")
    assert told is not None
    assert [each.at for each in told.readings] == [NOON]


def test_nothing_is_told_where_nothing_is_left():
    removed = replace(METER, removed_at=NOON)
    assert reports.meter_reading(removed, dials(NOON + timedelta(minutes=10)), source="AMS1") is None


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        (Kind.ELECTRICITY, Decimal("4.711"), "0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0"),
        (Kind.GAS, Decimal("1.234"), "0.0.0.1.1.7.58.0.0.0.0.0.0.0.0.0.42.0"),
        (Kind.WATER, Decimal("1.234"), "0.0.0.1.1.9.58.0.0.0.0.0.0.0.0.0.42.0"),
        (Kind.HEAT, Decimal("0.004711"), "0.0.0.1.1.12.12.0.0.0.0.0.0.0.0.6.72.0"),
    ],
)
def test_a_one_way_meter_tells_what_its_kind_measures(kind: Kind, value: Decimal, code: str):
    telegram = SimpleNamespace(energy_wh=4711, volume_litres=1234, status=0, measured_at=NOON, received_at=NOON)
    told = reports.dial_reading(kind, telegram, source="AMS1")  # type: ignore[arg-type] # a row with these columns
    assert told is not None
    assert (told.value, str(told.reading_type)) == (value, code)
    silent = SimpleNamespace(**vars(telegram) | {"energy_wh": None, "volume_litres": None})
    assert reports.dial_reading(kind, silent, source="AMS1") is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("drift_s", "told"), [(-2400.4, "-2400"), (11.6, "12")])
def test_a_clock_that_had_to_be_set_is_told_beside_what_it_stamped(drift_s: float, told: str):
    read = replace(dials(NOON), clock_drift_s=drift_s, clock_set=True)
    reading = reports.meter_reading(METER, read, source="AMS1")
    assert reading is not None
    (event,) = reading.events
    assert (event.name, event.created, event.device) == ("clock.sync_needed", NOON, reading.meter)
    assert {one.name: one.value for one in event.details} == {"value": told, "unit": "s"}
    again = reports.meter_reading(METER, read, source="AMS1")
    assert again is not None
    assert again.events[0].mrid == event.mrid, "told twice, it is one event"


@pytest.mark.parametrize(("drift_s", "was_set"), [(3.0, False), (None, True), (None, False)])
def test_a_clock_that_was_not_set_is_not_told(drift_s: float | None, was_set: bool):
    read = replace(dials(NOON), clock_drift_s=drift_s, clock_set=was_set)
    reading = reports.meter_reading(METER, read, source="AMS1")
    assert reading is not None
    assert reading.events == ()
