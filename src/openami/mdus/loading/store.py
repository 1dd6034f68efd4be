"""Which deliveries wait to be loaded, and what became of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, Column, DateTime, Index, Table, Text, func, select
from sqlalchemy.dialects.postgresql import insert

from openami.mdus.loading.model import DONE, WAITING
from openami.mdus.tables import metadata

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.loading.model import Loaded

table: Final = Table(
    "load",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("accepted_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("readings", BigInteger, nullable=False, server_default="0"),
    Column("refused", BigInteger, nullable=False, server_default="0"),
    Column("packed", Text, nullable=False, server_default=""),
)
Index("ix_load_waiting", table.c.accepted_at, table.c.digest, postgresql_where=table.c.state == WAITING)


class Claimed(NamedTuple):
    """What is noted of a delivery."""

    name: str
    source: str
    format: str
    packed: str
    """The hash of its packed bytes; empty if it was kept before it was accepted."""


async def note(tx: AsyncConnection, digest: str, what: Claimed, at: datetime) -> bool:
    """Note that a delivery waits; False if it is known."""
    values = {"digest": digest, **what._asdict(), "accepted_at": at, "state": WAITING}
    done = await tx.execute(insert(table).values(values).on_conflict_do_nothing().returning(table.c.digest))
    return done.first() is not None


async def waiting(tx: AsyncConnection, limit: int) -> list[str]:
    """Digests of deliveries that wait, the oldest first."""
    query = select(table.c.digest).where(table.c.state == WAITING).order_by(table.c.accepted_at, table.c.digest)
    return list(await tx.scalars(query.limit(limit)))


async def claim(tx: AsyncConnection, digest: str) -> Claimed | None:
    """What is noted of a waiting delivery, held until the transaction ends; None if somebody else has it."""
    query = select(*(table.c[name] for name in Claimed._fields))
    query = query.where(table.c.digest == digest, table.c.state == WAITING)
    row = (await tx.execute(query.with_for_update(skip_locked=True))).first()
    return None if row is None else Claimed(*row)


async def finish(tx: AsyncConnection, loaded: Loaded, *, state: str = DONE, reason: str = "") -> None:
    """Keep what became of a delivery."""
    changes = {"state": state, "reason": reason, "readings": loaded.readings, "refused": loaded.refused}
    await tx.execute(table.update().where(table.c.digest == loaded.digest).values(changes))


async def counts(tx: AsyncConnection) -> dict[str, int]:
    """How many deliveries are in each state."""
    rows = await tx.execute(select(table.c.state, func.count()).group_by(table.c.state))
    return {row[0]: row[1] for row in rows}
