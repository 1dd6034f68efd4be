"""COSEM dates and times: 12, 5 and 4 octets, wildcards included, and their way to and from aware UTC instants.

Blue Book 4.1.6.1: the deviation is minutes from local time to UTC, so CET is -60 and UTC = local + deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Self

from openami.ami.dlms.errors import RemoteProtocolError, TypeMismatchError

if TYPE_CHECKING:
    from datetime import tzinfo

YEAR_NOT_SPECIFIED = 0xFFFF
NOT_SPECIFIED = 0xFF
DEVIATION_NOT_SPECIFIED = -0x8000

STATUS_INVALID = 0x01
STATUS_DOUBTFUL = 0x02
STATUS_OTHER_CLOCK_BASE = 0x04
STATUS_INVALID_STATUS = 0x08
STATUS_DAYLIGHT_SAVING = 0x80


@dataclass(frozen=True, slots=True)
class CosemDate:
    """A date of five octets; 0xFFFF and 0xFF are wildcards, months FD/FE and days FD/FE the special ones."""

    year: int = YEAR_NOT_SPECIFIED
    month: int = NOT_SPECIFIED
    day: int = NOT_SPECIFIED
    day_of_week: int = NOT_SPECIFIED

    def encode(self) -> bytes:
        """The five octets."""
        return self.year.to_bytes(2, "big") + bytes((self.month, self.day, self.day_of_week))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The date in exactly five octets."""
        _must_have(octets, 5, "date")
        return cls(int.from_bytes(octets[:2], "big"), octets[2], octets[3], octets[4])


@dataclass(frozen=True, slots=True)
class CosemTime:
    """A time of day of four octets; 0xFF is a wildcard."""

    hour: int = NOT_SPECIFIED
    minute: int = NOT_SPECIFIED
    second: int = NOT_SPECIFIED
    hundredths: int = NOT_SPECIFIED

    def encode(self) -> bytes:
        """The four octets."""
        return bytes((self.hour, self.minute, self.second, self.hundredths))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The time in exactly four octets."""
        _must_have(octets, 4, "time")
        return cls(*octets)


@dataclass(frozen=True, slots=True)
class CosemDateTime:
    """A date-time of twelve octets: date, time, deviation in minutes and clock status."""

    date: CosemDate = CosemDate()
    time: CosemTime = CosemTime()
    deviation_min: int = DEVIATION_NOT_SPECIFIED
    status: int = NOT_SPECIFIED

    @classmethod
    def of(cls, instant: datetime, *, zone: tzinfo = UTC, status: int = 0) -> Self:
        """The stamp a clock in `zone` shows at `instant`; the daylight saving bit is set from the zone."""
        if instant.tzinfo is None:
            msg = "A clock stamp needs an aware instant."
            raise TypeMismatchError(msg)
        local = instant.astimezone(zone)
        offset = local.utcoffset() or timedelta()
        if local.dst():
            status |= STATUS_DAYLIGHT_SAVING
        return cls(
            CosemDate(local.year, local.month, local.day, local.isoweekday()),
            CosemTime(local.hour, local.minute, local.second, local.microsecond // 10_000),
            -int(offset.total_seconds()) // 60,
            status,
        )

    def instant(self, *, zone: tzinfo | None = None) -> datetime:
        """The instant in UTC; `zone` is used only where the stamp does not state its deviation.

        Raises TypeMismatchError when a date or hour is a wildcard or nothing says which zone was meant.
        """
        date, time = self.date, self.time
        try:
            local = datetime(  # noqa: DTZ001 - the zone is attached below, from the deviation or the argument
                date.year,
                date.month,
                date.day,
                time.hour,
                time.minute,
                0 if time.second == NOT_SPECIFIED else time.second,
                0 if time.hundredths == NOT_SPECIFIED else time.hundredths * 10_000,
            )
            if self.deviation_min != DEVIATION_NOT_SPECIFIED:
                return local.replace(tzinfo=timezone(-timedelta(minutes=self.deviation_min))).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            msg = f"{self} is not one instant: {error}."
            raise TypeMismatchError(msg) from error
        if zone is None:
            msg = f"{self} does not state its deviation from UTC."
            raise TypeMismatchError(msg, hint="Give the zone of the meter.")
        try:
            return local.replace(tzinfo=zone, fold=int(not self.status & STATUS_DAYLIGHT_SAVING)).astimezone(UTC)
        except OverflowError as error:
            msg = f"{self} is not one instant: {error}."
            raise TypeMismatchError(msg) from error

    def encode(self) -> bytes:
        """The twelve octets."""
        deviation = self.deviation_min.to_bytes(2, "big", signed=True)
        return self.date.encode() + self.time.encode() + deviation + bytes((self.status,))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The date-time in exactly twelve octets."""
        _must_have(octets, 12, "date-time")
        return cls(
            CosemDate.decode(octets[:5]),
            CosemTime.decode(octets[5:9]),
            int.from_bytes(octets[9:11], "big", signed=True),
            octets[11],
        )

    def __str__(self) -> str:
        date, time = self.date, self.time
        deviation = "" if self.deviation_min == DEVIATION_NOT_SPECIFIED else f" deviation {self.deviation_min}"
        return (
            f"{date.year:04d}-{date.month:02d}-{date.day:02d} "
            f"{time.hour:02d}:{time.minute:02d}:{time.second:02d}{deviation}"
        )


def _must_have(octets: bytes, length: int, what: str) -> None:
    if len(octets) != length:
        msg = f"A {what} has {length} octets, not {len(octets)}."
        raise RemoteProtocolError(msg)
