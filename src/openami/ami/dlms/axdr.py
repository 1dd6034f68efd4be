"""The A-XDR coding of `Data` (IEC 61334-6 as used by IEC 62056-5-3): values to octets and back.

Scalars are rows of one table. Containers are bounded in depth and number, because their counts come from the peer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openami.ami.dlms.data import INTEGER_WIDTHS, NULL, CompactArray, Data, Tag, TypeDescription, Value
from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError
from openami.ami.dlms.reader import Reader, encode_length, encode_octets
from openami.ami.dlms.times import CosemDate, CosemDateTime, CosemTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.ami.dlms.profile_rows import Run

# No interface class nests deeper than about eight levels; a hostile meter could otherwise exhaust the stack.
MAX_DEPTH = 32
# One decoded element costs about a hundred octets of memory; a year of quarter hours with twelve columns fits.
MAX_ELEMENTS = 500_000
# Null members of compact arrays need no octets at all: a message of few octets may still not claim many elements.
_ELEMENTS_AN_OCTET = 64
_ELEMENTS_AT_LEAST = 1024


@dataclass(frozen=True, slots=True)
class Encoded:
    """A `Data` still in its octets, so that bulk readers (profiles) need not build it value by value."""

    raw: bytes
    runs: tuple[Run, ...] | None = field(default=None, compare=False, repr=False)
    """The rows of a profile buffer, if somebody has looked for them."""

    def data(self) -> Data:
        """The decoded value."""
        return decode(self.raw)

    def elements(self) -> tuple[Data, ...]:
        """The members of the decoded value."""
        return self.data().elements()


def encode(data: Data | Encoded) -> bytes:
    """The A-XDR octets of a value, tag included."""
    if isinstance(data, Encoded):
        return data.raw
    return bytes((data.tag,)) + encode_content(data)


def encode_content(data: Data) -> bytes:
    """The octets of a value without its tag, as compact-arrays pack them."""
    scalar = _SCALARS.get(data.tag)
    if scalar is not None:
        if not isinstance(data.value, scalar.types):
            msg = f"{data.value!r:.60} is not a value of {data.tag.name}."
            raise LocalProtocolError(msg)
        try:
            return scalar.encode(data.value)
        except (OverflowError, ValueError, struct.error) as error:
            msg = f"{data.value!r:.60} does not fit {data.tag.name}: {error}."
            raise LocalProtocolError(msg) from error
    if isinstance(data.value, CompactArray):
        content = b"".join(_encode_packed(element, data.value.type) for element in data.value.elements)
        return _encode_description(data.value.type) + encode_octets(content)
    members = data.elements()
    return encode_length(len(members)) + b"".join(map(encode, members))


def decode(octets: bytes) -> Data:
    """The value in `octets`, which must hold exactly one."""
    reader = Reader(octets)
    data = read_data(reader)
    reader.finish("value")
    return data


def read_data(reader: Reader) -> Data:
    """The next value of `reader`."""
    known = _BY_OCTET.get(reader.next_octet)
    if known is not None:  # nothing to count
        reader.position += 1
        tag, read = known
        return Data(tag, read(reader))
    budget = min(MAX_ELEMENTS, _ELEMENTS_AT_LEAST + _ELEMENTS_AN_OCTET * reader.remaining)
    return _Decoder(reader, budget).value(MAX_DEPTH)


def read_encoded(reader: Reader) -> Encoded:
    """The octets of the next value of `reader`, checked but not kept as values."""
    start = reader.position
    tag = reader.u8()
    octets = reader.length() if tag in _STRINGS else _FIXED_OCTETS.get(tag)
    if octets is None:
        reader.position = start
        read_data(reader)
    else:
        reader.take(octets)
    return Encoded(reader.data[start : reader.position])


@dataclass(frozen=True, slots=True)
class _Scalar:
    types: type | tuple[type, ...]
    encode: Callable[[Any], bytes]
    decode: Callable[[Reader], Value]


def _integer(width: int, signed: bool) -> _Scalar:
    return _Scalar(
        int,
        lambda value: value.to_bytes(width, "big", signed=signed),
        lambda reader: int.from_bytes(reader.take(width), "big", signed=signed),
    )


def _utf8(reader: Reader) -> str:
    octets = reader.octets()
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        msg = f"A utf8-string is not UTF-8: {error}."
        raise RemoteProtocolError(msg) from error


def _encode_bits(bits: str) -> bytes:
    padded = bits + "0" * (-len(bits) % 8)
    return encode_length(len(bits)) + (int(padded, 2).to_bytes(len(padded) // 8, "big") if bits else b"")


def _decode_bits(reader: Reader) -> str:
    count = reader.length()
    octets = reader.take((count + 7) // 8)
    return "".join(f"{octet:08b}" for octet in octets)[:count]


_SCALARS: dict[Tag, _Scalar] = {
    **{tag: _integer(*width) for tag, width in INTEGER_WIDTHS.items()},
    Tag.NULL: _Scalar(type(None), lambda _: b"", lambda _: None),
    Tag.DONT_CARE: _Scalar(type(None), lambda _: b"", lambda _: None),
    Tag.BOOLEAN: _Scalar(bool, lambda value: b"\x01" if value else b"\x00", Reader.flag),
    Tag.BIT_STRING: _Scalar(str, _encode_bits, _decode_bits),
    Tag.OCTET_STRING: _Scalar(bytes, encode_octets, Reader.octets),
    # Latin-1 keeps any octet, so that a meter's umlaut is shown instead of refused
    Tag.VISIBLE_STRING: _Scalar(
        str, lambda text: encode_octets(text.encode("latin-1")), lambda reader: reader.octets().decode("latin-1")
    ),
    Tag.UTF8_STRING: _Scalar(str, lambda text: encode_octets(text.encode()), _utf8),
    Tag.FLOAT32: _Scalar((int, float), struct.Struct(">f").pack, lambda reader: _float(">f", reader.take(4))),
    Tag.FLOAT64: _Scalar((int, float), struct.Struct(">d").pack, lambda reader: _float(">d", reader.take(8))),
    Tag.DATE_TIME: _Scalar(CosemDateTime, CosemDateTime.encode, lambda reader: CosemDateTime.decode(reader.take(12))),
    Tag.DATE: _Scalar(CosemDate, CosemDate.encode, lambda reader: CosemDate.decode(reader.take(5))),
    Tag.TIME: _Scalar(CosemTime, CosemTime.encode, lambda reader: CosemTime.decode(reader.take(4))),
}


# values of which every content is one: to step over them nothing need be read
_STRINGS = {int(Tag.OCTET_STRING), int(Tag.VISIBLE_STRING)}
_FIXED_OCTETS: dict[int, int] = {
    **{int(tag): octets for tag, (octets, _) in INTEGER_WIDTHS.items()},
    int(Tag.NULL): 0,
    int(Tag.BOOLEAN): 1,
    int(Tag.FLOAT32): 4,
    int(Tag.FLOAT64): 8,
}


def _float(layout: str, octets: bytes) -> float:
    return float(struct.unpack(layout, octets)[0])


class _Decoder:
    """Decodes one value and counts elements, so that a short message cannot claim unbounded memory."""

    __slots__ = ("budget", "reader")

    def __init__(self, reader: Reader, budget: int) -> None:
        self.reader = reader
        self.budget = budget

    def value(self, depth: int) -> Data:
        octet = self.reader.u8()
        self._spend(depth)
        if octet == Tag.NULL:
            return NULL
        known = _BY_OCTET.get(octet)
        if known is not None:
            scalar_tag, read = known
            return Data(scalar_tag, read(self.reader))
        tag = _tag(octet)
        if tag == Tag.COMPACT_ARRAY:
            return Data(tag, self._compact(depth))
        count = self._count()
        return Data(tag, tuple([self.value(depth - 1) for _ in range(count)]))

    def _spend(self, depth: int) -> None:
        self.budget -= 1
        if self.budget < 0 or depth < 0:
            msg = f"A value has more elements than its octets allow, or nests deeper than {MAX_DEPTH} levels."
            raise RemoteProtocolError(msg)

    def _count(self) -> int:
        count = self.reader.length()
        if count > self.reader.remaining:
            # every element has at least its tag octet
            msg = f"{count} elements are announced but only {self.reader.remaining} octets follow."
            raise RemoteProtocolError(msg)
        return count

    def _compact(self, depth: int) -> CompactArray:
        description = self._description(depth - 1)
        content = _Decoder(Reader(self.reader.octets()), self.budget)
        elements: list[Data] = []
        while content.reader.remaining:
            before = content.reader.position
            elements.append(content.packed(description, depth - 1))
            if content.reader.position == before:
                msg = "A compact-array has elements without octets, so their number cannot be known."
                raise RemoteProtocolError(msg)
        self.budget = content.budget
        return CompactArray(description, tuple(elements))

    def packed(self, description: TypeDescription, depth: int) -> Data:
        self._spend(depth)
        scalar = _SCALARS.get(description.tag)
        if scalar is not None:
            return Data(description.tag, scalar.decode(self.reader))
        repeat = description.count if description.tag == Tag.ARRAY else 1
        members = [self.packed(member, depth - 1) for _ in range(repeat) for member in description.members]
        return Data(description.tag, tuple(members))

    def _description(self, depth: int) -> TypeDescription:
        self._spend(depth)
        tag = _tag(self.reader.u8())
        if tag == Tag.ARRAY:
            count = self.reader.u16()
            return TypeDescription(tag, (self._description(depth - 1),), count)
        if tag == Tag.STRUCTURE:
            count = self._count()
            return TypeDescription(tag, tuple([self._description(depth - 1) for _ in range(count)]))
        if tag == Tag.COMPACT_ARRAY:
            msg = "A compact-array may not hold compact-arrays."
            raise RemoteProtocolError(msg)
        return TypeDescription(tag)


def _tag(octet: int) -> Tag:
    tag = _TAGS.get(octet)
    if tag is None:
        msg = f"{octet:02X} is not a data type."
        raise RemoteProtocolError(msg)
    return tag


_TAGS: dict[int, Tag] = {int(tag): tag for tag in Tag}
# plain numbers are found sooner than members of an enumeration
_BY_OCTET = {int(tag): (tag, scalar.decode) for tag, scalar in _SCALARS.items()}


def _encode_packed(data: Data, description: TypeDescription) -> bytes:
    if data.tag != description.tag:
        msg = f"A compact-array of {description.tag.name} cannot hold {data.tag.name}."
        raise LocalProtocolError(msg)
    if description.tag in _SCALARS:
        return encode_content(data)
    members = description.members * (description.count if description.tag == Tag.ARRAY else 1)
    if len(members) != len(data.elements()):
        msg = f"A compact-array element has {len(data.elements())} members where its type has {len(members)}."
        raise LocalProtocolError(msg)
    return b"".join(map(_encode_packed, data.elements(), members))


def _encode_description(description: TypeDescription) -> bytes:
    head = bytes((description.tag,))
    if description.tag == Tag.ARRAY:
        head += description.count.to_bytes(2, "big")
    elif description.tag == Tag.STRUCTURE:
        head += encode_length(len(description.members))
    return head + b"".join(map(_encode_description, description.members))
