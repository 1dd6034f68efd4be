"""Channel-days as packed rows, and packed rows as PostgreSQL's binary COPY, without a loop over rows.

A packed row holds its values as little-endian integers of the narrowest width that the day needs (2, 4 or 8 bytes), its
qualities and flags as one byte each; qualities that are all alike are one byte, flags that are all 0 are none.
Rows that pack alike have one length, so a whole block of COPY is a structured array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.series.model import ChannelDays
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
_EPOCH_2000_ORDINAL: Final = 730120  # 2000-01-01, PostgreSQL's day zero
_WIDTHS: Final = (2, 4, 8)


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


def parse_copy(data: bytes | bytearray) -> list[ChannelDays]:
    """Binary COPY of (channel, day, version, count, values, quality, flags) back to batches, one per day length.

    Raises:
        TornRowError: a row whose lengths contradict one another.
    """
    position = len(HEADER)
    by_count: dict[int, list[ChannelDays]] = {}
    while position < len(data) - 1 and data[position : position + 2] != TRAILER:
        lengths, row_n = _lengths(data, position)
        n, values_n, quality_n, flags_n = lengths
        width = values_n // n if n else 0
        if width not in _WIDTHS or width * n != values_n or quality_n not in (1, n) or flags_n not in (0, n):
            raise TornRowError(f"A packed day of {n} intervals has {values_n}, {quality_n} and {flags_n} bytes.")
        kind = _row_type(n, width, quality_n, flags_n, ())
        alike = np.frombuffer(data, kind, count=(len(data) - position) // row_n, offset=position)
        rows = _alike(alike, n, lengths)
        by_count.setdefault(n, []).append(_batch(alike[:rows], n, flags=bool(flags_n)))
        position += rows * row_n
    return [concatenate(parts) for _, parts in sorted(by_count.items())]


def _lengths(data: bytes | bytearray, position: int) -> tuple[tuple[int, int, int, int], int]:
    """Count, and the lengths of values, quality and flags of the row at `position`; and the row's length."""
    cursor = position + 2 + 12 + 8 + 8
    n = int.from_bytes(data[cursor + 4 : cursor + 6], "big")
    cursor += 6
    found = []
    for _ in range(3):
        length = int.from_bytes(data[cursor : cursor + 4], "big", signed=True)
        found.append(length)
        cursor += 4 + length
    return (n, found[0], found[1], found[2]), cursor - position


def _alike(rows: NDArray[np.void], n: int, lengths: tuple[int, int, int, int]) -> int:
    """How many rows from the first on have the same lengths: beyond that the view is garbage."""
    same = rows["fields"] == 7
    for name, expected in (
        ("count", n), ("values_n", lengths[1]), ("quality_n", lengths[2]), ("flags_n", lengths[3]),
        ("channel_n", 8), ("day_n", 4), ("version_n", 4), ("count_n", 2),
    ):  # fmt: skip
        same &= rows[name] == expected
    different = np.flatnonzero(~same)
    return int(different[0]) if different.size else len(rows)


def _batch(rows: NDArray[np.void], n: int, *, flags: bool) -> ChannelDays:
    return ChannelDays(
        channel=rows["channel"].astype(np.int64),
        day=rows["day"].astype(np.int64) + _EPOCH_2000_ORDINAL,
        version=rows["version"].astype(np.int64),
        values=rows["values"].astype(np.int64),
        quality=np.ascontiguousarray(np.broadcast_to(rows["quality"], (len(rows), n))),
        flags=rows["flags"].copy() if flags else np.zeros((len(rows), n), np.uint8),
    )


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
    width = len(values) // count if count else 0
    if width not in _WIDTHS:
        raise TornRowError(f"A packed day of {count} intervals has {len(values)} bytes of values.")
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


def parse_fixed(data: bytes | bytearray, kinds: Mapping[str, str]) -> NDArray[np.void]:
    """Rows of binary COPY whose columns all have the lengths of these numpy kinds.

    Raises:
        TornRowError: the data are not whole rows of that length.
    """
    kind = _fixed_type(kinds)
    rows, rest = divmod(len(data) - len(HEADER) - len(TRAILER), kind.itemsize)
    if rest or rows < 0:
        raise TornRowError(f"{len(data)} bytes of COPY are not whole rows of {kind.itemsize} bytes.")
    return np.frombuffer(data, kind, count=rows, offset=len(HEADER))


def _fixed_type(kinds: Mapping[str, str]) -> np.dtype[np.void]:
    fields = [("fields", ">i2")]
    for name, kind in kinds.items():
        fields.append((f"{name}_n", ">i4"))
        if kind != "V0":
            fields.append((name, kind))
    return np.dtype(fields)
