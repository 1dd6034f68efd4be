from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openami.office.billing.charges import Part, energy_lines, from_milli
from openami.office.billing.compute import calculate, estimated_stretches
from openami.office.billing.model import json_value
from openami.office.billing.prices import Stretch
from openami.office.billing.tariff import (
    Bucket,
    Conversion,
    Demand,
    Division,
    Standing,
    Tariff,
    Tier,
    Window,
    shipped_tariffs,
)
from openami.office.readings.model import ItemStatus
from openami.shared.spans import Span, local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.office.billing.charges import Quantity
    from openami.office.billing.model import BillInput, MeterSlice

    Make = Callable[..., BillInput]
    MakeSlice = Callable[..., MeterSlice]

ZONE = "Europe/Amsterdam"
MARCH = Span(local_midnight(ZONE, date(2026, 3, 1)), local_midnight(ZONE, date(2026, 4, 1)))


def _part(tariff: Tariff, quantity: Quantity) -> Part:
    """A month in which only this was used."""
    return Part(Stretch(date(2026, 3, 1), date(2026, 4, 1), tariff), (quantity,))


def _estimated(piece: MeterSlice, first: int, past_last: int) -> MeterSlice:
    status = piece.status.copy()
    status[first:past_last] = ItemStatus.ESTIMATED
    return replace(piece, status=status)


def test_the_23_hour_day_is_billed_as_it_was(make_input: Make) -> None:
    bill = calculate(make_input(values=100))
    assert bill.measured_milli == (31 * 48 - 2) * 100
    short = next(day for day in bill.days if day.day == date(2026, 3, 29))
    assert short.measured_milli == 46 * 100


def test_buckets_and_levy_hold_the_same_energy(make_input: Make) -> None:
    bill = calculate(make_input(values=250))
    energy = sum((line.quantity for line in bill.lines if line.kind == "energy"), Decimal(0))
    levy = next(line for line in bill.lines if line.kind == "levy")
    assert energy == levy.quantity == Decimal(bill.measured_milli).scaleb(-3)


def test_estimated_energy_is_shown_apart(make_input: Make, make_slice: MakeSlice) -> None:
    bill = calculate(make_input(slices=[_estimated(make_slice(MARCH, 100), 48 * 13, 48 * 14)]))
    assert bill.estimated_milli == 4800
    assert bill.measured_milli == (31 * 48 - 2) * 100 - 4800
    assert sum((line.estimated for line in bill.lines if line.kind == "energy"), Decimal(0)) == Decimal("4.800")
    (stretch,) = bill.estimates
    assert stretch.start == local_midnight(ZONE, date(2026, 3, 14))
    assert stretch.end == local_midnight(ZONE, date(2026, 3, 15))
    assert next(day for day in bill.days if day.day == date(2026, 3, 14)).estimated_milli == 4800


def test_stretches_touch_both_edges(make_slice: MakeSlice) -> None:
    piece = make_slice(Span(MARCH.start, MARCH.start + timedelta(hours=3)), [1, 2, 3, 4, 5, 6])
    status = np.array([2, 1, 2, 2, 1, 2], dtype=np.uint8)
    stretches = list(estimated_stretches(replace(piece, status=status)))
    assert [stretch.quantity_milli for stretch in stretches] == [1, 7, 6]


def test_tax_is_on_the_sum_of_rounded_lines(make_input: Make) -> None:
    bill = calculate(make_input(values=333))
    assert bill.net == sum((line.amount for line in bill.lines), Decimal(0))
    assert bill.vat == (bill.net * Decimal("0.21")).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    assert bill.total == bill.net + bill.vat
    for line in bill.lines:
        assert line.amount == (line.quantity * line.price).quantize(Decimal("0.01"), "ROUND_HALF_UP")


def test_gas_is_converted_by_the_rate_of_the_day(make_input: Make, make_slice: MakeSlice) -> None:
    tariff = replace(
        shipped_tariffs()["home-gas"],
        conversions=(
            Conversion(date(2026, 1, 1), Decimal("0.9664"), Decimal("9.7694")),
            Conversion(date(2026, 3, 16), Decimal("0.9664"), Decimal("10.0")),
        ),
    )
    bill = calculate(make_input(tariff, [make_slice(MARCH, 200, interval_s=3600)]))
    first = (Decimal(15 * 24 * 200) / 1000 * Decimal("0.9664") * Decimal("9.7694")).quantize(Decimal("0.001"))
    second = (Decimal((16 * 24 - 1) * 200) / 1000 * Decimal("0.9664") * Decimal(10)).quantize(Decimal("0.001"))
    assert bill.lines[0].quantity == first + second
    assert bill.lines[0].unit == "kWh"
    assert bill.measured_unit == "m3"
    assert len(bill.notes) == 2


def test_heat_is_billed_as_it_is_measured(make_input: Make, make_slice: MakeSlice) -> None:
    bill = calculate(make_input(shipped_tariffs()["home-heat"], [make_slice(MARCH, 200, interval_s=3600)]))
    assert (bill.division, bill.measured_unit, bill.billed_unit) == ("heat", "kWh", "kWh")
    assert bill.lines[0].quantity == Decimal(743 * 200) / 1000


