"""The sealed part: DuckLake. Parquet files in a folder (or on S3), their catalog in the area's PostgreSQL.

The extensions come as wheels; DuckDB loads their files from where they are and verifies the official signature. Nothing
is downloaded. Calls block, so they run in a thread; any number of processes may read and write at once.
"""

from __future__ import annotations

import asyncio
import threading
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, cast

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.engine import make_url

from openami.mdus.series.knowledge import Knowledge
from openami.mdus.series.model import ChannelDays
from openami.mdus.series.packing import concatenate
from openami.shared.errors import OpenAmiError
from openami.shared.object_store import ObjectStore, is_object_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeVar

    from numpy.typing import NDArray

    from openami.mdus.series.knowledge import AsOf

    Answer = TypeVar("Answer")

_EXTENSIONS: Final = ("ducklake", "postgres_scanner")
ROW_GROUP: Final = 2048  # rows are sorted by channel: one meter's month lies in one or two groups of this size
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS lake.series_day (
    channel BIGINT, day INTEGER, version INTEGER, intervals SMALLINT,
    "values" BIGINT[], quality UTINYINT[], flags UTINYINT[],
    delivery VARCHAR, recorded_us BIGINT, author VARCHAR, cause VARCHAR, transaction BIGINT, batch BIGINT
)"""


class LakeError(OpenAmiError):
    """The lake could not be opened."""


class Lake:
    """One lake: opened at first use, shared by all threads of a process."""

    def __init__(self, database_url: str, folder: Path | str) -> None:
        """Take the URL of the area's database (it holds the catalog) and the folder or S3 prefix of the files."""
        self._url = make_url(database_url)
        self._folder = f"{folder}".rstrip("/") + "/"
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._opening = threading.Lock()

    async def run(self, work: Callable[[duckdb.DuckDBPyConnection], Answer]) -> Answer:
        """Do blocking work on a cursor of the lake in a thread."""
        return await asyncio.to_thread(self._work, work)

    def _work(self, work: Callable[[duckdb.DuckDBPyConnection], Answer]) -> Answer:
        with self._opening:
            if self._connection is None:
                self._connection = self._open()
        with self._connection.cursor() as cursor:
            return work(cursor)

    def _open(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(
            config={"autoinstall_known_extensions": False, "autoload_known_extensions": False, "threads": 2}
        )
        for name in _EXTENSIONS:
            _load(connection, name)
        if is_object_url(self._folder):
            _open_object_store(connection)
        url = self._url
        source = f"dbname={url.database} host={url.host} port={url.port} user={url.username} password={url.password}"
        try:
            connection.execute(
                f"ATTACH {_quoted(f'ducklake:postgres:{source}')} AS lake"
                f" (DATA_PATH {_quoted(self._folder)}, METADATA_SCHEMA 'lake', DATA_INLINING_ROW_LIMIT 0)"
            )
            connection.execute(_TABLE)
            connection.execute("CALL lake.set_option('parquet_compression', 'zstd')")
            connection.execute(f"CALL lake.set_option('parquet_row_group_size', {ROW_GROUP})")
        except duckdb.Error as error:
            raise LakeError(
                f"The lake in {self._folder} could not be opened: {type(error).__name__}.",
                hint="Check the folder and that the area's PostgreSQL answers.",
            ) from error
        return connection

    def close(self) -> None:
        """Let go of the catalog and the files."""
        with self._opening:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    package = files(f"duckdb_extension_{name}")
    connection.execute(f"LOAD '{package / 'extensions' / f'v{duckdb.__version__}' / f'{name}.duckdb_extension'}'")


def _open_object_store(connection: duckdb.DuckDBPyConnection) -> None:
    store = ObjectStore.of_environment()
    _load(connection, "httpfs")
    own = f", ENDPOINT {_quoted(store.host)}, URL_STYLE 'path', USE_SSL {str(store.tls).lower()}" if store.host else ""
    connection.execute(
        f"CREATE SECRET lake (TYPE s3, KEY_ID {_quoted(store.key_id)}, SECRET {_quoted(store.secret)},"
        f" REGION {_quoted(store.region)}{own})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_KNOWN: Final = """
AND recorded_us <= $recorded_us
AND (transaction < $xmin OR transaction = $own
     OR (transaction < $xmax AND NOT list_contains($running::BIGINT[], transaction)))
QUALIFY row_number() OVER (PARTITION BY day, channel ORDER BY version DESC) = 1"""
_SELECT: Final = 'SELECT channel, day, version, intervals, "values", quality, flags FROM lake.series_day '
_RANGE: Final = " AND channel >= $low AND channel <= $high"  # lets whole row groups be left out
_OF_CHANNELS: Final = _SELECT + "SEMI JOIN wanted USING (channel) WHERE day >= $first AND day < $past" + _RANGE + _KNOWN
_OF_DAYS: Final = (
    _SELECT + "SEMI JOIN wanted USING (channel, day) WHERE day >= $first AND day < $past" + _RANGE + _KNOWN
)
_ALWAYS: Final = 1 << 62


async def days_between(lake: Lake, channels: NDArray[np.int64], days: range, as_of: AsOf = None) -> list[ChannelDays]:
    """The newest sealed versions of some channels and days, one batch per day length."""
    return await _read(lake, _OF_CHANNELS, pa.table({"channel": channels}), days, as_of)


async def latest_of(
    lake: Lake, channel: NDArray[np.int64], day: NDArray[np.int64], as_of: AsOf = None
) -> list[ChannelDays]:
    """The newest sealed versions of exactly these channel-days."""
    wanted = pa.table({"channel": channel, "day": day.astype(np.int32)})
    return await _read(lake, _OF_DAYS, wanted, range(int(day.min()), int(day.max()) + 1), as_of)


async def _read(lake: Lake, query: str, wanted: pa.Table, days: range, as_of: AsOf) -> list[ChannelDays]:
    channel = wanted.column("channel").to_numpy()
    parameters = {"first": days.start, "past": days.stop, "low": int(channel.min()), "high": int(channel.max())}
    parameters |= _known(as_of)

    def read(cursor: duckdb.DuckDBPyConnection) -> pa.Table:
        cursor.register("wanted", wanted)
        return cursor.execute(query, parameters).to_arrow_table()

    return batches(await lake.run(read))


async def versions_of(lake: Lake, channel: int, day: int) -> list[dict[str, Any]]:
    """Every sealed version of one channel-day as rows by column name."""

    def read(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
        query = "SELECT * FROM lake.series_day WHERE channel = ? AND day = ?"
        return list(cursor.execute(query, [channel, day]).to_arrow_table().to_pylist())

    return await lake.run(read)


def batches(table: pa.Table) -> list[ChannelDays]:
    """Rows of the lake as batches, one per day length; lists become matrices without a loop over rows.

    Qualities that are all alike are a list of one, flags that are all 0 an empty list.
    """
    kind = np.stack([_cells(table, name) for name in ("values", "quality", "flags")], axis=1)
    by_count: dict[int, list[ChannelDays]] = {}
    for count, of_quality, of_flags in np.unique(kind, axis=0).tolist():
        alike = (kind == (count, of_quality, of_flags)).all(axis=1)
        part = table.filter(pa.array(alike)).combine_chunks()
        shape = (part.num_rows, count)
        quality = _matrix(part, "quality").astype(np.uint8).reshape(-1, of_quality)
        flags = _matrix(part, "flags").astype(np.uint8).reshape(shape) if of_flags else np.zeros(shape, np.uint8)
        by_count.setdefault(count, []).append(
            ChannelDays(
                channel=part.column("channel").to_numpy().astype(np.int64),
                day=part.column("day").to_numpy().astype(np.int64),
                version=part.column("version").to_numpy().astype(np.int64),
                values=_matrix(part, "values").astype(np.int64).reshape(shape),
                quality=np.broadcast_to(quality, shape).copy(),
                flags=flags,
            )
        )
    return [concatenate(parts) for parts in by_count.values()]


def _cells(table: pa.Table, name: str) -> NDArray[np.int64]:
    """How many cells each row's list has."""
    return np.asarray(pc.list_value_length(table.column(name)).to_numpy(), np.int64)


def _matrix(table: pa.Table, name: str) -> NDArray[Any]:
    flat = pa.concat_arrays([cast("pa.ListArray[Any]", chunk).flatten() for chunk in table.column(name).chunks])
    return np.asarray(flat.to_numpy(zero_copy_only=False))


def _known(as_of: AsOf) -> dict[str, Any]:
    known: dict[str, Any] = {"recorded_us": _ALWAYS, "xmin": _ALWAYS, "xmax": _ALWAYS, "running": [], "own": 0}
    if isinstance(as_of, Knowledge):
        xmin, xmax, running = as_of.parts
        known |= {"xmin": xmin, "xmax": xmax, "running": running, "own": as_of.own}
    elif as_of is not None:
        known["recorded_us"] = round(as_of.timestamp() * 1_000_000)
    return known
