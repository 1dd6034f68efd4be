"""Measured quantities of files as reading types: units and directions in words, OBIS codes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.unify.errors import UnknownUnitError
from openami.shared.contract.field import ReadingTypeCode, reading_type_table
from openami.shared.contract.field.tables import PERIOD_NUMBERS

if TYPE_CHECKING:
    from openami.shared.contract.field import IntervalBlock

FORWARD: Final = 1
NET: Final = 4
REVERSE: Final = 19
ELECTRICITY: Final = 1
GAS: Final = 7
WATER: Final = 9
DELTA: Final = ReadingTypeCode.DELTA_DATA
DIAL: Final = ReadingTypeCode.BULK_QUANTITY

_PROFILE_OF: Final = "99"
ENERGY: Final = 12
VOLUME: Final = 58
_THERM, _JOULE = 169, 31
_HECTOJOULES_A_THERM: Final = 1_054_804
"""The therm of the United States, which is defined by the joule (NIST SP 811): in watt-hours it would have no end."""
_THERMS_MAX: Final = 10**18 // _HECTOJOULES_A_THERM
_PRIMARY: Final = 2  # electricity measured in front of the transformers
_CUBIC_METRE: Final = 42
_WATT_HOUR: Final = 72
_ENERGIES: Final = frozenset({_THERM, _JOULE})
_VOLUMES: Final = frozenset({42, 134, 166, 167, 156, 157, 119, 128, 130})

# Unit as files write it (upper case) -> unit number, power of ten, kind of measurement
_UNITS: Final[dict[str, tuple[int, int, int]]] = {
    "WH": (72, 0, 12), "KWH": (72, 3, 12), "MWH": (72, 6, 12), "GWH": (72, 9, 12),
    "VARH": (73, 0, 12), "KVARH": (73, 3, 12), "MVARH": (73, 6, 12),
    "VAH": (71, 0, 12), "KVAH": (71, 3, 12), "MVAH": (71, 6, 12),
    "KWT": (38, 3, 37), "MAW": (38, 6, 37), "KVR": (63, 3, 37), "K3": (73, 3, 12), "MTQ": (42, 0, 58),  # UN/ECE 20
    "W": (38, 0, 37), "KW": (38, 3, 37), "MW": (38, 6, 37),
    "VAR": (63, 0, 37), "KVAR": (63, 3, 37), "VA": (61, 0, 37), "KVA": (61, 3, 37),
    "V": (29, 0, 54), "KV": (29, 3, 54), "A": (5, 0, 4), "HZ": (33, 0, 15), "PF": (65, 0, 38),
    "M3": (42, 0, 58), "L": (134, 0, 58), "LITERS": (134, 0, 58), "LITRES": (134, 0, 58),
    "CF": (119, 0, 58), "FT3": (119, 0, 58), "CUFT": (119, 0, 58), "CCF": (119, 2, 58), "KCF": (119, 3, 58),
    "GAL": (128, 0, 58), "GALLONS": (128, 0, 58), "KGAL": (128, 3, 58),
    "THERM": (169, 0, 12), "THERMS": (169, 0, 12), "MJ": (31, 6, 12), "GJ": (31, 9, 12), "J": (31, 0, 12),
    "": (0, 0, 0),
}  # fmt: skip
_NO_UNIT: Final = (-1, 0, 0)


@lru_cache(maxsize=4096)
def code_of_unit(
    unit: str, interval_s: int, *, commodity: int = ELECTRICITY, flow: int = FORWARD, accumulation: int = DELTA
) -> ReadingTypeCode:
    """The reading type of values in a unit; voltage, current and the like have no direction.

    Raises:
        UnknownUnitError: a unit that no table has.
    """
    plain = unit.strip().upper().removesuffix("REG")
    if plain not in _UNITS:
        raise UnknownUnitError(f"The unit {unit[:40]!r} is not known.", hint="Declare it, or correct the file.")
    number, multiplier, kind = _UNITS[plain]
    directed = kind in {12, 37, 58}
    return ReadingTypeCode(
        measuring_period=PERIOD_NUMBERS.get(interval_s, 0),
        accumulation=accumulation if directed else ReadingTypeCode.INDICATING,
        flow_direction=flow if directed else 0,
        commodity=commodity,
        measurement_kind=kind,
        multiplier=multiplier,
        unit=number,
    )


@lru_cache(maxsize=4096)
def code_of_obis(obis: str, interval_s: int, unit: str = "") -> ReadingTypeCode | None:
    """The reading type of interval values of an OBIS code; None for a quantity that no table has in such a unit.

    The line (group B) and the way of recording (group D: 29 average-to-energy, 9 or 10 sums) do not matter. Without a
    unit it is the one of the table, as for kilowatt-hours.
    """
    medium, _, rest = obis.partition(":")
    group_c = rest.partition(".")[0]
    if (medium[:1], group_c) == ("7", _PROFILE_OF):  # 7-20:99.33.17: a load profile names the quantity in group D
        group_c = rest.split(".")[1]
    told = _UNITS.get(unit.upper(), _NO_UNIT)
    for row in reading_type_table().values():
        row_medium, _, row_rest = row.obis.partition(":")
        code = ReadingTypeCode.parse(row.code)
        number, multiplier, _ = told if unit else (code.unit, code.multiplier, 0)
        same = (medium[:1], group_c) == (row_medium[:1], row_rest.partition(".")[0])
        same &= _dimension(number) == _dimension(code.unit)
        if row.obis and same and code.accumulation == DELTA and code.tou == 0:
            return replace(code, measuring_period=PERIOD_NUMBERS.get(interval_s, 0), unit=number, multiplier=multiplier)
    return None


@lru_cache(maxsize=4096)
def dial_of_obis(obis: str, unit: str = "") -> ReadingTypeCode | None:
    """The reading type of a register of an OBIS code (`1-1:1.8.2`): of its total, or of one of its rates (group E)."""
    of_intervals = code_of_obis(obis, 0, unit)
    if of_intervals is None:
        return None
    groups = obis.partition(":")[2].split("*")[0].split(".")
    rate = int(groups[2]) if len(groups) > 2 and groups[2].isdecimal() else 0
    return replace(of_intervals, accumulation=DIAL, tou=rate)


def in_joules(block: IntervalBlock) -> IntervalBlock:
    """Energy in joules where it is told in therms; as it is where it is not, or would not fit."""
    code = block.reading_type
    if code.unit != _THERM or np.abs(block.values).max(initial=0) > _THERMS_MAX:
        return block
    values, scale = block.values * _HECTOJOULES_A_THERM, block.scale + 2
    return replace(block, reading_type=replace(code, unit=_JOULE), values=values, scale=scale)


@lru_cache(maxsize=4096)
def kind_of_unit(unit: int) -> int:
    """What is measured in a unit, where only one thing is: energy, volume; else 0."""
    return next((kind for number, _, kind in _UNITS.values() if number == unit and kind in {ENERGY, VOLUME}), 0)


@lru_cache(maxsize=4096)
def obis_of_code(code: ReadingTypeCode) -> str:
    """The OBIS code under which the registry keeps a quantity, with or without a length; empty if no table has one."""
    for row in reading_type_table().values():
        known = ReadingTypeCode.parse(row.code)
        same_form = (code.interval_s is None) == (known.interval_s is None)
        if row.obis and same_form and _quantity(known) == _quantity(code):
            return row.obis
    return ""


@lru_cache(maxsize=4096)
def quantity_name(code: ReadingTypeCode) -> str:
    """Our name of the quantity, such as `electricity.delivered`; the code itself where the table has no name."""
    return _names().get(_quantity(code), str(code))


@cache
def _names() -> dict[tuple[int | bool, ...], str]:
    """Names of the common reading types by what they measure; intervals without their length."""
    found: dict[tuple[int | bool, ...], str] = {}
    for row in reading_type_table().values():
        code = ReadingTypeCode.parse(row.code)
        found.setdefault(_quantity(code), row.name.rsplit(".", 1)[0] if code.interval_s else row.name)
    return found


def _quantity(code: ReadingTypeCode) -> tuple[int | bool, ...]:
    """What a code measures, whatever its interval, multiplier, way of recording and unit of the same dimension."""
    medium = ELECTRICITY if code.commodity == _PRIMARY else code.commodity
    unit = _dimension(code.unit)
    is_register = code.interval_s is None and code.is_dial
    return medium, code.measurement_kind, code.flow_direction, unit, code.tou, code.phases, code.aggregate, is_register


def _dimension(unit: int) -> int:
    """One unit for all that tell the same."""
    return _CUBIC_METRE if unit in _VOLUMES else _WATT_HOUR if unit in _ENERGIES else unit
