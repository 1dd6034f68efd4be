"""Inspections: what rules ask the field crew to look at; one task of a device and a rule until it is done.

A finding asks for one that says `inspect` (V03 after too many checks out of tolerance in a row, and rules of your own
alike), and each of a rule whose very sentence is a task. What was done is asked again only by a day after that.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select, text, update

from openami.mdus.tables import audit
from openami.mdus.vee.catalogue import rule
from openami.mdus.vee.tables import inspection as table
from openami.shared.audit import AuditRecord, append
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.vee.model import Finding

OPEN, ASSIGNED, DONE = STATES = ("open", "assigned", "done")
TASKS: Final = frozenset({"V27", "V36", "WA1"})
"""Rules that say where the field has to look: a meter that is estimated for too long, a leak."""
WORDS_MAX: Final = 500

_RAISE: Final = text(
    "INSERT INTO vee_inspection (device, channel, rule, day, said, state, raised_at, changed_at)"
    " SELECT DISTINCT ON (1, 3) coalesce(c.device, r.channel::text), r.channel, r.rule, r.day, r.said, 'open', :at, :at"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (channel bigint, day date, rule text, said jsonb)"
    " LEFT JOIN channel c ON c.channel = r.channel"
    " WHERE NOT EXISTS (SELECT FROM vee_inspection i WHERE i.device = coalesce(c.device, r.channel::text)"
    " AND i.rule = r.rule AND i.state = 'done' AND i.changed_at::date >= r.day)"
    " ORDER BY 1, 3, r.day ON CONFLICT (device, rule) WHERE state <> 'done' DO NOTHING"
)


class InspectionError(OpenAmiError):
    """An inspection that is not there or is done already, or a change of it that says too little."""


async def ask(tx: AsyncConnection, findings: Iterable[Finding], at: datetime) -> None:
    """Ask for an inspection wherever a finding does, unless one is open or was done since."""
    rows = [
        {"channel": one.channel, "day": one.day.isoformat(), "rule": one.rule, "said": one.inputs}
        for one in findings
        if one.rule in TASKS or one.inputs.get("inspect")
    ]
    if rows:
        await tx.execute(_RAISE, {"rows": json.dumps(rows), "at": at})


async def listed(tx: AsyncConnection, state: str = "", limit: int = 500) -> list[dict[str, Any]]:
    """Inspections of a state, the oldest first; without one all that are not done.

    Raises:
        InspectionError: there is no such state.
    """
    if state not in {"", *STATES}:
        raise InspectionError(f"{state!r} is no state of an inspection.", hint=f"Use one of {', '.join(STATES)}.")
    wanted = table.c.state == state if state else table.c.state != DONE
    query = select(table).where(wanted).order_by(table.c.raised_at, table.c.number).limit(limit)
    return [dict(row) | {"sentence": rule(row["rule"]).sentence} for row in (await tx.execute(query)).mappings()]


async def change(tx: AsyncConnection, number: int, state: str, words: str, person: str, at: datetime) -> None:
    """Assign an inspection (`words` is to whom), or close it (`words` is what was found); the audit keeps who said so.

    Raises:
        InspectionError: there is no such inspection that is not done, or somebody or something is not named.
    """
    words, person = words.strip(), person.strip()
    if not person or not 0 < len(words) <= WORDS_MAX:
        raise InspectionError(
            "Nobody is named, or nothing is said.",
            hint=f"Say who you are, and to whom it is assigned or what was found, in at most {WORDS_MAX} characters.",
        )
    changed = {"state": state, "changed_at": at, ("assigned_to" if state == ASSIGNED else "note"): words}
    query = update(table).where(table.c.number == number, table.c.state != DONE).values(changed)
    device = await tx.scalar(query.returning(table.c.device))
    if device is None:
        raise InspectionError(f"No inspection {number} is to be done.", hint="GET /api/inspections lists them.")
    await append(tx, audit, AuditRecord(at, person, f"inspection {state}", device, words, None, {"number": number}))
