"""Raw deliveries as they came: content-addressed, compressed, on the disk before they are acknowledged.

A folder holds `raw/ab/cdef....zst`, named after the SHA-256 of the content, so that a repeat costs nothing and damage
shows; and `quarantine/ab/cdef....json` with the refused parts of a delivery and their reasons. Whatever was refused can
be replayed from the raw delivery once the cause is mended.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from openami.mdus.unify.compression import CHUNK, ENDING, Unpacked, pack, pack_file
from openami.mdus.unify.errors import DamagedDeliveryError, UnknownDeliveryError
from openami.shared.contract.field import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_DIGEST_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery on the disk; `new` is False if the same bytes were there already."""

    digest: str
    size: int
    new: bool
    packed: str = field(default="", compare=False)
    """The hash of the packed bytes as they were written; none of those that were there already."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The refused parts of one delivery, waiting for somebody to mend the cause."""

    digest: str
    source: str
    received_at: datetime
    refusals: tuple[Refusal, ...]


class RawStore:
    """Raw deliveries and their refused parts below one folder. Any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._raw = folder / "raw"
        self._quarantine = folder / "quarantine"

    def keep(self, data: bytes) -> Kept:
        """Keep a delivery; when this returns, it survives the loss of power."""
        digest = sha256(data)
        path = self.path_of(digest)
        if path.exists():
            path.touch()  # as if it had come now: retention counts from the last time
            return Kept(digest, len(data), new=False)
        packed = pack(data)
        _write_durably(path, lambda file: file.write(packed))
        return Kept(digest, len(data), new=True, packed=sha256(packed))

    def keep_file(self, incoming: Path) -> Kept:
        """Keep a file of any size that was written to `incoming`; it moves here, compressed, in bounded memory."""
        digest, size = digest_and_size(incoming)
        path = self.path_of(digest)
        if path.exists():
            path.touch()
            incoming.unlink()
            return Kept(digest, size, new=False)
        _write_durably(path, lambda file: pack_file(incoming, file))
        incoming.unlink()
        return Kept(digest, size, new=True)

    def path_of(self, digest: str) -> Path:
        """Where the delivery of this hash lies, packed.

        Raises:
            UnknownDeliveryError: this is no hash.
        """
        return self._path(self._raw, digest, ENDING)

    def fetch(self, digest: str) -> bytes:
        """The delivery that was kept under this hash.

        Raises:
            UnknownDeliveryError: there is none.
            DamagedDeliveryError: the bytes on the disk are no longer those that were kept.
        """
        return self.open(digest).readall()

    def open(self, digest: str, packed: str = "") -> Checked:
        """The delivery as a stream, which raises like `fetch`, but for damage only when one comes to it.

        With the hash of the `packed` bytes it is cheaper: where they are what was written, so is what they hold.
        """
        data = self._packed(digest)
        return Checked(data, digest, known=bool(packed) and sha256(data) == packed)

    def _packed(self, digest: str) -> bytes:
        try:
            return self.path_of(digest).read_bytes()
        except FileNotFoundError:
            raise not_kept(digest) from None

    def quarantine(self, entry: Quarantined) -> None:
        """Note the refused parts of a delivery; none at all takes an earlier note away."""
        path = self._path(self._quarantine, entry.digest, "json")
        if not entry.refusals:
            path.unlink(missing_ok=True)
            return
        facts = asdict(entry) | {"received_at": entry.received_at.isoformat()}
        note = json.dumps(facts, ensure_ascii=False, indent=1).encode()
        _write_durably(path, lambda file: file.write(note))

    def quarantined(self) -> Iterator[Quarantined]:
        """All deliveries with refused parts, the oldest first: what can be replayed with `fetch`."""
        entries = [entry_of(path.read_bytes()) for path in self._quarantine.glob("??/*.json")]
        yield from sorted(entries, key=lambda entry: (entry.received_at, entry.digest))

    def keeps(self, digest: str) -> bool:
        """Whether the bytes of a delivery are still here."""
        return self.path_of(digest).exists()

    def kept_before(self, at: datetime) -> list[str]:
        """The deliveries that were written before an instant and have no refused parts that wait, by hash."""
        waiting = {one.digest for one in self.quarantined()}
        return sorted({digest for digest, written in self._written() if written < at} - waiting)

    def forget(self, digest: str, before: datetime) -> None:
        """Delete the bytes of a delivery, unless they came again meanwhile; the hash stays wherever it is named."""
        path = self.path_of(digest)
        if path.stat().st_mtime < before.timestamp():
            path.unlink()

    def _written(self) -> Iterator[tuple[str, datetime]]:
        """Every delivery with the instant at which it was written."""
        for path in self._raw.glob(f"??/*.{ENDING}"):
            if len(digest := path.parent.name + path.stem) == _DIGEST_LENGTH:  # or it is still being written
                yield digest, datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def _path(self, folder: Path, digest: str, ending: str) -> Path:
        return folder / name_of(digest, ending)


def sha256(data: bytes) -> str:
    """The hash of some bytes, as deliveries are named."""
    return hashlib.sha256(data).hexdigest()


def is_digest(name: str) -> bool:
    """Whether this is the hash of a delivery; values that a person entered have another origin."""
    return len(name) == _DIGEST_LENGTH and set(name) <= set("0123456789abcdef")


def name_of(digest: str, ending: str) -> str:
    """Where a delivery lies below its folder.

    Raises:
        UnknownDeliveryError: this is no hash.
    """
    if not is_digest(digest):
        raise UnknownDeliveryError(f"{digest[:80]!r} is not the hash of a delivery.")
    return f"{digest[:2]}/{digest[2:]}.{ending}"


def not_kept(digest: str) -> UnknownDeliveryError:
    """What is said of a delivery that is not here."""
    hint = "The policy (`keep_deliveries_days`) may have deleted it: the audit says so."
    return UnknownDeliveryError(f"No delivery {digest!r} is kept here.", hint=hint)


def entry_of(data: bytes) -> Quarantined:
    """A note of refused parts, read again."""
    facts = json.loads(data)
    return Quarantined(
        facts["digest"],
        facts["source"],
        datetime.fromisoformat(facts["received_at"]),
        tuple(Refusal(**each) for each in facts["refusals"]),
    )


def digest_and_size(path: Path) -> tuple[str, int]:
    """SHA-256 and length of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


