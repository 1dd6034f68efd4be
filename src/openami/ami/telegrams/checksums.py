"""The reflected 16-bit checksums of meter languages."""

from __future__ import annotations

from functools import cache
from typing import Final

_ARC: Final = 0xA001  # x^16 + x^15 + x^2 + 1, least significant bit first
_CCITT: Final = 0x8408  # x^16 + x^12 + x^5 + 1, least significant bit first


def crc16_arc(data: bytes) -> int:
    """DSMR P1: starts at 0."""
    return _crc16(data, _ARC, 0)


def crc16_x25(data: bytes) -> int:
    """HDLC and SML: starts at FFFFh, and is inverted at the end."""
    return _crc16(data, _CCITT, 0xFFFF) ^ 0xFFFF


def crc16_kermit(data: bytes) -> int:
    """Some old SML meters: starts at 0."""
    return _crc16(data, _CCITT, 0)


@cache
def _table(polynomial: int) -> tuple[int, ...]:
    table = []
    for octet in range(256):
        remainder = octet
        for _ in range(8):
            remainder = remainder >> 1 ^ polynomial if remainder & 1 else remainder >> 1
        table.append(remainder)
    return tuple(table)


def _crc16(data: bytes, polynomial: int, crc: int) -> int:
    table = _table(polynomial)
    for octet in data:
        crc = crc >> 8 ^ table[(crc ^ octet) & 0xFF]
    return crc
