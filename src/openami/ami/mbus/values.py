"""Data codings of EN 13757-3 annex A: integers, BCD, reals, texts and the local times of types F, G and I."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from openami.ami.mbus.errors import UnencodableError
from openami.shared.spans import zone

_CENTURY_YEARS: Final = 100


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A meter's local time: M-Bus carries no zone, only whether summer time is in force."""

    wall: datetime
    """Without a zone, as the meter shows it."""
    summer: bool = False
    valid: bool = True

    def instant(self, zone_name: str) -> datetime:
        """The instant in UTC, when the meter stands in this zone; the summer bit decides the doubled hour."""
        ambiguous = self.wall.replace(fold=0 if self.summer else 1, tzinfo=zone(zone_name))
        return ambiguous.astimezone(UTC)

    @classmethod
    def of(cls, instant: datetime, zone_name: str) -> LocalTime:
        """What a meter in this zone shows at an instant."""
        local = instant.astimezone(zone(zone_name))
        return cls(local.replace(tzinfo=None, fold=0), summer=bool(local.dst()))


Value = int | Decimal | str | bytes | date | LocalTime | None


def integer(data: bytes) -> int:
    """Type B: signed, least significant byte first."""
    return int.from_bytes(data, "little", signed=True)


def bcd(data: bytes) -> int | None:
    """Type A: two digits a byte, least significant first; None when a digit is none.

    A highest digit of Fh means a negative number (EN 13757-3 annex A).
    """
    digits = data[::-1].hex()
    sign = 1
    if digits.startswith("f"):
        digits, sign = "0" + digits[1:], -1
    return sign * int(digits) if digits.isdecimal() else None


def encode_bcd(value: int, size: int) -> bytes:
    """Type A in `size` bytes.

    Raises:
        UnencodableError: it has more digits than fit.
    """
    digits = 2 * size
    text = f"{abs(value):0{digits}d}"
    if value < 0:
        text = "f" + text[1:] if text[0] == "0" else text + "f"
    if len(text) != digits:
        raise UnencodableError(f"{value} has more than {digits} BCD digits.", hint="Choose a wider data field.")
    return bytes.fromhex(text)[::-1]


def encode_integer(value: int, size: int) -> bytes:
    """Type B in `size` bytes.

    Raises:
        UnencodableError: it does not fit.
    """
    try:
        return value.to_bytes(size, "little", signed=True)
    except OverflowError as error:
        raise UnencodableError(f"{value} does not fit {size} bytes.", hint="Choose a wider data field.") from error


def real(data: bytes) -> Decimal | None:
    """Type H: IEEE 754 single; the shortest decimal that is the same number, None for NaN and infinities."""
    value = np.frombuffer(data, "<f4")[0]
    return Decimal(np.format_float_scientific(value)) if np.isfinite(value) else None


def text(data: bytes) -> str:
    """ISO 8859-1, sent with the last character first."""
    return data[::-1].decode("latin-1")


def date_g(data: bytes) -> date | None:
    """Type G, two bytes; None when not a date (all bits set: none yet)."""
    year, month, day = _year(data[0], data[1]), data[1] & 0x0F, data[0] & 0x1F
    try:
        return date(year, month, day)
    except ValueError:
        return None


def encode_date_g(value: date) -> bytes:
    """Type G; years 1981 to 2080."""
    year = value.year % _CENTURY_YEARS
    return bytes([(year & 0x07) << 5 | value.day, (year & 0x78) << 1 | value.month])


def date_time_f(data: bytes) -> LocalTime | None:
    """Type F, four bytes: minute, hour, day, month, year, summer and invalid bits; None when no time at all."""
    return _local_time(
        _year(data[2], data[3]),
        data[3] & 0x0F,
        data[2] & 0x1F,
        data[1] & 0x1F,
        data[0] & 0x3F,
        0,
        summer=bool(data[1] & 0x80),
        valid=not data[0] & 0x80,
    )


def encode_date_time_f(value: LocalTime) -> bytes:
    """Type F; seconds are dropped, years are 1981 to 2080."""
    wall = value.wall
    return bytes(
        [
            wall.minute | (0 if value.valid else 0x80),
            wall.hour | (0x80 if value.summer else 0),
        ]
    ) + encode_date_g(wall.date())


def date_time_i(data: bytes) -> LocalTime | None:
    """Type I, six bytes: as type F, with seconds before and the week behind."""
    return _local_time(
        _year(data[3], data[4]),
        data[4] & 0x0F,
        data[3] & 0x1F,
        data[2] & 0x1F,
        data[1] & 0x3F,
        data[0] & 0x3F,
        summer=bool(data[0] & 0x40),
        valid=not data[1] & 0x80,
    )


def _local_time(
    year: int, month: int, day: int, hour: int, minute: int, second: int, *, summer: bool, valid: bool
) -> LocalTime | None:
    past_midnight = hour == 24  # "24:00" ends the day in some heat meters
    try:
        wall = datetime(year, month, day, 0 if past_midnight else hour, minute, second)  # noqa: DTZ001 - no zone on the wire
        return LocalTime(wall + timedelta(days=past_midnight), summer, valid)
    except (ValueError, OverflowError):
        return None


def _year(low: int, high: int) -> int:
    """Years 81 to 99 are of the last century (EN 13757-3 annex A, type G)."""
    year = (low & 0xE0) >> 5 | (high & 0xF0) >> 1
    return year + (1900 if 80 < year < _CENTURY_YEARS else 2000)
