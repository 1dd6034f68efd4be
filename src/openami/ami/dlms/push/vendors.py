"""Push lists whose makers leave out what the values are, or their scale: meaning by position, or by list version."""

from __future__ import annotations

from dataclasses import dataclass

from openami.ami.dlms.obis import Obis


@dataclass(frozen=True, slots=True)
class Meaning:
    """What stands at one place of a list: its code, and the power of ten and unit of its number."""

    obis: Obis
    scaler: int = 0
    unit: int = 255


_W, _VAR, _A, _V, _WH, _VARH = 27, 29, 33, 35, 30, 32


def _row(*cells: tuple[str, int, int]) -> tuple[Meaning, ...]:
    return tuple(Meaning(Obis.of(code), scaler, unit) for code, scaler, unit in cells)


_HEAD = _row(("1-1:0.2.129", 0, 255), ("0-0:96.1.0", 0, 255), ("0-0:96.1.7", 0, 255))
_POWER = _row(("1-0:1.7.0", 0, _W), ("1-0:2.7.0", 0, _W), ("1-0:3.7.0", 0, _VAR), ("1-0:4.7.0", 0, _VAR))
_ONE_PHASE = _row(("1-0:31.7.0", -3, _A), ("1-0:32.7.0", -1, _V))
_THREE_PHASES = _row(
    ("1-0:31.7.0", -3, _A),
    ("1-0:51.7.0", -3, _A),
    ("1-0:71.7.0", -3, _A),
    ("1-0:32.7.0", -1, _V),
    ("1-0:52.7.0", -1, _V),
    ("1-0:72.7.0", -1, _V),
)
_HOURLY = _row(
    ("0-0:1.0.0", 0, 255),
    ("1-0:1.8.0", 0, _WH),
    ("1-0:2.8.0", 0, _WH),
    ("1-0:3.8.0", 0, _VARH),
    ("1-0:4.8.0", 0, _VARH),
)

# Kaifa MA105, MA304: values only, told apart by their number
BY_POSITION: dict[int, tuple[Meaning, ...]] = {
    1: _POWER[:1],
    9: _HEAD + _POWER + _ONE_PHASE,
    13: _HEAD + _POWER + _THREE_PHASES,
    14: _HEAD + _POWER + _ONE_PHASE + _HOURLY,
    18: _HEAD + _POWER + _THREE_PHASES + _HOURLY,
}

# Kamstrup Omnipower: codes but no scales; the key is (C, D) of the code
_KAMSTRUP = {
    (1, 7): (0, _W),
    (2, 7): (0, _W),
    (3, 7): (0, _VAR),
    (4, 7): (0, _VAR),
    (31, 7): (-2, _A),
    (51, 7): (-2, _A),
    (71, 7): (-2, _A),
    (32, 7): (0, _V),
    (52, 7): (0, _V),
    (72, 7): (0, _V),
    (1, 8): (1, _WH),
    (2, 8): (1, _WH),
    (3, 8): (1, _VARH),
    (4, 8): (1, _VARH),
}
BY_LIST_VERSION: dict[str, dict[tuple[int, int], tuple[int, int]]] = {"Kamstrup_V0001": _KAMSTRUP}
