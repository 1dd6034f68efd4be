"""Rows as a table for a spreadsheet (CSV, RFC 4180): one way for all lists that people take along."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FORMULA_BEGINS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet may take for a formula: meters, files and customers write into these cells, too."""
_THOUSANDTHS: Final = "_milli"


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows with a column for each of their fields, in the order in which they were first met.

    Fields of a field stand as `details.log`, lists of words beside one another, lists of anything else as JSON. Books
    keep thousandths (`measured_milli`); the table holds the number itself (`measured`).
    """
    flat = [dict(_cells(row)) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns] for row in flat)
    return out.getvalue()


def _cells(row: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _cells(value, f"{within}{name}.")
        elif name.endswith(_THOUSANDTHS) and isinstance(value, int):
            yield within + name.removesuffix(_THOUSANDTHS), str(Decimal(value).scaleb(-3))
        else:
            yield within + name, _cell(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        words = all(isinstance(one, str | int) for one in value)
        return _safe(" ".join(map(str, value)) if words else json.dumps(value, ensure_ascii=False, default=str))
    return _safe(str(value))


def _safe(text: str) -> str:
    """Text that would begin a formula behind an apostrophe; negative numbers are numbers."""
    return f"'{text}" if text.startswith(FORMULA_BEGINS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
