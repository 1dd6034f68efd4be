"""Units and OBIS codes of files as reading types, and their names."""

from __future__ import annotations

import pytest

from openami.mdus.unify.adapters.quantities import (
    DIAL,
    GAS,
    REVERSE,
    WATER,
    code_of_obis,
    code_of_unit,
    obis_of_code,
    quantity_name,
)
from openami.mdus.unify.errors import UnknownUnitError
from openami.mdus.unify.matching import patterns_of
from openami.shared.contract.field import ReadingTypeCode, reading_type_table


@pytest.mark.parametrize(
    ("unit", "interval_s", "code"),
    [
        ("kWh", 900, "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"),
        (" WH ", 1800, "0.0.5.4.1.1.12.0.0.0.0.0.0.0.0.0.72.0"),
        ("KVARH", 300, "0.0.6.4.1.1.12.0.0.0.0.0.0.0.0.3.73.0"),
        ("V", 600, "0.0.1.6.0.1.54.0.0.0.0.0.0.0.0.0.29.0"),
        ("kWh", 1234, "0.0.0.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"),
    ],
)
def test_units_become_reading_types(unit: str, interval_s: int, code: str) -> None:
    assert str(code_of_unit(unit, interval_s)) == code


def test_direction_medium_and_way_of_recording_are_what_the_file_says() -> None:
    assert str(code_of_unit("KWH", 900, flow=REVERSE)) == "0.0.2.4.19.1.12.0.0.0.0.0.0.0.0.3.72.0"
    assert str(code_of_unit("CCF", 0, commodity=GAS, accumulation=DIAL)) == "0.0.0.1.1.7.58.0.0.0.0.0.0.0.0.2.119.0"
    assert code_of_unit("GALREG", 0, commodity=WATER, accumulation=DIAL).unit_symbol == "US gal"


def test_an_unknown_unit_is_told() -> None:
    with pytest.raises(UnknownUnitError, match="furlong"):
        code_of_unit("furlong", 900)


@pytest.mark.parametrize(
    ("obis", "unit", "name"),
    [
        ("1-1:1.29.0", "KWH", "electricity.delivered"),
        ("1-0:2.9.0", "WH", "electricity.received"),
        ("1-1:5.29.0", "K3", "reactive.q1"),
        ("7-0:3.29.0", "M3", "gas.volume"),
        ("7-0:33.86.0", "KWH", "gas.energy"),
        ("7-20:99.33.17", "KWH", "gas.energy"),
    ],
)
def test_obis_codes_become_reading_types(obis: str, unit: str, name: str) -> None:
    code = code_of_obis(obis, 900, unit)
    assert code is not None
    assert (quantity_name(code), code.interval_s) == (name, 900)


@pytest.mark.parametrize(("unit", "symbol"), [("THERM", "therm"), ("GJ", "J"), ("KWH", "Wh")])
def test_gas_energy_has_an_obis_code_in_whatever_unit_it_is_told(unit: str, symbol: str) -> None:
    code = code_of_unit(unit, 3600, commodity=GAS)
    assert (code.unit_symbol, obis_of_code(code), quantity_name(code)) == (symbol, "7-0:33.29.0", "gas.energy")
    assert any(code.matches(pattern) for pattern in patterns_of("7-0:33.29.0", 3600))
    assert not any(code.matches(pattern) for pattern in patterns_of("7-0:3.29.0", 3600)), "it is no volume"


def test_an_unknown_obis_code_has_no_reading_type() -> None:
    assert code_of_obis("1-0:99.99.99", 900) is None
    assert code_of_obis("", 900) is None


@pytest.mark.parametrize(("obis", "unit"), [("1-1:5.29.0", "KVR"), ("1-0:1.29.0", "D54"), ("7-0:3.29.0", "KWH")])
def test_an_obis_code_has_no_reading_type_in_a_unit_of_something_else(obis: str, unit: str) -> None:
    assert code_of_obis(obis, 900, unit) is None


def test_every_common_reading_type_has_a_name() -> None:
    for row in reading_type_table().values():
        name = quantity_name(ReadingTypeCode.parse(row.code))
        assert row.name.startswith(name) or name.split(".")[0] == row.name.split(".")[0]


def test_what_the_table_does_not_have_keeps_its_code() -> None:
    assert quantity_name(ReadingTypeCode()) == "0." * 17 + "0"
