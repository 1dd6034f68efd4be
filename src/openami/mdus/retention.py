"""Retention of raw deliveries: their bytes go when the policy says so; hash, series and audit stay.

What is still to be loaded, or has refused parts that somebody may replay, is kept however old it is. The audit names
what goes before it goes: a crash between the two leaves bytes that the next turn deletes, never a gap in the audit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sqlalchemy import or_, select, union

from openami.mdus.intake.store import intake_table
from openami.mdus.loading import store as loading
from openami.mdus.loading.model import DONE
from openami.mdus.tables import audit
from openami.shared.audit import AuditRecord, append

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from openami.mdus.unify.raw import RawStore
    from openami.shared.database import Database

NAME: Final = "retention"
A_RECORD: Final = 1_000  # deliveries that one record of the audit names
_NEEDED: Final = union(
    select(loading.table.c.digest).where(loading.table.c.state != DONE),
    select(intake_table.c.digest).where(or_(intake_table.c.state != DONE, intake_table.c.refused > 0)),
)


async def forget_deliveries(database: Database, raw: RawStore, now: datetime, keep: timedelta) -> int:
    """Delete the bytes of deliveries that came longer ago than they are kept; returns how many."""
    before = now - keep
    old = await asyncio.to_thread(raw.kept_before, before)
    async with database.read() as tx:
        needed = set(await tx.scalars(_NEEDED))
    gone = [digest for digest in old if digest not in needed]
    for begin in range(0, len(gone), A_RECORD):
        part = gone[begin : begin + A_RECORD]
        reason = f"the policy keeps deliveries {keep.days} days"
        subject = f"{len(part)} deliveries"
        record = AuditRecord(now, NAME, "deliveries deleted", subject, reason, None, {"digests": part})
        async with database.begin() as tx:
            await append(tx, audit, record)
        await asyncio.to_thread(_forget, raw, part, before)
    return len(gone)


def _forget(raw: RawStore, digests: list[str], before: datetime) -> None:
    for digest in digests:
        raw.forget(digest, before)
