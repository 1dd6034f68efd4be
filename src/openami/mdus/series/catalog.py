"""Which files the lake has, and what lies in each: asked of its catalog in PostgreSQL, as its specification shows.

DuckLake 1.0, "Queries": the files of a table are those that no snapshot has ended; each has the least and the greatest
value of every column, and perhaps a file with the positions of deleted rows. The list is remembered and asked for again
when there is a newer snapshot: sealing is rare, reading is not. How far anything was ever sealed, and which snapshot is
the newest, is one question, which readers ask in one statement with what else they want: each waits for its turn while
others load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString

import numpy as np
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

TABLE: Final = "series_day"
_BEFORE: Final = "SELECT max(before_day), NULL::bigint FROM series_seal"
_NEWEST: Final = "SELECT max(snapshot_id) FROM lake.ducklake_snapshot"
_BEFORE_AND_NEWEST: Final = (
    "SELECT (SELECT max(before_day) FROM series_seal), (SELECT max(snapshot_id) FROM lake.ducklake_snapshot)"
)
_FILES: Final = text(
    "SELECT s.path || t.path || f.path, s.path || t.path || x.path,"
    " c.min_value::bigint, c.max_value::bigint, d.min_value::bigint, d.max_value::bigint"
    " FROM lake.ducklake_table t"
    " JOIN lake.ducklake_schema s ON s.schema_id = t.schema_id"
    " JOIN lake.ducklake_data_file f ON f.table_id = t.table_id AND f.end_snapshot IS NULL"
    " JOIN (lake.ducklake_column cc JOIN lake.ducklake_file_column_stats c ON c.table_id = cc.table_id"
    "  AND c.column_id = cc.column_id) ON c.data_file_id = f.data_file_id AND cc.column_name = 'channel'"
    " JOIN (lake.ducklake_column dc JOIN lake.ducklake_file_column_stats d ON d.table_id = dc.table_id"
    "  AND d.column_id = dc.column_id) ON d.data_file_id = f.data_file_id AND dc.column_name = 'day'"
    " LEFT JOIN lake.ducklake_delete_file x ON x.data_file_id = f.data_file_id AND x.end_snapshot IS NULL"
    " WHERE t.table_name = :table AND t.end_snapshot IS NULL ORDER BY f.data_file_id"
)


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What lies in some files or row groups: the first and last channel and day of each, one row each."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @staticmethod
    def of(rows: Sequence[tuple[int, int, int, int]]) -> Bounds:
        """From (first channel, last channel, first day, last day) tuples."""
        return Bounds(*np.array(rows, np.int64).reshape(-1, 4).T)

    def touching(self, channels: NDArray[np.int64], days: range) -> NDArray[np.intp]:
        """The positions where one of these channels (ascending) and days can lie."""
        some = np.searchsorted(channels, self.low) < np.searchsorted(channels, self.high, side="right")
        then = (self.first < days.stop) & (self.last >= days.start) if days else np.False_
        return np.flatnonzero(some & then)


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """The files of one snapshot: where each lies, where its deleted rows are listed ("": none are), what it has."""

    snapshot: int
    paths: list[str]
    deletions: list[str]
    bounds: Bounds


NO_FILES: Final = Files(-1, [], [], Bounds.of([]))


class Catalog:
    """Remembers the files of the newest snapshot that was seen."""

    def __init__(self) -> None:
        self._files = NO_FILES

    @property
    def question(self) -> LiteralString:
        """One row: the day before which something may be sealed, and the newest snapshot.

        Only when something was sealed is the catalog sure to be there, so the snapshot is not looked for before.
        """
        return _BEFORE if self._files is NO_FILES else _BEFORE_AND_NEWEST

    async def files(self, tx: AsyncConnection, first_day: int, answer: Sequence[Any] = ()) -> Files:
        """The files as of now; none if the days from the first one (ordinal) on were never sealed.

        Take the answer to the question, if it was asked together with something else.
        """
        before, newest = answer or (await tx.execute(text(self.question))).one()
        if not _reaches(before, first_day):
            return NO_FILES
        if newest is None:
            newest = int((await tx.execute(text(_NEWEST))).scalar_one())
        if newest > self._files.snapshot:
            rows = (await tx.execute(_FILES, {"table": TABLE})).all()
            bounds = Bounds.of([tuple(row[2:]) for row in rows])
            self._files = Files(newest, [row[0] for row in rows], [row[1] or "" for row in rows], bounds)
        return self._files


def _reaches(before: date | None, first_day: int) -> bool:
    """Whether something may be sealed from a day (ordinal) on, given the day before which all is."""
    return before is not None and first_day < before.toordinal()