def test_tiers_split_a_bucket_and_its_estimated_part(make_input: Make, make_slice: MakeSlice) -> None:
    tiers = (Tier(Decimal("0.1"), Decimal(50)), Tier(Decimal("0.2"), Decimal(100)), Tier(Decimal("0.3")))
    tariff = Tariff("tiers", "Tiers", Division.ELECTRICITY, "kWh", "EUR", (Bucket("all", "All", tiers),))
    piece = _estimated(make_slice(MARCH, 100), 0, 486)
    bill = calculate(make_input(tariff, [piece]))
    assert [line.quantity for line in bill.lines] == [Decimal(50), Decimal(50), Decimal("48.6")]
    assert [line.amount for line in bill.lines] == [Decimal("5.00"), Decimal("10.00"), Decimal("14.58")]
    assert sum(line.estimated for line in bill.lines) == Decimal("48.6")


@pytest.mark.parametrize(("total", "estimated"), [(3_001, 2), (5_001, 4_999), (5_001, 5_001), (1_000, 1)])
def test_no_tier_holds_less_than_nothing_or_more_than_itself_of_estimates(total: int, estimated: int) -> None:
    tiers = (*(Tier(Decimal("0.1"), Decimal(bound)) for bound in range(1, 6)), Tier(Decimal("0.3")))
    tariff = Tariff("t", "t", Division.ELECTRICITY, "kWh", "EUR", (Bucket("all", "All", tiers),))
    lines = list(energy_lines([_part(tariff, from_milli(total, estimated))]))
    assert all(0 <= line.estimated <= line.quantity for line in lines)
    assert sum(line.estimated for line in lines) == Decimal(estimated).scaleb(-3)


def test_a_use_that_ends_at_a_tier_gives_no_empty_line(make_input: Make, make_slice: MakeSlice) -> None:
    tiers = (Tier(Decimal("0.1"), Decimal("74.3")), Tier(Decimal("0.3")))
    tariff = Tariff("t", "t", Division.ELECTRICITY, "kWh", "EUR", (Bucket("all", "All", tiers),))
    bill = calculate(make_input(tariff, [make_slice(MARCH, 50)]))
    assert [line.quantity for line in bill.lines] == [Decimal("74.3")]


def test_demand_is_the_highest_mean_power_of_an_interval(make_input: Make, make_slice: MakeSlice) -> None:
    tariff = replace(
        shipped_tariffs()["home-electricity"],
        demand=(Demand("peak", "Peak demand", Decimal(4), "peak"), Demand("any", "Demand", Decimal(2))),
    )
    values = np.full(1486, 100)
    values[5] = 1700
    bill = calculate(make_input(tariff, [make_slice(MARCH, values.tolist())]))
    peak, anytime = (line for line in bill.lines if line.kind == "demand")
    assert (peak.quantity, anytime.quantity) == (Decimal("0.2"), Decimal("3.4"))
    assert anytime.amount == Decimal("6.80")


@pytest.mark.parametrize("lengths_s", [(1800, 1800), (1800, 900)])
def test_the_demand_of_an_interval_with_a_swap_is_that_of_both_meters(
    make_input: Make, make_slice: MakeSlice, lengths_s: tuple[int, int]
) -> None:
    swap = datetime(2026, 3, 16, 10, 17, tzinfo=UTC)
    demand = Demand("any", "Demand", Decimal(2))
    tariff = replace(shipped_tariffs()["home-electricity"], demand=(demand,))
    old = make_slice(Span(MARCH.start, swap), serial="OLD", interval_s=lengths_s[0])
    new = make_slice(Span(swap, MARCH.end), serial="NEW", interval_s=lengths_s[1])
    old.values_milli[-1], new.values_milli[0] = 600, 500
    line = next(line for line in calculate(make_input(tariff, [old, new])).lines if line.kind == "demand")
    # in one half hour 1.1 kWh; a quarter of an hour of another grid stands by itself
    assert line.quantity == (Decimal("2.2") if lengths_s[1] == 1800 else Decimal("2.0"))


def test_a_bucket_that_no_interval_falls_into_has_no_demand(make_input: Make, make_slice: MakeSlice) -> None:
    demand = Demand("peak", "Peak demand", Decimal(4), "peak")
    tariff = replace(shipped_tariffs()["home-electricity"], demand=(demand,))
    sunday = Span(local_midnight(ZONE, date(2026, 3, 1)), local_midnight(ZONE, date(2026, 3, 2)))
    bill = calculate(make_input(tariff, [make_slice(sunday)], past_last=date(2026, 3, 2)))
    assert [line.kind for line in bill.lines if line.kind == "demand"] == []


