"""Runs of equally laid out rows in a profile buffer, found and taken apart without a loop over rows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter
from typing import TYPE_CHECKING, Self

import numpy as np

from openami.ami.dlms.axdr import MAX_ELEMENTS, Encoded
from openami.ami.dlms.data import INTEGER_WIDTHS, Tag
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Kind(Enum):
    """What a column holds."""

    INTEGER = "integer"
    REAL = "real"
    TIME = "time"
    NULL = "null"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Field:
    """Where a value lies in a row, and how it is written."""

    kind: Kind
    offset: int
    layout: str


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of one layout: the first octet of the first row, octets per row, and their number."""

    fields: tuple[Field, ...]
    start: int
    row_octets: int
    rows: int

    def numbers(self, raw: bytes, index: int) -> NDArray[np.generic]:
        """One column of numbers, big-endian, as a view into the buffer."""
        field = self.fields[index]
        return np.ndarray((self.rows,), field.layout, raw, self.start + field.offset, (self.row_octets,))

    def stamps(self, raw: bytes, index: int) -> NDArray[np.uint8]:
        """One column of twelve-octet stamps as a view into the buffer."""
        offset = self.start + self.fields[index].offset
        return np.ndarray((self.rows, 12), np.uint8, raw, offset, (self.row_octets, 1))


@dataclass(frozen=True, slots=True)
class _Template:
    """The fields of a row, the octets a row has, and those among them that say what follows.

    `announcing` takes the latter out of a row, `announced` is what they are, and `mask` has ones where they stand.
    """

    fields: tuple[Field, ...]
    row_octets: int
    announcing: Callable[[bytes], tuple[int, ...]]
    announced: tuple[int, ...]
    mask: NDArray[np.uint8]

    @classmethod
    def of(cls, fields: list[Field], fixed: list[int], row: bytes) -> Self:
        """The template of a row."""
        mask = np.zeros(len(row), np.uint8)
        mask[fixed] = 0xFF
        announcing = itemgetter(*fixed)
        return cls(tuple(fields), len(row), announcing, announcing(row), mask)

    def fits(self, row: bytes) -> bool:
        """Whether a row is laid out like this."""
        return len(row) == self.row_octets and self.announcing(row) == self.announced


_NUMBERS: dict[int, tuple[Kind, str, int]] = {
    **{int(tag): (Kind.INTEGER, f">{'i' if signed else 'u'}{n}", n) for tag, (n, signed) in INTEGER_WIDTHS.items()},
    int(Tag.BOOLEAN): (Kind.INTEGER, ">u1", 1),
    int(Tag.FLOAT32): (Kind.REAL, ">f4", 4),
    int(Tag.FLOAT64): (Kind.REAL, ">f8", 8),
    int(Tag.DATE_TIME): (Kind.TIME, "", 12),
    int(Tag.NULL): (Kind.NULL, "", 0),
}
_STAMP_OCTETS = 12
# a count in one octet
_MOST_COLUMNS = 127

# The first look ahead covers a day of quarter hours; each further one is four times as far, so that rows which change
# their layout all the time cost no more than reading them one by one.
_FIRST_LOOK = 128

# The layouts met last: the meters of a street have a handful of them.
_LAYOUTS_MAX = 16
_layouts: deque[_Template] = deque(maxlen=_LAYOUTS_MAX)


def read_runs(raw: bytes) -> tuple[Run, ...] | None:
    """The runs of a buffer, or None when a row holds something that is no number and no stamp."""
    reader = Reader(raw)
    runs = _take_runs(reader)
    if runs is not None:
        reader.finish("profile buffer")
    return runs


def take_rows(reader: Reader) -> Encoded | None:
    """The profile buffer that comes next; None, and nothing was read, if it is none of numbers and stamps.

    Whoever looks for the end of a value among others need not look at each of its numbers.
    """
    start = reader.position
    runs = _take_runs(reader) if reader.next_octet == Tag.ARRAY else None
    if runs is None:
        reader.position = start
        return None
    return Encoded(reader.data[start : reader.position], runs)


def _take_runs(reader: Reader) -> tuple[Run, ...] | None:
    """The runs of the buffer that comes next, counted from its first octet."""
    raw, origin = reader.data, reader.position
    if reader.u8() != Tag.ARRAY:
        msg = f"A profile buffer is an array, not a value of type {raw[origin]:02X}."
        raise RemoteProtocolError(msg)
    due = reader.length()
    if due > MAX_ELEMENTS:
        msg = f"A profile announces {due} rows; at most {MAX_ELEMENTS} are read at once."
        raise RemoteProtocolError(msg)
    if not due:
        return ()
    octets = np.frombuffer(raw, np.uint8)
    runs: list[Run] = []
    while due:
        start = reader.position
        template = _read_template(raw, start)
        if template is None:
            return None
        rows = 1 + _repeats(octets, start, template, due - 1) if due > 1 else 1
        runs.append(Run(template.fields, start - origin, template.row_octets, rows))
        reader.position = start + rows * template.row_octets
        due -= rows
    return tuple(runs)


def _read_template(raw: bytes, start: int) -> _Template | None:
    """The layout of the row at `start`, or None when it holds something that is no number and no stamp."""
    for known in tuple(_layouts):
        if known.fits(raw[start : start + known.row_octets]):
            return known
    try:
        if raw[start] != Tag.STRUCTURE:
            return None
        count, at = raw[start + 1], start + 2
        if count > _MOST_COLUMNS:
            return None
        fixed, fields = [0, 1], []
        for _ in range(count):
            tag = raw[at]
            fixed.append(at - start)
            at += 1
            if tag == Tag.OCTET_STRING and raw[at] == _STAMP_OCTETS:
                fixed.append(at - start)
                at += 1
                tag = Tag.DATE_TIME
            if tag not in _NUMBERS:
                return None
            kind, layout, octets = _NUMBERS[tag]
            fields.append(Field(kind, at - start, layout))
            at += octets
    except IndexError:
        at = len(raw) + 1
    if at > len(raw):
        msg = f"A profile ends at octet {len(raw)} within the row that starts at {start}."
        raise RemoteProtocolError(msg)
    template = _Template.of(fields, fixed, raw[start:at])
    _layouts.append(template)
    return template


def _repeats(octets: NDArray[np.uint8], start: int, template: _Template, most: int) -> int:
    """How many rows behind the first are laid out like it."""
    row_octets = template.row_octets
    most = min(most, (len(octets) - start) // row_octets - 1)
    if most <= 0:
        return 0
    first = octets[start : start + row_octets]
    found, look = 0, _FIRST_LOOK
    while found < most:
        rows = min(look, most - found)
        begin = start + (1 + found) * row_octets
        matrix = octets[begin : begin + rows * row_octets].reshape(rows, row_octets)
        differing = (matrix ^ first) & template.mask
        if np.count_nonzero(differing):  # quicker than asking whether there is any
            return found + int(differing.any(axis=1).argmax())
        found += rows
        look *= 4
    return found
