"""Who may post on a seam, and what: HTTP basic and client certificates per partner, operations by name."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

CHALLENGE = {"www-authenticate": 'Basic realm="openami"'}
CERTIFICATE: Final = "openami.client_certificate_sha256"
"""Where the TLS listener puts the fingerprint of a client's certificate into the ASGI scope."""


@dataclass(frozen=True, slots=True)
class Rights:
    """How a partner shows who it is, and which operations it may call (patterns; none: all that the side offers).

    Of password and certificate all that are set have to be right; one at least is.
    """

    password: str | None = field(default=None, repr=False)
    certificate_sha256: str | None = None
    operations: tuple[str, ...] = ()

    def permits(self, operation: str) -> bool:
        """Whether the partner may call an operation."""
        return not self.operations or any(fnmatch.fnmatchcase(operation, pattern) for pattern in self.operations)


def partners_of(passwords: Mapping[str, str], rights: Mapping[str, Rights] | None) -> dict[str, Rights]:
    """Everybody whom a door knows: by password alone those who may do everything, then all others, who count."""
    return {user: Rights(password) for user, password in passwords.items()} | dict(rights or {})


def known_partner(request: Request, partners: Mapping[str, Rights]) -> str | None:
    """The partner that a request comes from: by user and password, by certificate, or by both where both are set."""
    user, password = _basic(request)
    shown = str(request.scope.get(CERTIFICATE, ""))
    if user is not None:
        rights = partners.get(user, Rights(password=""))
        known = _same(password, rights.password or "")
        return user if user in partners and rights.password is not None and known and _shows(shown, rights) else None
    for name, rights in partners.items():
        if rights.password is None and rights.certificate_sha256 and _shows(shown, rights):
            return name
    return None


def permit(operation: str, table: str, partner: str) -> str:
    """What to do for a partner that may not call an operation: told to its people, done by ours."""
    return f'If it is to: "{operation}" in the operations of [{table}.{partner}].'


def stranger() -> Response:
    """401: who are you?"""
    return PlainTextResponse("Unknown user, wrong password or certificate.\n", status_code=401, headers=CHALLENGE)


def fingerprint(text: str) -> str:
    """A SHA-256 fingerprint as it is compared: hexadecimal digits in lower case, without colons."""
    return text.replace(":", "").replace(" ", "").lower()


def _basic(request: Request) -> tuple[str | None, str]:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None, ""
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _shows(shown: str, rights: Rights) -> bool:
    return rights.certificate_sha256 is None or _same(shown, fingerprint(rights.certificate_sha256))


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
