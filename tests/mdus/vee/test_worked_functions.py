"""The worked examples that are single numbers: registers, gas, water."""

from __future__ import annotations

from decimal import Decimal as D  # noqa: N817 - numbers stay readable

import numpy as np
import pytest

from openami.mdus.series.determinants import combine
from openami.mdus.series.model import ChannelSpan
from openami.mdus.vee import gas, registers, water
from openami.mdus.vee.estimates.shapes import split
from openami.mdus.vee.water import Backflow, Flow
from openami.mdus.virtual.model import terms_of
from openami.shared.quality import VALID


def test_w12_and_w13_readings_as_if_a_register_had_no_end() -> None:
    """10 kW for 720 hours, and a fifth: 8640; a wrapped advance of 82 is a rollover, one of 54802 a reset."""
    at_s = np.arange(4) * 720 * 3600
    total, piece = registers.unrolled(at_s, np.array([99_950, 32, 100, 90]), 100_000, 10)
    assert (total.tolist(), piece.tolist()) == ([99_950, 100_032, 100_100, 100_090], [0, 0, 0, 1])
    total, piece = registers.unrolled(at_s[:2], np.array([45_210, 12]), 100_000, 10)
    assert (total.tolist(), piece.tolist()) == ([45_210, 12], [0, 1])
    for nothing in registers.unrolled(at_s[:0], at_s[:0], 100_000, 10):
        assert not nothing.size


def test_w12_with_a_meter_multiplier_of_40() -> None:
    """3280 kWh: registers stay as they are read (enterprise services 3.7), a virtual channel applies the multiplier."""
    at_s = np.arange(2) * 720 * 3600
    total, _ = registers.unrolled(at_s, np.array([99_950, 32]), 100_000, 10)
    hours = split(np.diff(total), 720)
    span = ChannelSpan(17, 3600, np.arange(720) * 3600, hours, np.full(720, VALID), np.zeros(720, np.uint8))
    ((member, factor),) = [(term.member, term.factor) for term in terms_of("40*17")]
    assert (member, int(hours.sum())) == (17, 82)
    assert combine([(factor, span)]).values.sum() == 3280


def test_w57_longer_intervals_are_split() -> None:
    assert split(np.array([1800]), 6).tolist() == [300] * 6
    assert split(np.array([900]), 3).tolist() == [300] * 3
    assert split(np.array([10, 11]), 3).tolist() == [3, 3, 4, 3, 4, 4]


def test_w58_type_61() -> None:
    assert registers.average_daily_use(D("18.2"), 33) == D("600.6")


@pytest.mark.parametrize(
    ("units", "calorific", "imperial", "expected"),
    [("120", "40", False, "1363.52"), ("100", "39.3", False, "1116.382"), ("100", "39.3", True, "3159.361")],
)
def test_w73_to_w75_gas_in_great_britain(units: str, calorific: str, imperial: bool, expected: str) -> None:
    energy = gas.energy_gb_kwh(D(units), D(calorific), hundreds_of_cubic_feet=imperial)
    assert energy.quantize(D(expected)) == D(expected)


def test_a_calorific_value_in_the_wrong_unit_is_refused() -> None:
    with pytest.raises(gas.CalorificValueError, match=r"11\.2 MJ/m3 is not that of pipeline gas"):
        gas.energy_gb_kwh(D(1), D("11.2"))


def test_w76_to_w78_gas_in_germany() -> None:
    z = gas.state_number(D(253), D(22))
    assert z == D("0.9427")
    # exactly 0.942695, at 985.64 mbar around it and 22 mbar in it; half a digit less is another number
    assert gas.state_number(D(253), D("21.95")) == D("0.9426")
    assert gas.energy_de_kwh(D(1874), D("11.316"), z).quantize(D("0.01")) == D("19991.07")
    assert gas.energy_de_kwh(D(1874), D("11.316"), z).quantize(D(1)) == 19991
    assert gas.energy_de_kwh(D(100), D("10.55"), D("0.9764")) == D("1030.102")
    assert gas.energy_de_kwh(D(100), D("10.55"), D("0.9764"), standard_volume=True) == D("1055.00")


