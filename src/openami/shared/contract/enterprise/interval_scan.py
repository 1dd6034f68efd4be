"""Interval items straight from the bytes of an upload, if all of them have a plain form.

What was read is cut out of the message, but for one item of each form of a series: parser and schema judge those and
the whole rest. All other items equal one of them in everything but the digits of times and value, which the scan has
read. If anything is not plain, or found in a place where it should not be, the parser reads it all: the answer never
depends on the way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.contract.enterprise.interval_columns import IntervalColumns, Words
from openami.shared.contract.scan_records import TIMES, Records, is_plain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_OPENING: Final = b"<Item>"
_START, _END = TIMES.index("start"), TIMES.index("end")
_STAMP_LENGTHS: Final = frozenset({20})  # `2026-03-01T00:15:00Z`
_STATUS: Final = rb"<ItemStatus>\s*<UtilitiesTimeSeriesItemTypeCode>([\w.-]{1,4})</UtilitiesTimeSeriesItemTypeCode>\s*"
_ITEM: Final = re.compile(
    rb'<Item>\s*(?:<Quantity(?: unitCode="(?P<unit>[\w.-]{1,3})")?>(?P<value>[0-9.+-]{1,24})</Quantity>\s*)?'
    rb"<UTCValidityStartDateTime>(?P<start>[0-9TZ:-]{20})</UTCValidityStartDateTime>\s*"
    rb"<UTCValidityEndDateTime>(?P<end>[0-9TZ:-]{20})</UTCValidityEndDateTime>\s*"
    rb"(?P<statuses>(?:" + _STATUS.replace(b"(", b"(?:") + rb"</ItemStatus>\s*){1,4})</Item>"
)
_CODES: Final = re.compile(_STATUS)
FRACTION_DIGITS_MAX: Final = 14
"""Of a quantity, by the schema."""


@dataclass(frozen=True, slots=True)
class Form:
    """What the items of one form share."""

    unit: str
    present: bool
    status: str


class Items(Records):
    """All items of an upload as columns."""

    def __init__(self, count_max: int) -> None:
        super().__init__(count_max, _STAMP_LENGTHS)
        self.known: list[Form] = []

    def accept(self, example: re.Match[bytes]) -> bool:
        """Take what the items of a form share."""
        codes = b" ".join(_CODES.findall(example["statuses"])).decode()
        self.known.append(Form((example["unit"] or b"").decode(), example["value"] is not None, codes))
        return True

    def columns(self, first: NDArray[np.intp], decimals: NDArray[np.int64]) -> list[IntervalColumns]:
        """The columns of each run."""
        start, end = (
            (self.times[:, TIMES.index(name)] * 1_000_000).view("datetime64[us]") for name in ("start", "end")
        )
        present = np.array([form.present for form in self.known], np.bool_)[self.form]
        unit, status = (
            Words(words.texts, words.which[self.form])
            for words in (Words.of(form.unit for form in self.known), Words.of(form.status for form in self.known))
        )
        runs = [slice(*bounds) for bounds in zip(first.tolist(), [*first[1:].tolist(), self.count], strict=True)]
        return [
            IntervalColumns(
                start[run], end[run], *_shortest(self.values[run], each), present[run], unit[run], status[run]
            )
            for run, each in zip(runs, decimals.tolist(), strict=True)
        ]

    def samples(self, first: NDArray[np.intp]) -> list[list[int]]:
        """For each run the first record of each of its forms."""
        return [
            (begin + np.sort(np.unique(part, return_index=True)[1])).tolist() if part.min() < part.max() else [begin]
            for begin, part in zip(first.tolist(), np.split(self.form, first[1:]), strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class ScannedItems:
    """What was read of an upload, and what is left of it."""

    rest: bytes
    runs: Sequence[IntervalColumns]
    left: Sequence[int]
    """How many items of each run are left."""


def scan_items(body: bytes) -> ScannedItems | None:
    """Cut the items out of an upload; None if the parser has to read them."""
    at = body.find(_OPENING)
    if at < 0 or not is_plain_text(body) or _ITEM.match(body, at) is None:
        return None
    items = Items(len(body) // 128 + 1)  # an item is longer than that
    if not items.read(body, _OPENING, _ITEM) or items.decimals.max() > FRACTION_DIGITS_MAX:
        return None
    first = items.first
    decimals = items.share_decimals(first)
    if decimals is None:
        return None
    samples = items.samples(first)
    return ScannedItems(_cut(body, items, first, samples), items.columns(first, decimals), [*map(len, samples)])


def _cut(body: bytes, items: Items, first: NDArray[np.intp], samples: Sequence[Sequence[int]]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    begins = items.begins[first].tolist()
    ends = items.ends[[*(first[1:] - 1).tolist(), items.count - 1]].tolist()
    for begin, end, kept in zip(begins, ends, samples, strict=True):
        pieces.append(body[at:begin])
        pieces += [body[items.begins[row] : items.ends[row]] for row in kept]
        at = end
    return b"".join([*pieces, body[at:]])


def _shortest(values: NDArray[np.int64], decimals: int) -> tuple[NDArray[np.int64], int]:
    """The same quantities with no more decimals than they need."""
    while decimals and not (values % 10).any():
        values, decimals = values // 10, decimals - 1
    return values, decimals
