"""What a utility brings for rules and methods beside readings: holidays, temperatures, profiles, plans of tariffs.

All are whole numbers by kind, key and day, so there is one table, one loader and one way to look back: a value loaded
again is a new row, and a run finds what was known to it. Files are CSV with a header:

    holiday      day,zone                        a day that counts as one; no zone: everywhere
    temperature  day,zone,celsius                mean of the day (E06); no zone: everywhere
    profile      class,day,interval_s,values     shape of a class on a day, numbers with blanks between (E07)
    annual_use   channel,since,use               what a customer uses in a year, in the channel's own values (E07)
    tariff       class,since,windows             `2=mon-fri 07:00-23:00;2=sat 09:00-12:00`, else tariff 1 (E12)
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from psycopg.sql import SQL

from openami.mdus.determinants import BadTariffError, windows_of
from openami.mdus.series.knowledge import knowledge_clause
from openami.mdus.tables import audit
from openami.mdus.vee import tables
from openami.shared.audit import AuditRecord, append
from openami.shared.database import psycopg_connection
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.determinants import Window
    from openami.mdus.series.knowledge import AsOf

HOLIDAY: Final = "holiday"
TEMPERATURE: Final = "temperature"
PROFILE: Final = "profile"
ANNUAL_USE: Final = "annual_use"
TARIFF: Final = "tariff"
ROWS_MAX: Final = 1_000_000
"""Rows of one file: profiles of a hundred classes for twenty years are fewer."""

_KNOWN: Final = SQL(
    "SELECT DISTINCT ON (d.kind, d.key, d.day) d.kind, d.key, d.day - DATE '0001-01-01' + 1, d.\"values\""
    " FROM vee_reference d WHERE d.kind = ANY(%(kinds)s) AND d.key = ANY(%(keys)s)"
    " AND d.day >= %(first)s AND d.day < %(past)s {as_of} ORDER BY d.kind, d.key, d.day, d.sequence DESC"
)


class BadReferenceError(OpenAmiError):
    """A file of reference data that cannot be read."""


@dataclass(frozen=True, slots=True)
class Given:
    """Numbers of one kind under one key, for a day or since a day."""

    kind: str
    key: str
    day: int
    values: tuple[int, ...]


def _temperature(row: Mapping[str, str]) -> tuple[str, str, list[int]]:
    return row["zone"], row["day"], [int((Decimal(row["celsius"]) * 1000 + Decimal(273150)).to_integral_value())]


def _profile(row: Mapping[str, str]) -> tuple[str, str, list[int]]:
    return f"{row['class']}/{int(row['interval_s'])}", row["day"], [int(one) for one in row["values"].split()]


def _tariff(row: Mapping[str, str]) -> tuple[str, str, list[int]]:
    names, windows = windows_of([one for one in row["windows"].split(";") if one.strip()])
    numbers = [1, *(int(name) for name in names[1:])]
    flat = [(numbers[one.bucket], sum(1 << day for day in one.weekdays), one.from_s, one.to_s) for one in windows]
    return row["class"], row["since"], [number for window in flat for number in window]


_READ: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, str]], tuple[str, str, list[int]]]]]] = {
    HOLIDAY: (("day", "zone"), lambda row: (row["zone"], row["day"], [1])),
    TEMPERATURE: (("day", "zone", "celsius"), _temperature),
    PROFILE: (("class", "day", "interval_s", "values"), _profile),
    ANNUAL_USE: (("channel", "since", "use"), lambda row: (str(int(row["channel"])), row["since"], [int(row["use"])])),
    TARIFF: (("class", "since", "windows"), _tariff),
}
KINDS: Final = tuple(_READ)


def parse(kind: str, text: str) -> list[Given]:
    """A file of one kind.

    Raises:
        BadReferenceError: there is no such kind, or a line cannot be read; it says which.
    """
    if kind not in _READ:
        raise BadReferenceError(f"{kind!r} is no kind of reference data.", hint=f"Use one of {', '.join(KINDS)}.")
    columns, read = _READ[kind]
    lines = csv.DictReader(text.lstrip("\ufeff").splitlines(), restval="")
    if tuple(lines.fieldnames or ()) != columns:
        raise BadReferenceError(
            f"The header is {','.join(lines.fieldnames or ())!r}.",
            hint=f"Files of {kind} begin with {','.join(columns)}.",
        )
    found = []
    for row in lines:
        try:
            key, day, values = read({name: (cell or "").strip() for name, cell in row.items() if name})
            found.append(Given(kind, key, date.fromisoformat(day).toordinal(), tuple(values)))
        except (ValueError, InvalidOperation, BadTariffError) as error:
            raise BadReferenceError(
                f"Line {lines.line_num} cannot be read: {error}.", hint="Mend it; nothing was kept."
            ) from error
        if len(found) > ROWS_MAX:
            raise BadReferenceError(f"The file has more than {ROWS_MAX} lines.", hint="Load it in parts.")
    return found


async def keep(tx: AsyncConnection, given: Sequence[Given], person: str, at: datetime) -> int:
    """Keep what a file said, and who brought it; what was there before stays readable as of then."""
    rows = [
        {
            "kind": one.kind, "key": one.key, "day": date.fromordinal(one.day), "values": list(one.values),
            "author": person, "recorded_at": at,
        }
        for one in given
    ]  # fmt: skip
    if rows:
        await tx.execute(tables.reference.insert(), rows)
        kind = given[0].kind
        await append(tx, audit, AuditRecord(at, person, "reference data loaded", kind, "", None, {"rows": len(rows)}))
    return len(rows)


async def known(
    tx: AsyncConnection, kinds: Iterable[str], keys: Iterable[str], days: range, as_of: AsOf = None
) -> list[Given]:
    """What is known of some kinds and keys for some days (ordinals), in order of day."""
    clause, parameters = knowledge_clause(as_of)
    parameters |= {
        "kinds": list(kinds), "keys": sorted({*keys}),
        "first": date.fromordinal(max(days.start, 1)), "past": date.fromordinal(days.stop),
    }  # fmt: skip
    connection = await psycopg_connection(tx)
    async with connection.cursor() as cursor:
        await cursor.execute(_KNOWN.format(as_of=clause), parameters)
        return [Given(kind, key, day, tuple(values)) for kind, key, day, values in await cursor.fetchall()]


def windows_in(values: Sequence[int]) -> list[Window]:
    """The windows of a plan of tariffs; their bucket is the number of the tariff."""
    from openami.mdus.series.determinants import Window  # noqa: PLC0415

    flat = [values[at : at + 4] for at in range(0, len(values), 4)]
    return [
        Window(number, frozenset(day for day in range(7) if mask >> day & 1), begin, end)
        for number, mask, begin, end in flat
    ]
