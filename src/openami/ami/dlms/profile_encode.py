"""The other way: columns of numbers to the octets of a profile buffer, for meters that hold their profiles so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.data import INTEGER_WIDTHS, Tag
from openami.ami.dlms.errors import LocalProtocolError
from openami.ami.dlms.profile_times import STAMP_OCTETS
from openami.ami.dlms.reader import encode_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class NumberColumn:
    """A column of numbers sent under one integer tag."""

    tag: Tag
    values: NDArray[np.int64]

    def octets(self) -> NDArray[np.uint8]:
        """The cells, tag included, one row each."""
        width, signed = INTEGER_WIDTHS[self.tag]
        values = np.asarray(self.values)
        packed = values.astype(f">{'i' if signed else 'u'}{width}")
        if not np.array_equal(packed.astype(np.int64), values):
            msg = f"A profile value does not fit {self.tag.name}."
            raise LocalProtocolError(msg)
        cells = np.empty((len(values), 1 + width), np.uint8)
        cells[:, 0] = self.tag
        cells[:, 1:] = packed.view(np.uint8).reshape(len(values), width)
        return cells


@dataclass(frozen=True, slots=True, eq=False)
class StampColumn:
    """A column of stamps, (n, 12) octets as `utc_s_to_stamps` gives them, sent as octet-strings."""

    stamps: NDArray[np.uint8]

    def octets(self) -> NDArray[np.uint8]:
        """The cells, tag and length included, one row each."""
        cells = np.empty((len(self.stamps), 2 + STAMP_OCTETS), np.uint8)
        cells[:, 0], cells[:, 1], cells[:, 2:] = Tag.OCTET_STRING, STAMP_OCTETS, self.stamps
        return cells


def encode_profile(columns: Sequence[NumberColumn | StampColumn]) -> Encoded:
    """The buffer whose rows are made of these columns, all of one length."""
    cells = [column.octets() for column in columns]
    rows = len(cells[0]) if cells else 0
    if any(len(cell) != rows for cell in cells):
        msg = "The columns of a profile have different lengths."
        raise LocalProtocolError(msg)
    head = np.frombuffer(bytes((Tag.STRUCTURE,)) + encode_length(len(cells)), np.uint8)
    matrix = np.hstack([np.broadcast_to(head, (rows, len(head))), *cells])
    return Encoded(bytes((Tag.ARRAY,)) + encode_length(rows) + matrix.tobytes())
