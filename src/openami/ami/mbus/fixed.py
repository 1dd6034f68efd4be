"""The fixed data structure (CI 73h), which old meters answer with: two counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openami.ami.mbus import values
from openami.ami.mbus.errors import HeaderTruncatedError

FIXED_SIZE: Final = 16
_BINARY: Final = 0x01
_STORED: Final = 0x02

# EN 13757-3 annex on the fixed structure, table of physical units; 0 and 1 are times
_POWERS: Final = (
    ("Wh", 0, 0x02),
    ("kWh", 0, 0x05),
    ("MWh", 0, 0x08),
    ("kJ", 0, 0x0B),
    ("MJ", 0, 0x0E),
    ("GJ", 0, 0x11),
    ("W", 0, 0x14),
    ("kW", 0, 0x17),
    ("MW", 0, 0x1A),
    ("kJ/h", 0, 0x1D),
    ("MJ/h", 0, 0x20),
    ("GJ/h", 0, 0x23),
    ("ml", 0, 0x26),
    ("l", 0, 0x29),
    ("m3", 0, 0x2C),
    ("ml/h", 0, 0x2F),
    ("l/h", 0, 0x32),
    ("m3/h", 0, 0x35),
)
_UNITS: Final = {first + n: (unit, 10**n) for unit, _, first in _POWERS for n in range(3)} | {
    0x38: ("°C", 1),
    0x39: ("units", 1),
    0x3E: ("reserved", 1),
    0x3F: ("", 1),
}
_SAME_BUT_HISTORIC: Final = 0x3E


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter; the value is exact, in `unit`, None when its digits are none."""

    value: int | None
    unit: str
    historic: bool = False


@dataclass(frozen=True, slots=True)
class FixedData:
    """Identity and two counters."""

    identification: str
    access_number: int
    status: int
    medium: int
    stored: bool
    counters: tuple[Counter, Counter]


def decode_fixed(data: bytes) -> FixedData:
    """The sixteen bytes after CI 73h.

    Raises:
        HeaderTruncatedError: there are fewer.
    """
    if len(data) < FIXED_SIZE:
        raise HeaderTruncatedError(
            f"The fixed structure has {len(data)} of {FIXED_SIZE} bytes.", hint="The telegram was cut."
        )
    status = data[5]
    decode = values.integer if status & _BINARY else values.bcd
    first_unit, second_unit = data[6] & 0x3F, data[7] & 0x3F
    return FixedData(
        identification=data[3::-1].hex().upper(),
        access_number=data[4],
        status=status,
        medium=(data[7] & 0xC0) >> 4 | (data[6] & 0xC0) >> 6,
        stored=bool(status & _STORED),
        counters=(
            _counter(decode(data[8:12]), first_unit, first_unit),
            _counter(decode(data[12:16]), second_unit, first_unit),
        ),
    )


def _counter(raw: int | None, unit_code: int, first_unit_code: int) -> Counter:
    historic = unit_code == _SAME_BUT_HISTORIC
    unit, factor = _UNITS.get(first_unit_code if historic else unit_code, ("", 1))
    return Counter(None if raw is None else raw * factor, unit, historic)
