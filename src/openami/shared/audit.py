"""The audit chain of one area: who, when, why, before, after; each record seals the one before it.

A record's hash covers the hash before it, so that no record can be altered or taken out without breaking every hash
after it. Appending takes a lock for the rest of the transaction: records are few, their order is the point.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, DateTime, Identity, LargeBinary, MetaData, Table, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = 0x0A0D17  # advisory lock number of the chain's tail
GENESIS = bytes(32)
_PAGE = 1000  # records read at once when the chain is walked


class ChainBrokenError(OpenAmiError):
    """A record of the audit chain does not fit the one before it."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One entry: `actor` did `action` to `subject`, for a reason; what was and what is now are JSON values."""

    at: datetime
    actor: str
    action: str
    subject: str
    reason: str = ""
    before: Any = None
    after: Any = None

    def sealed(self, previous: bytes) -> bytes:
        """SHA-256 over the hash before and the record's canonical JSON."""
        content = [self.at.isoformat(), self.actor, self.action, self.subject, self.reason, self.before, self.after]
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(previous + canonical.encode()).digest()


def audit_table(metadata: MetaData) -> Table:
    """Declare the chain on an area's metadata."""
    return Table(
        "audit",
        metadata,
        Column("sequence", BigInteger, Identity(always=True), primary_key=True),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("actor", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("before", JSONB),
        Column("after", JSONB),
        Column("hash", LargeBinary, nullable=False),
    )


async def append(transaction: AsyncConnection, table: Table, record: AuditRecord) -> None:
    """Add a record at the end of the chain, in the caller's transaction."""
    await transaction.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    query = select(table.c.hash).order_by(table.c.sequence.desc()).limit(1)
    previous = (await transaction.execute(query)).scalar_one_or_none() or GENESIS
    before, after = _plain(record.before), _plain(record.after)
    kept = AuditRecord(record.at, record.actor, record.action, record.subject, record.reason, before, after)
    await transaction.execute(
        table.insert().values(
            at=kept.at,
            actor=kept.actor,
            action=kept.action,
            subject=kept.subject,
            reason=kept.reason,
            before=before,
            after=after,
            hash=kept.sealed(previous),
        )
    )


async def verify(transaction: AsyncConnection, table: Table) -> int:
    """Walk the whole chain and return its length.

    Raises:
        ChainBrokenError: names the first record that does not fit.
    """
    previous, count, last = GENESIS, 0, 0
    while True:
        query = select(table).where(table.c.sequence > last).order_by(table.c.sequence).limit(_PAGE)
        rows = (await transaction.execute(query)).all()
        for row in rows:
            record = AuditRecord(
                row.at.astimezone(UTC), row.actor, row.action, row.subject, row.reason, row.before, row.after
            )
            if record.sealed(previous) != row.hash:
                raise ChainBrokenError(
                    f"Audit record {row.sequence} ({row.action} on {row.subject}) does not fit the one before it.",
                    hint="It, or its predecessor, was altered outside OpenAMI: compare with a backup.",
                )
            previous, count, last = row.hash, count + 1, row.sequence
        if len(rows) < _PAGE:
            return count


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Plain JSON; floats as text, because the database writes some of them another way (1e22, -0.0), and no NaN."""
    return json.loads(json.dumps(value, default=str, sort_keys=True), parse_float=str, parse_constant=str)
