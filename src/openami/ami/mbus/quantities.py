"""What a VIF says: quantity, base unit and exact scale, as tables of EN 13757-3 (clauses 6.4 and 7, annex C).

One row is one run of codes: `first`, `bits` of the code that are its number n, the power of ten at n = 0, and the
unit. Durations count n through second, minute, hour, day instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Shape(Enum):
    """How the data of a quantity are to be read."""

    NUMBER = "number"
    DATE = "date"
    DATE_TIME = "date and time"
    IDENTITY = "identity"
    TEXT = "text"
    MANUFACTURER = "manufacturer specific"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured quantity: number = raw value x factor x 10^exponent in `unit`."""

    name: str
    unit: str = ""
    exponent: int = 0
    factor: int = 1
    shape: Shape = Shape.NUMBER


MANUFACTURER_SPECIFIC: Final = Quantity("manufacturer specific", shape=Shape.MANUFACTURER)
RESERVED: Final = Quantity("reserved")
_DURATION_FACTORS_S: Final = (1, 60, 3600, 86400)

_Run = tuple[int, int, str, str, int]  # first code, bits of n, name, unit, exponent at n = 0

_PRIMARY_RUNS: Final[tuple[_Run, ...]] = (
    (0x00, 3, "energy", "Wh", -3),
    (0x08, 3, "energy", "J", 0),
    (0x10, 3, "volume", "m3", -6),
    (0x18, 3, "mass", "kg", -3),
    (0x28, 3, "power", "W", -3),
    (0x30, 3, "power", "J/h", 0),
    (0x38, 3, "volume flow", "m3/h", -6),
    (0x40, 3, "volume flow", "m3/min", -7),
    (0x48, 3, "volume flow", "m3/s", -9),
    (0x50, 3, "mass flow", "kg/h", -3),
    (0x58, 2, "flow temperature", "°C", -3),
    (0x5C, 2, "return temperature", "°C", -3),
    (0x60, 2, "temperature difference", "K", -3),
    (0x64, 2, "external temperature", "°C", -3),
    (0x68, 2, "pressure", "bar", -3),
    (0x6E, 0, "heat cost allocation", "units", 0),
)
_PRIMARY_DURATIONS: Final = (
    (0x20, "on time"),
    (0x24, "operating time"),
    (0x70, "averaging duration"),
    (0x74, "actuality duration"),
)
_PRIMARY_SINGLE: Final = {
    0x6C: Quantity("time point", shape=Shape.DATE),
    0x6D: Quantity("time point", shape=Shape.DATE_TIME),
    0x78: Quantity("fabrication number", shape=Shape.IDENTITY),
    0x79: Quantity("identification", shape=Shape.IDENTITY),
    0x7A: Quantity("bus address"),
    0x7E: Quantity("any"),
    0x7F: MANUFACTURER_SPECIFIC,
}

# second table, VIF FDh (EN 13757-3 table 14)
_FD_RUNS: Final[tuple[_Run, ...]] = (
    (0x00, 2, "credit", "currency", -3),
    (0x04, 2, "debit", "currency", -3),
    (0x40, 4, "voltage", "V", -9),
    (0x50, 4, "current", "A", -12),
)
_FD_DURATIONS: Final = (
    (0x24, "storage interval"),
    (0x2C, "duration since last readout"),
)
_FD_IDENTITIES: Final = {
    0x09: "medium",
    0x0A: "manufacturer",
    0x0B: "parameter set identification",
    0x0C: "model and version",
    0x0D: "hardware version",
    0x0E: "firmware version",
    0x0F: "software version",
    0x10: "customer location",
    0x11: "customer",
    0x12: "access code user",
    0x13: "access code operator",
    0x14: "access code system operator",
    0x15: "access code developer",
    0x16: "password",
}
_FD_NUMBERS: Final = {
    0x08: "access number",
    0x17: "error flags",
    0x18: "error mask",
    0x1A: "digital output",
    0x1B: "digital input",
    0x1C: "baud rate",
    0x1D: "response delay",
    0x1E: "retry",
    0x1F: "remote control",
    0x20: "first cyclic storage number",
    0x21: "last cyclic storage number",
    0x22: "size of storage block",
    0x28: "storage interval in months",
    0x29: "storage interval in years",
    0x3A: "dimensionless",
    0x60: "reset counter",
    0x61: "cumulation counter",
    0x62: "control signal",
    0x63: "day of week",
    0x64: "week number",
    0x65: "time point of day change",
    0x66: "state of parameter activation",
    0x67: "special supplier information",
    0x71: "radio level",
}
_FD_SINGLE: Final = {
    0x30: Quantity("start of tariff", shape=Shape.DATE_TIME),
    0x31: Quantity("duration of tariff", "s", factor=60),
    0x32: Quantity("duration of tariff", "s", factor=3600),
    0x33: Quantity("duration of tariff", "s", factor=86400),
    0x68: Quantity("duration since last cumulation", "s", factor=3600),
    0x69: Quantity("duration since last cumulation", "s", factor=86400),
    0x6C: Quantity("battery operating time", "s", factor=3600),
    0x6D: Quantity("battery operating time", "s", factor=86400),
    0x70: Quantity("time point of battery change", shape=Shape.DATE),
    0x74: Quantity("remaining battery life", "s", factor=86400),
}

