"""Single texts of the seam to values and back: instants, booleans, whole numbers, decimals."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from openami.shared.contract.field.errors import BadInstantError, BadValueError, InstantWithoutOffsetError

_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,12})?(Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_DECIMAL = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def parse_instant(text: str, zone_name: str | None = None) -> datetime:
    """Read an xs:dateTime as an instant in UTC, microseconds kept, finer fractions cut.

    Args:
        text: the lexical form.
        zone_name: the zone agreed with a partner who writes no offsets; ambiguous hours read as the first one.

    Raises:
        BadInstantError: not an xs:dateTime.
        InstantWithoutOffsetError: no offset, and no zone agreed.
    """
    match = _DATE_TIME.fullmatch(text.strip())
    if match is None:
        raise BadInstantError(f"{text[:40]!r} is not a time.", hint="Write 2026-03-01T00:15:00Z.")
    day, clock, fraction, offset = match.groups()
    past_midnight = clock == "24:00:00"  # xs:dateTime allows it as the end of a day
    stamp = f"{day}T{'00:00:00' if past_midnight else clock}{(fraction or '')[:7]}{offset or ''}"
    try:
        instant = datetime.fromisoformat(stamp)
        if instant.tzinfo is None:
            if zone_name is None:
                raise InstantWithoutOffsetError(
                    f"{text[:40]!r} names no offset.", hint="Write Z or +01:00, or agree on a zone for this partner."
                )
            instant = instant.replace(tzinfo=ZoneInfo(zone_name))
        return instant.astimezone(UTC) + timedelta(days=past_midnight)
    except (ValueError, OverflowError) as error:
        raise BadInstantError(f"{text[:40]!r} is not a time: {error}.") from error


def parse_date(text: str) -> date:
    """Read an xs:date; a zone behind it says nothing we need."""
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError as error:
        raise BadInstantError(f"{text[:40]!r} is not a date: {error}.") from error


def format_instant(instant: datetime) -> str:
    """Write an instant in UTC with `Z`; a fraction only if there is one.

    Raises:
        InstantWithoutOffsetError: the time is not aware.
    """
    if instant.tzinfo is None:
        raise InstantWithoutOffsetError(f"{instant} has no zone.", hint="Inside, every time is aware and UTC.")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_boolean(text: str) -> bool:
    """Read an xs:boolean; partners' capitals are forgiven."""
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise BadValueError(f"{text[:40]!r} is neither true nor false.") from None


def parse_integer(text: str) -> int:
    """Read a whole number of at most 18 digits."""
    if _INTEGER.fullmatch(text.strip()) is None:
        raise BadValueError(f"{text[:40]!r} is not a whole number of at most 18 digits.")
    return int(text)


def parse_decimal(text: str) -> Decimal:
    """Read a decimal number without exponent."""
    if _DECIMAL.fullmatch(text.strip()) is None:
        raise BadValueError(f"{text[:40]!r} is not a decimal number.")
    try:
        return Decimal(text.strip())
    except InvalidOperation as error:  # pragma: no cover - the pattern admits nothing Decimal refuses
        raise BadValueError(f"{text[:40]!r} is not a decimal number.") from error


def format_decimal(value: Decimal) -> str:
    """Write a decimal number without exponent."""
    if not value.is_finite():
        raise BadValueError(f"{value} cannot be sent as a number.")
    return f"{value:f}"


def from_seconds(seconds: int) -> datetime:
    """The instant that many seconds after 1970 UTC."""
    return datetime.fromtimestamp(seconds, UTC)
