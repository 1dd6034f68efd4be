"""Sealing: finished days move from the hot rows into large sorted files, and every row stays visible exactly once.

It goes week by week and, in each, by slices of the channels: so one slice is one sorted file, and no query looks at
more than a slice. Slices have about equally many rows, however few days of a week there are: each costs the same to
commit, and is a file that readers must know. For each slice in this order, every step safe to repeat after a crash:
note the intent in PostgreSQL; write the rows to the lake under the number of the intent (one DuckLake transaction: all
or none); delete from the hot part exactly what the lake holds under that number. Between the last two steps a row is in
both parts: readers look into the hot part first, then into the lake, and take each version once. A row that a change
feed has not handed to all its consumers stays hot.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
from psycopg.sql import SQL
from sqlalchemy import select, text

from openami.mdus.series import packing, tables
from openami.mdus.series.catalog import TABLE
from openami.shared.database import psycopg_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import date
    from typing import TypeVar

    import duckdb
    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.lake import Lake
    from openami.shared.database import Database

    Days = TypeVar("Days", int, NDArray[np.int64])

CHANNEL_DAYS_AT_ONCE: Final = 7 * 16_384  # of half of these channels at most: the others are registers
_LOCK: Final = 7_301  # one sealer at a time in a database
_SEALING, _SEALED = "sealing", "sealed"
_LAST: Final = 1 << 62
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# one look into the index for each day that has rows, however many rows it has
_DAYS: Final = text(
    "WITH RECURSIVE kept AS (SELECT min(day) AS day FROM series_day"
    " UNION ALL SELECT (SELECT min(d.day) FROM series_day d WHERE d.day > kept.day) FROM kept WHERE day IS NOT NULL)"
    " SELECT day FROM kept WHERE day < :before ORDER BY day"
)
_SLICE: Final = text("SELECT id FROM series_channel WHERE id > :low ORDER BY id OFFSET :count LIMIT 1")
_ROWS: Final = SQL(
    "series_day d WHERE d.day = ANY(%(days)s) AND d.channel > %(low)s AND d.channel <= %(high)s"
    " AND NOT EXISTS (SELECT FROM series_cursor c"
    "  WHERE NOT pg_visible_in_snapshot(d.transaction::text::xid8, c.snapshot::pg_snapshot))"
)
_SOURCES: Final = SQL(
    "SELECT row_number() OVER (ORDER BY {one}) AS source, {one} FROM (SELECT DISTINCT {one} FROM {rows}) AS each_once"
    " ORDER BY source"
).format(one=SQL("delivery, recorded_at, author, cause, transaction"), rows=_ROWS)
_BLOCKS: Final = SQL(
    "SELECT intervals, {lengths}, string_agg({record} || int8send(source), '') FROM (SELECT d.* FROM {rows}) AS r"
    " JOIN ({sources}) AS s USING (delivery, recorded_at, author, cause, transaction) GROUP BY 1, 2, 3, 4"
).format(lengths=packing.LENGTHS, record=packing.RECORD, rows=_ROWS, sources=_SOURCES)
# by place, each found by one look into the index: a join would be a scan of all that is kept for every slice
_DELETE: Final = text(
    "DELETE FROM series_day WHERE ctid = ANY (ARRAY(SELECT p.ctid FROM"
    " unnest(CAST(:channels AS bigint[]), CAST(:days AS int[]), CAST(:versions AS int[])) AS k (channel, day, version)"
    " CROSS JOIN LATERAL (SELECT d.ctid FROM series_day d WHERE d.day = DATE '0001-01-01' + (k.day - 1)"
    "  AND d.channel = k.channel AND d.version = k.version LIMIT 1) AS p))"
)
_KEY: Final = ("channel", "day", "version")


def week_of(day: Days) -> Days:
    """The number of the week, from Monday on, that a day (ordinal) lies in."""
    return (day - 1) // 7


async def seal(database: Database, lake: Lake, before_day: date, now: datetime) -> int:
    """Move all finished days before `before_day` into the lake; returns how many rows moved. Safe to kill anywhere."""
    await lake.run(lambda _: None)  # its catalog is there before a reader is told to look into it
    async with _alone(database) as session:
        moved = await _finish(session, lake)
        days = list(await session.scalars(_DAYS, {"before": before_day}))
        for _, week in groupby(days, key=lambda day: week_of(day.toordinal())):
            some, high = list(week), -1
            while high < _LAST:
                low, high = high, await _slice_end(session, high, CHANNEL_DAYS_AT_ONCE // len(some))
                moved += await _seal_slice(session, lake, {"days": some, "low": low, "high": high}, now)
    return moved


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncConnection]:
    """A session with the lock of sealers, not a transaction: an intent is committed before its rows are written."""
    async with database.engine.connect() as session:
        await session.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        await session.commit()
        try:
            yield session
        finally:
            await session.rollback()
            await session.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            await session.commit()


async def _slice_end(session: AsyncConnection, low: int, channels: int) -> int:
    """The last channel of the slice of so many that begins after `low`."""
    last = await session.scalar(_SLICE, {"low": low, "count": channels - 1})
    return _LAST if last is None else int(last)


async def _finish(session: AsyncConnection, lake: Lake) -> int:
    """End what a killed sealer had begun: what the lake has of it leaves the hot part, or nothing was written yet."""
    begun = list(await session.scalars(select(tables.seal.c.id).where(tables.seal.c.state == _SEALING)))
    await session.commit()
    moved = 0
    for batch in begun:
        keys = await lake.run(lambda cursor, batch=batch: _written(cursor, batch))  # type: ignore[misc]
        await _forget(session, batch, keys)
        moved += len(keys)
    return moved


async def _seal_slice(session: AsyncConnection, lake: Lake, part: dict[str, Any], now: datetime) -> int:
    rows = await _hot_rows(session, part)
    if rows is None:
        return 0
    batch = await _intend(session, max(part["days"]), now)
    await lake.run(lambda cursor: _write(cursor, rows, batch))
    await _forget(session, batch, np.stack([rows.column(name).to_numpy().astype(np.int64) for name in _KEY], axis=1))
    return len(rows)


async def _intend(session: AsyncConnection, last_day: date, now: datetime) -> int:
    """The number of a new seal; from now on readers of days up to its last one look into the lake."""
    values = {"before_day": last_day + timedelta(days=1), "state": _SEALING, "rows": 0, "started_at": now}
    number = (await session.execute(tables.seal.insert().values(values).returning(tables.seal.c.id))).scalar_one()
    await session.commit()
    return int(number)


async def _forget(session: AsyncConnection, batch: int, keys: NDArray[np.int64]) -> None:
    """Delete from the hot part what the lake holds, and close the seal, in one transaction."""
    if len(keys):
        names = ("channels", "days", "versions")
        await session.execute(_DELETE, {name: packing.array_literal(keys[:, i]) for i, name in enumerate(names)})
    done = {"state": _SEALED, "rows": len(keys)}
    await session.execute(tables.seal.update().where(tables.seal.c.id == batch).values(done))
    await session.commit()


async def _hot_rows(session: AsyncConnection, part: dict[str, Any]) -> pa.Table | None:
    """The rows of a slice, sorted; both queries see the same rows, whatever is committed meanwhile."""
    await session.commit()
    await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    connection = await psycopg_connection(session)
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_BLOCKS, part)
        blocks = await cursor.fetchall()
        await cursor.execute(_SOURCES, part)
        sources = await cursor.fetchall()
    await session.rollback()
    if not blocks:
        return None
    parts = [_arrow(block, sources) for block in blocks]
    return pa.concat_tables(parts).sort_by([(name, "ascending") for name in _KEY])


def _arrow(block: tuple[Any, ...], sources: list[tuple[Any, ...]]) -> pa.Table:
    """Rows that pack alike, as packed as they are."""
    count, *lengths, joined = block
    records = packing.records(joined, lengths, ("source", ">i8"))
    channel, day, version = packing.keys_of(records)
    source, rows = records["source"].astype(np.int64) - 1, len(records)
    columns: dict[str, Any] = {
        "week": week_of(day).astype(np.int32),
        "channel": channel,
        "day": day.astype(np.int32),
        "version": version.astype(np.int32),
        "intervals": np.full(rows, count, np.int16),
        **{name: binaries(np.ascontiguousarray(records[name]).data, rows) for name in packing.MATRICES},
        "delivery": pa.array([one[1] for one in sources]).take(pa.array(source)),
        "recorded_us": np.array([(one[2] - _EPOCH) // _MICROSECOND for one in sources], np.int64)[source],
        "author": pa.array([one[3] for one in sources]).take(pa.array(source)),
        "cause": pa.array([one[4] for one in sources]).take(pa.array(source)),
        "transaction": np.array([one[5] for one in sources], np.int64)[source],
    }
    return pa.table(columns)


def binaries(joined: bytes | memoryview, rows: int) -> pa.BinaryArray:
    """Equally long pieces of `joined` as an Arrow column, without a copy."""
    offsets: Any = np.arange(rows + 1, dtype=np.int32) * np.int32(memoryview(joined).nbytes // max(rows, 1))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(memoryview(joined))]
    made = pa.BinaryArray.from_buffers(pa.binary(), rows, buffers)
    return cast("pa.BinaryArray", made)


def _write(cursor: duckdb.DuckDBPyConnection, rows: pa.Table, batch: int) -> None:
    cursor.register("sealed_rows", rows)
    cursor.execute(f"INSERT INTO lake.{TABLE} SELECT *, ? FROM sealed_rows", [batch])  # noqa: S608 - a name of ours


def _written(cursor: duckdb.DuckDBPyConnection, batch: int) -> NDArray[np.int64]:
    found = cursor.execute(f"SELECT channel, day, version FROM lake.{TABLE} WHERE batch = ?", [batch]).fetchnumpy()  # noqa: S608
    return np.stack([np.asarray(found[name]).astype(np.int64) for name in _KEY], axis=1)
