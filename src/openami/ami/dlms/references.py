"""What a request points at: attributes, methods, parts of them, and the invoke-id it is answered under."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from openami.ami.dlms.axdr import Encoded, encode, read_data
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.reader import Reader

if TYPE_CHECKING:
    from openami.ami.dlms.data import Data


@dataclass(frozen=True, slots=True)
class Selection:
    """Selective access: a selector of the class and its parameters."""

    selector: int
    parameters: Data | Encoded

    def written(self) -> Self:
        """The same with its parameters in octets, for whoever asks many meters for it."""
        return replace(self, parameters=Encoded(encode(self.parameters)))


@dataclass(frozen=True, slots=True)
class AttributeRef:
    """An attribute of a COSEM object, or the selected part of it."""

    class_id: int
    obis: Obis
    attribute: int
    selection: Selection | None = None

    def encode(self, *, with_selection: bool = True) -> bytes:
        """Class, logical name, attribute; then the selection as an OPTIONAL."""
        head = _head(self.class_id, self.obis, self.attribute)
        if not with_selection:
            return head
        if self.selection is None:
            return head + b"\x00"
        return head + b"\x01" + bytes((self.selection.selector,)) + encode(self.selection.parameters)

    @classmethod
    def decode(cls, reader: Reader, *, with_selection: bool = True) -> Self:
        """The reference `encode` writes."""
        class_id, obis, attribute = _read_head(reader)
        selection = None
        if with_selection and reader.flag():
            selection = Selection(reader.u8(), read_data(reader))
        return cls(class_id, obis, attribute, selection)

    def selected(self, reader: Reader) -> Self:
        """The same attribute with the selection that comes next."""
        return replace(self, selection=Selection(reader.u8(), read_data(reader)))

    def __str__(self) -> str:
        return f"{self.class_id}/{self.obis}/{self.attribute}"


@dataclass(frozen=True, slots=True)
class MethodRef:
    """A method of a COSEM object."""

    class_id: int
    obis: Obis
    method: int

    def encode(self) -> bytes:
        """Class, logical name, method."""
        return _head(self.class_id, self.obis, self.method)

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """The reference `encode` writes."""
        return cls(*_read_head(reader))

    def __str__(self) -> str:
        return f"{self.class_id}/{self.obis}/method {self.method}"


@dataclass(frozen=True, slots=True)
class Invoke:
    """Invoke-Id-And-Priority: bits 0-3 the id, bit 6 confirmed, bit 7 high priority."""

    number: int = 1
    confirmed: bool = True
    high_priority: bool = True

    def encode(self) -> bytes:
        """The one octet."""
        return bytes((self.number & 0x0F | self.confirmed << 6 | self.high_priority << 7,))

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """The invoke-id in the next octet; reserved bits are ignored."""
        octet = reader.u8()
        return cls(octet & 0x0F, bool(octet & 0x40), bool(octet & 0x80))


def service_head(tag: int, choice: int, invoke: Invoke) -> bytes:
    """The first octets of every GET, SET and ACTION message: tag, form, invoke-id."""
    return bytes((tag, choice)) + invoke.encode()


def service_start(octets: bytes) -> tuple[Reader, int, Invoke]:
    """A reader behind the first octets of a GET, SET or ACTION message, its form and its invoke-id."""
    reader = Reader(octets)
    reader.u8()
    choice = reader.u8()
    return reader, choice, Invoke.decode(reader)


def _head(class_id: int, obis: Obis, index: int) -> bytes:
    return class_id.to_bytes(2, "big") + obis.octets + index.to_bytes(1, "big", signed=True)


def _read_head(reader: Reader) -> tuple[int, Obis, int]:
    return reader.u16(), Obis(reader.take(6)), reader.i8()
