"""HDLC frames of type 3 as values, and a reader that finds them in any stream of octets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Self

from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError
from openami.ami.dlms.hdlc.crc import checksum

FLAG = 0x7E
MAX_FRAME_OCTETS = 2047
_TYPE_3 = 0xA000
_SEGMENTED = 0x0800
_LENGTH_BITS = 0x07FF
# format, two addresses of one octet, control, FCS
_SHORTEST = 7
_FORMAT_OCTETS = 2


class FrameKind(Enum):
    """What a frame is for; the values are its control octet without numbers and poll bit."""

    INFORMATION = 0x00
    RECEIVE_READY = 0x01
    RECEIVE_NOT_READY = 0x05
    REJECT = 0x09
    SNRM = 0x83
    DISC = 0x43
    UA = 0x63
    DM = 0x0F
    FRMR = 0x87
    UI = 0x03


_UNNUMBERED = {kind.value: kind for kind in FrameKind if kind.value & 3 == 3}
_SUPERVISORY = {kind.value: kind for kind in FrameKind if kind.value & 3 == 1}
_POLL = 0x10


@dataclass(frozen=True, slots=True)
class HdlcAddress:
    """A station: upper (logical device or client) and lower (physical device) part, in 1, 2 or 4 octets."""

    upper: int
    lower: int = 0
    octets: int = 1

    def encode(self) -> bytes:
        """Seven bits an octet, the last one marked by its lowest bit."""
        parts = {1: (self.upper,), 2: (self.upper, self.lower)}.get(self.octets)
        if parts is None:
            parts = (self.upper >> 7, self.upper & 0x7F, self.lower >> 7, self.lower & 0x7F)
        if self.octets not in (1, 2, 4) or max(parts) > 0x7F or min(parts) < 0:
            msg = f"{self} does not fit an address of {self.octets} octets (1, 2 and 4 exist)."
            raise LocalProtocolError(msg)
        shifted = [part << 1 for part in parts]
        shifted[-1] |= 1
        return bytes(shifted)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The address in exactly these octets."""
        parts = [octet >> 1 for octet in octets]
        match parts:
            case [upper]:
                return cls(upper)
            case [upper, lower]:
                return cls(upper, lower, 2)
            case [a, b, c, d]:
                return cls(a << 7 | b, c << 7 | d, 4)
        msg = f"An address of {len(octets)} octets; 1, 2 and 4 exist."
        raise RemoteProtocolError(msg)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: who to whom, what for, numbered how, and what it carries."""

    destination: HdlcAddress
    source: HdlcAddress
    kind: FrameKind
    information: bytes = b""
    segmented: bool = False
    poll: bool = True
    send_number: int = 0
    receive_number: int = 0

    @property
    def control(self) -> int:
        """The control octet."""
        numbers = 0
        if self.kind is FrameKind.INFORMATION:
            numbers = self.receive_number << 5 | self.send_number << 1
        elif self.kind.value in _SUPERVISORY:
            numbers = self.receive_number << 5
        return self.kind.value | numbers | self.poll << 4

    def encode(self) -> bytes:
        """The octets of the frame with a flag on both sides."""
        addresses = self.destination.encode() + self.source.encode()
        has_information = len(self.information) > 0
        length = _FORMAT_OCTETS + len(addresses) + 3 + (len(self.information) + 2 if has_information else 0)
        if length > MAX_FRAME_OCTETS:
            msg = f"A frame of {length} octets is longer than {MAX_FRAME_OCTETS}."
            raise LocalProtocolError(msg)
        head = (_TYPE_3 | (_SEGMENTED if self.segmented else 0) | length).to_bytes(2, "big")
        body = head + addresses + bytes((self.control,))
        if has_information:
            body += checksum(body) + self.information
        return bytes((FLAG,)) + body + checksum(body) + bytes((FLAG,))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The frame between two flags. Raises RemoteProtocolError when a checksum or a field is wrong."""
        if len(octets) < _SHORTEST:
            msg = f"A frame has at least {_SHORTEST} octets, not {len(octets)}."
            raise RemoteProtocolError(msg)
        form = int.from_bytes(octets[:2], "big")
        if form & 0xF000 != _TYPE_3 or form & _LENGTH_BITS != len(octets):
            msg = f"A frame of {len(octets)} octets has the format {form:04X}."
            raise RemoteProtocolError(msg)
        if checksum(octets[:-2]) != octets[-2:]:
            msg = "The checksum of a frame is wrong."
            raise RemoteProtocolError(msg)
        destination, at = _address(octets, _FORMAT_OCTETS)
        source, at = _address(octets, at)
        if at >= len(octets) - 2:
            msg = "A frame ends within its addresses."
            raise RemoteProtocolError(msg)
        control, at = octets[at], at + 1
        information = b""
        if at < len(octets) - 2:
            if checksum(octets[:at]) != octets[at : at + 2] or at + 2 > len(octets) - 2:
                msg = "The checksum of a frame's header is wrong."
                raise RemoteProtocolError(msg)
            information = octets[at + 2 : -2]
        kind = _kind(control)
        numbered = kind is FrameKind.INFORMATION or kind.value in _SUPERVISORY
        return cls(
            destination,
            source,
            kind,
            information,
            bool(form & _SEGMENTED),
            bool(control & _POLL),
            control >> 1 & 7 if kind is FrameKind.INFORMATION else 0,
            control >> 5 if numbered else 0,
        )


