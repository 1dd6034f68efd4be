"""What an adapter reads of a file, by columns and series by series, in one form: readings, refusals, events."""

from __future__ import annotations

import io
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from openami.mdus.unify.columns import ByColumns, Columns, Piece, piece_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openami.mdus.unify.adapters import Adapter
    from openami.mdus.unify.adapters.model import Batch


def rows_of(columns: Columns, chosen: Iterable[int]) -> Counter[Any]:
    starts = columns.all_starts
    found: Counter[Any] = Counter()
    for row in chosen:
        scale = Fraction(10) ** int(columns.scale[row])
        for at in range(int(columns.offsets[row]), int(columns.offsets[row + 1])):
            found[
                columns.identities[columns.who[row]], str(columns.codes[columns.code[row]]),
                int(columns.interval_s[row]), int(starts[at]), int(columns.values[at]) * scale,
                int(columns.quality[at]), int(columns.flags[at]), int(columns.all_reported_s[row]),
            ] += 1  # fmt: skip
    return found


def by_series(adapter: Adapter, data: bytes) -> tuple[Counter[Any], Counter[Any], int]:
    batches = [*adapter.read(io.BytesIO(data))]
    series = [one for batch in batches for one in batch.series]
    columns = piece_of(series).columns
    refusals = [one for batch in batches for one in batch.refusals]
    return rows_of(columns, range(len(columns))), said(refusals), sum(len(batch.events) for batch in batches)


def by_columns(adapter: ByColumns, data: bytes) -> tuple[Counter[Any], Counter[Any], int]:
    found: Counter[Any] = Counter()
    refusals: list[Any] = []
    events = 0
    for one in adapter.columns(io.BytesIO(data)):
        piece: Piece = one if isinstance(one, Piece) else piece_of(one.series)
        columns = piece.columns
        odd = np.isin(columns.who, columns.who[~columns.regular])  # as `bulk` leaves them: all of a meter
        found += rows_of(columns, np.flatnonzero(~odd).tolist())
        left: Batch = piece.rows(np.flatnonzero(odd))
        again = piece_of(left.series).columns
        found += rows_of(again, range(len(again)))
        refusals += left.refusals
        if not isinstance(one, Piece):
            refusals += one.refusals
            events += len(one.events)
    return found, said(refusals), events


def said(refusals: Iterable[Any]) -> Counter[Any]:
    return Counter(
        (one.position.partition("/")[0].partition(" line")[0], one.code, one.object_name) for one in refusals
    )
