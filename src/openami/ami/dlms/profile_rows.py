"""Runs of equally laid out rows in a profile buffer, found and taken apart without a loop over rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from openami.ami.dlms.axdr import MAX_ELEMENTS
from openami.ami.dlms.data import INTEGER_WIDTHS, Tag
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.reader import Reader

if TYPE_CHECKING:
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
    """The fields of a row, the places of the octets that say what follows, and the octets a row has."""

    fields: tuple[Field, ...]
    fixed: list[int]
    row_octets: int


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


def read_runs(raw: bytes) -> list[Run] | None:
    """The runs of a buffer, or None when a row holds something that is no number and no stamp."""
    reader = Reader(raw)
    if reader.u8() != Tag.ARRAY:
        msg = f"A profile buffer is an array, not a value of type {raw[0]:02X}."
        raise RemoteProtocolError(msg)
    due = reader.length()
    if due > MAX_ELEMENTS:
        msg = f"A profile announces {due} rows; at most {MAX_ELEMENTS} are read at once."
        raise RemoteProtocolError(msg)
    octets = np.frombuffer(raw, np.uint8)
    runs: list[Run] = []
    while due:
        start = reader.position
        template = _read_template(raw, start)
        if template is None:
            return None
        rows = 1 + _repeats(octets, start, template, due - 1) if due > 1 else 1
        runs.append(Run(template.fields, start, template.row_octets, rows))
        reader.position = start + rows * template.row_octets
        due -= rows
    reader.finish("profile buffer")
    return runs


def _read_template(raw: bytes, start: int) -> _Template | None:
    """The layout of the row at `start`, or None when it holds something that is no number and no stamp."""
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
    return _Template(tuple(fields), fixed, at - start)


def _repeats(octets: NDArray[np.uint8], start: int, template: _Template, most: int) -> int:
    """How many rows behind the first are laid out like it."""
    row_octets, fixed = template.row_octets, np.array(template.fixed)
    most = min(most, (len(octets) - start) // row_octets - 1)
    if most <= 0:
        return 0
    pattern = octets[start + fixed]
    found, look = 0, _FIRST_LOOK
    while found < most:
        rows = min(look, most - found)
        begin = start + (1 + found) * row_octets
        matrix = octets[begin : begin + rows * row_octets].reshape(rows, row_octets)
        same = (matrix[:, fixed] == pattern).all(axis=1)
        if not same.all():
            return found + int(same.argmin())
        found += rows
        look *= 4
    return found
