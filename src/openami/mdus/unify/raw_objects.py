"""Raw deliveries in S3-compatible object storage: the same names and bytes as in a folder (see `raw`)."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyarrow import fs

from openami.mdus.unify.errors import DamagedDeliveryError, UnknownDeliveryError
from openami.mdus.unify.raw import Kept, RawStore, entry_of, name_of
from openami.shared.object_store import SCHEME, ObjectStore, is_object_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openami.mdus.unify.raw import Quarantined

_LEVEL: Final = 1  # the network, not the last tenth of the size, is what a delivery waits for


class ObjectRawStore(RawStore):
    """Raw deliveries and their refused parts below one prefix. An object is there whole or not at all."""

    def __init__(self, prefix: str, store: ObjectStore | None = None) -> None:
        """Take `s3://bucket/prefix`, and the store if it is not the one of the environment."""
        self._prefix = prefix.removeprefix(SCHEME).rstrip("/")
        self._store = store or ObjectStore.of_environment()
        self._files = fs.S3FileSystem(
            access_key=self._store.key_id,
            secret_key=self._store.secret,
            endpoint_override=self._store.host or None,
            scheme="https" if self._store.tls else "http",
            region=self._store.region,
        )

    def keep(self, data: bytes) -> Kept:
        """Keep a delivery; when this returns, the store has acknowledged it."""
        digest = hashlib.sha256(data).hexdigest()
        if self._exists(key := self._key("raw", digest, "gz")):
            return Kept(digest, len(data), new=False)
        self._write(key, gzip.compress(data, _LEVEL, mtime=0))
        return Kept(digest, len(data), new=True)

    def keep_file(self, incoming: Path) -> Kept:
        """Keep a file that was written to `incoming`; it moves here."""
        kept = self.keep(incoming.read_bytes())
        incoming.unlink()
        return kept

    def path_of(self, digest: str) -> Path:
        """A copy of the delivery on this machine, gzipped, for a reader that takes it piece by piece.

        Raises:
            UnknownDeliveryError: there is none.
        """
        path = spool_of(SCHEME) / name_of(digest, "gz")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}")
            beside.write_bytes(gzip.compress(self.fetch(digest), _LEVEL, mtime=0))
            beside.replace(path)
        return path

    def fetch(self, digest: str) -> bytes:
        """The delivery that was kept under this hash.

        Raises:
            UnknownDeliveryError: there is none.
            DamagedDeliveryError: the bytes in the store are no longer those that were kept.
        """
        try:
            with self._files.open_input_stream(self._key("raw", digest, "gz"), compression=None) as stream:
                data = gzip.decompress(stream.read())
        except FileNotFoundError:
            raise UnknownDeliveryError(f"No delivery {digest!r} is kept here.") from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DamagedDeliveryError(f"The delivery {digest} cannot be read: {error}.") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise DamagedDeliveryError(
                f"The delivery {digest} has other bytes than were kept.", hint="Restore it from a backup."
            )
        return data

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

    def _key(self, kind: str, digest: str, ending: str) -> str:
        return f"{self._prefix}/{kind}/{name_of(digest, ending)}"

    def _exists(self, key: str) -> bool:
        return bool(self._files.get_file_info(key).type is fs.FileType.File)

    def _write(self, key: str, data: bytes) -> None:
        with self._files.open_output_stream(key, compression=None) as stream:
            stream.write(data)


def raw_store(place: str | Path) -> RawStore:
    """The raw deliveries in a folder or below `s3://bucket/prefix`."""
    return ObjectRawStore(str(place)) if is_object_url(place) else RawStore(Path(place))


def spool_of(place: str | Path) -> Path:
    """The folder of this machine in which files lie until they are kept."""
    return Path(tempfile.gettempdir()) / "openami-spool" if is_object_url(place) else Path(place) / "spool"
