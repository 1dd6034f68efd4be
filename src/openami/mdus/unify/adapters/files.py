"""Files on the disk as streams: plain, packed, or the members of a zip; never more of them in memory than a block."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from openami.mdus.unify.adapters.delimited import Delimited
from openami.mdus.unify.adapters.formats import UnknownFormatError, adapter_named, sniff
from openami.mdus.unify.adapters.model import BAD_VALUE, HEAD_BYTES, Batch
from openami.mdus.unify.adapters.summary import summarise
from openami.mdus.unify.columns import ByColumns
from openami.mdus.unify.compression import ENDING, MAGIC, Unpacked
from openami.shared.contract.field import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from openami.mdus.unify.adapters.mapping import FileMapping
    from openami.mdus.unify.adapters.model import Adapter
    from openami.mdus.unify.columns import Piece

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_DEPTH: Final = 2
"""A file that was packed when it came is packed once more when it is kept."""


@dataclass(slots=True)
class Place:
    """How far a file was read."""

    share: float = 0.0


@contextmanager
def streams(path: Path, place: Place | None = None) -> Iterator[Iterator[tuple[str, BinaryIO]]]:
    """The contents of a file, each with its name: one for a plain or packed file, one a member for a zip.

    `place` is told how far one is, by what was read of the file as it lies there.
    """
    with _Watched(path, place) as watched:
        file = cast("BinaryIO", io.BufferedReader(watched, 1 << 20))
        with _unpacked(path.name, file, depth=0) as contents:
            yield contents


@contextmanager
def _unpacked(name: str, file: BinaryIO, depth: int) -> Iterator[Iterator[tuple[str, BinaryIO]]]:
    """What a stream holds: itself, what it was compressed from, or the members of an archive."""
    magic = _magic(file)
    if magic == _ZIP:
        with zipfile.ZipFile(file) as archive:
            yield _members(archive)
    elif depth < _DEPTH and magic.startswith((_GZIP, MAGIC)):
        gzipped = magic.startswith(_GZIP)
        plain: Any = gzip.GzipFile(fileobj=file, mode="rb") if gzipped else io.BufferedReader(Unpacked(file), 1 << 20)
        inner = name.removesuffix(".gz" if gzipped else f".{ENDING}")
        with plain, _unpacked(inner, cast("BinaryIO", plain), depth + 1) as contents:
            yield contents
    else:
        yield iter([(name, file)])


def _magic(file: BinaryIO) -> bytes:
    """The first bytes; none of a damaged file, which says so again when it is read."""
    try:
        return file.read(4)
    except (OSError, EOFError, zlib.error):
        return b""
    finally:
        file.seek(0)


class _Watched(io.FileIO):
    """A file that tells how far it was read."""

    def __init__(self, path: Path, place: Place | None) -> None:
        super().__init__(path)
        self._place = place
        self._size = max(path.stat().st_size, 1)

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any buffer
        count = super().readinto(buffer)
        if self._place is not None:
            self._place.share = self.tell() / self._size
        return count or 0


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, BinaryIO]]:
    for member in archive.infolist():
        if not member.is_dir():
            with archive.open(member) as stream:
                yield member.filename, cast("BinaryIO", stream)


def recognised(stream: BinaryIO, format_name: str = "", mapping: FileMapping | None = None) -> tuple[Adapter, BinaryIO]:
    """The adapter for a stream, by mapping, name or first bytes, and the stream from its beginning again.

    Raises:
        UnknownFormatError: no adapter has that name, or none recognises the bytes.
    """
    buffered = io.BufferedReader(cast("Any", stream), buffer_size=1 << 16)
    head = buffered.peek(HEAD_BYTES)[:HEAD_BYTES]
    whole = cast("BinaryIO", buffered)
    if mapping is not None:
        return Delimited(mapping), whole
    return (adapter_named(format_name) if format_name else sniff(head)), whole


def read_file(
    path: Path, format_name: str = "", mapping: FileMapping | None = None, place: Place | None = None
) -> Iterator[tuple[str, Batch]]:
    """All batches of a file, each with the name of its format.

    Raises:
        UnknownFormatError: no adapter recognises the file; of an archive such members are refused, the others read.
    """
    found = _read(path, format_name, mapping, place, lambda adapter, stream: adapter.read(stream))
    return ((name, one) for name, one in found if isinstance(one, Batch))


def read_columns(
    path: Path, format_name: str = "", mapping: FileMapping | None = None, place: Place | None = None
) -> Iterator[tuple[str, Piece | Batch]]:
    """All of a file like `read_file`, by columns where its format can be read so.

    Raises:
        UnknownFormatError: as above.
    """
    return _read(
        path, format_name, mapping, place,
        lambda adapter, stream: adapter.columns(stream) if isinstance(adapter, ByColumns) else adapter.read(stream),
    )  # fmt: skip


def _read(
    path: Path,
    format_name: str,
    mapping: FileMapping | None,
    place: Place | None,
    read: Callable[[Adapter, BinaryIO], Iterator[Piece | Batch]],
) -> Iterator[tuple[str, Piece | Batch]]:
    """All of a file as one of the ways of reading gives it.

    Raises:
        UnknownFormatError: no adapter recognises the file; of an archive such members are refused, the others read.
    """
    with streams(path, place) as contents:
        for name, stream in contents:
            try:
                adapter, whole = recognised(stream, format_name, mapping)
            except (OSError, EOFError, zlib.error) as error:
                yield format_name, _damaged(name, error)
                continue
            except UnknownFormatError as error:
                if name in _names(path):
                    raise
                yield format_name, Batch(refusals=(Refusal(name, BAD_VALUE, error.found),))
                continue
            try:
                for batch in read(adapter, whole):
                    yield adapter.name, batch
            except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
                yield adapter.name, _damaged(name, error)


def _names(path: Path) -> set[str]:
    """What the content of a file may be called that is no archive."""
    plain = path.name.removesuffix(f".{ENDING}")
    return {path.name, plain, plain.removesuffix(".gz")}


def _damaged(name: str, error: Exception) -> Batch:
    return Batch(refusals=(Refusal(name, BAD_VALUE, f"the compressed file is damaged: {error}"),))


def dry_run(path: Path, format_name: str = "", mapping: FileMapping | None = None) -> dict[str, Any]:
    """What a file holds, without storing anything: the JSON of `openami ingest --dry-run --json FILE`.

    Raises:
        UnknownFormatError: no adapter recognises the file.
    """
    formats: list[str] = []

    def batches() -> Iterator[Batch]:
        for name, batch in read_file(path, format_name, mapping):
            formats[:] = [name]
            yield batch

    facts = summarise(str(path), "", batches())
    return facts | {"format": formats[0] if formats else format_name}
