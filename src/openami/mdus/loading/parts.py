"""A delivery in parts that are merged and judged together, as columns, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from openami.mdus.unify.adapters.packed import Packed, PackedColumns
from openami.mdus.unify.columns import columns_of

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
    """A piece of a delivery; `left` makes readings of the rows that cannot go by columns."""

    columns: Columns
    events: Sequence[EndDeviceEvent]
    refusals: Sequence[Refusal]
    left: Callable[[NDArray[np.intp]], Iterable[MeterReading]]
    refusals_of_left: list[Refusal] = field(default_factory=list)
    """What turned out to be unreadable among the rows that were left."""


def parts(adapter: Adapter, stream: BinaryIO) -> Iterator[Part]:
    """The parts of a delivery."""
    if isinstance(adapter, Packed):
        for piece in adapter.columns(stream):
            yield _packed(piece) if isinstance(piece, PackedColumns) else _gathered([piece])
        return
    gathered: list[Batch] = []
    readings = 0
    for batch in adapter.read(stream):
        gathered.append(batch)
        readings += sum(len(one.block) for one in batch.series)
        if readings > READINGS_AT_ONCE:
            yield _gathered(gathered)
            gathered, readings = [], 0
    if gathered:
        yield _gathered(gathered)


def _packed(piece: PackedColumns) -> Part:
    part = Part(piece.columns, (), (), lambda _: ())

    def left(rows: NDArray[np.intp]) -> Iterator[MeterReading]:
        batch = piece.rows(rows)
        part.refusals_of_left += batch.refusals
        return (one.reading for one in batch.series)

    part.left = left
    return part


def _gathered(batches: Sequence[Batch]) -> Part:
    series: list[SourceSeries] = [one for batch in batches for one in batch.series]
    columns, origin = columns_of(series)

    def left(rows: NDArray[np.intp]) -> Iterator[MeterReading]:
        return (series[number].reading for number in dict.fromkeys(origin[rows].tolist()))

    return Part(
        columns,
        [event for batch in batches for event in batch.events],
        [refusal for batch in batches for refusal in batch.refusals],
        left,
    )