def test_w79_the_temperature_of_a_profile() -> None:
    found = gas.profile_temperature([D("-2.0"), D("0.5"), D("3.4"), D("3.6")])
    assert found.quantize(D("0.00001")) == D("-0.24000")


def test_w80_degree_days() -> None:
    assert gas.degree_day_estimate_kwh(D(12), D("4.5"), 30, D(210)) == 1305


def test_w81_an_inserted_reading_is_checked_to_both_sides() -> None:
    readings, expected = [D(1000), D(1500), D(1600)], [D(300), D(300)]
    assert gas.fits_neighbours(readings, expected, D("0.6")) == [False, False]
    assert gas.fits_neighbours(readings, expected, D("0.667")) == [True, True], "66.7 % on either side"
    assert gas.fits_neighbours(readings, expected, D("0.6"), overridden=True) == [True, True]
    assert gas.fits_neighbours([D(1000), D(1480), D(1600)], expected, D("0.6")) == [True, True]


@pytest.mark.parametrize(("corrected", "percent", "within"), [("96", "1.83", True), ("104", "10.3", False)])
def test_w82_the_corrector(corrected: str, percent: str, within: bool) -> None:
    deviation = gas.corrector_deviation(D(100), D(corrected), D("0.9427"))
    assert abs(deviation * 100 - D(percent)) < D("0.05")
    assert (abs(deviation) <= D("0.05")) is within


def test_ga10_no_annual_quantity_without_contiguous_periods() -> None:
    first, second = gas.Period(0, 100, D(500)), gas.Period(100, 200, D(300))
    assert gas.annual_quantity_kwh([second, first]) == D(800) * 365 / 200
    assert gas.annual_quantity_kwh([first, gas.Period(99, 200, D(300))]) is None
    assert gas.annual_quantity_kwh([first, gas.Period(101, 200, D(300))]) is None
    assert gas.annual_quantity_kwh([gas.Period(0, 100, D(-1))]) is None
    assert gas.annual_quantity_kwh([]) is None


def test_w83_leaks() -> None:
    flowing = np.array([[1] * slots + [0] * (96 - slots) for slots in (96, 95, 50, 49)])
    assert water.flow_of_day(flowing).tolist() == [Flow.CONTINUOUS, Flow.INTERMITTENT, Flow.INTERMITTENT, Flow.NONE]


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("0.5", Backflow.NONE), ("50", Backflow.MINOR), ("100", Backflow.MINOR), ("150", Backflow.MAJOR)],
)
def test_w84_backflow(digits: str, expected: Backflow) -> None:
    assert water.backflow(D(digits)) is expected


def test_w85_a_gap_between_two_readings() -> None:
    parts = water.even_fill(1_435_531, 1_442_337, 35)
    assert int(parts.sum()) == 6806
    assert set(parts.tolist()) == {194, 195}
    precise = water.even_fill(1_435_531_000, 1_442_337_000, 35)
    assert set(precise.tolist()) <= {194_457, 194_458}


def test_w86_and_w87_night_flow_and_leakage() -> None:
    household = water.household_night_use(4500, D("0.06"), D(10))
    assert household == D("2.7")
    net = water.net_leakage(D("12.0"), household, D("1.3"))
    assert net == D("8.0")
    assert water.daily_leakage(net, D(22)) == 176


def test_w88_overload() -> None:
    assert not water.exceeds_overload(D("3.1"), D(1), D("2.5"))
    assert water.exceeds_overload(D("3.2"), D(1), D("2.5"))


def test_w89_the_reported_night() -> None:
    nights = [D(one) for one in ("8.0", "8.2", "7.9", "9.5", "8.1", "8.4", "8.3")]
    assert water.reported_night_flow(nights) == D("8.02")


def test_the_lowest_rolling_hour_of_the_night() -> None:
    quarter_hours = np.array([[9] * 8 + [3, 1, 1, 1, 2, 5, 5, 5] + [9] * 80])
    assert water.minimum_night_flow(quarter_hours, 8, 16, 4).tolist() == [5]
