from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.shared.secrets import (
    SealBrokenError,
    Sealer,
    hash_password,
    load_secrets,
    new_password,
    password_matches,
)

if TYPE_CHECKING:
    from pathlib import Path

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
    assert list(file.parent.iterdir()) == [file], "no draft stays behind"


def test_passwords() -> None:
    password = new_password()
    assert password != new_password()
    hashed = hash_password(password)
    assert password not in hashed
    assert password_matches(password, hashed)
    assert not password_matches(password + "x", hashed)
