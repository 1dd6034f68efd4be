"""Channel-days as packed rows, and packed rows as PostgreSQL's binary COPY, without a loop over rows.

A packed row holds its values as little-endian integers of the narrowest width that the day needs (2, 4 or 8 bytes), its
qualities and flags as one byte each; qualities that are all alike are one byte, flags that are all 0 are none.
Rows that pack alike have one length, so a whole block of COPY is a structured array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psycopg.sql import SQL

from openami.mdus.series.model import ChannelDays
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
_EPOCH_2000_ORDINAL: Final = 730120  # 2000-01-01, PostgreSQL's day zero
_WIDTHS: Final = (2, 4, 8)
_KEY: Final = (("channel", ">i8"), ("day", ">i4"), ("version", ">i4"))
MATRICES: Final = ("values", "quality", "flags")

# rows that pack alike come joined end to end: one long value instead of many short rows
RECORD: Final = SQL(
    "int8send(channel) || int4send(day - DATE '2000-01-01') || int4send(version) || \"values\" || quality || flags"
)
LENGTHS: Final = SQL('octet_length("values"), octet_length(quality), octet_length(flags)')


class TornRowError(OpenAmiError):
    """A packed row whose lengths contradict one another."""


def layouts(batch: ChannelDays) -> Iterator[tuple[NDArray[np.intp], int, bool, bool]]:
    """The rows that pack alike: their positions, value width, one quality for all, any flags."""
    if not len(batch):
        return
    low, high = batch.values.min(axis=1), batch.values.max(axis=1)
    small = (low >= -(2**15)) & (high < 2**15)
    medium = (low >= -(2**31)) & (high < 2**31)
    width = np.where(small, 2, np.where(medium, 4, 8))
    uniform = (batch.quality == batch.quality[:, :1]).all(axis=1)
    flagged = batch.flags.any(axis=1)
    kind = width * 4 + uniform * 2 + flagged
    for code in np.unique(kind):
        yield np.flatnonzero(kind == code), int(code) >> 2, bool(code & 2), bool(code & 1)


def copy_block(batch: ChannelDays, versions: NDArray[np.int64], constants: Sequence[bytes]) -> Iterator[bytes]:
    """Rows of binary COPY: channel, day, version, count, values, quality, flags, then the constants."""
    for rows, width, uniform, flagged in layouts(batch):
        n = batch.count
        quality_n, flags_n = 1 if uniform else n, n if flagged else 0
        block = np.zeros(len(rows), dtype=_row_type(n, width, quality_n, flags_n, constants))
        block["fields"] = 7 + len(constants)
        for name, size in (("channel", 8), ("day", 4), ("version", 4), ("count", 2)):
            block[f"{name}_n"] = size
        block["values_n"], block["quality_n"], block["flags_n"] = n * width, quality_n, flags_n
        block["channel"] = batch.channel[rows]
        block["day"] = batch.day[rows] - _EPOCH_2000_ORDINAL
        block["version"] = versions[rows]
        block["count"] = n
        block["values"] = batch.values[rows]
        block["quality"] = batch.quality[rows, :1] if uniform else batch.quality[rows]
        if flagged:
            block["flags"] = batch.flags[rows]
        for position, constant in enumerate(constants):
            block[f"constant{position}_n"] = len(constant)
            if constant:
                block[f"constant{position}"] = np.void(constant)
        yield block.tobytes()


def _row_type(n: int, width: int, quality_n: int, flags_n: int, constants: Sequence[bytes]) -> np.dtype[np.void]:
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = [
        ("fields", ">i2"),
        ("channel_n", ">i4"),
        ("channel", ">i8"),
        ("day_n", ">i4"),
        ("day", ">i4"),
        ("version_n", ">i4"),
        ("version", ">i4"),
        ("count_n", ">i4"),
        ("count", ">i2"),
        ("values_n", ">i4"),
        ("values", f"<i{width}", (n,)),
        ("quality_n", ">i4"),
        ("quality", "u1", (quality_n,)),
        ("flags_n", ">i4"),
    ]
    if flags_n:
        fields.append(("flags", "u1", (flags_n,)))
    for position, constant in enumerate(constants):
        fields.append((f"constant{position}_n", ">i4"))
        if constant:
            fields.append((f"constant{position}", f"V{len(constant)}"))
    return np.dtype(fields)


def records(joined: bytes, lengths: Sequence[int], *more: tuple[str, str]) -> NDArray[np.void]:
    """Rows of a query over `RECORD` with these `LENGTHS`, one field a column, and what more the query adds to each.

    Raises:
        TornRowError: bytes that are no whole number of such rows.
    """
    matrices = zip(MATRICES, lengths, strict=True)
    kind = np.dtype([*_KEY, *((name, "u1", (length,)) for name, length in matrices), *more])
    if len(joined) % kind.itemsize:
        raise TornRowError(f"{len(joined)} bytes are no whole number of packed days of {kind.itemsize} bytes.")
    return np.frombuffer(joined, kind)


def batch_of(count: int, values: int, quality: int, flags: int, joined: bytes) -> ChannelDays:
    """Rows of a query over `RECORD` as one batch, given how many bytes of each column every row has.

    Raises:
        TornRowError: lengths that contradict one another.
    """
    rows = records(joined, (values, quality, flags))
    batch = ChannelDays.unfilled(*keys_of(rows), count)
    fill(batch, slice(None), *(rows[name].ravel() for name in MATRICES))
    return batch


def keys_of(rows: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Channel, day (ordinal) and version of records."""
    channel, day, version = (rows[name].astype(np.int64) for name, _ in _KEY)
    return channel, day + _EPOCH_2000_ORDINAL, version


