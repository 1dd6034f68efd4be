from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from openami.mdus.registry.channels import UNSAVED, Channel, merged, wanted_channels, with_registers
from openami.mdus.registry.codes import CodeTables
from openami.mdus.registry.errors import UnknownCodeError
from openami.mdus.registry.ids import DeviceId, TaskId
from openami.mdus.registry.model import Address, Device, DeviceMaster, Location, Register
from openami.mdus.registry.slices import OPEN_DATE, OPEN_INSTANT, Period

ZONE = "Europe/Amsterdam"
FOR_EVER = Period(date(2026, 2, 28), OPEN_DATE)
REGISTER = Register(TaskId("42"), FOR_EVER, "1-0:1.8.0", "KWH", 8, 3)
INTERVALS = Register(TaskId("43"), FOR_EVER, "1-0:1.29.0", "KWH", 8, 3, recurrence="15")


def channels(*registers: Register, places: tuple[Location, ...] = ()) -> tuple[Channel, ...]:
    device = Device(DeviceId("1"), DeviceMaster("S", "M", FOR_EVER), registers=registers, locations=places)
    return wanted_channels(device, CodeTables(), ZONE)


def numbered(kept: tuple[Channel, ...]) -> tuple[Channel, ...]:
    return tuple(replace(one, id=number) for number, one in enumerate(kept, 10))


def test_energy_is_kept_in_watt_hours_however_little_the_display_shows():
    coarse = replace(REGISTER, fraction_digits=0)
    fine = replace(REGISTER, unit_code="WH", fraction_digits=1)
    gas = replace(REGISTER, unit_code="M3", fraction_digits=3, obis="7-0:3.0.0")
    assert [(one.unit, one.scale) for one in channels(coarse, fine, gas)] == [("Wh", 0), ("Wh", -1), ("m3", -3)]


def test_a_register_rolls_over_where_its_display_does():
    assert channels(replace(REGISTER, total_digits=8, fraction_digits=3))[0].rollover == 10**8
    assert channels(replace(REGISTER, total_digits=6, fraction_digits=0))[0].rollover == 10**9
    assert channels(INTERVALS)[0].rollover is None


def test_an_interval_channel_has_the_length_of_its_recurrence():
    assert [one.interval_s for one in channels(INTERVALS, REGISTER)] == [900, 0]
    assert channels(replace(INTERVALS, recurrence="0030"))[0].interval_s == 1800


def test_a_new_tariff_is_the_same_channel_and_a_new_unit_is_another():
    split = Period(date(2026, 2, 28), date(2026, 3, 10)), Period(date(2026, 3, 10), OPEN_DATE)
    tariff = channels(replace(REGISTER, period=split[0]), replace(REGISTER, period=split[1], time_of_use="NT"))
    assert [one.span.end for one in tariff] == [OPEN_INSTANT]
    unit = channels(replace(INTERVALS, period=split[0]), replace(INTERVALS, period=split[1], recurrence="30"))
    assert [one.interval_s for one in unit] == [900, 1800]
    assert unit[0].span.end == unit[1].span.start == datetime(2026, 3, 9, 23, tzinfo=UTC)


def test_a_gap_makes_another_channel():
    parts = Period(date(2026, 2, 28), date(2026, 3, 10)), Period(date(2026, 3, 12), OPEN_DATE)
    assert len(channels(*(replace(REGISTER, period=one) for one in parts))) == 2


def test_a_removed_meter_counts_up_to_the_hour_of_its_removal():
    removed_at = datetime(2026, 3, 16, 10, 20, tzinfo=UTC)
    days = Period(date(2026, 2, 28), date(2026, 3, 16))
    place = Location(days, "D", "C", Address("NL"), removed_at=removed_at)
    assert channels(replace(INTERVALS, period=days), places=(place,))[0].span.end == removed_at
    early = Period(date(2026, 2, 28), date(2026, 3, 3))
    assert channels(replace(INTERVALS, period=early), places=(place,))[0].span.end == datetime(
        2026, 3, 2, 23, tzinfo=UTC
    )


def test_a_channel_keeps_its_number_when_its_period_changes():
    saved = numbered(channels(REGISTER, INTERVALS))
    ended = replace(INTERVALS, period=Period(date(2026, 2, 28), date(2026, 3, 16)))
    kept = merged(saved, channels(REGISTER, ended))
    assert [one.id for one in kept] == [10, 11]
    assert kept[1].span.end == datetime(2026, 3, 15, 23, tzinfo=UTC)


def test_a_channel_nobody_asks_for_stays_as_history():
    saved = numbered(channels(REGISTER, INTERVALS))
    kept = merged(saved, channels(REGISTER))
    assert [(one.id, one.span.duration_s > 0) for one in kept] == [(10, True), (11, False)]
    again = merged(kept, channels(REGISTER, INTERVALS))
    assert [one.id for one in again] == [10, 11], "and comes back under its number"


def test_intervals_know_the_register_of_their_quantity():
    export = replace(REGISTER, task=TaskId("44"), obis="1-0:2.8.0")
    paired = with_registers(numbered(channels(export, REGISTER, INTERVALS)))
    assert [one.register for one in paired] == [None, None, 11]
    unsaved = with_registers(channels(REGISTER, INTERVALS))
    assert all(one.register is None and one.id == UNSAVED for one in unsaved)


@pytest.mark.parametrize(("field", "value"), [("unit_code", "PINT"), ("recurrence", "7")])
def test_a_code_outside_the_tables_is_never_guessed(field: str, value: str):
    with pytest.raises(UnknownCodeError, match=value):
        channels(replace(INTERVALS, **{field: value}))  # type: ignore[arg-type]