def test_the_repeated_hour_is_billed_twice_at_its_own_rate(make_input: Make, make_slice: MakeSlice) -> None:
    """On 2026-10-25 the local hour from 02:00 comes twice; a rate of that hour holds both."""
    night = Bucket("night", "Night", (Tier(Decimal("0.1")),), (Window(start_minute=120, end_minute=180),))
    rest = Bucket("rest", "Rest", (Tier(Decimal("0.3")),))
    tariff = Tariff("dst", "DST", Division.ELECTRICITY, "kWh", "EUR", (night, rest))
    day = Span(local_midnight(ZONE, date(2026, 10, 25)), local_midnight(ZONE, date(2026, 10, 26)))
    piece = make_slice(day, list(range(1, 51)))
    bill = calculate(make_input(tariff, [piece], first=date(2026, 10, 25), past_last=date(2026, 10, 26)))
    assert [line.quantity for line in bill.lines] == [Decimal("0.026"), Decimal("1.249")]  # 5 + 6 + 7 + 8 Wh at night
    spring = Span(local_midnight(ZONE, date(2026, 3, 29)), local_midnight(ZONE, date(2026, 3, 30)))
    bill = calculate(make_input(tariff, [make_slice(spring, 10)], first=date(2026, 3, 29), past_last=date(2026, 3, 30)))
    assert [line.id for line in bill.lines] == ["rest"], "the hour that is not there has no line"


@pytest.mark.parametrize(
    ("first", "past_last", "months"),
    [
        (date(2026, 3, 1), date(2026, 4, 1), Decimal(1)),
        (date(2026, 3, 17), date(2026, 4, 1), Decimal(15) / 31),
        (date(2026, 2, 15), date(2026, 3, 1), Decimal("0.5")),
    ],
)
def test_a_monthly_price_counts_days(make_input: Make, first: date, past_last: date, months: Decimal) -> None:
    tariff = replace(shipped_tariffs()["home-water"], standing=(Standing("s", "S", Decimal("4.92"), "month"),))
    bill = calculate(make_input(tariff, first=first, past_last=past_last))
    assert bill.lines[-1].quantity == months


def test_two_meters_are_one_use_with_two_proofs(make_input: Make, make_slice: MakeSlice) -> None:
    swap = datetime(2026, 3, 16, 10, 17, tzinfo=UTC)
    bill = calculate(
        make_input(
            slices=[
                make_slice(Span(MARCH.start, swap), serial="OLD"),
                make_slice(Span(swap, MARCH.end), serial="NEW", opening_milli=7),
            ]
        )
    )
    assert [meter.serial for meter in bill.meters] == ["OLD", "NEW"]
    assert all(meter.register_difference_milli == meter.interval_sum_milli for meter in bill.meters)
    assert bill.measured_milli == sum(meter.interval_sum_milli for meter in bill.meters)


def test_the_same_input_gives_the_same_bill_and_another_a_new_fingerprint(
    make_input: Make, make_slice: MakeSlice
) -> None:
    one, two = calculate(make_input()), calculate(make_input())
    assert json_value(one) == json_value(two)
    other = calculate(make_input(slices=[_estimated(make_slice(MARCH), 3, 4)]))
    assert other.inputs_sha256 != one.inputs_sha256


def test_a_month_without_use_has_standing_lines_only(make_input: Make) -> None:
    bill = calculate(make_input(values=0))
    assert {line.kind for line in bill.lines} == {"standing"}


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 60_000), min_size=1486, max_size=1486), st.integers(0, 1486), st.integers(0, 1486))
def test_no_energy_is_lost_between_intervals_and_lines(
    make_input: Make, make_slice: MakeSlice, values: list[int], one: int, other: int
) -> None:
    piece = _estimated(make_slice(MARCH, values), min(one, other), max(one, other))
    bill = calculate(make_input(slices=[piece]))
    total = sum((line.quantity for line in bill.lines if line.kind == "energy"), Decimal(0))
    estimated = sum((line.estimated for line in bill.lines if line.kind == "energy"), Decimal(0))
    assert total == Decimal(sum(values)).scaleb(-3)
    assert estimated == Decimal(bill.estimated_milli).scaleb(-3)
    assert sum(day.measured_milli + day.estimated_milli for day in bill.days) == sum(values)
    assert sum(stretch.quantity_milli for stretch in bill.estimates) == bill.estimated_milli


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=5, unique=True),
    st.integers(0, 10**10),
    st.integers(0, 10**10),
)
def test_tiers_hold_all_energy_once_whatever_their_bounds(bounds: list[int], total: int, estimated: int) -> None:
    prices = [Decimal(1), *(Decimal(2 + index) for index in range(len(bounds)))]
    tiers = tuple(Tier(price, Decimal(bound)) for price, bound in zip(prices, sorted(bounds), strict=False))
    bucket = Bucket("all", "All", (*tiers, Tier(prices[-1])))
    tariff = Tariff("t", "t", Division.ELECTRICITY, "kWh", "EUR", (bucket,))
    quantity = from_milli(total, min(estimated, total))
    lines = list(energy_lines([_part(tariff, quantity)]))
    assert sum((line.quantity for line in lines), Decimal(0)) == quantity.total
    assert sum((line.estimated for line in lines), Decimal(0)) == quantity.estimated
    assert all(line.quantity > 0 for line in lines)
    assert all(0 <= line.estimated <= line.quantity for line in lines)
    assert [line.price for line in lines] == prices[: len(lines)]
