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
    from openami.mdus.unify.columns import Columns
    from openami.shared.contract.field import EndDeviceEvent, MeterReading, Refusal

READINGS_AT_ONCE: Final = 2_000_000
"""Readings that are merged and judged together: 2 million are about 200 MB while they are worked on."""


@dataclass(slots=True, eq=False)
class Part:
    """A piece of a delivery; `left` makes readings of the rows that cannot go by columns."""

    columns: Columns
    events: Sequence[EndDeviceEvent]
    refusals: Sequence[Refusal]
    left: Callable[[NDArray[np.intp]], Iterable[MeterReading]]
    refusals_of_left: list[Refusal] = field(default_factory=list)
    """What turned out to be unreadable among the rows that were left."""


def parts(adapter: Adapter, stream: BinaryIO) -> Iterator[Part]:
    """The parts of a delivery: by columns from the first byte where its adapter can do that."""
    found = adapter.columns(stream) if isinstance(adapter, ByColumns) else adapter.read(stream)
    gathered: list[Piece] = []
    others: list[Batch] = []
    readings = 0
    for one in found:
        piece = one if isinstance(one, Piece) else piece_of(one.series)
        if not isinstance(one, Piece):
            others.append(one)
        gathered.append(piece)
        readings += int(piece.columns.offsets[-1])
        if readings >= READINGS_AT_ONCE:
            yield _part(gathered, others)
            gathered, others, readings = [], [], 0
    if gathered:
        yield _part(gathered, others)


def _part(pieces: Sequence[Piece], batches: Sequence[Batch]) -> Part:
    piece = joined(pieces)
    events = [event for batch in batches for event in batch.events]
    refusals = [refusal for batch in batches for refusal in batch.refusals]
    part = Part(piece.columns, events, refusals, lambda _: ())

    def left(rows: NDArray[np.intp]) -> Iterator[MeterReading]:
        batch = piece.rows(rows)
        part.refusals_of_left += batch.refusals
        return (one.reading for one in batch.series)

    part.left = left
    return part
