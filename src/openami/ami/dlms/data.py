"""COSEM `Data`: the self-describing values meters speak in (IEC 62056-6-2 clause 4.1.5).

A value is `Data(tag, value)`. The helpers below build one in the words of the standard: `unsigned32(5)`,
`octet_string(b"...")`, `structure(a, b)`. The typed readers (`integer()`, `octets()`, `elements()`, `instant()`)
take one apart and say what was found instead of a wrong type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from openami.ami.dlms.errors import TypeMismatchError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.times import CosemDate, CosemDateTime, CosemTime

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, tzinfo


class Tag(IntEnum):
    """The tags of the Data CHOICE."""

    NULL = 0x00
    ARRAY = 0x01
    STRUCTURE = 0x02
    BOOLEAN = 0x03
    BIT_STRING = 0x04
    INTEGER32 = 0x05
    UNSIGNED32 = 0x06
    OCTET_STRING = 0x09
    VISIBLE_STRING = 0x0A
    UTF8_STRING = 0x0C
    BCD = 0x0D
    INTEGER8 = 0x0F
    INTEGER16 = 0x10
    UNSIGNED8 = 0x11
    UNSIGNED16 = 0x12
    COMPACT_ARRAY = 0x13
    INTEGER64 = 0x14
    UNSIGNED64 = 0x15
    ENUM = 0x16
    FLOAT32 = 0x17
    FLOAT64 = 0x18
    DATE_TIME = 0x19
    DATE = 0x1A
    TIME = 0x1B
    DELTA_INTEGER8 = 0x1C
    DELTA_INTEGER16 = 0x1D
    DELTA_INTEGER32 = 0x1E
    DELTA_UNSIGNED8 = 0x1F
    DELTA_UNSIGNED16 = 0x20
    DELTA_UNSIGNED32 = 0x21
    DONT_CARE = 0xFF


# octets, signed
INTEGER_WIDTHS: dict[Tag, tuple[int, bool]] = {
    Tag.INTEGER8: (1, True),
    Tag.INTEGER16: (2, True),
    Tag.INTEGER32: (4, True),
    Tag.INTEGER64: (8, True),
    Tag.UNSIGNED8: (1, False),
    Tag.UNSIGNED16: (2, False),
    Tag.UNSIGNED32: (4, False),
    Tag.UNSIGNED64: (8, False),
    Tag.ENUM: (1, False),
    Tag.BCD: (1, False),
    Tag.DELTA_INTEGER8: (1, True),
    Tag.DELTA_INTEGER16: (2, True),
    Tag.DELTA_INTEGER32: (4, True),
    Tag.DELTA_UNSIGNED8: (1, False),
    Tag.DELTA_UNSIGNED16: (2, False),
    Tag.DELTA_UNSIGNED32: (4, False),
}


@dataclass(frozen=True, slots=True)
class TypeDescription:
    """The type of a compact-array's elements: a scalar tag, an array of `count` members, or a structure."""

    tag: Tag
    members: tuple[TypeDescription, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class CompactArray:
    """The content of a compact-array: one type for all elements, and the elements."""

    type: TypeDescription
    elements: tuple[Data, ...]


Value = (
    bool | int | float | str | bytes | tuple["Data", ...] | CosemDateTime | CosemDate | CosemTime | CompactArray | None
)


@dataclass(frozen=True, slots=True)
class Data:
    """One COSEM value with the tag it travels under."""

    tag: Tag
    value: Value = None

    def integer(self) -> int:
        """The value of any integer or enum type."""
        if self.tag in INTEGER_WIDTHS and isinstance(self.value, int):
            return self.value
        raise self._other("an integer")

    def boolean(self) -> bool:
        """The value of a boolean; meters that send an integer for it are understood."""
        if isinstance(self.value, int):
            return bool(self.value)
        raise self._other("a boolean")

    def octets(self) -> bytes:
        """The octets of an octet-string."""
        if isinstance(self.value, bytes):
            return self.value
        raise self._other("an octet-string")

    def text(self) -> str:
        """The text of a visible- or utf8-string, or of an octet-string that holds ASCII."""
        if isinstance(self.value, str):
            return self.value
        return self.octets().decode("ascii", errors="replace")

    def obis(self) -> Obis:
        """The logical name in an octet-string of six."""
        octets = self.octets()
        if len(octets) != 6:
            raise self._other("a logical name")
        return Obis(octets)

    def elements(self) -> tuple[Data, ...]:
        """The members of a structure, array or compact-array."""
        if isinstance(self.value, CompactArray):
            return self.value.elements
        if isinstance(self.value, tuple):
            return self.value
        raise self._other("a structure or array")

    def fields(self, count: int) -> tuple[Data, ...]:
        """The members of a structure that has to have `count` of them."""
        if self.tag is not Tag.STRUCTURE or len(members := self.elements()) != count:
            raise self._other(f"a structure of {count}")
        return members

    def date_time(self) -> CosemDateTime:
        """The twelve-octet stamp, whether it came as date-time or as octet-string."""
        if isinstance(self.value, CosemDateTime):
            return self.value
        if isinstance(self.value, bytes) and len(self.value) == 12:
            return CosemDateTime.decode(self.value)
        raise self._other("a date-time")

    def instant(self, *, zone: tzinfo | None = None) -> datetime:
        """The aware UTC instant of a date-time; `zone` helps where the deviation is not stated."""
        return self.date_time().instant(zone=zone)

    def _other(self, wanted: str) -> TypeMismatchError:
        return TypeMismatchError(f"Found {self.tag.name} {self.value!r:.60} where {wanted} is needed.")


NULL = Data(Tag.NULL)


def boolean(value: bool) -> Data:
    """A boolean."""
    return Data(Tag.BOOLEAN, bool(value))


def integer8(value: int) -> Data:
    """A signed octet (the standard's integer)."""
    return Data(Tag.INTEGER8, value)


def integer16(value: int) -> Data:
    """A signed number of two octets (the standard's long)."""
    return Data(Tag.INTEGER16, value)


def integer32(value: int) -> Data:
    """A signed number of four octets (the standard's double-long)."""
    return Data(Tag.INTEGER32, value)


def integer64(value: int) -> Data:
    """A signed number of eight octets (the standard's long64)."""
    return Data(Tag.INTEGER64, value)


def unsigned8(value: int) -> Data:
    """An octet (the standard's unsigned)."""
    return Data(Tag.UNSIGNED8, value)


def unsigned16(value: int) -> Data:
    """A number of two octets (the standard's long-unsigned)."""
    return Data(Tag.UNSIGNED16, value)


def unsigned32(value: int) -> Data:
    """A number of four octets (the standard's double-long-unsigned)."""
    return Data(Tag.UNSIGNED32, value)


def unsigned64(value: int) -> Data:
    """A number of eight octets (the standard's long64-unsigned)."""
    return Data(Tag.UNSIGNED64, value)


def enum(value: int) -> Data:
    """A code of one octet."""
    return Data(Tag.ENUM, int(value))


def octet_string(value: bytes | Obis | CosemDateTime | CosemDate | CosemTime) -> Data:
    """An octet-string; logical names and COSEM times become their octets, as most attributes want them."""
    if isinstance(value, Obis):
        value = value.octets
    elif isinstance(value, CosemDateTime | CosemDate | CosemTime):
        value = value.encode()
    return Data(Tag.OCTET_STRING, value)


def visible_string(value: str) -> Data:
    """A text of ASCII characters."""
    return Data(Tag.VISIBLE_STRING, value)


def utf8_string(value: str) -> Data:
    """A text in UTF-8."""
    return Data(Tag.UTF8_STRING, value)


def bit_string(bits: str) -> Data:
    """A string of bits written as 0 and 1, first bit first."""
    return Data(Tag.BIT_STRING, bits)


def date_time(value: CosemDateTime) -> Data:
    """A date-time under its own tag (19), without a length octet."""
    return Data(Tag.DATE_TIME, value)


def structure(*members: Data) -> Data:
    """A structure of the given members."""
    return Data(Tag.STRUCTURE, members)


def array(elements: Iterable[Data]) -> Data:
    """An array of the given elements."""
    return Data(Tag.ARRAY, tuple(elements))
