"""What concentrators keep: telegrams that the head-end has not acknowledged yet, and what they read of their meters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from openami.ami.concentrator.cache import CachedMeter
from openami.ami.dlms.security import SendCounter
from openami.ami.meter.tables import metadata
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.database import given, insert_rows, upsert_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
cached_meters: Final = Table(
    "cached_meter",
    metadata,
    Column("serial", Text, primary_key=True),
    Column("transformer", Text, nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False),
    Column("read_at", DateTime(timezone=True)),
    Column("failures", Integer, nullable=False),
    Column("content", JSONB, nullable=False),
    Column("counters_until", BigInteger, nullable=False, server_default="1"),
)
_KEEP_CACHED: Final = upsert_rows(
    cached_meters, ("serial", "transformer", "found_at", "read_at", "failures", "content")
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


async def keep_cached(tx: AsyncConnection, transformer: str, meters: Sequence[CachedMeter]) -> None:
    """Store what was read of some meters."""
    if meters:
        columns = {
            "serial": [each.serial for each in meters],
            "transformer": [transformer for _ in meters],
            "found_at": [instant_of(each.found_s) for each in meters],
            "read_at": [instant_of(each.read_s) if each.read_s else None for each in meters],
            "failures": [each.failures for each in meters],
            "content": [each.packed() for each in meters],
        }
        await tx.execute(_KEEP_CACHED, given(columns))


async def cached(tx: AsyncConnection, transformer: str, password: Callable[[str], bytes]) -> list[CachedMeter]:
    """What a concentrator had read; counters go on above all that may have been used."""
    found = []
    for row in await tx.execute(select(cached_meters).where(cached_meters.c.transformer == transformer)):
        read_s = 0 if row.read_at is None else seconds_of(row.read_at)
        sent = SendCounter(row.counters_until, row.counters_until)
        meter = CachedMeter(row.serial, password(row.serial), seconds_of(row.found_at), read_s, row.failures, sent=sent)
        meter.unpack(row.content)
        found.append(meter)
    return found


async def reserve_counters(tx: AsyncConnection, serial: str, until: int) -> None:
    """Counters below `until` may be used for a meter that is stored."""
    await tx.execute(update(cached_meters).where(cached_meters.c.serial == serial).values(counters_until=until))
