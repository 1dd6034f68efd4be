"""What a telegram says, whatever its language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Number = int | Decimal


@dataclass(frozen=True, slots=True)
class DecodedReading:
    """One value: named by OBIS code where the language has them, by quantity where not; numbers are exact."""

    value: Number | str | bytes | date | datetime | None
    unit: str = ""
    obis: str = ""
    quantity: str = ""
    time: str = ""

    def as_json(self) -> dict[str, Any]:
        """The reading as `openami decode --json` prints it."""
        name = {"obis": self.obis} if self.obis else {"quantity": self.quantity}
        return {**name, "value": json_value(self.value), "unit": self.unit or None, "time": self.time or None}


@dataclass(frozen=True, slots=True)
class DecodedTelegram:
    """One telegram; `error` says why there are no readings, or what was wrong with it all the same."""

    language: str
    meter: str = ""
    time: str = ""
    readings: tuple[DecodedReading, ...] = ()
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """The telegram as `openami decode --json` prints it, a line each."""
        return {
            "language": self.language,
            "meter": self.meter or None,
            "time": self.time or None,
            "readings": [reading.as_json() for reading in self.readings],
            "error": self.error or None,
        }


def json_value(value: Number | str | bytes | date | datetime | None) -> int | float | str | None:
    """A value for JSON: a number only if the number read back is the same; otherwise its exact text."""
    if isinstance(value, Decimal):
        if value == value.to_integral_value() and abs(value) < 2**53:
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date):
        return value.isoformat()
    return value
