"""Raw deliveries: kept once, found again, damage noticed, refused parts listed for replay."""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openami.mdus.unify import Kept, Quarantined, RawStore
from openami.mdus.unify.compression import CHUNK, pack
from openami.mdus.unify.errors import DamagedDeliveryError, UnknownDeliveryError
from openami.mdus.unify.raw import is_digest
from openami.shared.contract.field import Refusal

NOW = datetime(2026, 3, 2, tzinfo=UTC)
REFUSAL = Refusal("MeterReading[3]/IntervalBlocks[1]", "2.4", "no meter 'X002' is registered, n\u00e4mlich", "X002")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.binary(max_size=2000))
def test_what_was_kept_is_found_again_under_its_hash(tmp_path: Path, data: bytes) -> None:
    store = RawStore(tmp_path)
    kept = store.keep(data)
    assert kept.digest == hashlib.sha256(data).hexdigest()
    assert kept.size == len(data)
    assert store.fetch(kept.digest) == data


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    assert RawStore(tmp_path).keep(b"x" * 10_000).new
    assert not RawStore(tmp_path).keep(b"x" * 10_000).new
    (file,) = (tmp_path / "raw").rglob("*.zst")
    assert file.stat().st_size < 200


def test_equal_content_is_equal_on_every_machine(tmp_path: Path) -> None:
    for name in "ab":
        RawStore(tmp_path / name).keep(b"content")
    first, second = (next((tmp_path / name).rglob("*.zst")).read_bytes() for name in "ab")
    assert first == second


def test_nothing_half_written_is_left_when_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_handle: int) -> None:
        raise OSError(5, "I/O error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="I/O"):
        RawStore(tmp_path).keep(b"content")
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_every_byte_and_its_name_are_synced_before_keep_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def spy(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    digest = RawStore(tmp_path).keep(b"content").digest
    folder = tmp_path / "raw" / digest[:2]
    assert synced[0].startswith(str(folder / f".{digest[2:]}.zst"))
    assert synced[1:] == [str(folder), str(folder.parent), str(tmp_path)]


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"junk", lambda data: b""])
def test_damage_is_noticed(tmp_path: Path, damage: object) -> None:
    store = RawStore(tmp_path)
    digest = store.keep(b"content" * 100).digest
    (file,) = (tmp_path / "raw").rglob("*.zst")
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator] # one of the three above
    with pytest.raises(DamagedDeliveryError):
        store.fetch(digest)


