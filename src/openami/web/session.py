"""Who is logged in: a signed cookie, no table. Whoever it is, and as what, the file of users says.

What must be remembered, failed logins and sessions that were ended, is in memory: bounded, and gone with a restart.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from openami.shared.errors import OpenAmiError
from openami.shared.secrets import hash_password, password_matches
from openami.web.brake import Brake
from openami.web.users import Users

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from openami.shared.clock import Clock
    from openami.web.users import User

COOKIE = "openami_session"
LIFETIME = timedelta(hours=12)
_NOBODY = hash_password("nobody")  # so that an unknown user takes as long as a wrong password


class BrakedError(OpenAmiError):
    """Too many passwords were wrong: nothing is tried before the pause is over."""

    def __init__(self, wait_s: int) -> None:
        super().__init__("Too many wrong passwords.", hint=f"Try again in {wait_s} seconds.")
        self.wait_s = wait_s


class Sessions:
    """Checks passwords and signs cookies.

    Sessions end after twelve hours, with a logout, or when the user gets another password or role, or is removed.
    """

    def __init__(self, users_file: Path, key: bytes, clock: Clock) -> None:
        self.users = Users(users_file)
        self._key = key
        self._clock = clock
        self._brake = Brake(clock)
        self._ended: dict[str, datetime] = {}

    async def log_in(self, user: str, password: str, source: str = "") -> str | None:
        """A cookie value for the right password, None for a wrong one. Costs a tenth of a second either way.

        Raises:
            BrakedError: too many were wrong before, and the pause is not over.
        """
        known = self.users.all().get(user)
        counted = user if known else ""
        if wait_s := self._brake.wait_s(counted, source):
            raise BrakedError(wait_s)
        self._brake.attempt(counted, source)
        right = await asyncio.to_thread(password_matches, password, known.password if known else _NOBODY)
        if known is None or not right or self.users.all().get(user) != known:
            return None
        self._brake.succeeded(counted, source)
        return self._cookie(known, self._clock.now() + LIFETIME)

    def is_user(self, name: str) -> bool:
        """Whether there is such a user: only then may a name be logged (people type passwords into the wrong field)."""
        return name in self.users.all()

    def end(self, request: Request) -> None:
        """The session of a request is over, wherever its cookie was copied to."""
        now = self._clock.now()
        self._ended = {cookie: until for cookie, until in self._ended.items() if until > now}
        self._ended[request.cookies[COOKIE]] = now + LIFETIME

    def user_of(self, request: Request) -> User | None:
        """Who sent a request, if the cookie is ours, valid, and the user the same as when it was made."""
        name, _, rest = request.cookies.get(COOKIE, "").partition("|")
        until_text, _, _signature = rest.partition("|")
        try:
            until = datetime.fromisoformat(until_text)
        except ValueError:
            return None
        user = self.users.all().get(name)
        if until.tzinfo is None or user is None:
            return None
        genuine = _same(request.cookies[COOKIE], self._cookie(user, until))
        ended = request.cookies[COOKIE] in self._ended
        return user if genuine and not ended and self._clock.now() < until else None

    def form_token(self, request: Request) -> str:
        """What a form must carry back, so that no other site can post in the user's name."""
        return self._sign(f"form|{request.cookies.get(COOKIE, '')}")

    def is_our_form(self, request: Request, token: str) -> bool:
        """Whether a posted form was ours."""
        return _same(token, self.form_token(request))

    def _cookie(self, user: User, until: datetime) -> str:
        said = f"{user.name}|{until.isoformat()}"
        return f"{said}|{self._sign(f'{said}|{user.role}|{user.password}|{user.stamp}')}"

    def _sign(self, text: str) -> str:
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _same(given: str, ours: str) -> bool:
    """Compared as bytes: of text, `compare_digest` takes ASCII alone, and strangers send what they like."""
    return hmac.compare_digest(given.encode(errors="replace"), ours.encode())