def fill(
    batch: ChannelDays,
    rows: NDArray[np.bool_] | slice,
    values: NDArray[np.uint8],
    quality: NDArray[np.uint8],
    flags: NDArray[np.uint8],
) -> None:
    """Unpack rows that pack alike into their places in a batch; each column is joined end to end.

    Raises:
        TornRowError: lengths that contradict one another.
    """
    n, count = len(batch.channel[rows]), batch.count
    width, of_quality, of_flags = _lengths(n, count, len(values), len(quality), len(flags))
    batch.values[rows] = values.view(f"<i{width}").reshape(n, count)
    batch.quality[rows] = quality.reshape(n, of_quality)
    batch.flags[rows] = flags.reshape(n, count) if of_flags else 0


def _lengths(rows: int, count: int, values: int, quality: int, flags: int) -> tuple[int, int, int]:
    """Bytes of each value, and of the qualities and the flags of each row, from the bytes of all."""
    cells = max(rows * count, 1)
    width, of_quality, of_flags = values // cells, quality // max(rows, 1), flags // max(rows, 1)
    exact = (width * cells, of_quality * rows, of_flags * rows) == (values, quality, flags)
    if not exact or width not in _WIDTHS or of_quality not in (1, count) or of_flags not in (0, count):
        raise TornRowError(f"{rows} packed days of {count} intervals have {values}, {quality} and {flags} bytes.")
    return width, of_quality, of_flags


def array_literal(cells: NDArray[np.int64]) -> str:
    """An array of whole numbers as PostgreSQL writes it: far cheaper than one parameter each."""
    return "{" + ",".join(map(str, cells.tolist())) + "}"


def concatenate(parts: Sequence[ChannelDays]) -> ChannelDays:
    """One batch of several with equally long days."""
    if len(parts) == 1:
        return parts[0]
    return ChannelDays(
        channel=np.concatenate([part.channel for part in parts]),
        day=np.concatenate([part.day for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
        flags=np.concatenate([part.flags for part in parts]),
        version=np.concatenate([part.version for part in parts]),
    )


def unpack(
    count: int, values: bytes, quality: bytes, flags: bytes
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]:
    """Values, quality and flags of one packed row, the slow way (one row at a time, for histories)."""
    width, _, _ = _lengths(1, count, len(values), len(quality), len(flags))
    qualities: NDArray[np.uint8] = np.frombuffer(quality, np.uint8)
    return (
        np.frombuffer(values, f"<i{width}").astype(np.int64),
        np.broadcast_to(qualities, (count,)).copy(),
        np.frombuffer(flags, np.uint8).copy() if flags else np.zeros(count, np.uint8),
    )


def fixed_rows(columns: Mapping[str, NDArray[Any] | bytes], rows: int) -> bytes:
    """Binary COPY of rows whose columns all have fixed lengths: arrays (big-endian) vary, bytes are constant."""
    kinds = {name: one.dtype.str if isinstance(one, np.ndarray) else f"V{len(one)}" for name, one in columns.items()}
    block = np.zeros(rows, _fixed_type(kinds))
    block["fields"] = len(columns)
    for name, column in columns.items():
        block[f"{name}_n"] = column.dtype.itemsize if isinstance(column, np.ndarray) else len(column)
        if isinstance(column, np.ndarray):
            block[name] = column
        elif column:
            block[name] = np.void(column)
    return block.tobytes()


def _fixed_type(kinds: Mapping[str, str]) -> np.dtype[np.void]:
    fields = [("fields", ">i2")]
    for name, kind in kinds.items():
        fields.append((f"{name}_n", ">i4"))
        if kind != "V0":
            fields.append((name, kind))
    return np.dtype(fields)
