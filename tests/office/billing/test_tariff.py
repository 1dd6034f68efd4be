from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from openami.office.billing.tariff import (
    ALL_WEEK,
    Division,
    Rounding,
    TariffError,
    UnknownTariffError,
    Window,
    parse_tariff,
    shipped_tariffs,
    tariff_named,
)

FLAT = """
id = "flat"
name = "Flat"
division = "electricity"
[[bucket]]
id = "all"
name = "All hours"
price = "0.25"
"""


def test_the_shipped_tariffs_cover_the_four_divisions() -> None:
    divisions = {tariff.division for tariff in shipped_tariffs().values()}
    assert divisions == set(Division)


def test_a_flat_tariff_needs_one_bucket_only() -> None:
    tariff = parse_tariff(FLAT)
    assert tariff.buckets[0].tiers[0].price == Decimal("0.25")
    assert tariff.unit == "kWh"
    assert len(tariff.digest) == 64


@pytest.mark.parametrize(
    ("tariff", "unit"), [("home-electricity", "kWh"), ("home-gas", "kWh"), ("home-water", "m3"), ("home-heat", "kWh")]
)
def test_water_is_billed_in_cubic_metres_and_energy_in_kilowatt_hours(tariff: str, unit: str) -> None:
    assert shipped_tariffs()[tariff].unit == unit


def test_a_float_is_not_a_price() -> None:
    with pytest.raises(TariffError, match="binary floats are not money"):
        parse_tariff(FLAT.replace('"0.25"', "0.25"))


def test_a_word_is_not_a_price() -> None:
    with pytest.raises(TariffError, match="not a decimal"):
        parse_tariff(FLAT.replace('"0.25"', '"cheap"'))


def test_toml_that_does_not_parse_is_named() -> None:
    with pytest.raises(TariffError, match="cannot be read"):
        parse_tariff("id = ")


@pytest.mark.parametrize("missing", ["id", "name", "division"])
def test_a_missing_key_is_named(missing: str) -> None:
    text = "\n".join(line for line in FLAT.splitlines() if not line.startswith(f"{missing} = "))
    text = text.replace("[[bucket]]", '[[bucket]]\nid = "all"\nname = "All"') if missing == "division" else text
    with pytest.raises(TariffError):
        parse_tariff(text.replace('id = "all"\n', "", 1) if missing == "division" else text.split("[[bucket]]")[0])


def test_the_last_bucket_takes_the_rest() -> None:
    with pytest.raises(TariffError, match="last bucket"):
        parse_tariff(FLAT + 'when = [{ from = "07:00", to = "23:00" }]')


def test_a_bucket_before_the_last_needs_its_hours() -> None:
    with pytest.raises(TariffError, match="last bucket"):
        parse_tariff(FLAT + '[[bucket]]\nid = "other"\nname = "Other"\nprice = "0.1"')


def test_a_window_over_midnight_is_two_windows() -> None:
    peak = '[[bucket]]\nid = "n"\nname = "N"\nprice = "0.1"\nwhen = [{ from = "22:00", to = "06:00" }]\n[[bucket]]'
    with pytest.raises(TariffError, match="two windows"):
        parse_tariff(FLAT.replace("[[bucket]]", peak))


def test_windows_know_weekday_ranges_and_lists() -> None:
    peak = (
        '[[bucket]]\nid = "n"\nname = "N"\nprice = "0.1"\n'
        'when = [{ weekdays = "mon-wed,sun", months = [1, 12], to = "24:00" }]\n[[bucket]]'
    )
    window = parse_tariff(FLAT.replace("[[bucket]]", peak)).buckets[0].windows[0]
    assert window == Window(frozenset({0, 1, 2, 6}), frozenset({1, 12}), 0, 1440)
    assert window.weekdays < ALL_WEEK


def test_tiers_end_in_an_open_one() -> None:
    tiers = 'tier = [{ up_to = "100", price = "0.2" }, { price = "0.3" }]'
    bucket = parse_tariff(FLAT.replace('price = "0.25"', tiers)).buckets[0]
    assert [tier.up_to for tier in bucket.tiers] == [Decimal(100), None]
    with pytest.raises(TariffError, match="up_to"):
        parse_tariff(FLAT.replace('price = "0.25"', 'tier = [{ up_to = "100", price = "0.2" }]'))


def test_an_unknown_tariff_lists_what_there_is() -> None:
    with pytest.raises(UnknownTariffError, match="home-electricity"):
        tariff_named(shipped_tariffs(), "home-electrcity")


def test_the_conversion_in_force_is_the_latest_that_began() -> None:
    gas = shipped_tariffs()["home-gas"]
    conversion = gas.conversion_on(date(2026, 3, 15))
    assert conversion is not None
    assert conversion.valid_from == date(2026, 1, 1)
    with pytest.raises(TariffError, match="no gas conversion"):
        gas.conversion_on(date(2025, 12, 31))
    assert shipped_tariffs()["home-water"].conversion_on(date(2026, 3, 15)) is None


