"""The checksum of HDLC: CRC-16/X-25, sent with its low octet first."""

from __future__ import annotations

_POLYNOMIAL = 0x8408


def _row(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (_POLYNOMIAL if octet & 1 else 0)
    return octet


_TABLE = tuple(map(_row, range(256)))


def checksum(octets: bytes) -> bytes:
    """The two octets that follow `octets` on the line."""
    crc = 0xFFFF
    for octet in octets:
        crc = crc >> 8 ^ _TABLE[(crc ^ octet) & 0xFF]
    return (crc ^ 0xFFFF).to_bytes(2, "little")
