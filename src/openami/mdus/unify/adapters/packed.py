"""Packed deliveries in Parquet or Arrow files: one row is one channel and one span, usually a local day.

Columns: `meter` (string), `reading_type` (string, eighteen numbers), `start` (timestamp, or seconds since 1970),
`interval_s` (integer), `scale` (integer: a value times ten to it is in the unit of the type), `values` (list of
integers, null where the sender has none), and optionally `quality` (string: codes of the row, blanks between them).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np
import pyarrow as pa
from pyarrow import ipc, parquet

from openami.mdus.unify.adapters.model import BAD_VALUE, Batch, SourceSeries
from openami.shared.contract import field as contract
from openami.shared.contract.field.errors import FieldContractError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_ROWS: Final = 4096
_PARQUET: Final = b"PAR1"
_ARROW_FILE: Final = b"ARROW1"
_REQUIRED: Final = ("meter", "reading_type", "start", "interval_s", "scale", "values")


class Packed:
    """Parquet and Arrow IPC files with packed rows."""

    name = "packed"

    def sniffs(self, head: bytes) -> bool:
        """By the magic bytes."""
        return head.startswith((_PARQUET, _ARROW_FILE))

    def read(self, stream: BinaryIO) -> Iterator[Batch]:
        """Read some thousand rows at a time."""
        row = 1
        try:
            for block in _blocks(stream):
                yield _batch(block, row)
                row += block.num_rows
        except (pa.ArrowException, KeyError, OSError) as error:
            reason = f"the file cannot be read: {str(error)[:200]}"
            yield Batch(refusals=(contract.Refusal(f"row {row} or later", BAD_VALUE, reason),))


def _blocks(stream: BinaryIO) -> Iterator[Any]:
    magic = stream.read(6)
    stream.seek(0)
    if magic.startswith(_PARQUET):
        yield from parquet.ParquetFile(stream).iter_batches(batch_size=_ROWS)
        return
    with ipc.open_file(cast("Any", stream)) as reader:
        for number in range(reader.num_record_batches):
            block = reader.get_batch(number)
            for begin in range(0, block.num_rows, _ROWS):
                yield block.slice(begin, _ROWS)


def _batch(block: Any, first_row: int) -> Batch:  # noqa: ANN401 - pyarrow has no types of its own
    names = block.schema.names
    absent = [name for name in _REQUIRED if name not in names]
    if absent:
        reason = f"the columns {', '.join(absent)} are absent"
        return Batch(refusals=(contract.Refusal("the schema", BAD_VALUE, reason),))
    meters, types = block["meter"].to_pylist(), block["reading_type"].to_pylist()
    lengths, scales = block["interval_s"].to_pylist(), block["scale"].to_pylist()
    qualities = block["quality"].to_pylist() if "quality" in names else [None] * block.num_rows
    starts = _seconds(block["start"])
    lists = block["values"]
    offsets = lists.offsets.to_numpy()
    flat = lists.values.cast(pa.int64())
    missing = np.asarray(flat.is_null())
    values = np.asarray(flat.fill_null(0), np.int64)
    series: list[SourceSeries] = []
    refusals: list[contract.Refusal] = []
    for row in range(block.num_rows):  # rows are channel-days, not readings
        part = slice(int(offsets[row]), int(offsets[row + 1]))
        try:
            made = _series(
                meters[row], types[row], int(starts[row]), lengths[row], scales[row], qualities[row],
                (values[part], missing[part]),
            )  # fmt: skip
            series.append(made)
        except (FieldContractError, TypeError, AttributeError) as error:
            refusals.append(contract.Refusal(f"row {first_row + row}", BAD_VALUE, str(error)[:300], meters[row]))
    return Batch(series=tuple(series), refusals=tuple(refusals))


def _seconds(column: Any) -> NDArray[np.int64]:  # noqa: ANN401 - as above
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s", column.type.tz), safe=False)
    return np.asarray(column.cast(pa.int64()).fill_null(0), np.int64)


def _series(
    meter: str,
    code: str,
    start_s: int,
    interval_s: int,
    scale: int,
    quality: str | None,
    cells: tuple[NDArray[np.int64], NDArray[np.bool_]],
) -> SourceSeries:
    codes = _codes(quality or "")
    count = len(cells[0])
    block = contract.IntervalBlock.of(
        contract.ReadingTypeCode.parse(code),
        start_s + interval_s * np.arange(count, dtype=np.int64),
        interval_s,
        cells[0],
        scale=scale,
        missing=cells[1],
        qualities=[codes] if codes else [],
        quality_index=np.full(count, 1 if codes else 0, np.uint16),
    )
    return SourceSeries(
        id=f"{meter}/{code}",
        meter=contract.Identity.named(meter),
        block=block,
        labels=(quality or "",),
        label_index=np.zeros(count, np.intp),
    )


@lru_cache(maxsize=1024)
def _codes(text: str) -> tuple[contract.QualityCode, ...]:
    return tuple(map(contract.QualityCode.parse, text.split()))