def _kind(control: int) -> FrameKind:
    if not control & 1:
        return FrameKind.INFORMATION
    kind = _SUPERVISORY.get(control & 0x0F) if control & 3 == 1 else _UNNUMBERED.get(control & ~_POLL)
    if kind is None:
        msg = f"{control:02X} is not a control octet DLMS uses."
        raise RemoteProtocolError(msg)
    return kind


def _address(octets: bytes, at: int) -> tuple[HdlcAddress, int]:
    end = at
    while end < len(octets) and not octets[end] & 1:
        end += 1
    return HdlcAddress.decode(octets[at : end + 1]), end + 1


class FrameReader:
    """Finds frames in a stream: resynchronises on flag, length and checksum, and holds at most one frame.

    `discarded` counts the octets that belonged to no good frame.
    """

    __slots__ = ("_buffer", "discarded")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.discarded = 0

    @property
    def pending(self) -> int:
        """Octets held that are not a whole frame yet (or are not taken yet)."""
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        """Take octets from the line, cut anywhere."""
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next good frame, or None when more octets are needed."""
        buffer = self._buffer
        while True:
            start = buffer.find(FLAG)
            if start < 0:
                self._drop(len(buffer))
                return None
            self._drop(start)
            # one flag may close a frame and open the next, and idle lines send flags only
            while len(buffer) > 1 and buffer[1] == FLAG:
                del buffer[0]
            if len(buffer) < 1 + _FORMAT_OCTETS:
                return None
            length = int.from_bytes(buffer[1:3], "big") & _LENGTH_BITS
            if buffer[1] & 0xF0 != _TYPE_3 >> 8 or length < _SHORTEST:
                self._drop(1)
                continue
            if len(buffer) < length + 2:
                return None
            if buffer[length + 1] == FLAG and (frame := _readable(bytes(buffer[1 : length + 1]))) is not None:
                # the closing flag stays: it may open the next frame
                del buffer[: length + 1]
                return frame
            self._drop(1)

    def _drop(self, octets: int) -> None:
        if octets:
            self.discarded += octets
            del self._buffer[:octets]


def _readable(octets: bytes) -> Frame | None:
    try:
        return Frame.decode(octets)
    except RemoteProtocolError:
        return None


def information_of_damaged(octets: bytes) -> bytes:
    """What a frame carries whose header is good and whose last checksum is wrong; empty if there is none."""
    mended = octets[:-2] + checksum(octets[:-2])
    frame = _readable(mended) if len(octets) >= _SHORTEST else None
    return frame.information if frame is not None else b""