def test_other_content_under_the_name_is_noticed(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    one, other = store.keep(b"one").digest, store.keep(b"other").digest
    store.path_of(one).write_bytes(store.path_of(other).read_bytes())
    with pytest.raises(DamagedDeliveryError, match="other bytes"):
        store.fetch(one)


def test_a_delivery_can_be_read_bit_by_bit_and_begun_anew(tmp_path: Path) -> None:
    store, data = RawStore(tmp_path), os.urandom(3 << 20)
    stream = store.open(store.keep(data).digest)
    assert stream.read(10) == data[:10]
    stream.seek(0)
    assert b"".join(iter(lambda: stream.read(100_000), b"")) == data
    assert stream.read(10) == b""


def test_damage_is_noticed_at_the_end_of_a_stream_at_the_latest(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    one, other = store.keep(b"one").digest, store.keep(b"other").digest
    store.path_of(one).write_bytes(store.path_of(other).read_bytes())
    stream = store.open(one)
    assert stream.read(5) == b"other"
    with pytest.raises(DamagedDeliveryError, match="other bytes"):
        stream.read(1)
    with pytest.raises(UnknownDeliveryError):
        store.open("0" * 64)


def test_packed_bytes_that_are_what_was_written_need_no_second_look(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    kept = store.keep(b"content" * 1000)
    path = store.path_of(kept.digest)
    assert kept.packed == hashlib.sha256(path.read_bytes()).hexdigest()
    assert store.open(kept.digest, kept.packed).readall() == b"content" * 1000
    assert not store.keep(b"content" * 1000).packed  # those on the disk may be damaged by now
    pack_again = pack(b"content" * 500) + pack(b"content" * 500)
    path.write_bytes(pack_again)  # as another tool might
    assert store.open(kept.digest, kept.packed).readall() == b"content" * 1000
    path.write_bytes(pack(b"other"))
    with pytest.raises(DamagedDeliveryError, match="other bytes"):
        store.open(kept.digest, kept.packed).readall()
    stream = store.open(kept.digest, hashlib.sha256(path.read_bytes()).hexdigest())
    stream.finish()
    assert stream.readall() == b"other"  # whoever says so has seen them


def test_what_a_reader_left_is_compared_too(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    one, other = (store.keep(b"line\n%d" % number + 3 * CHUNK * b".").digest for number in (1, 2))
    for damaged in (False, True):
        stream = store.open(one)
        with io.TextIOWrapper(io.BufferedReader(stream)) as lines:
            assert next(lines) == "line\n"
        with pytest.raises(DamagedDeliveryError) if damaged else nullcontext():
            stream.finish()
        store.path_of(one).write_bytes(store.path_of(other).read_bytes())


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_an_unknown_hash_is_told(tmp_path: Path, digest: str) -> None:
    with pytest.raises(UnknownDeliveryError):
        RawStore(tmp_path).fetch(digest)


def test_refused_parts_wait_with_their_reason_until_they_are_mended(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    digests = [store.keep(each).digest for each in (b"first", b"second")]
    late = Quarantined(digests[0], "AMS-1", NOW.replace(hour=2), (REFUSAL,))
    early = Quarantined(digests[1], "AMS-1", NOW, (REFUSAL, REFUSAL))
    store.quarantine(late)
    store.quarantine(early)
    assert list(RawStore(tmp_path).quarantined()) == [early, late]
    store.quarantine(Quarantined(digests[1], "AMS-1", NOW, ()))
    assert list(store.quarantined()) == [late]
    assert store.fetch(late.digest) == b"first"
    store.quarantine(Quarantined(digests[0], "AMS-1", NOW, ()))
    store.quarantine(Quarantined(digests[0], "AMS-1", NOW, ()))
    assert list(store.quarantined()) == []


def test_a_file_is_kept_like_a_delivery_of_the_same_bytes(tmp_path: Path) -> None:
    store, data = RawStore(tmp_path / "store"), os.urandom(3 << 20)
    for new in (True, False):
        incoming = tmp_path / "incoming"
        incoming.write_bytes(data)
        kept = store.keep_file(incoming)
        assert kept == Kept(hashlib.sha256(data).hexdigest(), len(data), new)
        assert not incoming.exists()
    assert store.fetch(kept.digest) == data
    assert not store.keep(data).new
    with pytest.raises(UnknownDeliveryError):
        store.path_of("../etc/passwd")


def aged(path: Path, days: int) -> None:
    """As if it had been written so many days before NOW."""
    at = NOW.timestamp() - days * 86_400
    os.utime(path, (at, at))


def test_old_deliveries_are_listed_and_forgotten_but_those_with_refused_parts_stay(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    old, refused, new = (store.keep(data).digest for data in (b"old", b"refused", b"new"))
    for digest, days in ((old, 40), (refused, 40), (new, 20)):
        aged(store.path_of(digest), days)
    store.quarantine(Quarantined(refused, "AMS1", NOW, (REFUSAL,)))
    before = NOW - timedelta(days=30)
    assert store.kept_before(before) == [old]
    store.forget(old, before)
    assert [store.keeps(one) for one in (old, refused, new)] == [False, True, True]
    with pytest.raises(UnknownDeliveryError, match="keep_deliveries_days"):
        store.fetch(old)


def test_a_delivery_that_comes_again_is_new_again(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    digest = store.keep(b"again").digest
    aged(store.path_of(digest), 40)
    assert not store.keep(b"again").new
    assert store.kept_before(NOW - timedelta(days=30)) == []
    store.forget(digest, NOW - timedelta(days=30))
    assert store.fetch(digest) == b"again"


def test_what_is_still_being_written_is_no_delivery(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    path = store.path_of(store.keep(b"whole").digest)
    path.rename(path.with_name(f".{path.name}.1.0123"))
    assert store.kept_before(NOW + timedelta(days=10_000)) == []


@pytest.mark.parametrize(("name", "is_one"), [("0a" * 32, True), ("0A" * 32, False), ("", False), ("edit 7", False)])
def test_a_hash_is_told_from_other_origins(name: str, is_one: bool) -> None:
    assert is_digest(name) is is_one
