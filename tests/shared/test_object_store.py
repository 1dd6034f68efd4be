"""Where object storage is, and what reads it or a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openami.shared.object_store import ObjectStore, ObjectStoreError, file_system, is_object_url, joined

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_the_environment_describes_the_store() -> None:
    store = ObjectStore.of_environment(KEYS | {"AWS_ENDPOINT_URL": "http://store:9000", "AWS_REGION": "here"})
    assert (store.host, store.tls, store.region) == ("store:9000", False, "here")
    amazon = ObjectStore.of_environment(KEYS)
    assert (amazon.host, amazon.tls, amazon.region) == ("", True, "us-east-1")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ObjectStoreError, match="AWS_SECRET_ACCESS_KEY is not set"):
        ObjectStore.of_environment({"AWS_ACCESS_KEY_ID": "key"})


def test_a_folder_is_read_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"kept")
    system, root = file_system(tmp_path)
    with system.open_input_file(f"{root}/x") as source:
        assert source.read() == b"kept"


def test_a_prefix_is_read_from_its_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (KEYS | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}).items():
        monkeypatch.setenv(name, value)
    system, root = file_system("s3://bucket/prefix/")
    assert (system.type_name, root) == ("s3", "bucket/prefix")


def test_places_are_told_apart_and_joined() -> None:
    assert is_object_url("s3://a/b")
    assert not is_object_url("/a/b")
    assert joined("s3://a/b/", "c") == "s3://a/b/c"
