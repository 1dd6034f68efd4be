"""Radio telegrams in what a receiver gives: frames one after the other, with or without their line code."""

from __future__ import annotations

from typing import Final

from openami.ami.mbus.errors import MBusError
from openami.ami.mbus.radio_codes import uncoded
from openami.ami.mbus.wireless import LINK_HEADER_SIZE, decode_radio_frame

# send/no reply, installation, access demand: what meters send unasked (EN 13757-4 table 23)
CONTROLS: Final = frozenset({0x44, 0x46, 0x48})
# the CI fields that a meter's telegram begins with; A0h to B7h are the makers' own
_INFORMATION: Final = frozenset({0x72, 0x78, 0x79, 0x7A, 0x7B, *range(0x8C, 0x91), *range(0xA0, 0xB8)})

_TEXT: Final = bytes(range(0x20, 0x80)) + b"\t\r\n\x02\x03"


def radio_frames(octets: bytes) -> list[bytes]:
    """The frames in the bytes, in their order; what lies between them is skipped."""
    if _is_frame(octets):
        return [octets]
    if not octets.translate(None, _TEXT):
        return []  # letters are among the bytes that frames begin with: text would be full of them
    heard = uncoded(octets)
    if heard is not None:
        return [heard]
    frames, position = [], 0
    while position + LINK_HEADER_SIZE <= len(octets):
        size = _size_at(octets, position)
        if size:
            frames.append(octets[position : position + size])
        position += size or 1
    return frames


def _size_at(octets: bytes, position: int) -> int:
    """How long the frame here is, with its checksums if they fit and without otherwise; 0 if there is none."""
    length = octets[position]
    if length + 1 < LINK_HEADER_SIZE or octets[position + 1] not in CONTROLS:
        return 0
    blocks = 1 + -(-(length - 9) // 16)
    with_checksums = octets[position : position + length + 1 + 2 * blocks]
    if _is_frame(with_checksums):
        return len(with_checksums)
    whole = position + length < len(octets) and octets[position + LINK_HEADER_SIZE - 1] in _INFORMATION
    return length + 1 if whole else 0


def _is_frame(octets: bytes) -> bool:
    try:
        decode_radio_frame(octets)
    except MBusError:
        return False
    return octets[1] in CONTROLS
