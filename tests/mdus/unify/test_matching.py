"""Reading types of sources against quantities of the registry, units against units."""

from __future__ import annotations

import pytest

from openami.mdus.unify import patterns_of
from openami.mdus.unify.adapters.quantities import code_of_unit
from openami.mdus.unify.errors import UnknownUnitError
from openami.mdus.unify.matching import measures_a_dial
from openami.mdus.unify.units import in_books, power_between
from openami.shared.contract.field import ReadingTypeCode

KWH_900 = "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"


@pytest.mark.parametrize(
    ("obis", "interval_s", "code", "expected"),
    [
        ("1-0:1.29.0", 900, KWH_900, True),
        ("1-0:1.29.0.255", 900, KWH_900, True),
        ("1-1:1.29.0*255", 900, KWH_900, True),  # another line of the same meter
        ("1-0:1.8.0", 900, KWH_900, True),  # the profile of a register is the same quantity
        ("1-0:1.29.0", 900, "0.0.2.6.1.2.12.0.0.0.0.0.0.0.0.0.72.0", True),  # Wh, primary, indicating
        ("1-0:1.29.0", 900, "0.0.2.9.1.2.12.0.0.0.0.0.0.0.0.3.72.0", True),  # a profile of dial values
        ("1-0:1.29.0", 1800, KWH_900, False),
        ("1-0:2.29.0", 900, KWH_900, False),  # received
        ("1-0:1.29.0", 900, "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.73.0", False),  # kvarh
        ("1-0:1.29.0", 900, "0.0.2.4.1.1.12.0.0.0.0.1.0.0.0.3.72.0", False),  # one rate only
        ("1-0:1.8.0", 0, "0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0", True),
        ("1-0:1.8.0", 0, "11.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0", True),  # at midnight
        ("1-0:1.8.0", 0, "8.0.0.1.1.1.12.0.0.0.0.0.0.0.0.0.72.0", True),  # at the end of the billing period
        ("1-0:1.8.1", 0, "0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0", False),
        ("1-0:1.8.0", 0, KWH_900, False),
        ("1-0:1.6.0", 0, "8.8.53.6.1.1.8.0.0.0.0.0.0.0.0.3.38.0", True),
        ("1-0:1.6.0", 0, "0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0", False),
        ("7-0:3.0.0", 3600, "0.0.7.1.1.7.58.0.0.0.0.0.0.0.0.0.42.0", True),
        ("7-0:3.0.0", 3600, "0.0.7.4.1.7.58.0.0.0.0.0.0.0.0.0.42.0", True),
        ("7-0:3.0.0", 0, "0.0.0.1.1.7.58.0.0.0.0.0.0.0.0.-3.42.0", True),
        ("8-0:1.0.0", 0, "0.0.0.1.1.7.58.0.0.0.0.0.0.0.0.0.42.0", False),  # gas is not water
        ("0-0:96.3.10", 0, "0.0.0.12.0.1.43.0.0.0.0.0.0.0.0.0.109.0", True),
    ],
)
def test_a_channel_takes_its_quantity_in_every_dress(obis: str, interval_s: int, code: str, expected: bool) -> None:
    found = any(ReadingTypeCode.parse(code).matches(pattern) for pattern in patterns_of(obis, interval_s))
    assert found is expected


def test_an_unknown_quantity_has_no_patterns() -> None:
    assert patterns_of("1-0:99.99.99", 900) == ()


def test_gas_and_water_are_dials_and_electricity_is_not() -> None:
    assert [measures_a_dial(obis) for obis in ("1-0:1.8.0", "7-0:3.0.0", "8-0:1.0.0", "6-0:1.0.0")] == [
        False, True, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "books", "power"),
    [
        ("kWh", "Wh", 3),
        ("Wh", "Wh", 0),
        ("L", "m3", -3),
        ("Wh", "kWh", -3),
        ("m3 compensated", "m3", 0),
        ("xyz", "xyz", 0),
    ],
)
def test_units_of_one_quantity_differ_by_a_power_of_ten(source: str, books: str, power: int) -> None:
    assert power_between(source, books) == power


@pytest.mark.parametrize(("source", "books"), [("ft3", "m3"), ("J", "Wh"), ("Wh", "varh"), ("", "Wh")])
def test_what_has_no_exact_relation_is_refused(source: str, books: str) -> None:
    with pytest.raises(UnknownUnitError):
        power_between(source, books)


def test_each_unit_knows_its_place_in_the_books() -> None:
    assert [in_books(unit) for unit in ("kWh", "L", "furlong")] == [("Wh", 3), ("m3", -3), ("furlong", 0)]


@pytest.mark.parametrize("length", [300, 600, 1200, 86_400])
def test_intervals_of_any_length_of_the_standard_are_taken(length: int) -> None:
    code = code_of_unit("KWH", length)
    assert any(code.matches(one) for one in patterns_of("1-0:1.29.0", length))
    assert not any(code.matches(one) for one in patterns_of("1-0:1.29.0", 900))
    assert not any(code.matches(one) for one in patterns_of("1-0:1.8.0", 0))
