"""Link-layer frames of wired M-Bus (EN 13757-2, FT1.2): bytes in, values out, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openami.ami.mbus.errors import (
    ChecksumError,
    FrameLengthError,
    FrameStartError,
    FrameStopError,
    UnencodableError,
)

ACKNOWLEDGE: Final = 0xE5
SHORT_START: Final = 0x10
LONG_START: Final = 0x68
STOP: Final = 0x16

# C fields, EN 13757-2 table 1
SND_NKE: Final = 0x40
SND_UD: Final = 0x53
REQ_UD1: Final = 0x5A
REQ_UD2: Final = 0x5B
FRAME_COUNT_BIT: Final = 0x20
RSP_UD: Final = 0x08

ADDRESS_SECONDARY: Final = 0xFD
ADDRESS_BROADCAST_ANSWERED: Final = 0xFE
ADDRESS_BROADCAST: Final = 0xFF

LONG_FRAME_SIZE_MAX: Final = 255 + 6
_USER_DATA_MAX: Final = 255 - 3


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The single character E5h."""


@dataclass(frozen=True, slots=True)
class ShortFrame:
    """`10 C A CS 16`: a request without data."""

    control: int
    address: int


@dataclass(frozen=True, slots=True)
class LongFrame:
    """`68 L L 68 C A CI data CS 16`; without data the standard calls it a control frame."""

    control: int
    address: int
    control_information: int
    data: bytes = b""

    @property
    def is_control_frame(self) -> bool:
        """Whether the frame has no data (L = 3)."""
        return not self.data


Frame = Acknowledge | ShortFrame | LongFrame


def encode(frame: Frame) -> bytes:
    """The bytes of a frame.

    Raises:
        UnencodableError: a field is not a byte, or the data are longer than 252 bytes.
    """
    match frame:
        case Acknowledge():
            return bytes([ACKNOWLEDGE])
        case ShortFrame(control, address):
            body = _octets(control, address)
            return bytes([SHORT_START, *body, checksum(body), STOP])
        case LongFrame(control, address, information, data):
            if len(data) > _USER_DATA_MAX:
                raise UnencodableError(
                    f"{len(data)} bytes of user data do not fit one frame.",
                    hint=f"Send at most {_USER_DATA_MAX} bytes, and mark more records with DIF 1Fh.",
                )
            body = _octets(control, address, information) + data
            length = len(body)
            return bytes([LONG_START, length, length, LONG_START, *body, checksum(body), STOP])


def decode(octets: bytes) -> Frame:
    """The one frame that the bytes are.

    Raises:
        MBusError: a subclass per reason.
    """
    if not octets:
        raise FrameLengthError("There are no bytes to decode.", hint="Give one whole frame.")
    size = frame_size(octets[:4])
    if size is None or len(octets) != size:
        raise FrameLengthError(
            f"{len(octets)} bytes were given, the frame says {size or 'more'}.", hint="Give exactly one whole frame."
        )
    if octets[0] == ACKNOWLEDGE:
        return Acknowledge()
    if octets[-1] != STOP:
        raise FrameStopError(f"The frame ends in {octets[-1]:02X}h, not 16h.", hint="The line lost or added bytes.")
    body = octets[1:-2] if octets[0] == SHORT_START else octets[4:-2]
    if checksum(body) != octets[-2]:
        raise ChecksumError(
            f"The checksum is {octets[-2]:02X}h, the bytes sum up to {checksum(body):02X}h.", hint="Ask again."
        )
    if octets[0] == SHORT_START:
        return ShortFrame(body[0], body[1])
    return LongFrame(body[0], body[1], body[2], bytes(body[3:]))


def frame_size(head: bytes) -> int | None:
    """How many bytes a frame has that starts like this; None when up to four bytes are needed to tell.

    Raises:
        FrameStartError: no frame starts like this.
        FrameLengthError: the two lengths of a long frame differ, or are below 3.
    """
    start = head[0]
    if start == ACKNOWLEDGE:
        return 1
    if start == SHORT_START:
        return 5
    if start != LONG_START:
        raise FrameStartError(f"No M-Bus frame starts with {start:02X}h.", hint="Expected 10h, 68h or E5h.")
    if len(head) < 4:
        return None
    if head[1] != head[2] or head[3] != LONG_START or head[1] < 3:
        raise FrameLengthError(
            f"The head {head[:4].hex(' ').upper()} is not 68 L L 68 with L of at least 3.",
            hint="The line lost bytes, or this is not M-Bus.",
        )
    return head[1] + 6


def checksum(body: bytes) -> int:
    """The arithmetic sum without carry, EN 13757-2 clause 5.5."""
    return sum(body) & 0xFF


def _octets(*fields: int) -> bytes:
    for field in fields:
        if not 0 <= field <= 0xFF:
            raise UnencodableError(f"{field} is not one byte.", hint="C, A and CI are 0 to 255.")
    return bytes(fields)
