"""Where definitions of virtual channels are kept: rows that are only ever added, so what was known then can be told."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, Date, DateTime, Identity, Index, Table, Text, select
from sqlalchemy.dialects.postgresql import JSONB

from openami.mdus.series.knowledge import Knowledge
from openami.mdus.series.tables import TRANSACTION
from openami.mdus.tables import audit, metadata
from openami.mdus.virtual.model import Definition, Definitions, Purpose, Term
from openami.shared.audit import AuditRecord, append

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf

table: Final = Table(
    "virtual_channel",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("first", Date, nullable=False),
    Column("past_last", Date, nullable=False),
    Column("terms", JSONB, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("of", BigInteger),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("transaction", BigInteger, nullable=False, server_default=TRANSACTION),
)
Index("ix_virtual_channel_name", table.c.name)


async def load(tx: AsyncConnection, as_of: AsOf = None) -> Definitions:
    """All definitions as known now, or then."""
    rows = (await tx.execute(select(table).order_by(table.c.sequence))).mappings()
    return Definitions(_definition(row) for row in rows if _knew(as_of, row))


async def define(tx: AsyncConnection, new: Definition) -> None:
    """Add a definition, and say so in the audit chain.

    Raises:
        BadDefinitionError: it cannot be.
    """
    known = await load(tx)
    known.refuse(new)
    await _keep(tx, known, [new], "virtual channel defined")


async def undo(tx: AsyncConnection, name: str, person: str, reason: str, at: datetime) -> list[Definition]:
    """Bring back what a name stood for before it was last defined, and say so in the audit chain.

    Raises:
        BadDefinitionError: nobody defined it, or no reason is given.
    """
    known = await load(tx)
    made = known.undone(name, person, reason, at)
    for one in made:
        known.refuse(one)
    await _keep(tx, known, made, "virtual channel undone")
    return made


async def _keep(tx: AsyncConnection, known: Definitions, made: Sequence[Definition], act: str) -> None:
    before = [said(one) for one in known.of(made[0].name)[-1:]]
    await tx.execute(table.insert(), [said(one) for one in made])
    for one in made:
        names = ("first", "past_last", "terms", "purpose")
        after = {name: str(value) for name, value in said(one).items() if name in names}
        record = AuditRecord(
            one.recorded_at, one.author, act, one.name, one.reason, before and str(before[0]["terms"]), after
        )
        await append(tx, audit, record)


def said(one: Definition) -> dict[str, Any]:
    """A definition as plain values."""
    return {
        "name": one.name, "first": one.first, "past_last": one.past_last,
        "terms": [{"member": term.member, "factor": str(term.factor)} for term in one.terms],
        "purpose": one.purpose.value, "of": one.of, "author": one.author, "reason": one.reason,
        "recorded_at": one.recorded_at,
    }  # fmt: skip


def _definition(row: Any) -> Definition:  # noqa: ANN401 - a row of the table
    return Definition(
        name=row["name"],
        first=row["first"],
        past_last=row["past_last"],
        terms=tuple(Term(one["member"], Fraction(one["factor"])) for one in row["terms"]),
        purpose=Purpose(row["purpose"]),
        of=row["of"],
        author=row["author"],
        reason=row["reason"],
        recorded_at=row["recorded_at"],
    )


def _knew(as_of: AsOf, row: Any) -> bool:  # noqa: ANN401 - a row of the table
    if as_of is None:
        return True
    if isinstance(as_of, Knowledge):
        return as_of.saw(row["transaction"])
    return bool(row["recorded_at"] <= as_of)
