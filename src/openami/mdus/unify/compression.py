"""Zstandard, by which deliveries are kept: read twelve times as fast as gzip, at two thirds of its size.

In: bytes, files. Out: the same, packed; what is packed, as a stream that other readers may seek in.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import pyarrow as pa

if TYPE_CHECKING:
    from pathlib import Path

MAGIC: Final = b"\x28\xb5\x2f\xfd"
ENDING: Final = "zst"
CHUNK: Final = 1 << 20
_CODEC: Final = "zstd"


def pack(data: bytes) -> bytes:
    """Bytes, packed; the same content is the same bytes on every machine."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, _CODEC) as stream:
        stream.write(data)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def pack_file(source: Path, target: BinaryIO) -> None:
    """Pack a file of any size into another one, in bounded memory."""
    with (
        source.open("rb") as plain,
        pa.CompressedOutputStream(pa.PythonFile(cast("Any", _Open(target)), "w"), _CODEC) as stream,
    ):
        while piece := plain.read(CHUNK):
            stream.write(piece)


def digest_of(packed: Path) -> str:
    """The SHA-256 of what a packed file holds.

    Raises:
        OSError: it is damaged.
    """
    digest = hashlib.sha256()
    with packed.open("rb") as file, Unpacked(file) as plain:
        while piece := plain.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


class Unpacked(io.RawIOBase):
    """What a packed stream holds. Seeking backwards begins anew, as it does in gzip's own reader."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._at = 0
        self._stream = self._begin()

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def seekable(self) -> bool:
        """Archives and column files begin at their end."""
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Read on."""
        count: int = self._stream.readinto(buffer)
        self._at += count
        return count

    def readall(self) -> bytes:
        """All that is left."""
        return b"".join(iter(lambda: self.read(CHUNK), b""))

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place; returns where it is."""
        if whence == io.SEEK_END:
            while self.read(CHUNK):
                pass
        wanted = offset + (0 if whence == io.SEEK_SET else self._at)
        if wanted < self._at:
            self._stream, self._at = self._begin(), 0
        while self._at < wanted and self.read(min(CHUNK, wanted - self._at)):
            pass
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def _begin(self) -> Any:  # noqa: ANN401 - pyarrow has no types of its own
        self._packed.seek(0)
        return pa.CompressedInputStream(pa.PythonFile(cast("Any", _Open(self._packed)), "r"), _CODEC)


class _Open:
    """A file that stays open when pyarrow, which holds it for a while, closes what it was given."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.write, self.flush = file.read, getattr(file, "write", None), file.flush

    def close(self) -> None:
        """Leave that to whoever opened the file."""
