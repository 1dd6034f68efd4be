"""Profile buffers as columns of numbers: a day of quarter hours is one table, not five hundred values.

Decoding works on runs of rows with the same layout. The first row of a run is read octet by octet and becomes a
template (where each field lies, which octets are tags and must repeat); all further rows of the run are then taken in
one numpy step. Rows that compress ("null-data = previous stamp plus capture period") simply form another run. Only
what no column of numbers can hold (texts, structures, mixed types) is decoded value by value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

from openami.ami.dlms import axdr
from openami.ami.dlms.data import Data, Tag
from openami.ami.dlms.errors import RemoteProtocolError, TypeMismatchError
from openami.ami.dlms.profile_rows import Kind, Run, read_runs
from openami.ami.dlms.profile_times import NO_TIME, stamps_to_utc_s

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of a profile.

    `values` are int64 for numbers, float64 for reals, int64 UTC seconds (or NO_TIME) for stamps, and `Data` objects
    for anything else. `present` is false where the meter sent null-data; there `values` repeat the row before, or for
    stamps continue by the capture period. `status` is the clock status of stamps.
    """

    kind: Kind
    values: NDArray[Any]
    present: NDArray[np.bool_]
    status: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The rows of a profile, by column, in the order of the buffer."""

    columns: tuple[Column, ...]
    rows: int

    def __len__(self) -> int:
        return self.rows

    @property
    def times_s(self) -> NDArray[np.int64]:
        """UTC seconds of the first column of stamps; the standard stamps a capture at the END of its interval.

        Raises TypeMismatchError when the rows have no stamps.
        """
        return self.clock.values

    @property
    def clock(self) -> Column:
        """The first column of stamps."""
        for column in self.columns:
            if column.kind is Kind.TIME:
                return column
        if not self.rows:
            return Column(Kind.TIME, np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0, np.uint8))
        msg = f"None of the {len(self.columns)} columns of the profile holds stamps."
        raise TypeMismatchError(msg)


def decode_profile(
    raw: bytes, *, zone: tzinfo = UTC, capture_period_s: int = 0, runs: Sequence[Run] | None = None
) -> Profile:
    """The rows in the A-XDR octets of a profile buffer (array of structures, or compact-array).

    `zone` reads stamps that do not state their deviation; `capture_period_s` continues stamps sent as null-data;
    `runs` are those of the buffer if somebody has looked for them (`Encoded.runs`).
    """
    if raw[:1] == bytes((Tag.COMPACT_ARRAY,)):
        return _from_values(axdr.decode(raw), zone, capture_period_s)
    if runs is None:
        runs = read_runs(raw)
    if runs is None:
        return _from_values(axdr.decode(raw), zone, capture_period_s)
    if not runs:
        return Profile((), 0)
    widths = {len(run.fields) for run in runs}
    if len(widths) != 1:
        msg = f"The rows of a profile have {sorted(widths)} columns."
        raise RemoteProtocolError(msg)
    rows = sum(run.rows for run in runs)
    everywhere = np.ones(rows, np.bool_)
    if len(runs) == 1:
        plain = [_of_run(raw, runs[0], index, everywhere, zone, capture_period_s) for index in range(widths.pop())]
        return Profile(tuple(plain), rows)
    columns = [_column(raw, runs, index, everywhere, zone, capture_period_s) for index in range(widths.pop())]
    return Profile(tuple(columns), rows)


def _of_run(
    raw: bytes, run: Run, index: int, everywhere: NDArray[np.bool_], zone: tzinfo, capture_period_s: int
) -> Column:
    """A column of rows that are all laid out alike: hardly ever more than one look at it is needed."""
    field = run.fields[index]
    if field.kind is Kind.INTEGER and field.layout != ">u8":
        return Column(Kind.INTEGER, run.numbers(raw, index).astype(np.int64), everywhere)
    if field.kind is Kind.TIME:
        return _times(raw, (run,), index, everywhere, zone, capture_period_s)
    return _column(raw, [run], index, everywhere, zone, capture_period_s)


def _column(
    raw: bytes, runs: Sequence[Run], index: int, everywhere: NDArray[np.bool_], zone: tzinfo, capture_period_s: int
) -> Column:
    kind = _kind(raw, runs, index)
    if kind is Kind.OTHER:
        return _objects([row.elements()[index] for row in axdr.decode(raw).elements()])
    present = _present(runs, index, everywhere)
    if kind is Kind.TIME:
        return _times(raw, runs, index, present, zone, capture_period_s)
    dtype = np.float64 if kind is Kind.REAL else np.int64
    values = _joined([_numbers(raw, run, index, dtype) for run in runs])
    return Column(kind, values if len(runs) == 1 else values[_last_present(present)], present)


def _kind(raw: bytes, runs: Sequence[Run], index: int) -> Kind:
    kinds = [run.fields[index].kind for run in runs]
    kind = kinds[0]
    if len(kinds) > 1:
        found = set(kinds) - {Kind.NULL}
        if found == {Kind.INTEGER, Kind.REAL}:
            return Kind.REAL
        kind = (found.pop() if len(found) == 1 else Kind.OTHER) if found else Kind.NULL
    return Kind.OTHER if any(_too_wide(raw, run, index) for run in runs) else kind


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _numbers(raw: bytes, run: Run, index: int, dtype: type[np.float64 | np.int64]) -> NDArray[Any]:
    field = run.fields[index]
    if field.kind is Kind.NULL:
        return np.zeros(run.rows, dtype)
    return run.numbers(raw, index).astype(dtype)


def _too_wide(raw: bytes, run: Run, index: int) -> bool:
    """Whether an unsigned number of eight octets does not fit int64."""
    if run.fields[index].layout != ">u8":
        return False
    return bool((run.numbers(raw, index).astype(np.uint64) > np.iinfo(np.int64).max).any())


def _times(
    raw: bytes, runs: Sequence[Run], index: int, present: NDArray[np.bool_], zone: tzinfo, capture_period_s: int
) -> Column:
    seconds, status = [], []
    for run in runs:
        if run.fields[index].kind is Kind.NULL:
            seconds.append(np.full(run.rows, NO_TIME))
            status.append(np.zeros(run.rows, np.uint8))
        else:
            stamps = run.stamps(raw, index)
            seconds.append(stamps_to_utc_s(stamps, zone))
            status.append(stamps[:, 11].copy())
    times, states = _joined(seconds), _joined(status)
    if len(runs) > 1:
        times, states = _continue(times, present, capture_period_s), states[_last_present(present)]
    return Column(Kind.TIME, times, present, states)


def _continue(times: NDArray[np.int64], present: NDArray[np.bool_], capture_period_s: int) -> NDArray[np.int64]:
    """Stamps sent as null-data: the last one sent plus a capture period for each row since."""
    last = _last_present(present)
    base = times[last]
    known = present | ((base != NO_TIME) & (capture_period_s > 0))
    steps = np.arange(len(times)) - last
    return np.where(known, np.where(present, times, base + steps * capture_period_s), NO_TIME)


def _present(runs: Sequence[Run], index: int, everywhere: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if len(runs) == 1:
        return ~everywhere if runs[0].fields[index].kind is Kind.NULL else everywhere
    return np.repeat([run.fields[index].kind is not Kind.NULL for run in runs], [run.rows for run in runs])


def _last_present(present: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For each row the last row up to it that was sent; row 0 where there is none."""
    return np.maximum.accumulate(np.where(present, np.arange(len(present)), 0))


