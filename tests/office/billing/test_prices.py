"""Dated prices: each part of a bill at its own price, nothing lost between them, and only prices that there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.office.billing.charges import Part, energy_lines, from_milli
from openami.office.billing.compute import calculate
from openami.office.billing.document import Utility, bill_document, reversal_document
from openami.office.billing.page import render
from openami.office.billing.prices import check_change, on_day, prices_of, stretches, with_changes
from openami.office.billing.tariff import (
    Bucket,
    Demand,
    Division,
    Levy,
    PriceChange,
    Standing,
    Tariff,
    TariffError,
    Tier,
    shipped_tariffs,
)
from openami.shared.spans import Span, local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.office.billing.model import Bill, BillInput, BillLine, MeterSlice

    Make = Callable[..., BillInput]
    MakeSlice = Callable[..., MeterSlice]

ZONE = "Europe/Amsterdam"
MARCH = Span(local_midnight(ZONE, date(2026, 3, 1)), local_midnight(ZONE, date(2026, 4, 1)))
FLAT = Tariff(
    "flat", "Flat", Division.ELECTRICITY, "kWh", "EUR",
    (Bucket("all", "Energy", (Tier(Decimal("0.10")),)),),
    standing=(Standing("line", "Line", Decimal(1)), Standing("rent", "Rent", Decimal(31), "month")),
    levies=(Levy("tax", "Energy tax", Decimal("0.05")),),
    demand=(Demand("peak", "Peak", Decimal(31)),),
    vat_rate=Decimal("0.21"),
    digest="d",
)  # fmt: skip


def change(day: date, **prices: str) -> PriceChange:
    """A change; `energy_all` is the price `energy/all`."""
    names = {name.replace("__", "/"): Decimal(value) for name, value in prices.items()}
    return PriceChange(day, names)


def priced(tariff: Tariff, *changes: PriceChange) -> Tariff:
    return with_changes(tariff, changes)


def of(bill: Bill, line_id: str) -> list[BillLine]:
    return [line for line in bill.lines if line.id == line_id]


def test_energy_before_and_after_a_change_is_the_energy_of_those_days(make_input: Make, make_slice: MakeSlice) -> None:
    """The change is at local midnight of 11 March; the last interval before it still has the old price."""
    values = np.full(31 * 48 - 2, 100)
    values[10 * 48 - 1], values[10 * 48] = 5_000, 70_000
    tariff = priced(FLAT, change(date(2026, 3, 11), energy__all="0.30"))
    bill = calculate(make_input(tariff, [make_slice(MARCH, values.tolist())]))
    before, after = of(bill, "all")
    assert before.quantity == Decimal(10 * 48 * 100 + 4_900) / 1000
    assert after.quantity == Decimal((21 * 48 - 2) * 100 + 69_900) / 1000
    assert (before.price, after.price) == (Decimal("0.10"), Decimal("0.30"))
    assert (before.name, after.name) == ("Energy, 1 March to 10 March", "Energy, 11 March to 31 March")
    for line in (before, after):
        assert line.amount == (line.quantity * line.price).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    assert len(of(bill, "tax")) == len(of(bill, "line")) == 1, "what did not change is one line"


def test_standing_charges_and_demand_are_split_by_days(make_input: Make) -> None:
    tariff = priced(
        FLAT, change(date(2026, 3, 11), standing__line="2", standing__rent="62", demand__peak="62", levy__tax="0")
    )
    bill = calculate(make_input(tariff, values=500))
    assert [(line.quantity, line.amount) for line in of(bill, "line")] == [
        (Decimal(10), Decimal("10.00")),
        (Decimal(21), Decimal("42.00")),
    ]
    assert [line.amount for line in of(bill, "rent")] == [Decimal("10.00"), Decimal("42.00")]
    assert [line.amount for line in of(bill, "peak")] == [Decimal("10.00"), Decimal("42.00")], "1 kW all month"
    assert [line.amount for line in of(bill, "tax")][1:] == [Decimal("0.00")]


def test_tiers_are_split_by_days_and_hold_the_stated_bounds_together(make_input: Make, make_slice: MakeSlice) -> None:
    tiers = (Tier(Decimal("0.1"), Decimal(31)), Tier(Decimal("0.2")))
    tariff = replace(FLAT, buckets=(Bucket("all", "Energy", tiers),), levies=(), standing=(), demand=())
    tariff = priced(tariff, change(date(2026, 3, 11), energy__all__1="0.3"))
    bill = calculate(make_input(tariff, [make_slice(MARCH, 100)]))
    assert [(line.quantity, line.price) for line in bill.lines] == [
        (Decimal(10), Decimal("0.1")),
        (Decimal(38), Decimal("0.2")),
        (Decimal(21), Decimal("0.3")),
        (Decimal("79.6"), Decimal("0.2")),
    ]
    assert bill.lines[1].name == "Energy, from 10.000 kWh, 1 March to 10 March"


def test_a_tier_of_which_a_few_days_leave_nothing_has_no_line(make_input: Make) -> None:
    """Of 1 and 1.001 kWh a month the first day has 0.032 kWh each."""
    tiers = (Tier(Decimal("0.1"), Decimal(1)), Tier(Decimal("0.2"), Decimal("1.001")), Tier(Decimal("0.3")))
    tariff = replace(FLAT, buckets=(Bucket("all", "Energy", tiers),), levies=(), standing=(), demand=())
    bill = calculate(make_input(priced(tariff, change(date(2026, 3, 2), energy__all__3="0.4")), values=100))
    first_day = [(line.quantity, line.price) for line in bill.lines if line.name.endswith(", 1 March")]
    assert first_day == [(Decimal("0.032"), Decimal("0.1")), (Decimal("4.768"), Decimal("0.3"))]
    assert sum(line.quantity for line in bill.lines) == Decimal((31 * 48 - 2) * 100) / 1000


def test_two_rates_of_tax_are_two_taxes(make_input: Make) -> None:
    tariff = priced(FLAT, change(date(2026, 3, 11), vat_rate="0.09"))
    bill = calculate(make_input(tariff, values=500))
    assert [tax.rate for tax in bill.taxes] == [Decimal("0.21"), Decimal("0.09")]
    assert sum((tax.net for tax in bill.taxes), Decimal(0)) == bill.net
    assert bill.vat == sum((tax.amount for tax in bill.taxes), Decimal(0))
    assert bill.total == bill.net + bill.vat
    document = bill_document(bill, "7", date(2026, 4, 1), date(2026, 4, 15), Utility())
    page = render(document | {"state": "posted"})
    assert "VAT 21 % on" in page
    assert "VAT 9 % on" in page
    taken_back = reversal_document(document, "8", date(2026, 4, 2), "wrong")
    assert [tax["amount"] for tax in taken_back["taxes"]] == [format(-tax.amount, "f") for tax in bill.taxes]
    assert taken_back["taxes"][0]["rate"] == "0.21"


def test_changes_outside_the_bill_change_nothing_but_its_price(make_input: Make) -> None:
    tariff = priced(
        FLAT, change(date(2026, 4, 1), energy__all="9"), change(date(2026, 3, 1), energy__all="0.2"),
        change(date(2025, 1, 1), energy__all="8"),
    )  # fmt: skip
    (line,) = of(calculate(make_input(tariff, values=500)), "all")
    assert (line.price, line.name) == (Decimal("0.2"), "Energy")


def test_of_two_changes_of_a_day_the_later_stated_one_stands() -> None:
    first = change(date(2026, 3, 11), energy__all="9", levy__tax="0.5")
    tariff = priced(FLAT, first, change(date(2026, 3, 11), energy__all="0.2"))
    prices = {name: price.value for name, price in prices_of(tariff, date(2026, 3, 11)).items()}
    assert (prices["energy/all"], prices["levy/tax"]) == (Decimal("0.2"), Decimal("0.5"))
    assert prices_of(tariff, date(2026, 3, 10)) == prices_of(FLAT, date(2026, 3, 10))
    assert tariff.digest != priced(FLAT, first).digest != FLAT.digest
    assert priced(FLAT) == FLAT


def test_a_change_of_the_calorific_value_converts_from_its_day(make_input: Make, make_slice: MakeSlice) -> None:
    gas = shipped_tariffs()["home-gas"]
    tariff = priced(
        gas, change(date(2026, 3, 11), calorific_kwh_per_m3="8"), change(date(2026, 3, 11), calorific_kwh_per_m3="10"),
        change(date(2026, 3, 21), volume_factor="0.9"),
    )  # fmt: skip
    bill = calculate(make_input(tariff, [make_slice(MARCH, 1000, interval_s=3600)]))
    (energy,) = of(bill, "gas")
    parts = [240 * Decimal("0.9664") * Decimal("9.7694"), 240 * Decimal("9.664"), 263 * Decimal(9)]
    assert energy.quantity == sum(part.quantize(Decimal("0.001"), "ROUND_HALF_UP") for part in parts)
    assert [note.partition(" from ")[0] for note in bill.notes] == ["240.000 m3", "240.000 m3", "263.000 m3"]
    assert prices_of(tariff, date(2026, 3, 21))["calorific_kwh_per_m3"].value == Decimal(10)


def test_every_price_has_a_name_words_and_a_unit() -> None:
    tiers = (Tier(Decimal("0.1"), Decimal(31)), Tier(Decimal("0.2")))
    named = prices_of(replace(FLAT, buckets=(Bucket("all", "Energy", tiers),)), date(2026, 3, 1))
    assert {name: (price.text, price.unit) for name, price in named.items()} == {
        "energy/all/1": ("Energy, up to 31 kWh", "EUR/kWh"),
        "energy/all/2": ("Energy, above", "EUR/kWh"),
        "levy/tax": ("Energy tax", "EUR/kWh"),
        "standing/line": ("Line", "EUR/day"),
        "standing/rent": ("Rent", "EUR/month"),
        "demand/peak": ("Peak", "EUR/kW"),
        "vat_rate": ("Value added tax, as a share", ""),
    }


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({}, "No price is given"),
        ({"energy__night": "1"}, "no price energy/night"),
        ({"volume_factor": "1"}, "no price volume_factor"),
        ({"vat_rate": "21"}, "vat_rate = 21 is not a share"),
        ({"vat_rate": "-0.1"}, "not a share"),
    ],
)
def test_what_is_no_price_is_refused(prices: dict[str, str], said: str) -> None:
    with pytest.raises(TariffError, match=said):
        check_change(FLAT, change(date(2026, 3, 1), **prices))


def test_gas_is_not_converted_by_nothing() -> None:
    gas = shipped_tariffs()["home-gas"]
    check_change(gas, change(date(2026, 3, 1), volume_factor="0.97", energy__gas="-0.01"))
    with pytest.raises(TariffError, match="volume_factor = 0 cannot be"):
        check_change(gas, change(date(2026, 3, 1), volume_factor="0"))


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["0.1", "0.2", "0.3"])), max_size=6),
    st.lists(st.integers(1, 10**7), min_size=31, max_size=31),
    st.lists(st.integers(1, 10**4), max_size=3, unique=True),
)
def test_all_energy_is_billed_once_whatever_changes_when(
    stated: list[tuple[int, str]], days_milli: list[int], bounds: list[int]
) -> None:
    first = date(2026, 3, 1)
    tiers = (*(Tier(Decimal("0.1"), Decimal(bound)) for bound in sorted(bounds)), Tier(Decimal("0.1")))
    name = "energy__all__1" if bounds else "energy__all"
    base = replace(FLAT, buckets=(Bucket("all", "Energy", tiers),))
    tariff = priced(base, *(change(first + timedelta(days=day), **{name: price}) for day, price in stated))
    parts, at = [], 0
    for stretch in stretches(tariff, first, date(2026, 4, 1)):
        used = sum(days_milli[at : at + stretch.day_count])
        parts.append(Part(stretch, (from_milli(used, used // 3),)))
        at += stretch.day_count
        assert stretch.tariff == on_day(tariff, stretch.past_last_day - timedelta(days=1))
    lines = list(energy_lines(parts))
    assert at == 31
    energy = [line for line in lines if line.kind == "energy"]
    assert sum(line.quantity for line in energy) == Decimal(sum(days_milli)) / 1000
    assert sum(line.estimated for line in energy) == sum(part.quantities[0].estimated for part in parts)
    assert all(line.quantity > 0 for line in energy)
