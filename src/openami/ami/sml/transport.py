"""The transport of SML, version 1: escape sequences around a file, and a checksum at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from openami.ami.sml.errors import SmlChecksumError, SmlCutError, SmlError, SmlTooLongError
from openami.ami.telegrams.checksums import crc16_kermit, crc16_x25

ESCAPE: Final = b"\x1b\x1b\x1b\x1b"
BEGIN: Final = ESCAPE + b"\x01\x01\x01\x01"
END: Final = 0x1A
_TAIL_SIZE: Final = 8  # escape, 1Ah, fill bytes, checksum
FILE_OCTETS_MAX: Final = 16_384
"""Meters push some hundred bytes; a list with a signature and a certificate stays below 4 kB."""


@dataclass(slots=True)
class SmlSplitter:
    """Feed it what the line gives; it yields the bytes of whole files, from the first escape to the checksum."""

    dropped_bytes: int = 0
    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, octets: bytes) -> list[bytes]:
        """The files that are complete with these bytes, in their order."""
        self._buffer += octets
        files = []
        while True:
            self._drop_to_beginning()
            end = _end_of_file(self._buffer)
            if end is None:
                break
            files.append(bytes(self._buffer[:end]))
            del self._buffer[:end]
        if len(self._buffer) > FILE_OCTETS_MAX:
            self.dropped_bytes += len(BEGIN)
            del self._buffer[: len(BEGIN)]  # its end was lost: look for another beginning
            self._drop_to_beginning()
        return files

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait for the rest of their file."""
        return len(self._buffer)

    def _drop_to_beginning(self) -> None:
        start = self._buffer.find(BEGIN)
        keep = len(self._buffer) - start if start >= 0 else min(len(self._buffer), len(BEGIN) - 1)
        self.dropped_bytes += len(self._buffer) - keep
        del self._buffer[: len(self._buffer) - keep]


def decode_file(octets: bytes) -> bytes:
    """The messages of one file, escapes undone, fill bytes removed.

    Raises:
        SmlCutError: it is not one whole file.
        SmlChecksumError: the checksum does not fit.
        SmlTooLongError: it is longer than any meter sends.
        SmlError: an escape sequence means nothing.
    """
    if len(octets) > FILE_OCTETS_MAX:
        raise SmlTooLongError(f"{len(octets)} bytes are too many for an SML file.", hint="Give one file.")
    if not octets.startswith(BEGIN) or _end_of_file(octets) != len(octets):
        raise SmlCutError("The bytes are not one whole SML file.", hint="It goes from 1B1B1B1B01010101 to 1B1B1B1B1A..")
    check_file(octets)
    fill = octets[-3]
    body = octets[len(BEGIN) : -_TAIL_SIZE]
    return _unescaped(body)[: -fill or None]


def check_file(octets: bytes) -> None:
    """Compare the checksum at the end of a file.

    Raises:
        SmlChecksumError: it fits neither X.25 nor Kermit.
    """
    carried, good = octets[-2:], checksums(octets[:-2])
    if carried in good:
        return
    raise SmlChecksumError(
        f"The file's checksum is {carried.hex().upper()}, its bytes give {good[0].hex().upper()}.",
        hint="The optical head lost bits: wait for the next push.",
    )


def checksums(octets: bytes) -> tuple[bytes, bytes]:
    """X.25, low byte first, as the standard says; Kermit, high byte first, as some meters send it (Holley)."""
    return crc16_x25(octets).to_bytes(2, "little"), crc16_kermit(octets).to_bytes(2, "big")


def _end_of_file(octets: bytes | bytearray) -> int | None:
    """Past the checksum, or None when the end is not there yet."""
    position = len(BEGIN)
    while (position := octets.find(ESCAPE, position)) >= 0:
        if position + _TAIL_SIZE > len(octets):
            return None
        if octets[position + 4] == END:
            return position + _TAIL_SIZE
        position += 2 * len(ESCAPE)
    return None


def _unescaped(body: bytes) -> bytes:
    """Four escape bytes in the data were sent twice."""
    plain = bytearray()
    position = 0
    while (found := body.find(ESCAPE, position)) >= 0:
        if body[found + 4 : found + 8] != ESCAPE:
            raise SmlError(
                f"The escape sequence {body[found : found + 8].hex().upper()} means nothing.", hint="Wait for the next."
            )
        plain += body[position : found + 4]
        position = found + 8
    return bytes(plain + body[position:])
