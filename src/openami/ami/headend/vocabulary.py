"""From the meter's words to the seam's: OBIS codes to reading types, log codes to events.

Both tables are data (`events.csv` here, the common reading types in the contract), so that a companion standard with
other numbers needs no code.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from openami.shared.contract.field.codes import EventCode, ReadingTypeCode
from openami.shared.contract.field.tables import event_table, reading_type_table
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.ami.headend.model import LoggedEvent

UNKNOWN_EVENT: Final = EventCode(3, 0, 0, 0)  # an electric meter, and a number that only its maker can explain
MACRO_DAILY: Final = 11


class NoReadingTypeError(OpenAmiError):
    """A measured quantity that the table of reading types does not have."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What an event is called at the seam; a name of None means that the row tells nothing of its own."""

    name: str | None
    code: EventCode
    severity: str
    detail: str


def interval_type(obis: str, interval_s: int) -> ReadingTypeCode:
    """The reading type of interval values of an OBIS code.

    Raises:
        NoReadingTypeError: the table has no such type.
    """
    return _find(obis, interval_s, daily=False)


def register_type(obis: str, *, daily: bool = False) -> ReadingTypeCode:
    """The reading type of a dial value of an OBIS code, now or at the start of a local day.

    Raises:
        NoReadingTypeError: the table has no such type.
    """
    return _find(obis, None, daily=daily)


@cache
def _find(obis: str, interval_s: int | None, *, daily: bool) -> ReadingTypeCode:
    wanted = short_obis(obis)
    for row in reading_type_table().values():
        code = ReadingTypeCode.parse(row.code)
        macro_fits = code.macro_period == (MACRO_DAILY if daily else 0)
        if row.obis == wanted and code.interval_s == interval_s and macro_fits:
            return code
    span = "a dial value" if interval_s is None else f"intervals of {interval_s} s"
    raise NoReadingTypeError(
        f"There is no reading type for {obis} as {span}.", hint="Add a line to the contract's reading_types.csv."
    )


def short_obis(obis: str) -> str:
    """An OBIS code as the table writes it: 1-0:1.8.0, the billing period 255 left out."""
    return obis.removesuffix(".255")


def scaled(raw: int, scaler: int, code: ReadingTypeCode) -> Decimal:
    """A raw value with the meter's scaler in the multiplier of the reading type, exactly: 412 Wh are 0.412 kWh."""
    return Decimal(raw).scaleb(scaler - code.multiplier)


def announced(event: LoggedEvent) -> Announced:
    """What a row of a meter's log is called at the seam; an unknown code travels as itself, never dropped."""
    found = _events().get((event.stream.value, event.code)) or _events().get(("*", event.code))
    if found is None:
        return Announced("unknown", UNKNOWN_EVENT, "info", "")
    name, detail = found
    if not name:
        return Announced(None, UNKNOWN_EVENT, "info", detail)
    return of_name(name, detail)


def of_name(name: str, detail: str = "") -> Announced:
    """One of our own events, by its name in the contract's table."""
    row = event_table()[name]
    return Announced(name, EventCode.parse(row.code), row.severity, detail)


@cache
def _events() -> dict[tuple[str, int], tuple[str, str]]:
    text = files("openami.ami.headend").joinpath("events.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {(row["log"], int(row["code"])): (row["event"], row["detail"]) for row in rows}
