"""The file of users: what is kept, what cannot be, and that nobody gets in by a file that is not ours."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from openami.shared.secrets import password_matches
from openami.web.rights import Right, Role
from openami.web.users import BadUserError, UnknownUserError, User, Users, UsersError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path / "data" / "users.json")


def test_without_a_file_there_is_nobody(users: Users) -> None:
    assert users.all() == {}


def test_a_user_is_kept_with_a_role_and_a_hashed_password_for_its_owner_alone(users: Users, tmp_path: Path) -> None:
    password = users.add("anna", Role.CLERK)
    users.add("bob@utility.example", Role.VIEWER)
    file = tmp_path / "data" / "users.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == [file.name], "no draft is left"
    assert password not in file.read_text()
    anna = users.all()["anna"]
    assert (anna.role, password_matches(password, anna.password)) == (Role.CLERK, True)
    assert anna.password not in repr(anna)
    assert [one.role for one in users.all().values()] == [Role.CLERK, Role.VIEWER]


def test_a_name_is_given_once_and_keeps_its_role(users: Users) -> None:
    users.add("anna", Role.OPERATOR)
    before = users.all()
    with pytest.raises(BadUserError, match="There is a user anna already, an operator") as error:
        users.add("anna", Role.ADMINISTRATOR)
    assert "openami user role anna" in error.value.hint
    assert users.all() == before


@pytest.mark.parametrize("name", ["", "a b", "a|b", "a" * 65, "ann\u00e4", "../x", "a\n"])
def test_a_name_that_no_cookie_carries_is_refused(users: Users, name: str) -> None:
    with pytest.raises(BadUserError, match="cannot be a user"):
        users.add(name, Role.VIEWER)
    assert users.all() == {}


def test_each_change_touches_one_user_and_is_stamped(users: Users) -> None:
    first = users.add("anna", Role.VIEWER)
    users.add("bob", Role.CLERK)
    stamps = [users.all()["anna"].stamp]
    users.give_role("anna", Role.OPERATOR)
    stamps.append(users.all()["anna"].stamp)
    assert password_matches(first, users.all()["anna"].password), "a role is no new password"
    second = users.renew_password("anna")
    stamps.append(users.all()["anna"].stamp)
    assert (second == first, password_matches(second, users.all()["anna"].password)) == (False, True)
    assert len(set(stamps)) == 3
    assert users.all()["anna"].role is Role.OPERATOR
    bob = users.all()["bob"]
    users.remove("anna")
    assert users.all() == {"bob": bob}


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.renew_password("carl"),
        lambda users: users.give_role("carl", Role.VIEWER),
        lambda users: users.remove("carl"),
    ],
)
def test_who_is_not_there_cannot_be_changed(users: Users, change: Callable[[Users], object]) -> None:
    users.add("anna", Role.VIEWER)
    with pytest.raises(UnknownUserError, match=r"There is no user carl\.") as error:
        change(users)
    assert "Users: anna." in error.value.hint
    assert list(users.all()) == ["anna"]


@pytest.mark.parametrize(
    "kept",
    [
        '{"admin": "salt:hash"}',
        '{"admin": {"password": "salt:hash", "stamp": "0"}}',
        '{"admin": {"password": "salt:hash", "stamp": "0", "role": "root"}}',
        '{"admin": {"role": "viewer"}}',
        "[]",
        "",
        '{"admin": ',
    ],
)
def test_nobody_gets_in_by_a_file_that_gives_no_roles_of_ours(tmp_path: Path, kept: str) -> None:
    file = tmp_path / "users.json"
    file.write_text(kept)
    with pytest.raises(UsersError, match="does not say who may get in") as error:
        Users(file).all()
    assert "salt:hash" not in f"{error.value} {error.value.__cause__}"
    with pytest.raises(UsersError):
        Users(file).add("eve", Role.ADMINISTRATOR)
    assert file.read_text() == kept, "and what was there is not lost"


def test_a_user_may_what_the_role_may(users: Users) -> None:
    users.add("anna", Role.CLERK)
    anna = users.all()["anna"]
    assert (anna.may(Right.VOID_BILLS), anna.may(Right.EDIT_VALUES)) == (True, False)
    assert User("x", Role.ADMINISTRATOR, "", "").may(Right.SEE_USERS)


def test_the_file_is_plain_json_that_a_person_can_read(users: Users, tmp_path: Path) -> None:
    users.add("anna", Role.VIEWER)
    kept = json.loads((tmp_path / "data" / "users.json").read_text())
    assert set(kept["anna"]) == {"role", "password", "stamp"}
