"""Packed bytes and streams say what was packed, wherever one looks."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.unify import adapters
from openami.mdus.unify.compression import MAGIC, Unpacked, digest_of, pack, pack_file
from openami.testing.fleet import Fleet

if TYPE_CHECKING:
    from pathlib import Path


def unpack(packed: bytes) -> bytes:
    return Unpacked(io.BytesIO(packed)).readall()


@given(st.binary(max_size=5000))
def test_what_was_packed_comes_out(data: bytes) -> None:
    packed = pack(data)
    assert unpack(packed) == data
    assert packed == pack(data)
    assert packed.startswith(MAGIC) or not data


@given(st.binary(max_size=3000), st.lists(st.tuples(st.integers(-50, 4000), st.integers(0, 2), st.integers(0, 999))))
def test_a_packed_stream_is_read_like_a_plain_one(data: bytes, moves: list[tuple[int, int, int]]) -> None:
    found, expected = Unpacked(io.BytesIO(pack(data))), io.BytesIO(data)
    for offset, whence, count in moves:
        place = max(offset + (0, expected.tell(), len(data))[whence], 0)
        if place > len(data):
            continue  # nothing is beyond the end
        assert found.seek(offset if whence else place, whence) == expected.seek(place)
        assert found.read(count) == expected.read(count)
        assert found.tell() == expected.tell()


def test_files_are_packed_like_bytes(tmp_path: Path) -> None:
    data = b"0123456789" * 300_000
    (tmp_path / "plain").write_bytes(data)
    with (tmp_path / "packed").open("wb") as file:
        pack_file(tmp_path / "plain", file)
        assert not file.closed
    assert unpack((tmp_path / "packed").read_bytes()) == data
    assert digest_of(tmp_path / "packed") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda _: b"junk", lambda data: data + b"more"])
def test_damage_is_noticed(damage: object) -> None:
    with pytest.raises(OSError, match=r"ompress|stream"):
        unpack(damage(pack(b"content" * 100)))  # type: ignore[operator] # one of the three above


@pytest.mark.parametrize("form", ["arrow", "xml", "mscons"])
def test_every_format_is_read_packed(tmp_path: Path, form: str) -> None:
    data = getattr(Fleet(3).day(0), form)()
    plain, packed = tmp_path / "a", tmp_path / "b.zst"
    plain.write_bytes(data)
    packed.write_bytes(pack(data))
    assert adapters.dry_run(packed) == adapters.dry_run(plain) | {"file": str(packed)}


def test_an_archive_may_be_packed_and_a_damaged_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.edi", Fleet(2).day(0).mscons())
    path = tmp_path / "a.zip.zst"
    path.write_bytes(pack((tmp_path / "a.zip").read_bytes()))
    assert adapters.dry_run(path)["channels"]
    path.write_bytes(pack(Fleet(200).day(0).mscons())[:-40])
    assert "damaged" in adapters.dry_run(path)["refused"][-1]["reason"]
