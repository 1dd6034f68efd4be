from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.shared.secrets import (
    SealBrokenError,
    Sealer,
    SecretsError,
    hash_password,
    load_secrets,
    new_password,
    password_matches,
)

KEY = bytes(range(32))


@given(st.binary(max_size=64), st.text(max_size=10))
def test_what_is_sealed_opens_again(plain: bytes, context: str) -> None:
    sealer = Sealer(KEY)
    assert sealer.open(sealer.seal(plain, context=context), context=context) == plain


@given(st.binary(max_size=64))
def test_anything_else_does_not_open(junk: bytes) -> None:
    with pytest.raises(SealBrokenError):
        Sealer(KEY).open(junk)


def test_a_secret_of_one_meter_is_none_of_another() -> None:
    sealed = Sealer(KEY).seal(b"password", context="M1")
    with pytest.raises(SealBrokenError, match="M2"):
        Sealer(KEY).open(sealed, context="M2")


def test_secrets_are_made_once_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "secrets.json"
    first = load_secrets(file)
    assert load_secrets(file) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert first.token("a") != first.token("b")
    assert first.service_token != first.viewer_token
    assert list(file.parent.iterdir()) == [file], "no draft stays behind"


def test_passwords() -> None:
    password = new_password()
    assert password != new_password()
    hashed = hash_password(password)
    assert password not in hashed
    assert password_matches(password, hashed)
    assert not password_matches(password + "x", hashed)


@pytest.mark.parametrize(
    "content",
    [
        "", "{}", "[]", "null", '{"master_key": "hidden", "root": "00"}', '{"master_key": 5, "root": 6}',
        '{"master_key": "00", "root": "00"}', "\x00",
    ],
)  # fmt: skip
def test_a_file_that_holds_no_secrets_is_never_replaced_or_quoted(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(content)
    with pytest.raises(SecretsError, match=r"secrets\.json") as caught:
        load_secrets(file)
    assert "backup" in caught.value.hint
    assert "hidden" not in str(caught.value)
    assert file.read_text() == content


def test_two_processes_that_start_at_once_have_the_same_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both found none, both made some: those that came first into their place hold."""
    file = tmp_path / "secrets.json"
    theirs = load_secrets(file)
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    assert load_secrets(file) == theirs
    monkeypatch.undo()
    assert [one.name for one in tmp_path.iterdir()] == ["secrets.json"]