# first table, VIF FBh (EN 13757-3 table 12)
_FB_RUNS: Final[tuple[_Run, ...]] = (
    (0x00, 1, "energy", "Wh", 5),
    (0x02, 1, "reactive energy", "varh", 3),
    (0x04, 1, "apparent energy", "VAh", 3),
    (0x08, 1, "energy", "J", 8),
    (0x0C, 2, "energy", "cal", 5),
    (0x10, 1, "volume", "m3", 2),
    (0x14, 2, "reactive power", "var", 0),
    (0x18, 1, "mass", "kg", 5),
    (0x1A, 1, "relative humidity", "%", -1),
    (0x20, 0, "volume", "ft3", 0),
    (0x21, 0, "volume", "ft3", -1),
    (0x28, 1, "power", "W", 5),
    (0x2A, 0, "phase angle of voltage to voltage", "°", -1),
    (0x2B, 0, "phase angle of voltage to current", "°", -1),
    (0x2C, 2, "frequency", "Hz", -3),
    (0x30, 1, "power", "J/h", 8),
    (0x34, 2, "apparent power", "VA", 0),
    (0x58, 2, "flow temperature", "°F", -3),
    (0x5C, 2, "return temperature", "°F", -3),
    (0x60, 2, "temperature difference", "°F", -3),
    (0x64, 2, "external temperature", "°F", -3),
    (0x74, 2, "temperature limit", "°C", -3),
    (0x78, 3, "cumulative maximum power", "W", -3),
)


def _table(runs: tuple[_Run, ...], durations: tuple[tuple[int, str], ...]) -> dict[int, Quantity]:
    table = {
        first + n: Quantity(name, unit, exponent + n)
        for first, bits, name, unit, exponent in runs
        for n in range(1 << bits)
    }
    for first, name in durations:
        for n, factor in enumerate(_DURATION_FACTORS_S):
            table[first + n] = Quantity(name, "s", factor=factor)
    return table


PRIMARY: Final = _table(_PRIMARY_RUNS, _PRIMARY_DURATIONS) | _PRIMARY_SINGLE
SECOND_EXTENSION: Final = (
    _table(_FD_RUNS, _FD_DURATIONS)
    | {code: Quantity(name, shape=Shape.IDENTITY) for code, name in _FD_IDENTITIES.items()}
    | {code: Quantity(name) for code, name in _FD_NUMBERS.items()}
    | _FD_SINGLE
)
FIRST_EXTENSION: Final = _table(_FB_RUNS, ())

# orthogonal VIFE (EN 13757-3 table 15) that qualify a value
QUALIFIERS: Final = {
    **{code: f"record error {code:02X}h" for code in range(1, 0x20)},
    0x20: "per second",
    0x21: "per minute",
    0x22: "per hour",
    0x23: "per day",
    0x24: "per week",
    0x25: "per month",
    0x26: "per year",
    0x27: "per revolution",
    0x28: "increment per input pulse on channel 0",
    0x29: "increment per input pulse on channel 1",
    0x2A: "increment per output pulse on channel 0",
    0x2B: "increment per output pulse on channel 1",
    0x2C: "per litre",
    0x2D: "per cubic metre",
    0x2E: "per kilogram",
    0x2F: "per kelvin",
    0x30: "per kilowatt-hour",
    0x31: "per gigajoule",
    0x32: "per kilowatt",
    0x36: "per volt",
    0x37: "per ampere",
    0x39: "start date",
    0x3A: "uncorrected unit",
    0x3B: "forward flow",
    0x3C: "backward flow",
    0x3D: "other metering medium",
    0x3E: "at base conditions",
    0x3F: "obis declaration",
    0x40: "lower limit",
    0x48: "upper limit",
    0x7E: "future value",
    0x7F: "manufacturer specific",
}
