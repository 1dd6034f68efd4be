"""The hot part: packed rows in PostgreSQL, in and out by binary COPY inside the caller's transaction."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from psycopg.sql import SQL
from sqlalchemy import select

from openami.mdus.series import packing, tables
from openami.mdus.series.knowledge import knowledge_clause
from openami.mdus.series.model import ChannelDays, Version
from openami.shared.database import psycopg_connection, uninterrupted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from psycopg.sql import Composed
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.model import Provenance

_EPOCH_2000: Final = datetime(2000, 1, 1, tzinfo=UTC)

_IN: Final = SQL(
    'COPY series_day (channel, day, version, intervals, "values", quality, flags, delivery, recorded_at, author, cause)'
    " FROM STDIN (FORMAT binary)"
)
_BETWEEN: Final = SQL(
    "SELECT DISTINCT ON (d.day, d.channel) d.* FROM series_day d"
    " WHERE d.day >= %(first)s AND d.day < %(past)s AND d.channel = ANY(%(channels)s::bigint[]) {as_of}"
    " ORDER BY d.day, d.channel, d.version DESC"
)
# one look into the index for each wanted day: a join would be a scan of all that is kept, as soon as that seems cheaper
_LATEST: Final = SQL(
    "SELECT p.* FROM unnest(%(channels)s::bigint[], %(days)s::int[]) AS k (channel, day) CROSS JOIN LATERAL"
    " (SELECT d.* FROM series_day d WHERE d.day = DATE '0001-01-01' + (k.day - 1) AND d.channel = k.channel {as_of}"
    " ORDER BY d.version DESC LIMIT 1) AS p"
)
_OUT: Final = SQL(
    "SELECT asked.*, found.* FROM ({beside}) AS asked LEFT JOIN"
    " (SELECT intervals, {lengths}, string_agg({record}, '') FROM ({query}) AS p GROUP BY 1, 2, 3, 4) AS found ON TRUE"
)
NOTHING: Final = SQL("SELECT")
"""Beside the days nothing else is asked: one row without columns."""


async def append(tx: AsyncConnection, days: ChannelDays, provenance: Provenance) -> ChannelDays:
    """Write the next version of each channel-day; `version` of the rows given is the one they came from (0: none)."""
    if not len(days):
        return days
    versions = days.version + 1
    recorded_us = (provenance.recorded_at - _EPOCH_2000) // timedelta(microseconds=1)
    constants = (
        provenance.delivery.encode(),
        recorded_us.to_bytes(8, "big", signed=True),
        provenance.author.encode(),
        provenance.cause.encode(),
    )
    connection = await psycopg_connection(tx)

    async def copy_in() -> None:
        async with connection.cursor() as cursor, cursor.copy(_IN) as copy:
            await copy.write(packing.HEADER)
            for block in packing.copy_block(days, versions, constants):
                await copy.write(block)
            await copy.write(packing.TRAILER)

    await uninterrupted(copy_in())
    return ChannelDays(days.channel, days.day, days.values, days.quality, days.flags, versions)


async def days_between(
    tx: AsyncConnection, channels: NDArray[np.int64], days: range, as_of: AsOf = None, *, beside: SQL = NOTHING
) -> tuple[list[ChannelDays], tuple[Any, ...]]:
    """All kept channel-days of some channels and days (ordinals), one batch per day length; and the row of `beside`."""
    clause, parameters = knowledge_clause(as_of)
    parameters |= {
        "first": date.fromordinal(days.start),
        "past": date.fromordinal(days.stop),
        "channels": packing.array_literal(channels),
    }
    return await _fetch(tx, _BETWEEN.format(as_of=clause), parameters, beside)


async def latest_of(
    tx: AsyncConnection,
    channel: NDArray[np.int64],
    day: NDArray[np.int64],
    as_of: AsOf = None,
    *,
    beside: SQL = NOTHING,
) -> tuple[list[ChannelDays], tuple[Any, ...]]:
    """The last versions of exactly these channel-days, as far as they are kept; and the row of `beside`."""
    clause, parameters = knowledge_clause(as_of)
    parameters |= {"channels": packing.array_literal(channel), "days": packing.array_literal(day)}
    return await _fetch(tx, _LATEST.format(as_of=clause), parameters, beside)


async def versions_of(tx: AsyncConnection, channel: int, day: date) -> list[Version]:
    """Every version of one channel-day, oldest first."""
    query = select(tables.day).where(tables.day.c.day == day, tables.day.c.channel == channel)
    return [
        Version(
            row["version"],
            row["recorded_at"],
            row["author"],
            row["cause"],
            row["delivery"],
            row["transaction"],
            *packing.unpack(row["intervals"], row["values"], row["quality"], row["flags"]),
        )
        for row in (await tx.execute(query.order_by(tables.day.c.version))).mappings()
    ]


async def _fetch(
    tx: AsyncConnection, query: Composed, parameters: Mapping[str, Any], beside: SQL
) -> tuple[list[ChannelDays], tuple[Any, ...]]:
    """The rows of a query over `series_day` as batches, one per day length, and one row of something else.

    Both are one statement: one round trip, and one moment that both are true of.
    """
    connection = await psycopg_connection(tx)
    out = _OUT.format(beside=beside, lengths=packing.LENGTHS, record=packing.RECORD, query=query)
    by_count: dict[int, list[ChannelDays]] = {}
    answer: tuple[Any, ...] = ()
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(out, parameters)
        async for *asked, count, values, quality, flags, joined in cursor:
            answer = tuple(asked)
            if count is not None:
                by_count.setdefault(count, []).append(packing.batch_of(count, values, quality, flags, joined))
    return [packing.concatenate(parts) for _, parts in sorted(by_count.items())], answer
