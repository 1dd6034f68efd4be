"""Profile generic objects of our meters: columns of numbers, whole or selected, as the octets of a buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from openami.ami.dlms.data import array, enum, integer8, octet_string, structure, unsigned16, unsigned32
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn, encode_profile
from openami.ami.dlms.selection import BY_RANGE, CaptureObject, EntrySelection, RangeSelection
from openami.ami.meter.times import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from openami.ami.dlms.axdr import Encoded
    from openami.ami.dlms.data import Data
    from openami.ami.dlms.references import Selection

_BEGINNING_S = 0
_END_S = 2**40
_SORT_FIFO = enum(1)
_SORT_BY_NOTHING = structure(unsigned16(0), octet_string(bytes(6)), integer8(0), unsigned16(0))

Column = NumberColumn | StampColumn


class Rows(Protocol):
    """Gives the rows of a profile stamped in a span, by column."""

    def __call__(self, first_s: int, last_s: int) -> list[Column]:
        """The columns, all of one length, stamps first."""


@dataclass(frozen=True, slots=True)
class ProfileTable:
    """A profile generic object: its columns, and where their rows come from."""

    columns: tuple[CaptureObject, ...]
    rows: Rows
    place: Callable[[], tzinfo]
    """In whose local time a head-end asks that does not say so."""

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
            return encode_profile(self.rows(_BEGINNING_S, _END_S))
        if selection.selector == BY_RANGE:
            wanted = RangeSelection.of(selection)
            start, end = wanted.instants(zone=self.place())
            # a row is stamped with whole seconds: the first one not before `start`
            columns = self.rows(seconds_of(start) + bool(start.microsecond), seconds_of(end))
            return encode_profile([columns[index] for index in self._indices(wanted.columns)])
        entries = EntrySelection.of(selection)
        columns = self.rows(_BEGINNING_S, _END_S)
        chosen = columns[entries.columns(len(columns))]
        if not chosen:
            raise AccessDeniedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        return encode_profile([_some_rows(column, entries) for column in chosen])

    def attributes(self, period_s: int, capacity: int) -> dict[int, Callable[[], Data | Encoded]]:
        """All attributes but the logical name."""
        return {
            2: lambda: self.buffer(None),
            3: self.capture_objects,
            4: lambda: unsigned32(period_s),
            5: lambda: _SORT_FIFO,
            6: lambda: _SORT_BY_NOTHING,
            7: lambda: unsigned32(self.entries()),
            8: lambda: unsigned32(capacity),
        }

    def entries(self) -> int:
        """Attribute 7, entries in use."""
        return _length(self.rows(_BEGINNING_S, _END_S)[0])

    def _indices(self, wanted: Sequence[CaptureObject]) -> list[int]:
        if not wanted:
            return list(range(len(self.columns)))
        try:
            return [self.columns.index(column) for column in wanted]
        except ValueError:
            raise AccessDeniedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED) from None


def _some_rows(column: Column, entries: EntrySelection) -> Column:
    rows = entries.rows(_length(column))
    if isinstance(column, StampColumn):
        return StampColumn(column.stamps[rows])
    return NumberColumn(column.tag, column.values[rows])


def _length(column: Column) -> int:
    return len(column.stamps if isinstance(column, StampColumn) else column.values)
