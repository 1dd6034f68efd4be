"""A bounded cursor over received octets: every read is checked, running short is the peer's error."""

from __future__ import annotations

import struct

from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError

_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")


class Reader:
    """Reads big-endian A-XDR primitives from `data`, front to back."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self.end = len(data)

    @property
    def remaining(self) -> int:
        """Octets not read yet."""
        return self.end - self.position

    @property
    def next_octet(self) -> int:
        """The octet that comes next, which stays; -1 when there is none."""
        return self.data[self.position] if self.position < self.end else -1

    def take(self, length: int) -> bytes:
        """The next `length` octets."""
        stop = self.position + length
        if stop > self.end:
            msg = f"The message ends at octet {self.end} where {length} more octets were announced at {self.position}."
            raise RemoteProtocolError(msg)
        octets = self.data[self.position : stop]
        self.position = stop
        return octets

    def u8(self) -> int:
        """The next octet."""
        at = self.position
        if at >= self.end:
            self.take(1)  # says what is missing
        self.position = at + 1
        return self.data[at]

    def i8(self) -> int:
        """The next octet as a signed number."""
        return int.from_bytes(self.take(1), "big", signed=True)

    def u16(self) -> int:
        """The next two octets."""
        return int(_U16.unpack(self.take(2))[0])

    def u32(self) -> int:
        """The next four octets."""
        return int(_U32.unpack(self.take(4))[0])

    def length(self) -> int:
        """An A-XDR length or count: one octet below 128, else 81 to 84 and that many octets."""
        first = self.u8()
        if first < 0x80:
            return first
        if not 0x81 <= first <= 0x84:
            msg = f"A length starts with {first:02X}; 00 to 7F or 81 to 84 are allowed."
            raise RemoteProtocolError(msg)
        return int.from_bytes(self.take(first & 0x0F), "big")

    def octets(self) -> bytes:
        """A length followed by that many octets."""
        return self.take(self.length())

    def flag(self) -> bool:
        """A BOOLEAN or the presence octet of an OPTIONAL: zero is false, anything else true."""
        return self.u8() != 0

    def rest(self) -> bytes:
        """Everything not read yet."""
        return self.take(self.remaining)

    def finish(self, what: str) -> None:
        """Refuse octets left over behind a complete message."""
        if self.remaining:
            msg = f"{self.remaining} octets are left over behind a complete {what}."
            raise RemoteProtocolError(msg)


_SHORT_LENGTHS = [bytes((length,)) for length in range(0x80)]


def encode_length(length: int) -> bytes:
    """An A-XDR length or count in its shortest form."""
    if 0 <= length < 0x80:
        return _SHORT_LENGTHS[length]
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    if len(octets) > 4:
        msg = f"A length of {length} does not fit four octets."
        raise LocalProtocolError(msg)
    return bytes((0x80 | len(octets),)) + octets


def encode_octets(octets: bytes) -> bytes:
    """A length followed by the octets."""
    return encode_length(len(octets)) + octets