class Checked(Unpacked):
    """What a delivery holds. At its end it is compared with its hash: until then it may be damaged.

    Reading raises `DamagedDeliveryError` if it is no longer what was kept, unless that is `known` before.
    """

    def __init__(self, packed: bytes, digest: str, *, known: bool = False) -> None:
        self._digest, self._known = digest, known
        super().__init__(io.BytesIO(packed))

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Read on."""
        try:
            count = super().readinto(buffer)
        except OSError as error:
            raise DamagedDeliveryError(f"The delivery {self._digest} cannot be read: {error}.") from error
        if self._known:
            return count
        self._hash.update(memoryview(buffer)[:count])
        if not count and len(buffer) and self._hash.hexdigest() != self._digest:
            raise DamagedDeliveryError(
                f"The delivery {self._digest} has other bytes than were kept.", hint="Restore it from a backup."
            )
        return count

    def finish(self) -> None:
        """Read what is left, and compare: a reader may have stopped before the end, and closed the stream."""
        rest = bytearray(CHUNK)
        while not self._known and self.readinto(rest):
            pass

    def _begin(self) -> Any:  # noqa: ANN401 - as above
        self._hash = hashlib.sha256()
        return super()._begin()


def _write_durably(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside, sync, rename, sync the folders: a reader sees the whole file or none, also after a crash."""
    fresh = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with beside.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _sync_folders([path.parent, *([path.parent.parent, path.parent.parent.parent] if fresh else [])])


def _sync_folders(folders: Sequence[Path]) -> None:
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