def _from_values(buffer: Data, zone: tzinfo, capture_period_s: int) -> Profile:
    """The slow way, for rows with texts or structures and for compact-arrays."""
    rows = [row.elements() for row in buffer.elements()]
    if not rows:
        return Profile((), 0)
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        msg = f"The rows of a profile have {sorted({len(row) for row in rows})} columns."
        raise RemoteProtocolError(msg)
    columns = [_from_cells([row[index] for row in rows], zone, capture_period_s) for index in range(width)]
    return Profile(tuple(columns), len(rows))


def _from_cells(cells: list[Data], zone: tzinfo, capture_period_s: int) -> Column:
    """A column whose cells are decoded already: encode the plain ones back into a run where that is possible."""
    raw = axdr.encode(Data(Tag.ARRAY, tuple([Data(Tag.STRUCTURE, (cell,)) for cell in cells])))
    runs = read_runs(raw)
    if runs:
        return _column(raw, runs, 0, np.ones(len(cells), np.bool_), zone, capture_period_s)
    return _objects(cells)


def _objects(cells: list[Data]) -> Column:
    present = np.array([cell.tag != Tag.NULL for cell in cells])
    values = np.empty(len(cells), object)
    values[:] = cells
    return Column(Kind.OTHER, values[_last_present(present)], present)
