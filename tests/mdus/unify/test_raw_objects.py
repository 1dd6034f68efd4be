"""Deliveries in object storage: whole files in bounded memory, copies that are private, bounded and compared."""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from pyarrow import fs

from openami.mdus.unify import Kept, Quarantined, raw_objects
from openami.mdus.unify.adapters import dry_run
from openami.mdus.unify.compression import pack
from openami.mdus.unify.errors import DamagedDeliveryError, UnknownDeliveryError
from openami.mdus.unify.raw import name_of
from openami.mdus.unify.raw_objects import ObjectRawStore, private_folder, spool_of
from openami.shared.contract.field import Refusal
from openami.testing.fleet import Fleet

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> ObjectRawStore:
    """A store whose objects lie in a folder, as every file system of pyarrow may."""
    (tmp_path / "bucket").mkdir()
    files = fs.SubTreeFileSystem(str(tmp_path / "bucket"), fs.LocalFileSystem())
    for folder in ("raw", "quarantine"):
        for byte in range(256):
            files.create_dir(f"meters/{folder}/{byte:02x}")
    return ObjectRawStore("s3://meters", files, tmp_path / "copies")


def object_of(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "bucket" / "meters" / "raw" / name_of(digest, "zst")


def incoming(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "incoming"
    path.write_bytes(data)
    return path


def test_bytes_and_files_are_kept_alike(store: ObjectRawStore, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    digest = hashlib.sha256(data).hexdigest()
    assert store.keep_file(incoming(tmp_path, data)) == Kept(digest, len(data), new=True)
    assert store.keep_file(incoming(tmp_path, data)) == Kept(digest, len(data), new=False)
    assert store.keep(data) == Kept(digest, len(data), new=False)
    assert store.fetch(digest) == data
    kept = store.keep(b"content")
    assert kept.packed == hashlib.sha256(object_of(tmp_path, kept.digest).read_bytes()).hexdigest()
    assert store.open(kept.digest, kept.packed).readall() == b"content"
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == []


def test_a_file_never_stands_in_memory_as_a_whole(
    store: ObjectRawStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(_path: object) -> bytes:
        raise AssertionError("the file was read at once")

    path = incoming(tmp_path, b"x" * 100_000)
    monkeypatch.setattr("pathlib.Path.read_bytes", whole)
    kept = store.keep_file(path)
    assert store.path_of(kept.digest).is_file()


def test_a_copy_is_read_like_the_file(store: ObjectRawStore, tmp_path: Path) -> None:
    xml = Fleet(2).day(0).xml()
    path = store.path_of(store.keep_file(incoming(tmp_path, xml)).digest)
    assert sum(one["count"] for one in dry_run(path)["channels"]) > 300
    assert store.path_of(store.keep(xml).digest) == path


def test_what_failed_half_way_can_be_sent_again(
    store: ObjectRawStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = incoming(tmp_path, b"content")
    with monkeypatch.context() as patch:
        patch.setattr(raw_objects, "pack_file", broken)
        with pytest.raises(OSError, match="No space"):
            store.keep_file(path)
    assert path.exists()
    assert store.keep_file(path).new


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda _: b"junk", lambda _: pack(b"other")])
def test_damage_in_the_store_is_noticed(store: ObjectRawStore, tmp_path: Path, damage: object) -> None:
    digest = store.keep(b"content" * 100).digest
    path = object_of(tmp_path, digest)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator] # one of the three above
    with pytest.raises(DamagedDeliveryError):
        store.path_of(digest)
    with pytest.raises(DamagedDeliveryError):
        store.fetch(digest)
    assert not [*(tmp_path / "copies").iterdir()]


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", ""])
def test_an_unknown_hash_is_told(store: ObjectRawStore, digest: str) -> None:
    for ask in (store.fetch, store.path_of):
        with pytest.raises(UnknownDeliveryError):
            ask(digest)


def test_copies_go_when_there_are_too_many(
    store: ObjectRawStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = [store.keep(os.urandom(1000)).digest for _ in range(4)]
    size = object_of(tmp_path, digests[0]).stat().st_size
    monkeypatch.setattr(raw_objects, "COPIES_BYTES", 2 * size + 10)
    for age, digest in enumerate(digests[:2]):
        os.utime(store.path_of(digest), (age, age))
    store.path_of(digests[0])  # used again: the other one is older now
    store.path_of(digests[2])
    assert {one.stem for one in (tmp_path / "copies").iterdir()} == {digests[0], digests[2]}
    store.path_of(digests[3])
    assert len([*(tmp_path / "copies").iterdir()]) == 2


def test_copies_and_spool_are_of_this_process_alone(tmp_path: Path) -> None:
    folder = private_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert spool_of("s3://meters/raw").parent == folder
    assert spool_of(tmp_path) == tmp_path / "spool"


def test_refused_parts_wait_until_they_are_mended(store: ObjectRawStore) -> None:
    refusal = Refusal("MeterReading[3]", "2.4", "no meter is registered", "X002")
    entries = [
        Quarantined(store.keep(name).digest, "AMS-1", datetime(2026, 3, day, tzinfo=UTC), (refusal,))
        for day, name in ((2, b"late"), (1, b"early"))
    ]
    for entry in entries:
        store.quarantine(entry)
    assert [*store.quarantined()] == entries[::-1]
    for _ in range(2):
        store.quarantine(Quarantined(entries[0].digest, "AMS-1", entries[0].received_at, ()))
    assert [*store.quarantined()] == entries[1:]


def test_old_objects_are_listed_and_forgotten(store: ObjectRawStore, tmp_path: Path) -> None:
    old, new = (store.keep(data).digest for data in (b"old", b"new"))
    at = datetime(2026, 3, 2, tzinfo=UTC)
    os.utime(object_of(tmp_path, old), (at.timestamp() - 9, at.timestamp() - 9))
    assert store.kept_before(at) == [old]
    store.forget(new, at)
    store.forget(old, at)
    store.forget(old, at)
    assert [store.keeps(one) for one in (old, new)] == [False, True]
    with pytest.raises(UnknownDeliveryError, match="audit says so"):
        store.fetch(old)
