"""Selective access to a profile: by range of stamps and by number of entry (Blue Book, class 7, attribute 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from openami.ami.dlms.data import Data, array, integer8, octet_string, structure, unsigned16, unsigned32
from openami.ami.dlms.errors import TypeMismatchError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import Selection
from openami.ami.dlms.times import CosemDateTime

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

BY_RANGE = 1
BY_ENTRY = 2

CLOCK = Obis.of("0-0:1.0.0.255")


@dataclass(frozen=True, slots=True)
class CaptureObject:
    """One column of a profile: the attribute captured, and which part of it (0 = whole)."""

    class_id: int
    obis: Obis
    attribute: int
    data_index: int = 0

    def data(self) -> Data:
        """The structure of four the standard writes it as."""
        return structure(
            unsigned16(self.class_id),
            octet_string(self.obis),
            integer8(self.attribute),
            unsigned16(self.data_index),
        )

    @classmethod
    def of(cls, data: Data) -> Self:
        """The column in a structure of four."""
        members = data.elements()
        if len(members) != 4:
            msg = f"A capture object has four members, not {len(members)}."
            raise TypeMismatchError(msg)
        class_id, obis, attribute, data_index = members
        return cls(class_id.integer(), obis.obis(), attribute.integer(), data_index.integer())

    @property
    def is_clock(self) -> bool:
        """Whether the column is the time stamp of the rows."""
        return (self.class_id, self.attribute) == (8, 2)


CLOCK_COLUMN = CaptureObject(8, CLOCK, 2)


def capture_objects(data: Data) -> tuple[CaptureObject, ...]:
    """The columns in attribute 3 of a profile."""
    return tuple(map(CaptureObject.of, data.elements()))


@dataclass(frozen=True, slots=True)
class RangeSelection:
    """Rows whose value in the restricting column lies between `start` and `end`, both ends included.

    No columns means all columns.
    """

    start: Data
    end: Data
    restricting: CaptureObject = CLOCK_COLUMN
    columns: tuple[CaptureObject, ...] = ()

    def selection(self) -> Selection:
        """The selector and its parameters."""
        columns = array(column.data() for column in self.columns)
        return Selection(BY_RANGE, structure(self.restricting.data(), self.start, self.end, columns))

    @classmethod
    def of(cls, selection: Selection) -> Self:
        """The range in a selection; TypeMismatchError when it is another one."""
        members = selection.parameters.elements()
        if selection.selector != BY_RANGE or len(members) != 4:
            msg = f"Selector {selection.selector} with {len(members)} parameters is not a range."
            raise TypeMismatchError(msg)
        restricting, start, end, columns = members
        return cls(start, end, CaptureObject.of(restricting), capture_objects(columns))

    def instants(self, *, zone: tzinfo | None = None) -> tuple[datetime, datetime]:
        """First and last stamp wanted, as UTC instants."""
        return self.start.instant(zone=zone), self.end.instant(zone=zone)


@dataclass(frozen=True, slots=True)
class EntrySelection:
    """Rows and columns by number, counted from 1 in sort order; 0 at the end means the last one."""

    first_entry: int = 1
    last_entry: int = 0
    first_column: int = 1
    last_column: int = 0

    def selection(self) -> Selection:
        """The selector and its parameters."""
        rows = (unsigned32(self.first_entry), unsigned32(self.last_entry))
        columns = (unsigned16(self.first_column), unsigned16(self.last_column))
        return Selection(BY_ENTRY, structure(*rows, *columns))

    @classmethod
    def of(cls, selection: Selection) -> Self:
        """The entries in a selection; TypeMismatchError when it is another one."""
        members = selection.parameters.elements()
        if selection.selector != BY_ENTRY or len(members) != 4:
            msg = f"Selector {selection.selector} with {len(members)} parameters does not select entries."
            raise TypeMismatchError(msg)
        return cls(*(member.integer() for member in members))

    def rows(self, entries: int) -> slice:
        """The slice of a buffer of `entries` rows."""
        return slice(max(self.first_entry, 1) - 1, self.last_entry or entries)

    def columns(self, width: int) -> slice:
        """The slice of a row of `width` columns."""
        return slice(max(self.first_column, 1) - 1, self.last_column or width)


def range_of_stamps(
    start: datetime, end: datetime, *, zone: tzinfo, columns: tuple[CaptureObject, ...] = ()
) -> RangeSelection:
    """Rows stamped from `start` to `end`, both included, the stamps written as a clock in `zone` shows them."""
    first, last = (octet_string(CosemDateTime.of(instant, zone=zone)) for instant in (start, end))
    return RangeSelection(first, last, columns=columns)
