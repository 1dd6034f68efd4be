"""The code tables of the field seam, read from the CSV files beside this module.

Each row carries a `mark` for its evidence: X schema, S seen in a public source, M from memory of the standard,
P our proposal. A bought standard or a partner overrides rows by replacing a file, not by changing code.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One line of the reply code table: what the code means, how bad it is, the Result it goes with."""

    code: str
    meaning: str
    mark: str
    level: str
    result: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of the event table: our name, the code we send for it, how severe it is by default."""

    name: str
    code: str
    mark: str
    severity: str
    notes: str


@dataclass(frozen=True, slots=True)
class ControlRow:
    """One line of the control table."""

    name: str
    code: str
    mark: str
    notes: str


@dataclass(frozen=True, slots=True)
class ReadingTypeRow:
    """One line of the common reading types: our name, the code we send, the OBIS code it usually comes from."""

    name: str
    code: str
    obis: str
    mark: str
    quantity: str


@dataclass(frozen=True, slots=True)
class QualityRow:
    """One line of the quality table; `state` is empty for a mere flag."""

    category: int
    index: int
    meaning: str
    mark: str
    state: str


def _rows(name: str) -> list[dict[str, str]]:
    text = files("openami.shared.contract.field").joinpath("tables", f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def error_table() -> Mapping[str, ErrorRow]:
    """Reply codes by code."""
    return {row["code"]: ErrorRow(**row) for row in _rows("errors")}


@cache
def event_table() -> Mapping[str, EventRow]:
    """Our events by name, in the order of the file."""
    return {row["name"]: EventRow(**row) for row in _rows("events")}


@cache
def event_alias_table() -> Mapping[str, str]:
    """Codes that partners send, mapped to the name of our event; our own codes come first."""
    own = {row.code: row.name for row in reversed(list(event_table().values()))}
    return {row["code"]: row["name"] for row in _rows("event_aliases")} | own


@cache
def control_table() -> Mapping[str, ControlRow]:
    """Our orders by name."""
    return {row["name"]: ControlRow(**row) for row in _rows("controls")}


@cache
def reading_type_table() -> Mapping[str, ReadingTypeRow]:
    """The common reading types by our name for them."""
    return {row["name"]: ReadingTypeRow(**row) for row in _rows("reading_types")}


@cache
def quality_table() -> Mapping[tuple[int, int], QualityRow]:
    """Qualities by (category, index)."""
    rows = (
        QualityRow(int(row["category"]), int(row["index"]), row["meaning"], row["mark"], row["state"])
        for row in _rows("qualities")
    )
    return {(row.category, row.index): row for row in rows}


@cache
def _units() -> Mapping[int, str]:
    return {int(row["number"]): row["symbol"] for row in _rows("units")}


def unit_symbol(number: int) -> str:
    """The symbol of a unit number, `unit-N` for a number that the table does not have."""
    return _units().get(number, f"unit-{number}")


# Field 3 of a reading type in seconds; blocks (50-56) count as their block, rolling windows as their sub-interval.
MEASURING_PERIODS_S: Final[Mapping[int, int]] = {int(row["number"]): int(row["seconds"]) for row in _rows("periods")}

PERIOD_NUMBERS: Final[Mapping[int, int]] = {
    seconds: number for number, seconds in reversed(list(MEASURING_PERIODS_S.items()))
}
"""Length in seconds -> the plain number of the measuring period (the first of the table)."""
