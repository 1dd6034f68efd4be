"""Files on the disk: plain, gzipped, zipped, damaged, unknown."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from openami.mdus.unify import adapters

VECTORS = Path(__file__).parents[3] / "vectors" / "unify"
NEM = VECTORS / "nem12" / "Example_NEM12_substituted_interval.csv"
KEYS = {"id", "quantity", "unit", "interval_s", "count", "sum", "first", "last", "qualities"}


def test_a_dry_run_says_what_a_file_holds_as_json() -> None:
    found = json.loads(json.dumps(adapters.dry_run(NEM)))
    assert set(found) == {"file", "format", "channels", "events", "refused"}
    assert (found["format"], found["file"], found["refused"]) == ("nem12", str(NEM), [])
    assert found["channels"][0] == {
        "id": "VBCD000022/E1", "quantity": "electricity.delivered", "unit": "kWh", "interval_s": 1800, "count": 48,
        "sum": 110.976, "first": "2003-07-31T14:00:00Z", "last": "2003-08-01T13:30:00Z", "qualities": {"F14": 48},
    }  # fmt: skip


@pytest.mark.parametrize("path", sorted(VECTORS.rglob("*.*")), ids=lambda path: path.name)
def test_every_file_of_ours_is_read_in_the_same_form(path: Path) -> None:
    if path.suffix in {".md", ".json", ".jsonl"}:
        pytest.skip("says what is expected of the others")
    found = adapters.dry_run(path)
    assert found["channels"] or found["refused"]
    assert all(set(channel) == KEYS for channel in found["channels"])


def test_compressed_files_are_read_as_what_is_in_them(tmp_path: Path) -> None:
    expected = adapters.dry_run(NEM)
    zipped, gzipped = tmp_path / "a.zip", tmp_path / "a.csv.gz"
    gzipped.write_bytes(gzip.compress(NEM.read_bytes()))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", "")
        archive.write(NEM, "folder/one.csv")
    for path in (zipped, gzipped):
        assert adapters.dry_run(path) == expected | {"file": str(path)}


def test_a_zip_may_hold_several_files(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(NEM, "one.csv")
        archive.write(VECTORS / "headend" / "sensus_cmep_mepmd01.dat", "two.dat")
    names = [name for name, batch in adapters.read_file(path) if batch.series]
    assert names == ["nem12", "cmep"]


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(NEM.read_bytes() * 200)[:-40])
    assert "damaged" in adapters.dry_run(path)["refused"][-1]["reason"]


def test_a_format_may_be_named_and_an_unknown_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\n" + NEM.read_bytes())
    assert adapters.dry_run(path, "nem12")["format"] == "nem12"
    path.write_text("hello")
    with pytest.raises(adapters.UnknownFormatError, match="hello"):
        adapters.dry_run(path)
