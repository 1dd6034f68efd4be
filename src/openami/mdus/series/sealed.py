"""Reading the sealed part: the few row groups that can have what is wanted, straight out of the Parquet files.

The catalog tells the files, their footers tell the row groups. Files never change, so that footers are remembered,
files stay open, and one meter's month costs a few milliseconds, with months of data and many meters as well. Nothing is
locked: a file that was replaced stays for a day (see `upkeep`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.sql import SQL
from pyarrow import parquet

from openami.mdus.series import packing
from openami.mdus.series.catalog import NO_FILES, Bounds, Catalog
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.series.model import ChannelDays, Version
from openami.shared.object_store import file_system

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pyarrow import fs
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.catalog import Files
    from openami.mdus.series.knowledge import AsOf

FOOTERS: Final = 128  # remembered, about a megabyte each: more than a week of a million meters has files
IDLE: Final = 2  # readers of one file that stay open: a reader serves one thread at a time
GROUPS_AT_ONCE: Final = 64  # bounds what lies unpacked in memory, whatever is asked
_FEW: Final = 4  # row groups for which it is not worth to wake other threads
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MATRICES: Final = packing.MATRICES
_COLUMNS: Final = ("channel", "day", "version", "intervals", *_MATRICES)
_OFTEN_ALIKE: Final = {"version": pa.int32(), "intervals": pa.int16(), "flags": pa.binary()}
_KNOWN_BY: Final = ("transaction", "recorded_us")
_AUTHORSHIP: Final = (*_KNOWN_BY, "author", "cause", "delivery")


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """Channels (ascending, distinct) and days; of these only some pairs, if there are any; known by then."""

    channels: NDArray[np.int64]
    days: range
    as_of: AsOf = None
    pairs: NDArray[np.int64] | None = None

    @staticmethod
    def exactly(channel: NDArray[np.int64], day: NDArray[np.int64], as_of: AsOf) -> _Wanted:
        """These channel-days, row for row."""
        channels, place = np.unique(channel, return_inverse=True)
        days = range(int(day.min()), int(day.max()) + 1)
        return _Wanted(channels, days, as_of, np.unique(place * len(days) + (day - days.start)))

    def among(self, table: pa.Table) -> NDArray[np.bool_]:
        """Which rows are wanted."""
        channel, day = _numbers(table, "channel"), _numbers(table, "day")
        place = np.minimum(np.searchsorted(self.channels, channel), len(self.channels) - 1)
        found = (self.channels[place] == channel) & (day >= self.days.start) & (day < self.days.stop)
        if self.pairs is not None:
            pair = place * len(self.days) + (day - self.days.start)
            at = np.minimum(np.searchsorted(self.pairs, pair), len(self.pairs) - 1)
            found &= self.pairs[at] == pair
        if self.as_of is not None:
            found &= _known(table, self.as_of)
        return np.asarray(found, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class _Footer:
    """The footer of one file, what each of its row groups has, and where each begins; and readers that are idle."""

    metadata: parquet.FileMetaData
    bounds: Bounds
    begins: NDArray[np.int64]
    alike: Sequence[frozenset[tuple[str, pa.Scalar[Any]]]]
    """Of each row group the columns that have one value only, with that value."""
    idle: deque[parquet.ParquetFile] = field(default_factory=lambda: deque(maxlen=IDLE))


class Sealed:
    """Reads the files of one lake; any number of threads may."""

    def __init__(self, place: Path | str) -> None:
        """Take the folder or S3 prefix of the files."""
        self._place = place
        self._catalog = Catalog()
        self._footers: OrderedDict[str, _Footer] = OrderedDict()
        self._lock = threading.Lock()
        self._system: tuple[fs.FileSystem, str] | None = None

    @property
    def question(self) -> SQL:
        """What a reader asks of the catalog beside something else; the row that comes is the `answer` of a reading."""
        return SQL(self._catalog.question)

    async def days_between(
        self,
        tx: AsyncConnection,
        channels: NDArray[np.int64],
        days: range,
        as_of: AsOf = None,
        *,
        answer: Sequence[Any] = (),
    ) -> list[ChannelDays]:
        """The sealed versions of some channels and days that were known, batches of equally long days."""
        return await self._batches(tx, _Wanted(np.unique(channels), days, as_of), answer)

    async def latest_of(
        self,
        tx: AsyncConnection,
        channel: NDArray[np.int64],
        day: NDArray[np.int64],
        as_of: AsOf = None,
        *,
        answer: Sequence[Any] = (),
    ) -> list[ChannelDays]:
        """The sealed versions of exactly these channel-days that were known."""
        return await self._batches(tx, _Wanted.exactly(channel, day, as_of), answer)

    async def versions_of(self, tx: AsyncConnection, channel: int, day: int) -> list[Version]:
        """Every sealed version of one channel-day."""
        wanted = _Wanted(np.array([channel]), range(day, day + 1))
        files = await self._catalog.files(tx, day)
        columns = (*_COLUMNS, *_AUTHORSHIP)
        tables = await asyncio.to_thread(lambda: list(self._tables(files, wanted, columns)))
        return [_version(row) for table in tables for row in table.to_pylist()]

    async def _batches(self, tx: AsyncConnection, wanted: _Wanted, answer: Sequence[Any]) -> list[ChannelDays]:
        files = await self._catalog.files(tx, wanted.days.start, answer)
        if files is NO_FILES:
            return []
        columns = _COLUMNS if wanted.as_of is None else (*_COLUMNS, *_KNOWN_BY)

        def read() -> list[ChannelDays]:
            tables = [*self._tables(files, wanted, columns)]
            return batches(pa.concat_tables(tables)) if tables else []

        return await asyncio.to_thread(read)

    def _tables(self, files: Files, wanted: _Wanted, columns: tuple[str, ...]) -> Iterator[pa.Table]:
        """The wanted rows, piece by piece."""
        for at in files.bounds.touching(wanted.channels, wanted.days).tolist():
            footer = self._footer(files.paths[at])
            groups = footer.bounds.touching(wanted.channels, wanted.days)
            if len(groups):
                deleted = self._deleted(files.deletions[at])
                yield from self._groups(files.paths[at], footer, groups, wanted, columns, deleted)

    def _groups(
        self,
        path: str,
        footer: _Footer,
        groups: NDArray[np.intp],
        wanted: _Wanted,
        columns: tuple[str, ...],
        deleted: NDArray[np.int64],
    ) -> Iterator[pa.Table]:
        with self._reader(path, footer) as file:
            for begin in range(0, len(groups), GROUPS_AT_ONCE):
                some = groups[begin : begin + GROUPS_AT_ONCE]
                alike = dict(frozenset.intersection(*(footer.alike[at] for at in some)))
                read = [name for name in columns if name not in alike]
                table = file.read_row_groups(some.tolist(), columns=read, use_threads=len(some) > _FEW)
                kept = wanted.among(table)
                if len(deleted):
                    rows = np.concatenate([np.arange(footer.begins[at], footer.begins[at + 1]) for at in some])
                    kept &= ~np.isin(rows, deleted)
                if kept.any():
                    table = table.filter(pa.array(kept))
                    for name, value in alike.items():
                        table = table.append_column(name, pa.repeat(value, len(table)))
                    yield table.select(columns)

    def _footer(self, path: str) -> _Footer:
        with self._lock:
            if path in self._footers:
                self._footers.move_to_end(path)
                return self._footers[path]
        with self._open(path) as source:
            footer = _read_footer(parquet.read_metadata(source))
        with self._lock:
            self._footers[path] = footer
            while len(self._footers) > FOOTERS:
                self._footers.popitem(last=False)
        return footer

    @contextmanager
    def _reader(self, path: str, footer: _Footer) -> Iterator[parquet.ParquetFile]:
        """A reader of a file for this thread alone: an idle one, or a new one; one that failed is not kept."""
        try:
            file = footer.idle.pop()
        except IndexError:
            file = parquet.ParquetFile(self._open(path), metadata=footer.metadata)
        yield file
        footer.idle.append(file)

    def _open(self, path: str) -> pa.NativeFile:
        self._system = self._system or file_system(self._place)
        system, root = self._system
        return system.open_input_file(f"{root}/{path}")

    def _deleted(self, path: str) -> NDArray[np.int64]:
        """The positions of the deleted rows that a file lists."""
        if not path:
            return np.zeros(0, np.int64)
        with self._open(path) as source:
            return _numbers(parquet.read_table(source, columns=["pos"]), "pos")


def _read_footer(metadata: parquet.FileMetaData) -> _Footer:
    names = metadata.schema.names
    channel, day = names.index("channel"), names.index("day")
    bounds, rows, alike = [], [0], []
    for number in range(metadata.num_row_groups):
        group: Any = metadata.row_group(number)  # we wrote it: there are statistics
        of_channel, of_day = group.column(channel).statistics, group.column(day).statistics
        bounds.append((of_channel.min, of_channel.max, of_day.min, of_day.max))
        rows.append(group.num_rows)
        alike.append(frozenset(_alike(group, names)))
    return _Footer(metadata, Bounds.of(bounds), np.cumsum(rows), alike)


def _alike(group: Any, names: Sequence[str]) -> Iterator[tuple[str, pa.Scalar[Any]]]:  # noqa: ANN401 - a row group has no stub
    """The columns of which all rows of a group have one value; of bytes only the bounds of nothing are exact."""
    for name in _OFTEN_ALIKE:
        of = group.column(names.index(name)).statistics
        if of is not None and of.has_min_max and of.min == of.max and (isinstance(of.min, int) or not of.min):
            yield name, _scalar(name, of.min)


@lru_cache(maxsize=1024)
def _scalar(name: str, value: int | bytes) -> pa.Scalar[Any]:
    return pa.scalar(value, _OFTEN_ALIKE[name])


def _known(table: pa.Table, as_of: Knowledge | datetime) -> NDArray[np.bool_]:
    if isinstance(as_of, Knowledge):
        xmin, xmax, running = as_of.parts
        by = _numbers(table, "transaction")
        return np.asarray((by < xmin) | (by == as_of.own) | ((by < xmax) & ~np.isin(by, running)), np.bool_)
    return np.asarray(_numbers(table, "recorded_us") <= (as_of - _EPOCH) // timedelta(microseconds=1), np.bool_)


def batches(table: pa.Table) -> list[ChannelDays]:
    """Rows of the lake as batches of equally long days, in their order, without a loop over rows."""
    count = _numbers(table, "intervals")
    return [_batch(table if (count == n).all() else table.filter(pa.array(count == n)), n) for n in np.unique(count)]


def _batch(table: pa.Table, count: int) -> ChannelDays:
    channel, day, version = (_numbers(table, name) for name in ("channel", "day", "version"))
    batch = ChannelDays.unfilled(channel, day, version, int(count))
    lengths = [pc.binary_length(table.column(name)).to_numpy().astype(np.int64) for name in _MATRICES]
    # no length is over 8 bytes x 1,500 minutes: three of them fit into one number
    sort = (lengths[0] << 14 | lengths[1]) << 14 | lengths[2]
    for code in np.unique(sort):  # rows that pack alike
        alike = sort == code
        whole = bool(alike.all())
        part = table if whole else table.filter(pa.array(alike))
        packing.fill(batch, slice(None) if whole else alike, *(_joined(part, name) for name in _MATRICES))
    return batch


def _numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(table.column(name).to_numpy(), np.int64)


def _joined(table: pa.Table, name: str) -> NDArray[np.uint8]:
    """The bytes of a binary column, end to end."""
    parts = [_bytes(chunk) for chunk in table.column(name).chunks]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _bytes(chunk: pa.Array[Any]) -> NDArray[np.uint8]:
    buffers: list[Any] = chunk.buffers()
    _, offsets, data = buffers
    bounds = np.frombuffer(offsets, np.int32)[[chunk.offset, chunk.offset + len(chunk)]]
    return np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[1]]


def _version(row: dict[str, Any]) -> Version:
    return Version(
        row["version"],
        _EPOCH + timedelta(microseconds=row["recorded_us"]),
        row["author"],
        row["cause"],
        row["delivery"],
        row["transaction"],
        *packing.unpack(row["intervals"], row["values"], row["quality"], row["flags"]),
    )
