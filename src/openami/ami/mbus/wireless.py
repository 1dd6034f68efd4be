"""Wireless M-Bus (EN 13757-4): link-layer frames of formats A and B, or with checksums taken out by the receiver."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from openami.ami.mbus.errors import ChecksumError, FrameLengthError
from openami.ami.mbus.header import manufacturer_letters

_POLYNOMIAL: Final = 0x3D65
_FIRST_BLOCK: Final = 10
_BLOCK: Final = 16
CRC_SIZE: Final = 2
_FIRST_BLOCK_B_MAX: Final = 126
LINK_HEADER_SIZE: Final = 11  # L, C, manufacturer, address, CI
FRAME_OCTETS_MAX: Final = 290


@dataclass(frozen=True, slots=True)
class RadioFrame:
    """What the link layer says: who sends, and the layers behind; `checked` if checksums were there (and good)."""

    control: int
    manufacturer_octets: bytes
    address: bytes
    control_information: int
    data: bytes
    checked: bool

    @property
    def manufacturer(self) -> str:
        """Three letters."""
        return manufacturer_letters(int.from_bytes(self.manufacturer_octets, "little"))

    @property
    def identification(self) -> str:
        """Eight digits."""
        return self.address[3::-1].hex().upper()

    @property
    def version(self) -> int:
        """The generation of the sender."""
        return self.address[4]

    @property
    def medium(self) -> int:
        """What it measures."""
        return self.address[5]


def decode_radio_frame(octets: bytes) -> RadioFrame:
    """The one frame that the bytes are.

    Raises:
        FrameLengthError: L and the number of bytes fit no format.
        ChecksumError: they fit a format, but a block was damaged.
    """
    if not LINK_HEADER_SIZE <= len(octets) <= FRAME_OCTETS_MAX:
        raise FrameLengthError(
            f"A radio frame of {len(octets)} bytes cannot be.", hint=f"It has {LINK_HEADER_SIZE} to {FRAME_OCTETS_MAX}."
        )
    plain, checked = _without_checksums(octets)
    return RadioFrame(plain[1], plain[2:4], plain[4:10], plain[10], plain[LINK_HEADER_SIZE:], checked)


def encode_radio_frame(frame: RadioFrame) -> bytes:
    """The bytes of a frame in format A.

    Raises:
        FrameLengthError: it is too long.
    """
    size = 10 + len(frame.data)
    if size > 0xFF:
        raise FrameLengthError(f"{len(frame.data)} bytes do not fit a radio frame.", hint="Send at most 245.")
    head = bytes([size, frame.control]) + frame.manufacturer_octets + frame.address
    body = bytes([frame.control_information]) + frame.data
    blocks = [head, *(body[start : start + _BLOCK] for start in range(0, len(body), _BLOCK))]
    return b"".join(block + crc16_en13757(block).to_bytes(2, "big") for block in blocks)


def crc16_en13757(data: bytes) -> int:
    """The checksum of the link layer (EN 13757-4 clause 12.3): polynomial 3D65h, inverted at the end."""
    table = _table()
    crc = 0
    for octet in data:
        crc = (crc << 8 & 0xFFFF) ^ table[(crc >> 8) ^ octet]
    return crc ^ 0xFFFF


def _without_checksums(octets: bytes) -> tuple[bytes, bool]:
    length = octets[0]
    if len(octets) == length + 1:
        return _format_b(octets) or (octets, False)
    blocks = -(-(length - 9) // _BLOCK)
    if len(octets) == length + 1 + CRC_SIZE * (blocks + 1):
        return _format_a(octets), True
    raise FrameLengthError(
        f"L is {length}, {len(octets)} bytes were given.", hint="Give one whole frame, with its checksums or without."
    )


def _format_a(octets: bytes) -> bytes:
    """A checksum behind the first ten bytes, and behind each sixteen that follow."""
    plain = bytearray()
    position, size = 0, _FIRST_BLOCK
    while position < len(octets):
        block, crc = (
            octets[position : position + size + CRC_SIZE][:-CRC_SIZE],
            octets[position : position + size + CRC_SIZE][-CRC_SIZE:],
        )
        if crc16_en13757(block).to_bytes(2, "big") != crc:
            raise ChecksumError(
                f"The block at {position} carries the checksum {crc.hex().upper()}, which does not fit.",
                hint="The radio lost bits: wait for the next telegram.",
            )
        plain += block
        position += size + CRC_SIZE
        size = _BLOCK
    return bytes(plain)


def _format_b(octets: bytes) -> tuple[bytes, bool] | None:
    """One checksum behind all (up to 128 bytes), or a second one; L counts them. None if they are not there."""
    first, rest = octets[: _FIRST_BLOCK_B_MAX + CRC_SIZE], octets[_FIRST_BLOCK_B_MAX + CRC_SIZE :]
    for block in (first, rest) if rest else (first,):
        if crc16_en13757(block[:-CRC_SIZE]).to_bytes(2, "big") != block[-CRC_SIZE:]:
            return None
    return first[:-CRC_SIZE] + rest[:-CRC_SIZE], True


@cache
def _table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        remainder = octet << 8
        for _ in range(8):
            remainder = (remainder << 1 ^ _POLYNOMIAL if remainder & 0x8000 else remainder << 1) & 0xFFFF
        table.append(remainder)
    return tuple(table)
