"""Line codes of wireless M-Bus (EN 13757-4): how modes T, S and C put a frame's bits on the air.

Most receivers take the code off. For those that give what they heard, bit by bit behind the synchronisation word:
mode T from the meter codes four bits as six chips, mode S each bit as two (Manchester), mode C codes none and says with
two bytes which frame format follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.ami.mbus.errors import MBusError
from openami.ami.mbus.wireless import FRAME_OCTETS_MAX, decode_radio_frame

if TYPE_CHECKING:
    from collections.abc import Callable

# EN 13757-4 table 13: the six chips of each value of four bits, three of them set
_THREE_OF_SIX: Final = (
    0b010110, 0b001101, 0b001110, 0b001011, 0b011100, 0b011001, 0b011010, 0b010011,
    0b101100, 0b100101, 0b100110, 0b100011, 0b110100, 0b110001, 0b110010, 0b101001,
)  # fmt: skip
_SIX_BITS: Final = {chips: value for value, chips in enumerate(_THREE_OF_SIX)}
_MODE_C_FORMATS: Final = (b"\x54\xcd", b"\x54\x3d")  # clause 8: what tells format A from format B
_SYNC_T: Final = b"\x54\x3d"  # clauses 6 and 5: last bytes of the preamble, where a receiver keeps them
_SYNC_S: Final = b"\x76\x96"
_CHIP_OCTETS_MAX: Final = 2 * FRAME_OCTETS_MAX


def uncoded(octets: bytes) -> bytes | None:
    """The frame in what a receiver heard, whichever mode; None unless a frame of good checksums comes out."""
    if len(octets) > _CHIP_OCTETS_MAX:
        return None
    for prefix, decode in _MODES:
        if octets.startswith(prefix):
            frame = _checked(decode(octets[len(prefix) :]))
            if frame is not None:
                return frame
    return None


def three_of_six(frame: bytes) -> bytes:
    """Mode T: each byte as twelve chips, the high half first; filled up with ones and zeros in turn."""
    chips = "".join(f"{_THREE_OF_SIX[octet >> 4]:06b}{_THREE_OF_SIX[octet & 0x0F]:06b}" for octet in frame)
    chips += "01" * (-len(chips) % 8 // 2)
    return int(chips, 2).to_bytes(len(chips) // 8, "big") if chips else b""


def manchester(frame: bytes) -> bytes:
    """Mode S: a one as the chips 01, a zero as 10."""
    chips = "".join("01" if octet >> bit & 1 else "10" for octet in frame for bit in range(7, -1, -1))
    return int(chips, 2).to_bytes(len(chips) // 8, "big") if chips else b""


def _from_three_of_six(chips: bytes) -> bytes:
    bits = "".join(f"{octet:08b}" for octet in chips)
    halves = bytearray()
    for start in range(0, len(bits) - 5, 6):
        value = _SIX_BITS.get(int(bits[start : start + 6], 2))
        if value is None:
            break  # the end of the frame, or a chip that was lost
        halves.append(value)
    return bytes(high << 4 | low for high, low in zip(halves[::2], halves[1::2], strict=False))


def _from_manchester(chips: bytes) -> bytes:
    bits = "".join(f"{octet:08b}" for octet in chips)
    plain = ""
    for start in range(0, len(bits) - 1, 2):
        pair = bits[start : start + 2]
        if pair not in ("01", "10"):
            break
        plain += pair[1]
    return bytes(int(plain[start : start + 8], 2) for start in range(0, len(plain) - 7, 8))


def _as_it_is(octets: bytes) -> bytes:
    return octets


_MODES: Final[tuple[tuple[bytes, Callable[[bytes], bytes]], ...]] = (
    *((prefix, _as_it_is) for prefix in _MODE_C_FORMATS),
    (_SYNC_T, _from_three_of_six),
    (_SYNC_S, _from_manchester),
    (b"", _from_three_of_six),
    (b"", _from_manchester),
)


def _checked(octets: bytes) -> bytes | None:
    """The frame that begins the bytes, if its checksums are there and good; what follows is the tail of the coding."""
    for size in _sizes(octets):
        try:
            if decode_radio_frame(octets[:size]).checked:
                return octets[:size]
        except MBusError:
            continue
    return None


def _sizes(octets: bytes) -> tuple[int, ...]:
    """How long a frame of this L is, in format A and in format B."""
    if not octets:
        return ()
    blocks = 1 + -(-max(octets[0] - 9, 0) // 16)
    sizes = (octets[0] + 1 + 2 * blocks, octets[0] + 1)
    return tuple(size for size in sizes if size <= len(octets))