@pytest.mark.parametrize(
    ("amount", "mode", "rounded"),
    [("0.125", "half_up", "0.13"), ("0.125", "half_even", "0.12"), ("-0.125", "half_up", "-0.13")],
)
def test_rounding_is_stated(amount: str, mode: str, rounded: str) -> None:
    rounding = Rounding(2, mode)
    assert str(rounding(Decimal(amount))) == rounded
    assert "2 decimals" in str(rounding)


def test_an_unknown_rounding_is_refused() -> None:
    with pytest.raises(TariffError, match="rounding mode"):
        parse_tariff(FLAT.replace("[[bucket]]", '[rounding]\nmode = "down"\n[[bucket]]'))


TIERED = FLAT.replace(
    'price = "0.25"', 'tier = [{ up_to = "100", price = "0.2" }, { up_to = "50", price = "0.3" }, {price = "1"}]'
)
TWO = FLAT.replace(
    "[[bucket]]", '[[bucket]]\nid = "all"\nname = "N"\nprice = "0.1"\nwhen = [{ to = "06:00" }]\n[[bucket]]', 1
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TIERED, "tiers must rise"),
        (TIERED.replace('"50"', '"100"'), "tiers must rise"),
        (TIERED.replace('"100"', '"0"'), "tiers must rise"),
        (TWO, "an id each"),
        (FLAT.replace('"0.25"', '"NaN"'), "not a decimal"),
        (FLAT.replace('"0.25"', '"-Infinity"'), "not a decimal"),
        (FLAT.replace("[[bucket]]", 'vat_rate = "21"\n[[bucket]]'), "not a share"),
        (FLAT.replace("[[bucket]]", 'vat_rate = "-0.01"\n[[bucket]]'), "not a share"),
        (FLAT.replace("[[bucket]]", 'unit = "MWh"\n[[bucket]]'), "comes in kWh"),
        (FLAT.replace("electricity", "gas"), "gas comes in m3"),
        (FLAT.replace("electricity", "water").replace("[[bucket]]", 'unit = "kWh"\n[[bucket]]'), "water comes in m3"),
        (FLAT.replace("[[bucket]]", 'holidays = ["2026-12-25"]\n[[bucket]]'), "without quotes"),
        (FLAT.replace("[[bucket]]", "holidays = [2026-12-25T00:00:00]\n[[bucket]]"), "must be a day"),
        (FLAT.replace("[[bucket]]", "[rounding]\nplaces = 5\n[[bucket]]"), "rounding places 5"),
        (FLAT + '[[standing]]\nid = "s"\nname = "S"\nprice = "1"\nper = "monthly"', "one of day, month"),
        (FLAT + '[[demand]]\nid = "d"\nname = "D"\nprice_per_kw = "1"\nbucket = "peak"', "one of all"),
        (TWO.replace('to = "06:00"', "months = [0, 1]"), "month 0 is not one of"),
        (TWO.replace('to = "06:00"', 'weekdays = "monday"'), "weekday 'monday' is not one of mon, tue"),
        (TWO.replace('to = "06:00"', "weekdays = 5"), "cannot be read"),
    ],
)
def test_a_tariff_that_would_price_the_wrong_thing_is_refused(text: str, said: str) -> None:
    with pytest.raises(TariffError, match=said) as caught:
        parse_tariff(text)
    assert caught.value.hint


def test_gas_without_a_conversion_is_billed_by_its_volume() -> None:
    tariff = parse_tariff(FLAT.replace("electricity", "gas").replace("[[bucket]]", 'unit = "m3"\n[[bucket]]'))
    assert tariff.conversion_on(date(2026, 3, 1)) is None
    conversion = '[[conversion]]\nfrom = 2026-01-01\nvolume_factor = "1"\ncalorific_kwh_per_m3 = "10"'
    with pytest.raises(TariffError, match="comes in kWh here and cannot be billed in m3"):
        parse_tariff(FLAT.replace("electricity", "gas").replace("[[bucket]]", 'unit = "m3"\n[[bucket]]') + conversion)


@pytest.mark.parametrize(
    ("text", "days"),
    [("mon", {0}), ("fri-mon", {4, 5, 6, 0}), ("sun-sat", set(range(7))), ("tue, thu-fri", {1, 3, 4})],
)
def test_a_range_of_weekdays_may_go_over_the_weekend(text: str, days: set[int]) -> None:
    window = parse_tariff(TWO.replace('"all"', '"n"', 1).replace('to = "06:00"', f'weekdays = "{text}"'))
    assert window.buckets[0].windows[0].weekdays == days
