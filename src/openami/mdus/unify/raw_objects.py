"""Raw deliveries in S3-compatible object storage: the same names and bytes as in a folder (see `raw`)."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyarrow import fs

from openami.mdus.unify.compression import CHUNK, ENDING, digest_of, pack, pack_file
from openami.mdus.unify.errors import DamagedDeliveryError
from openami.mdus.unify.raw import Kept, RawStore, digest_and_size, entry_of, name_of, not_kept, sha256
from openami.shared.object_store import SCHEME, ObjectStore, is_object_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from openami.mdus.unify.raw import Quarantined

COPIES_BYTES: Final = 8 << 30
"""How much of this machine's disk copies of deliveries may take; the oldest go first."""


class ObjectRawStore(RawStore):
    """Raw deliveries and their refused parts below one prefix. An object is there whole or not at all."""

    def __init__(self, prefix: str, files: fs.FileSystem | None = None, copies: Path | None = None) -> None:
        """Take `s3://bucket/prefix`; store and folder for copies, if they are not those of the environment."""
        self._prefix = prefix.removeprefix(SCHEME).rstrip("/")
        self._files = files or ObjectStore.of_environment().file_system()
        self._copies = copies

    def keep(self, data: bytes) -> Kept:
        """Keep a delivery; when this returns, the store has acknowledged it."""
        digest = sha256(data)
        if self._exists(key := self._key("raw", digest, ENDING)):
            return Kept(digest, len(data), new=False)
        packed = pack(data)
        self._write(key, packed)
        return Kept(digest, len(data), new=True, packed=sha256(packed))

    def keep_file(self, incoming: Path) -> Kept:
        """Keep a file of any size that was written to `incoming`; it moves here, packed, in bounded memory."""
        digest, size = digest_and_size(incoming)
        new = not self._exists(key := self._key("raw", digest, ENDING))
        if new:
            # packed here first: once an object is begun, nothing but the network may go wrong
            beside = incoming.with_name(f"{incoming.name}.{ENDING}")
            try:
                with beside.open("xb") as file:
                    pack_file(incoming, file)
                self._send(beside, key)
            finally:
                beside.unlink(missing_ok=True)
        incoming.unlink()
        return Kept(digest, size, new)

    def path_of(self, digest: str) -> Path:
        """A copy of the delivery on this machine, packed, for a reader that takes it piece by piece.

        It is compared with its hash when it arrives. It may go when others are asked for.

        Raises:
            UnknownDeliveryError: there is none.
            DamagedDeliveryError: the bytes in the store are no longer those that were kept.
        """
        folder = self._copies or private_folder() / "raw"
        path = folder / f"{digest}.{ENDING}"
        key = self._key("raw", digest, ENDING)
        if path.exists():
            path.touch()
            return path
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = folder / f".{digest}.{os.urandom(4).hex()}"
        try:
            self._fetch_file(key, digest, beside)
            _make_room(folder, beside.stat().st_size)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        return path

    def _packed(self, digest: str) -> bytes:
        try:
            with self._files.open_input_stream(self._key("raw", digest, ENDING), compression=None) as stream:
                packed: bytes = stream.read()
        except FileNotFoundError:
            raise not_kept(digest) from None
        return packed

    def quarantine(self, entry: Quarantined) -> None:
        """Note the refused parts of a delivery; none at all takes an earlier note away."""
        key = self._key("quarantine", entry.digest, "json")
        if entry.refusals:
            facts = asdict(entry) | {"received_at": entry.received_at.isoformat()}
            self._write(key, json.dumps(facts, ensure_ascii=False, indent=1).encode())
        elif self._exists(key):
            self._files.delete_file(key)

    def quarantined(self) -> Iterator[Quarantined]:
        """All deliveries with refused parts, the oldest first."""
        found = self._files.get_file_info(
            fs.FileSelector(f"{self._prefix}/quarantine", recursive=True, allow_not_found=True)
        )
        entries = []
        for one in found:
            if one.type is fs.FileType.File:
                with self._files.open_input_stream(one.path) as stream:
                    entries.append(entry_of(stream.read()))
        yield from sorted(entries, key=lambda entry: (entry.received_at, entry.digest))

    def keeps(self, digest: str) -> bool:
        """Whether the bytes of a delivery are still in the store."""
        return self._exists(self._key("raw", digest, ENDING))

    def forget(self, digest: str, before: datetime) -> None:
        """Delete the bytes of a delivery, unless they were written anew meanwhile; the hash stays where it is named."""
        found = self._files.get_file_info(key := self._key("raw", digest, ENDING))
        if found.mtime is not None and found.mtime < before:
            self._files.delete_file(key)

    def _written(self) -> Iterator[tuple[str, datetime]]:
        for one in self._files.get_file_info(
            fs.FileSelector(f"{self._prefix}/raw", recursive=True, allow_not_found=True)
        ):
            if one.type is fs.FileType.File and one.mtime is not None:
                *_, start, rest = one.path.split("/")
                yield start + rest.partition(".")[0], one.mtime

    def _key(self, kind: str, digest: str, ending: str) -> str:
        return f"{self._prefix}/{kind}/{name_of(digest, ending)}"

    def _exists(self, key: str) -> bool:
        return bool(self._files.get_file_info(key).type is fs.FileType.File)

    def _write(self, key: str, data: bytes) -> None:
        with self._files.open_output_stream(key, compression=None) as stream:
            stream.write(data)

    def _send(self, packed: Path, key: str) -> None:
        with packed.open("rb") as file, self._files.open_output_stream(key, compression=None) as stream:
            while piece := file.read(CHUNK):
                stream.write(piece)

    def _fetch_file(self, key: str, digest: str, path: Path) -> None:
        try:
            with self._files.open_input_stream(key, compression=None) as stream, path.open("xb") as file:
                while piece := stream.read(CHUNK):
                    file.write(piece)
        except FileNotFoundError:
            raise not_kept(digest) from None
        try:
            found = digest_of(path)
        except OSError as error:
            raise DamagedDeliveryError(f"The delivery {digest} cannot be read: {error}.") from error
        if found != digest:
            raise DamagedDeliveryError(
                f"The delivery {digest} has other bytes than were kept.", hint="Restore it from a backup."
            )


def _make_room(folder: Path, wanted: int) -> None:
    """Let copies go, the longest unused first, until there is room for one more."""
    copies = sorted((one.stat().st_mtime_ns, one.stat().st_size, one) for one in folder.glob(f"*.{ENDING}"))
    total = wanted + sum(size for _, size, _ in copies)
    for _, size, path in copies:
        if total <= COPIES_BYTES:
            return
        with suppress(FileNotFoundError):  # somebody else was faster
            path.unlink()
        total -= size


@cache
def private_folder() -> Path:
    """A folder of this process alone, under a name that nobody can foresee; it goes with the process."""
    return Path(_temporary().name)


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="openami-")


def raw_store(place: str | Path) -> RawStore:
    """The raw deliveries in a folder or below `s3://bucket/prefix`."""
    return ObjectRawStore(str(place)) if is_object_url(place) else RawStore(Path(place))


def spool_of(place: str | Path) -> Path:
    """The folder of this machine in which files lie until they are kept."""
    return private_folder() / "spool" if is_object_url(place) else Path(place) / "spool"
