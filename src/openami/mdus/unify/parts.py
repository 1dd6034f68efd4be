"""A delivery in parts that are merged and judged together, as columns, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from openami.mdus.unify.columns import ByColumns, Piece, joined, piece_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from openami.mdus.unify.adapters import Adapter, Batch
    from openami.mdus.unify.adapters.model import SourceSeries
    from openami.mdus.unify.columns import Columns
    from openami.shared.contract.field import EndDeviceEvent, MeterReading, Refusal

READINGS_AT_ONCE: Final = 2_000_000
"""Readings that are merged and judged together: 2 million are about 200 MB while they are worked on."""


@dataclass(slots=True, eq=False)
class Part:
    """A piece of a delivery; `left` makes readings of the rows that cannot go by columns, and notes what it made."""

    columns: Columns
    events: Sequence[EndDeviceEvent]
    refusals: Sequence[Refusal]
    left: Callable[[NDArray[np.intp]], Iterable[MeterReading]]
    refusals_of_left: list[Refusal] = field(default_factory=list)
    """What turned out to be unreadable among the rows that were left."""
    series_of_left: list[SourceSeries] = field(default_factory=list)
    """What was made of the rows that were left."""

    def begin(self) -> None:
        """Forget what was made of rows that were left: the part is taken once more."""
        self.refusals_of_left, self.series_of_left = [], []


def parts(adapter: Adapter, stream: BinaryIO) -> Iterator[Part]:
    """The parts of a delivery: by columns from the first byte where its adapter can do that."""
    return gathered(adapter.columns(stream) if isinstance(adapter, ByColumns) else adapter.read(stream))


def gathered(found: Iterable[Piece | Batch], readings_at_once: int = READINGS_AT_ONCE) -> Iterator[Part]:
    """Pieces and batches of a delivery, gathered into parts of a size."""
    pieces: list[Piece] = []
    others: list[Batch] = []
    readings = 0
    for one in found:
        piece = one if isinstance(one, Piece) else piece_of(one.series)
        if not isinstance(one, Piece):
            others.append(one)
        pieces.append(piece)
        readings += int(piece.columns.offsets[-1])
        if readings >= readings_at_once:
            yield _part(pieces, others)
            pieces, others, readings = [], [], 0
    if pieces:
        yield _part(pieces, others)


def _part(pieces: Sequence[Piece], batches: Sequence[Batch]) -> Part:
    piece = joined(pieces)
    events = [event for batch in batches for event in batch.events]
    refusals = [refusal for batch in batches for refusal in batch.refusals]
    part = Part(piece.columns, events, refusals, lambda _: ())

    def left(rows: NDArray[np.intp]) -> Iterator[MeterReading]:
        batch = piece.rows(rows)
        part.refusals_of_left += batch.refusals
        part.series_of_left += batch.series
        return (one.reading for one in batch.series)

    part.left = left
    return part
