"""The users of the console: one file, each with a role and a hashed password, read anew whenever somebody asks."""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from openami.shared.errors import OpenAmiError
from openami.shared.secrets import hash_password, new_password
from openami.web.rights import RIGHTS, Right, Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class UsersError(OpenAmiError):
    """The file of users is none of ours."""


class BadUserError(OpenAmiError):
    """A name that no user of the console can have, or has already."""


class UnknownUserError(OpenAmiError):
    """Nobody has that name."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in. Sessions are signed over `stamp`, which is new with every change: a change ends them."""

    name: str
    role: Role
    password: str = field(repr=False)
    stamp: str = field(repr=False)

    def may(self, right: Right) -> bool:
        """Whether the role has a right."""
        return right in RIGHTS[self.role]


class Users:
    """Reads and changes the file of users; what is written is there whole or not at all."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self) -> dict[str, User]:
        """All users by name; none if there is no file.

        Raises:
            UsersError: somebody has no role, or one that does not exist: then nobody gets in.
        """
        try:
            kept = json.loads(self._file.read_text())
            return {name: User(name, Role(one["role"]), one["password"], one["stamp"]) for name, one in kept.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):  # which are not told: they may quote what is there
            raise UsersError(
                f"{self._file} does not say who may get in, and as what.",
                hint="Put the file of a backup in its place, or move it away and make the users with: openami user add",
            ) from None

    def add(self, name: str, role: Role) -> str:
        """Make a user; the password, which is kept hashed only.

        Raises:
            BadUserError: no session could carry the name, or somebody has it.
        """
        if not re.fullmatch(r"[A-Za-z0-9._@-]{1,64}", name):
            raise BadUserError(f"{name!r} cannot be a user.", hint="Use at most 64 letters, digits and . _ @ -")
        users = self.all()
        if name in users:
            raise BadUserError(
                f"There is a user {name} already, {_a(users[name].role)}.",
                hint=f"Change the role with: openami user role {name} ROLE; the password with: openami password {name}",
            )
        password = new_password()
        self._keep(users, User(name, role, hash_password(password), ""))
        return password

    def renew_password(self, name: str) -> str:
        """Give a user another password."""
        password = new_password()
        users = self.all()
        self._keep(users, replace(_one(users, name), password=hash_password(password)))
        return password

    def give_role(self, name: str, role: Role) -> None:
        """Give a user another role."""
        users = self.all()
        self._keep(users, replace(_one(users, name), role=role))

    def remove(self, name: str) -> None:
        """Let somebody in no more."""
        users = self.all()
        _one(users, name)
        self._write({each: user for each, user in users.items() if each != name})

    def _keep(self, users: Mapping[str, User], changed: User) -> None:
        self._write({**users, changed.name: replace(changed, stamp=secrets.token_hex(8))})

    def _write(self, users: Mapping[str, User]) -> None:
        kept = {
            name: {key: value for key, value in asdict(user).items() if key != "name"} for name, user in users.items()
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(f".{os.getpid()}.draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(kept, file, indent=1)
        draft.replace(self._file)


def _one(users: Mapping[str, User], name: str) -> User:
    if name not in users:
        raise UnknownUserError(
            f"There is no user {name}.",
            hint=f"Users: {', '.join(sorted(users)) or 'none'}. Make one with: openami user add NAME --role ROLE",
        )
    return users[name]


def _a(role: Role) -> str:
    return f"{'an' if role[0] in 'ao' else 'a'} {role}"
