"""Register readings: cumulative values at instants, with versions like everything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psycopg.sql import SQL

from openami.mdus.series import packing
from openami.mdus.series.knowledge import knowledge_clause
from openami.mdus.series.model import RegisterReadings
from openami.mdus.series.rules import RANK
from openami.shared.database import psycopg_connection, uninterrupted
from openami.shared.quality import EMPTY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from psycopg.sql import Composed
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.model import Provenance
    from openami.shared.spans import Span

_EPOCH_2000_S: Final = 946684800
_MICRO: Final = 1_000_000

_IN: Final = SQL(
    "COPY series_register (channel, at, version, value, quality, delivery, recorded_at, author, cause)"
    " FROM STDIN (FORMAT binary)"
)
_OUT: Final = SQL(
    "SELECT string_agg(int8send(channel) || int8send(date_part('epoch', at)::bigint) || int8send(value)"
    " || int4send(version) || int2send(quality), '') FROM ({query}) AS p"
)
_ROW: Final = np.dtype([("channel", ">i8"), ("at_s", ">i8"), ("value", ">i8"), ("version", ">i4"), ("quality", ">i2")])
# one look into the index for each instant, as in `hot`
_EXACT: Final = SQL(
    "SELECT p.* FROM unnest(%(channels)s::bigint[], %(instants)s::bigint[]) AS k (channel, at_s) CROSS JOIN LATERAL"
    " (SELECT d.* FROM series_register d WHERE d.channel = k.channel AND d.at = to_timestamp(k.at_s) {as_of}"
    " ORDER BY d.version DESC LIMIT 1) AS p"
)
_WITHIN: Final = SQL(
    "SELECT DISTINCT ON (d.channel, d.at) d.* FROM series_register d"
    " WHERE d.channel = %(channel)s AND d.at >= %(start)s AND d.at < %(end)s {as_of}"
    " ORDER BY d.channel, d.at, d.version DESC"
)
_LAST: Final = SQL(
    "SELECT * FROM (SELECT DISTINCT ON (d.channel, d.at) d.* FROM series_register d"
    " WHERE d.channel = %(channel)s AND d.at <= %(at)s {as_of}"
    " ORDER BY d.channel, d.at DESC, d.version DESC LIMIT 1) AS l"
)


async def merge_registers(tx: AsyncConnection, new: RegisterReadings, provenance: Provenance) -> RegisterReadings:
    """Merge readings by the same evidence ranks as intervals; returns those that made a version.

    Channels must be declared and locked by the caller when writers may compete (`Series.channels(lock=True)`).
    """
    order = np.lexsort((new.at_s, new.channel))
    keys = np.stack((new.channel, new.at_s))[:, order]
    last = np.append((keys[:, 1:] != keys[:, :-1]).any(axis=0), np.ones(min(len(new), 1), np.bool_))
    chosen = order[last.astype(np.bool_)]
    new = _take(new, chosen)
    kept, version = await exactly_at(tx, new.channel, new.at_s)
    rank_kept, rank_new = RANK[kept.quality], RANK[new.quality]
    news = (rank_new > rank_kept) | ((rank_new == rank_kept) & (rank_new > 1) & (kept.value != new.value))
    rows = np.flatnonzero(news)
    await _append(tx, _take(new, rows), version[rows] + 1, provenance)
    return _take(new, rows)


async def exactly_at(
    tx: AsyncConnection, channel: NDArray[np.int64], at_s: NDArray[np.int64], as_of: AsOf = None
) -> tuple[RegisterReadings, NDArray[np.int64]]:
    """The readings at exactly these instants, row for row, and their versions; EMPTY and 0 where there is none."""
    clause, parameters = knowledge_clause(as_of)
    parameters |= {"channels": packing.array_literal(channel), "instants": packing.array_literal(at_s)}
    found, version = await _fetch(tx, _EXACT.format(as_of=clause), parameters)
    value = np.zeros(len(channel), np.int64)
    quality = np.full(len(channel), EMPTY, np.uint8)
    versions = np.zeros(len(channel), np.int64)
    if len(found):
        row = _rows_of(channel, at_s, found)
        hit = row >= 0
        value[hit], quality[hit], versions[hit] = found.value[row[hit]], found.quality[row[hit]], version[row[hit]]
    return RegisterReadings(channel, at_s, value, quality), versions


async def within(tx: AsyncConnection, channel: int, span: Span, as_of: AsOf = None) -> RegisterReadings:
    """The readings of one register during a span, in order of time."""
    clause, parameters = knowledge_clause(as_of)
    parameters |= {"channel": channel, "start": span.start, "end": span.end}
    return (await _fetch(tx, _WITHIN.format(as_of=clause), parameters))[0]


async def last_until(tx: AsyncConnection, channel: int, at: datetime, as_of: AsOf = None) -> RegisterReadings:
    """The last reading of one register at or before an instant: one row or none."""
    clause, parameters = knowledge_clause(as_of)
    parameters |= {"channel": channel, "at": at}
    return (await _fetch(tx, _LAST.format(as_of=clause), parameters))[0]


def _rows_of(channel: NDArray[np.int64], at_s: NDArray[np.int64], found: RegisterReadings) -> NDArray[np.int64]:
    """For each wanted key its row in `found` (sorted by channel, instant), or -1."""
    kind = np.dtype([("channel", "<i8"), ("at", "<i8")])
    have, want = np.empty(len(found), kind), np.empty(len(channel), kind)
    have["channel"], have["at"] = found.channel, found.at_s
    want["channel"], want["at"] = channel, at_s
    row = np.minimum(np.searchsorted(have, want), len(have) - 1).astype(np.int64)
    return np.where(have[row] == want, row, -1)


def _take(readings: RegisterReadings, rows: NDArray[np.intp]) -> RegisterReadings:
    return RegisterReadings(readings.channel[rows], readings.at_s[rows], readings.value[rows], readings.quality[rows])


async def _append(
    tx: AsyncConnection, readings: RegisterReadings, versions: NDArray[np.int64], provenance: Provenance
) -> None:
    if not len(readings):
        return
    recorded_us = (provenance.recorded_at - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    columns: dict[str, NDArray[Any] | bytes] = {
        "channel": readings.channel.astype(">i8"),
        "at": ((readings.at_s - _EPOCH_2000_S) * _MICRO).astype(">i8"),
        "version": versions.astype(">i4"),
        "value": readings.value.astype(">i8"),
        "quality": readings.quality.astype(">i2"),
        "delivery": provenance.delivery.encode(),
        "recorded_at": recorded_us.to_bytes(8, "big", signed=True),
        "author": provenance.author.encode(),
        "cause": provenance.cause.encode(),
    }
    connection = await psycopg_connection(tx)

    async def copy_in() -> None:
        async with connection.cursor() as cursor, cursor.copy(_IN) as copy:
            await copy.write(packing.HEADER + packing.fixed_rows(columns, len(readings)) + packing.TRAILER)

    await uninterrupted(copy_in())


async def _fetch(
    tx: AsyncConnection, query: Composed, parameters: Mapping[str, Any]
) -> tuple[RegisterReadings, NDArray[np.int64]]:
    connection = await psycopg_connection(tx)
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_OUT.format(query=query), parameters)
        row = await cursor.fetchone()
    rows = np.frombuffer((row and row[0]) or b"", _ROW)
    rows = rows[np.lexsort((rows["at_s"], rows["channel"]))]
    readings = RegisterReadings(
        rows["channel"].astype(np.int64),
        rows["at_s"].astype(np.int64),
        rows["value"].astype(np.int64),
        rows["quality"].astype(np.uint8),
    )
    return readings, rows["version"].astype(np.int64)
