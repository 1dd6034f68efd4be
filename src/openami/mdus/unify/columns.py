"""Series of a source as columns: one row a block, its readings end to end; what bulk deliveries are unified from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

import numpy as np

from openami.mdus.unify.intervals import quality_columns
from openami.shared.quality import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from openami.mdus.unify.adapters.model import Batch, SourceSeries
    from openami.shared.contract import field as contract

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Blocks of readings: `who`, `code` and `scale` of each; readings of block i stand from `offsets[i]` on.

    A reading starts `interval_s` after the one before it; where one does not, `starts` has the starts of all readings.
    Blocks of other kinds have `regular` False and no meaning here. An `interval_s` of 0 stands for values at instants.
    """

    identities: Sequence[tuple[str, ...]]
    """All texts by which each meter is named."""
    codes: Sequence[contract.ReadingTypeCode]
    who: Ints
    code: Ints
    start_s: Ints
    interval_s: Ints
    scale: Ints
    regular: NDArray[np.bool_]
    offsets: Ints
    values: Ints
    quality: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    reported_s: Ints | None = None
    """When the last reading of each block reached the metering system, 0 where that is not told; None: nowhere."""
    starts: Ints | None = None

    def __len__(self) -> int:
        return len(self.who)

    @property
    def even(self) -> NDArray[np.bool_]:
        """Blocks in which no interval is left out."""
        even = np.ones(len(self), np.bool_)
        if self.starts is not None:
            row = np.repeat(np.arange(len(self)), self.count)
            even[row[self.starts != self._grid(row, np.arange(len(row)))]] = False
        return even

    @property
    def last_s(self) -> Ints:
        """The latest start of each block."""
        if self.starts is None or not len(self.starts):
            return self._grid(np.arange(len(self)), np.maximum(self.offsets[1:] - 1, self.offsets[:-1]))
        last: Ints = np.where(self.count > 0, latest(self.starts, self.offsets[:-1]), self.start_s)
        return last

    @property
    def all_starts(self) -> Ints:
        """The starts of all readings."""
        row = np.repeat(np.arange(len(self)), self.count)
        return self.starts_of(row, np.arange(len(row)))

    @property
    def all_reported_s(self) -> Ints:
        """When each block was reported, 0 where that is not told."""
        return np.zeros(len(self), np.int64) if self.reported_s is None else self.reported_s

    def starts_of(self, row: NDArray[np.intp], reading: Ints) -> Ints:
        """The starts of some readings, given the block of each."""
        if self.starts is not None:
            return self.starts[reading]
        return self._grid(row, reading)

    def _grid(self, row: NDArray[np.intp], reading: Ints) -> Ints:
        return self.start_s[row] + (reading - self.offsets[row]) * self.interval_s[row]

    @property
    def count(self) -> Ints:
        """Readings of each block."""
        return np.diff(self.offsets)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A piece of a delivery as columns, and what makes series of those of its rows that have to go another way."""

    columns: Columns
    rows: Callable[[NDArray[np.intp]], Batch]


@runtime_checkable
class ByColumns(Protocol):
    """An adapter that reads without making an object of each block."""

    def columns(self, stream: BinaryIO) -> Iterator[Piece | Batch]:
        """Read a file piece by piece; what cannot be read so comes as batches."""
        ...


def piece_of(series: Sequence[SourceSeries]) -> Piece:
    """Series as columns; what has to go another way is the series that they were."""
    from openami.mdus.unify.adapters.model import Batch  # noqa: PLC0415 - adapters are built on this module

    columns, origin = columns_of(series)

    def rows(chosen: NDArray[np.intp]) -> Batch:
        return Batch(series=tuple(series[number] for number in dict.fromkeys(origin[chosen].tolist())))

    return Piece(columns, rows)


def joined(pieces: Sequence[Piece]) -> Piece:
    """Pieces of one delivery as one."""
    from openami.mdus.unify.adapters.model import Batch  # noqa: PLC0415 - as above

    if len(pieces) == 1:
        return pieces[0]
    bounds = np.cumsum([0, *(len(one.columns) for one in pieces)])

    def rows(chosen: NDArray[np.intp]) -> Batch:
        cuts = np.searchsorted(chosen, bounds)
        parts = [
            one.rows(chosen[begin:end] - first)
            for one, first, begin, end in zip(pieces, bounds[:-1].tolist(), cuts[:-1], cuts[1:], strict=True)
            if end > begin
        ]
        return Batch(
            series=tuple(one for part in parts for one in part.series),
            refusals=tuple(one for part in parts for one in part.refusals),
        )

    return Piece(_columns_joined([one.columns for one in pieces]), rows)


def _columns_joined(parts: Sequence[Columns]) -> Columns:
    identities: dict[tuple[str, ...], int] = {}
    codes: dict[contract.ReadingTypeCode, int] = {}
    who = [_renumbered(one.who, one.identities, identities) for one in parts]
    code = [_renumbered(one.code, one.codes, codes) for one in parts]
    begins = np.cumsum([0, *(one.offsets[-1] for one in parts)])
    offsets = [one.offsets[:-1] + begin for one, begin in zip(parts, begins[:-1].tolist(), strict=True)]
    uneven = any(one.starts is not None for one in parts)
    reported = any(one.reported_s is not None for one in parts)

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(one, name) for one in parts])

    return Columns(
        identities=[*identities],
        codes=[*codes],
        who=np.concatenate(who),
        code=np.concatenate(code),
        start_s=column("start_s"),
        interval_s=column("interval_s"),
        scale=column("scale"),
        regular=column("regular"),
        offsets=np.concatenate([*offsets, begins[-1:]]),
        values=column("values"),
        quality=column("quality"),
        flags=column("flags"),
        reported_s=np.concatenate([one.all_reported_s for one in parts]) if reported else None,
        starts=np.concatenate([one.all_starts for one in parts]) if uneven else None,
    )


def _renumbered(index: Ints, mine: Sequence[Any], all_: dict[Any, int]) -> Ints:
    """Numbers in a list of one part, as numbers in the list of all."""
    numbers = np.array([all_.setdefault(one, len(all_)) for one in mine], np.int64)
    return numbers[index] if len(numbers) else index


@dataclass(frozen=True, slots=True)
class _Block:
    who: int
    code: int
    block: contract.IntervalBlock
    plain: bool


def columns_of(series: Sequence[SourceSeries]) -> tuple[Columns, NDArray[np.intp]]:
    """Series as columns, and for each row the series it comes from; a register reading is a row of its own."""
    identities: dict[tuple[str, ...], int] = {}
    codes: dict[contract.ReadingTypeCode, int] = {}
    blocks: list[_Block] = []
    origin: list[int] = []
    for number, one in enumerate(series):
        who = identities.setdefault(texts_of(one.meter), len(identities))
        block = one.block
        code = codes.setdefault(block.reading_type, len(codes))
        # a left calculation, a wrong clock, periods without length, another unit: for the general way
        usual = block.pending_calculation is None and not block.clock_ahead_s
        plain = usual and one.ends is None and one.kept is block and bool(len(block))
        blocks.append(_Block(who, code, block, plain))
        origin.append(number)
    columns, of_block = _columns([*identities], [*codes], blocks)
    return columns, np.array(origin, np.intp)[of_block]


def texts_of(meter: contract.Identity) -> tuple[str, ...]:
    """All texts by which a meter is named, its mRID first."""
    texts = [name.name for name in meter.names]
    return tuple(dict.fromkeys([meter.mrid, *texts] if meter.mrid else texts))


def _columns(
    identities: list[tuple[str, ...]], codes: list[contract.ReadingTypeCode], blocks: Sequence[_Block]
) -> tuple[Columns, NDArray[np.intp]]:
    """The columns, and the block of each of their rows."""
    lengths = np.array([len(one.block) for one in blocks], np.int64)
    of_instants = np.array([one.block.interval_s == 0 for one in blocks], np.bool_) & (lengths > 0)
    of_block = np.repeat(np.arange(len(blocks)), np.where(of_instants, lengths, 1))
    counts = np.where(of_instants, 1, lengths)[of_block]
    offsets = np.concatenate(([0], np.cumsum(counts)))
    interval_s = np.array([one.block.interval_s for one in blocks], np.int64)[of_block]
    starts = _joined([one.block.starts for one in blocks], np.int64)
    first = earliest(starts, offsets[:-1])
    quality, flags = _qualities(blocks, lengths)
    missing = _joined([one.block.missing for one in blocks], np.bool_)
    columns = Columns(
        identities=identities,
        codes=codes,
        who=np.array([one.who for one in blocks], np.int64)[of_block],
        code=np.array([one.code for one in blocks], np.int64)[of_block],
        start_s=first,
        interval_s=interval_s,
        scale=np.array([one.block.scale for one in blocks], np.int64)[of_block],
        regular=np.array([one.plain for one in blocks], np.bool_)[of_block],
        offsets=offsets,
        values=_joined([one.block.values for one in blocks], np.int64),
        quality=np.where(missing, np.uint8(MISSING), quality),
        flags=flags,
        reported_s=np.array([_reported_s(one.block) for one in blocks], np.int64)[of_block],
        starts=starts,
    )
    return columns, of_block


def _reported_s(block: contract.IntervalBlock) -> int:
    return int(block.reported.timestamp()) if block.reported else 0


def _qualities(blocks: Sequence[_Block], counts: Ints) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Quality byte and flags of each reading: blocks share few sets of codes, so their tables stand end to end once."""
    tables: dict[tuple[Any, ...], int] = {}
    bytes_: list[NDArray[np.uint8]] = []
    bits: list[NDArray[np.uint8]] = []
    begin = np.zeros(len(blocks), np.int64)
    size = 0
    for number, one in enumerate(blocks):
        sets = one.block.quality_sets
        if sets not in tables:
            tables[sets] = size
            quality, flags = quality_columns(sets)
            bytes_.append(quality)
            bits.append(flags)
            size += len(quality)
        begin[number] = tables[sets]
    index = np.repeat(begin, counts) + _joined([one.block.quality_index for one in blocks], np.uint16)
    return _joined(bytes_, np.uint8)[index], _joined(bits, np.uint8)[index]


def spread(begins: Ints, counts: Ints) -> Ints:
    """The places of runs that begin at these places and are so long."""
    return np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))


def earliest(starts: Ints, begins: Ints) -> Ints:
    """The first start of each of the blocks that begin at these places; none has to have any behind the last one."""
    if not len(begins):
        return begins
    found: Ints = np.minimum.reduceat(np.append(starts, np.iinfo(np.int64).max), begins)
    return np.where(begins < len(starts), found, 0)


def latest(times: Ints, begins: Ints) -> Ints:
    """The last time of each of the blocks that begin at these places."""
    return np.maximum.reduceat(np.append(times, np.iinfo(np.int64).min), begins) if len(begins) else begins


def _joined(parts: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, kind)
