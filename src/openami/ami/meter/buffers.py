"""Profile buffers in A-XDR: columns of numbers become octets in one numpy step, whole or selected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.data import Tag, array
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.reader import encode_length
from openami.ami.dlms.selection import BY_RANGE, CaptureObject, EntrySelection, RangeSelection
from openami.ami.meter.times import STAMP_OCTETS, seconds_of, stamps
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from openami.ami.dlms.data import Data
    from openami.ami.dlms.references import Selection

_BEGINNING_S = 0
_END_S = 2**40


class Rows(Protocol):
    """Gives the rows of a profile stamped in a span: one block of octets a column."""

    def __call__(self, first_s: int, last_s: int) -> list[NDArray[np.uint8]]:
        """The encoded columns, each a matrix of rows x octets."""


@dataclass(frozen=True, slots=True)
class ProfileTable:
    """A profile generic object: its columns, and where their rows come from."""

    columns: tuple[CaptureObject, ...]
    rows: Rows
    zone_name: str

    def capture_objects(self) -> Data:
        """Attribute 3."""
        return array(column.data() for column in self.columns)

    def buffer(self, selection: Selection | None) -> Encoded:
        """Attribute 2, or the selected part of it.

        Raises:
            AccessDeniedError: the selection asks for what the profile has not.
            TypeMismatchError: the selection is not readable.
        """
        if selection is None:
            return encode_rows(self.rows(_BEGINNING_S, _END_S))
        if selection.selector == BY_RANGE:
            wanted = RangeSelection.of(selection)
            start, end = wanted.instants(zone=zone(self.zone_name))
            blocks = self.rows(-(-int(start.timestamp() * 1000) // 1000), seconds_of(end))
            return encode_rows([blocks[index] for index in self._indices(wanted.columns)])
        entries = EntrySelection.of(selection)
        blocks = self.rows(_BEGINNING_S, _END_S)
        chosen = blocks[entries.columns(len(blocks))]
        if not chosen:
            raise AccessDeniedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        return encode_rows([block[entries.rows(len(block))] for block in chosen])

    def entries(self) -> int:
        """Attribute 7, entries in use."""
        return len(self.rows(_BEGINNING_S, _END_S)[0])

    def _indices(self, wanted: Sequence[CaptureObject]) -> list[int]:
        if not wanted:
            return list(range(len(self.columns)))
        try:
            return [self.columns.index(column) for column in wanted]
        except ValueError:
            raise AccessDeniedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED) from None


def encode_rows(blocks: Sequence[NDArray[np.uint8]]) -> Encoded:
    """An array of structures, its columns given as blocks of equally many rows."""
    count, width = len(blocks[0]), len(blocks)
    head = np.tile(np.array([Tag.STRUCTURE, width], np.uint8), (count, 1))
    rows = np.concatenate([head, *blocks], axis=1)
    return Encoded(bytes([Tag.ARRAY]) + encode_length(count) + rows.tobytes())


def stamp_column(seconds: NDArray[np.int64], zone_name: str) -> NDArray[np.uint8]:
    """Date-times as octet-strings."""
    return _tagged(stamps(seconds, zone_name), bytes([Tag.OCTET_STRING, STAMP_OCTETS]))


def unsigned32_column(values: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Numbers of four octets."""
    return _tagged(values.astype(">u4").view(np.uint8).reshape(-1, 4), bytes([Tag.UNSIGNED32]))


def unsigned8_column(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Octets."""
    return _tagged(values.astype(np.uint8).reshape(-1, 1), bytes([Tag.UNSIGNED8]))


def _tagged(content: NDArray[np.uint8], tag: bytes) -> NDArray[np.uint8]:
    return np.concatenate([np.tile(np.frombuffer(tag, np.uint8), (len(content), 1)), content], axis=1)
