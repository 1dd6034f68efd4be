"""Sealing: finished days move from the hot rows into large sorted files, and every row stays visible exactly once.

In this order, each step safe to repeat after a crash: note the intent in PostgreSQL; write the rows to the lake under
the number of the intent (one DuckLake transaction: all or none); delete from the hot part exactly what the lake holds
under that number. Between the last two steps a row is in both parts: readers look into the hot part first, then into
the lake, and take each version once. A row that a change feed has not handed to all its consumers stays hot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from psycopg.sql import SQL
from sqlalchemy import func, select, text

from openami.mdus.series import packing, tables
from openami.shared.database import psycopg_connection

if TYPE_CHECKING:
    from datetime import date, datetime

    import duckdb
    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.lake import Lake
    from openami.shared.database import Database

ROWS_AT_ONCE: Final = 100_000
_LOCK: Final = 7_301  # one sealer at a time in a database
_SEALING, _SEALED = "sealing", "sealed"

# oldest days first; rows of one sort come joined end to end, like every bulk read
_ROWS: Final = SQL(
    "WITH r AS (SELECT d.*, dense_rank() OVER (ORDER BY delivery, recorded_at, author, cause, transaction) AS source"
    " FROM series_day d WHERE d.day < %(before)s"
    " AND NOT EXISTS (SELECT FROM series_cursor c"
    "  WHERE NOT pg_visible_in_snapshot(d.transaction::text::xid8, c.snapshot::pg_snapshot))"
    " ORDER BY d.day, d.channel, d.version LIMIT %(limit)s)"
)
_BLOCKS: Final = _ROWS + SQL(
    " SELECT intervals,"
    " string_agg(int8send(channel) || int4send(day - DATE '2000-01-01') || int4send(version), '' ORDER BY {order}),"
    " string_agg(\"values\", '' ORDER BY {order}), string_agg(quality, '' ORDER BY {order}),"
    " string_agg(flags, '' ORDER BY {order}), string_agg(int8send(source), '' ORDER BY {order})"
    ' FROM r GROUP BY intervals, octet_length("values"), octet_length(quality), octet_length(flags)'
).format(order=SQL("channel, day, version"))
_SOURCES: Final = _ROWS + SQL(
    " SELECT DISTINCT source, delivery, (extract(epoch FROM recorded_at) * 1000000)::bigint, author, cause, transaction"
    " FROM r ORDER BY source"
)
_DELETE: Final = text(
    "DELETE FROM series_day d USING"
    " unnest(CAST(:channels AS bigint[]), CAST(:days AS int[]), CAST(:versions AS int[])) AS k (channel, day, version)"
    " WHERE d.channel = k.channel AND d.day = DATE '0001-01-01' + (k.day - 1) AND d.version = k.version"
)


async def sealed_before(tx: AsyncConnection) -> int:
    """The day (ordinal) from which on nothing was ever sealed; 0 when nothing was at all."""
    latest = (await tx.execute(select(func.max(tables.seal.c.before_day)))).scalar_one_or_none()
    return latest.toordinal() if latest else 0


async def seal(database: Database, lake: Lake, before_day: date, now: datetime) -> int:
    """Move all finished days before `before_day` into the lake; returns how many rows moved. Safe to kill anywhere."""
    moved = 0
    while rows := await _seal_once(database, lake, before_day, now):
        moved += rows
    return moved


async def _seal_once(database: Database, lake: Lake, before_day: date, now: datetime) -> int:
    async with database.engine.connect() as session:
        # the lock belongs to the session, not to a transaction: the intent must be committed before the lake is written
        await session.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        await session.commit()
        try:
            batch = await _intend(session, before_day, now)
            keys = await lake.run(lambda cursor: _written(cursor, batch))
            if not len(keys):
                rows = await _hot_rows(session, before_day)
                await session.rollback()
                if rows is not None:
                    await lake.run(lambda cursor: _write(cursor, rows, batch))
                    keys = await lake.run(lambda cursor: _written(cursor, batch))
            await _forget(session, batch, keys)
            return len(keys)
        finally:
            await session.rollback()
            await session.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            await session.commit()


async def _intend(session: AsyncConnection, before_day: date, now: datetime) -> int:
    """The number of the seal that was begun and not finished, or of a new one."""
    table = tables.seal
    begun = (await session.execute(select(table.c.id).where(table.c.state == _SEALING))).scalar_one_or_none()
    if begun is None:
        values = {"before_day": before_day, "state": _SEALING, "rows": 0, "started_at": now}
        begun = (await session.execute(table.insert().values(values).returning(table.c.id))).scalar_one()
    await session.commit()
    return int(begun)


async def _forget(session: AsyncConnection, batch: int, keys: NDArray[np.int64]) -> None:
    """Delete from the hot part what the lake holds, and close the seal, in one transaction."""
    if len(keys):
        names = ("channels", "days", "versions")
        await session.execute(_DELETE, {name: packing.array_literal(keys[:, i]) for i, name in enumerate(names)})
    done = {"state": _SEALED, "rows": len(keys)}
    await session.execute(tables.seal.update().where(tables.seal.c.id == batch).values(done))
    await session.commit()


async def _hot_rows(session: AsyncConnection, before_day: date) -> pa.Table | None:
    connection = await psycopg_connection(session)
    parameters = {"before": before_day, "limit": ROWS_AT_ONCE}
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_SOURCES, parameters)
        sources = await cursor.fetchall()
        await cursor.execute(_BLOCKS, parameters)
        blocks = await cursor.fetchall()
    if not blocks:
        return None
    parts = [_arrow(block, sources) for block in blocks]
    return pa.concat_tables(parts).sort_by([("channel", "ascending"), ("day", "ascending"), ("version", "ascending")])


def _arrow(block: tuple[Any, ...], sources: list[tuple[Any, ...]]) -> pa.Table:
    count, keys, values, quality, flags, of_source = block
    days = packing.batch_of(count, keys, values, quality, flags)
    source = np.frombuffer(of_source, ">i8").astype(np.int64) - 1
    return pa.table(
        {
            "channel": days.channel,
            "day": days.day.astype(np.int32),
            "version": days.version.astype(np.int32),
            "intervals": np.full(len(days), count, np.int16),
            "values": lists(days.values),
            "quality": lists(days.quality if len(quality) > len(days) else days.quality[:, :1]),
            "flags": lists(days.flags if flags else days.flags[:, :0]),
            "delivery": pa.array([one[1] for one in sources]).take(pa.array(source)),
            "recorded_us": np.array([one[2] for one in sources], np.int64)[source],
            "author": pa.array([one[3] for one in sources]).take(pa.array(source)),
            "cause": pa.array([one[4] for one in sources]).take(pa.array(source)),
            "transaction": np.array([one[5] for one in sources], np.int64)[source],
        }
    )


def lists(matrix: NDArray[Any]) -> pa.ListArray[Any]:
    """The rows of a matrix as Arrow lists."""
    rows, count = matrix.shape
    kind: Any = pa.ListArray  # its stubs do not know numpy
    made: pa.ListArray[Any] = kind.from_arrays(np.arange(rows + 1, dtype=np.int32) * np.int32(count), matrix.ravel())
    return made


def _write(cursor: duckdb.DuckDBPyConnection, rows: pa.Table, batch: int) -> None:
    cursor.register("sealed_rows", rows)
    cursor.execute("INSERT INTO lake.series_day SELECT *, ? FROM sealed_rows", [batch])


def _written(cursor: duckdb.DuckDBPyConnection, batch: int) -> NDArray[np.int64]:
    query = "SELECT channel, day, version FROM lake.series_day WHERE batch = ?"
    found = cursor.execute(query, [batch]).fetchnumpy()
    columns = [np.asarray(found[name]).astype(np.int64) for name in ("channel", "day", "version")]
    return np.stack(columns, axis=1)
