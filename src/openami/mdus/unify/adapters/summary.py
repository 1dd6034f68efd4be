"""What a file holds, as JSON: channels with counts, sums, spans, qualities; events; refused parts. Stores nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from openami.mdus.unify.adapters.quantities import quantity_name
from openami.shared.contract.field.columns import format_stamps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openami.mdus.unify.adapters.model import Batch, SourceSeries
    from openami.shared.contract.field import ReadingTypeCode

_PREFIXES = {3: "k", 6: "M", 9: "G"}


@dataclass(slots=True)
class _Channel:
    id: str
    quantity: str
    unit: str
    interval_s: int
    count: int = 0
    total: Decimal = Decimal(0)
    first_s: int | None = None
    last_s: int | None = None
    qualities: Counter[str] = field(default_factory=Counter)

    def add(self, series: SourceSeries) -> None:
        block = series.block
        starts = block.starts
        self.count += len(block)
        # int64 sums of int64 values may overflow, sums of halves do not: high and low 32 bits apart
        high, low = block.values >> 32, block.values & 0xFFFFFFFF
        whole = (int(high.sum()) << 32) + int(low.sum())
        shown = block.reading_type.multiplier if block.reading_type.multiplier in _PREFIXES else 0
        self.total += Decimal(whole).scaleb(block.scale - shown)
        if len(starts):
            self.first_s = min(int(starts.min()), self.first_s if self.first_s is not None else int(starts.min()))
            self.last_s = max(int(starts.max()), self.last_s if self.last_s is not None else int(starts.max()))
        counts = np.bincount(series.label_index, minlength=len(series.labels))
        self.qualities.update({label: int(n) for label, n in zip(series.labels, counts, strict=True) if n and label})

    def facts(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "quantity": self.quantity,
            "unit": self.unit,
            "interval_s": self.interval_s,
            "count": self.count,
            "sum": _number(self.total),
            "first": _stamp(self.first_s),
            "last": _stamp(self.last_s),
            "qualities": dict(sorted(self.qualities.items())),
        }


def summarise(file: str, format_name: str, batches: Iterable[Batch]) -> dict[str, Any]:
    """The facts of `openami ingest --dry-run --json FILE`.

    Sums are in the unit of the file, missing values count nothing; `first` and `last` are starts of intervals in UTC;
    qualities are the flags of the file itself.
    """
    channels: dict[tuple[str, ReadingTypeCode, int], _Channel] = {}
    events, refused = 0, []
    for batch in batches:
        for series in batch.series:
            block = series.block
            key = (series.id, block.reading_type, block.interval_s)
            if key not in channels:
                quantity = quantity_name(block.reading_type)
                channels[key] = _Channel(series.id, quantity, _unit(block.reading_type), block.interval_s)
            channels[key].add(series)
        events += len(batch.events)
        refused += [{"position": each.position, "reason": each.reason} for each in batch.refusals]
    return {
        "file": file,
        "format": format_name,
        "channels": [channel.facts() for channel in channels.values()],
        "events": events,
        "refused": refused,
    }


def _unit(code: ReadingTypeCode) -> str:
    return f"{_PREFIXES.get(code.multiplier, '')}{code.unit_symbol}"


def _stamp(seconds: int | None) -> str | None:
    return None if seconds is None else format_stamps(np.array([seconds]))[0]


def _number(total: Decimal) -> int | float:
    """A JSON number; exact for every sum below 15 digits."""
    return int(total) if total == total.to_integral_value() else float(total)
