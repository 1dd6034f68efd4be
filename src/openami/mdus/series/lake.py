"""The sealed part, as its writers have it: DuckLake. Parquet files in a folder (or on S3), their catalog in PostgreSQL.

A row is what the hot part has, packed as it is there. Files hold one week each and are sorted by channel, so that a
month of one meter lies in a handful of row groups, and a day of a whole fleet in a handful of files. Readers need none
of what follows (see `sealed`). The extensions come as wheels; DuckDB loads their files from where they are and verifies
the official signature. Nothing is downloaded. Calls block, so they run in a thread; any number of processes may write.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import duckdb
import psycopg
from sqlalchemy.engine import make_url

from openami.mdus.series.catalog import TABLE
from openami.mdus.series.sealed import Sealed
from openami.shared.errors import OpenAmiError
from openami.shared.object_store import ObjectStore, is_object_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeVar

    Answer = TypeVar("Answer")

_EXTENSIONS: Final = ("ducklake", "postgres_scanner")
ROW_GROUP: Final = 2048
# what compaction makes of small files: bounds its memory, and the time (2 ms) and memory (1 MB) that a footer takes
_FILE_SIZE: Final = "16MB"
_MEMORY: Final = "1GB"
_LOCK: Final = 7_302
_TABLE: Final = f"""
CREATE TABLE lake.{TABLE} (
    week INTEGER, channel BIGINT, day INTEGER, version INTEGER, intervals SMALLINT,
    "values" BLOB, quality BLOB, flags BLOB,
    delivery VARCHAR, recorded_us BIGINT, author VARCHAR, cause VARCHAR, transaction BIGINT, batch BIGINT
)"""
_LAYOUT: Final = (
    f"ALTER TABLE lake.{TABLE} SET PARTITIONED BY (week)",
    f"ALTER TABLE lake.{TABLE} SET SORTED BY (channel ASC, day ASC, version ASC)",
    "CALL lake.set_option('parquet_compression', 'zstd')",
    f"CALL lake.set_option('parquet_row_group_size', {ROW_GROUP})",
    f"CALL lake.set_option('target_file_size', '{_FILE_SIZE}')",
)
_MADE: Final = f"SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = '{TABLE}'"  # noqa: S608 - a name of ours


class LakeError(OpenAmiError):
    """The lake could not be opened."""


class Lake:
    """One lake: opened at first use, shared by all threads of a process."""

    def __init__(self, database_url: str, folder: Path | str) -> None:
        """Take the URL of the area's database (it holds the catalog) and the folder or S3 prefix of the files."""
        self._url = make_url(database_url)
        self.place = f"{folder}".rstrip("/")
        self.sealed = Sealed(self.place)
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._spill: tempfile.TemporaryDirectory[str]
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
        self._spill = tempfile.TemporaryDirectory(prefix="openami-")
        connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "threads": 2,
                "memory_limit": _MEMORY,
                "temp_directory": self._spill.name,
            }
        )
        for name in _EXTENSIONS:
            _load(connection, name)
        if is_object_url(self.place):
            _open_object_store(connection)
        url = self._url
        source = f"dbname={url.database} host={url.host} port={url.port} user={url.username} password={url.password}"
        try:
            # a new catalog is made by one process, the others wait
            with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as alone:
                alone.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
                connection.execute(
                    f"ATTACH {_quoted(f'ducklake:postgres:{source}')} AS lake"
                    f" (DATA_PATH {_quoted(self.place + '/')}, METADATA_SCHEMA 'lake', DATA_INLINING_ROW_LIMIT 0)"
                )
                if connection.execute(_MADE).fetchone() is None:
                    connection.begin()
                    for statement in (_TABLE, *_LAYOUT):
                        connection.execute(statement)
                    connection.commit()
        except (duckdb.Error, psycopg.Error) as error:
            raise LakeError(
                f"The lake in {self.place} could not be opened: {type(error).__name__}.",
                hint="Check the folder and that the area's PostgreSQL answers.",
            ) from error
        return connection

    def close(self) -> None:
        """Let go of the catalog and the files."""
        with self._opening:
            if self._connection is not None:
                self._connection.close()
                self._spill.cleanup()
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
