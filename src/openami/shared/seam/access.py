"""Who may post on a seam: HTTP basic per partner, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

CHALLENGE = {"www-authenticate": 'Basic realm="openami"'}


def partner_of(request: Request, passwords: Mapping[str, str]) -> str | None:
    """The partner whose user and password the request carries, or None."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    expected = passwords.get(user)
    known = hmac.compare_digest(password.encode(), (expected or "").encode())
    return user if expected is not None and known else None


def stranger() -> Response:
    """401: who are you?"""
    return PlainTextResponse("Unknown user or wrong password.\n", status_code=401, headers=CHALLENGE)
