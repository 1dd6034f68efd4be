"""Files on the disk as streams: plain, gzipped, or the members of a zip; never more of them in memory than a block."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from openami.mdus.unify.adapters.formats import adapter_named, sniff
from openami.mdus.unify.adapters.model import BAD_VALUE, HEAD_BYTES, Batch
from openami.mdus.unify.adapters.summary import summarise
from openami.shared.contract.field import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openami.mdus.unify.adapters.model import Adapter

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"


@contextmanager
def streams(path: Path) -> Iterator[Iterator[tuple[str, BinaryIO]]]:
    """The contents of a file, each with its name: one for a plain or gzipped file, one a member for a zip."""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic == _ZIP:
            with zipfile.ZipFile(file) as archive:
                yield _members(archive)
        elif magic.startswith(_GZIP):
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield iter([(path.name.removesuffix(".gz"), cast("BinaryIO", unpacked))])
        else:
            yield iter([(path.name, file)])


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, BinaryIO]]:
    for member in archive.infolist():
        if not member.is_dir():
            with archive.open(member) as stream:
                yield member.filename, cast("BinaryIO", stream)


def recognised(stream: BinaryIO, format_name: str = "") -> tuple[Adapter, BinaryIO]:
    """The adapter for a stream, by name or by its first bytes, and the stream from its beginning again.

    Raises:
        UnknownFormatError: no adapter has that name, or none recognises the bytes.
    """
    buffered = io.BufferedReader(cast("Any", stream), buffer_size=1 << 16)
    head = buffered.peek(HEAD_BYTES)[:HEAD_BYTES]
    return (adapter_named(format_name) if format_name else sniff(head)), cast("BinaryIO", buffered)


def read_file(path: Path, format_name: str = "") -> Iterator[tuple[str, Batch]]:
    """All batches of a file, each with the name of its format.

    Raises:
        UnknownFormatError: no adapter recognises the file.
    """
    with streams(path) as contents:
        for name, stream in contents:
            adapter, whole = recognised(stream, format_name)
            try:
                for batch in adapter.read(whole):
                    yield adapter.name, batch
            except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
                reason = f"the compressed file is damaged: {error}"
                yield adapter.name, Batch(refusals=(Refusal(name, BAD_VALUE, reason),))


def dry_run(path: Path, format_name: str = "") -> dict[str, Any]:
    """What a file holds, without storing anything: the JSON of `openami ingest --dry-run --json FILE`.

    Raises:
        UnknownFormatError: no adapter recognises the file.
    """
    formats: list[str] = []

    def batches() -> Iterator[Batch]:
        for name, batch in read_file(path, format_name):
            formats[:] = [name]
            yield batch

    facts = summarise(str(path), "", batches())
    return facts | {"format": formats[0] if formats else format_name}
