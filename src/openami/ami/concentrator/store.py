"""What concentrators keep: telegrams that the head-end has not acknowledged yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, LargeBinary, Table, Text, delete, func, select

from openami.ami.meter.tables import metadata
from openami.ami.meter.times import instant_of
from openami.shared.database import given, insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.meter.slave import SlaveTelegram

telegrams: Final = Table(
    "telegram",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("transformer", Text, nullable=False),
    Column("serial", Text, nullable=False),
    Column("taken_at", DateTime(timezone=True), nullable=False),
    Column("octets", LargeBinary, nullable=False),
    Index("ix_telegram_transformer_id", "transformer", "id"),
)
_INSERT: Final = insert_rows(telegrams, ("transformer", "serial", "taken_at", "octets"))


async def keep(tx: AsyncConnection, heard: Sequence[SlaveTelegram]) -> None:
    """Store telegrams, oldest first."""
    if heard:
        columns = {
            "transformer": [each.transformer for each in heard],
            "serial": [each.serial for each in heard],
            "taken_at": [instant_of(each.taken_s) for each in heard],
            "octets": [each.octets for each in heard],
        }
        await tx.execute(_INSERT, given(columns))


async def waiting(tx: AsyncConnection, transformer: str, limit: int) -> list[tuple[int, bytes]]:
    """The oldest telegrams that wait, with their numbers."""
    rows = await tx.execute(
        select(telegrams.c.id, telegrams.c.octets)
        .where(telegrams.c.transformer == transformer)
        .order_by(telegrams.c.id)
        .limit(limit)
    )
    return [(row.id, row.octets) for row in rows]


async def drop(tx: AsyncConnection, transformer: str, up_to_id: int) -> None:
    """Forget telegrams that were acknowledged."""
    await tx.execute(delete(telegrams).where(telegrams.c.transformer == transformer, telegrams.c.id <= up_to_id))


async def count_waiting(tx: AsyncConnection) -> dict[str, int]:
    """How many telegrams wait at each concentrator."""
    rows = await tx.execute(select(telegrams.c.transformer, func.count()).group_by(telegrams.c.transformer))
    return {row[0]: row[1] for row in rows}
