"""Compact frames (OMS volume 2 annex E): data only, whose information a full frame gave before.

A compact frame begins with two checksums: of the data and value information that was left out, and of the whole full
frame. So a frame that was joined with the wrong information is never taken for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.ami.mbus.driver import known_formats
from openami.ami.mbus.errors import UnknownFormatError
from openami.ami.mbus.records import RawRecord, data_size, split_records
from openami.ami.mbus.wireless import crc16_en13757

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNATURE: Final = 2
_FORMATS_MAX: Final = 4096  # some ten thousand meters speak a dozen formats; more is an attack on memory


class FormatBook:
    """The formats of full frames: those that drivers know, and those that were heard."""

    __slots__ = ("_formats",)

    def __init__(self) -> None:
        self._formats: dict[bytes, list[bytes]] = {}
        for parts in known_formats():
            self._keep(list(parts))

    def learn(self, records: Sequence[RawRecord]) -> None:
        """Remember the format of a full frame."""
        if records:
            self._keep([record.dib + record.vib for record in records])

    def expand(self, data: bytes) -> list[RawRecord]:
        """The records of a compact frame.

        Raises:
            UnknownFormatError: no full frame told its format, or it does not give the right checksum.
        """
        signature, whole, values = data[:_SIGNATURE], data[_SIGNATURE : 2 * _SIGNATURE], data[2 * _SIGNATURE :]
        parts = self._formats.get(signature)
        if parts is None:
            raise UnknownFormatError(
                f"The compact frame is of format {signature.hex().upper()}, which was not seen in full.",
                hint="Wait for a full frame of the meter: it sends one every few minutes.",
            )
        joined, position = bytearray(), 0
        for part in parts:
            size = data_size(part[0], values[position : position + 1])
            joined += part + values[position : position + size]
            position += size
        if _checksum(bytes(joined)) != whole:
            raise UnknownFormatError(
                "The compact frame does not give the checksum of its full form.", hint="The telegram is damaged."
            )
        return split_records(bytes(joined))[0]

    def _keep(self, parts: list[bytes]) -> None:
        if len(self._formats) < _FORMATS_MAX:
            self._formats.setdefault(_checksum(b"".join(parts)), parts)


def compact_form(records: Sequence[RawRecord]) -> bytes:
    """The compact form of a full frame's records: both checksums, then the data."""
    information = b"".join(record.dib + record.vib for record in records)
    full = b"".join(record.octets for record in records)
    return _checksum(information) + _checksum(full) + b"".join(record.data for record in records)


def _checksum(octets: bytes) -> bytes:
    return crc16_en13757(octets).to_bytes(2, "little")
