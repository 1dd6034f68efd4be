"""Secrets at rest: one file for the keys of an installation, and AES-GCM for what areas keep in their databases.

The file is made on first use, readable by its owner only. Nothing in it is ever logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from pathlib import Path

_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2: 96-bit nonces
_SECRET_BYTES = 32
_FROM_BACKUP = "Put the file of a backup in its place: what it sealed opens with no other."
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}


class SecretsError(OpenAmiError):
    """The file of the installation's secrets cannot be used."""


class SealBrokenError(OpenAmiError):
    """A sealed secret does not open: another key, or the bytes were altered."""


class Sealer:
    """Seals and opens small secrets (meter keys, passwords) with the installation's master key."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, plain: bytes, *, context: str = "") -> bytes:
        """Nonce and ciphertext; `context` (say, the meter's serial) must be given again to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, *, context: str = "") -> bytes:
        """What was sealed.

        Raises:
            SealBrokenError: wrong key, wrong context or altered bytes.
        """
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError(
                f"A secret of {context or 'this installation'} cannot be opened.",
                hint="It was sealed with another master key: restore the secrets file that belongs to this database.",
            ) from error


@dataclass(frozen=True, slots=True)
class Secrets:
    """All secrets of one installation."""

    master_key: bytes
    root: bytes

    def token(self, purpose: str) -> str:
        """A bearer token or partner password for one purpose, the same in every process of the installation."""
        digest = hmac.new(self.root, purpose.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:24]).decode()

    @property
    def service_token(self) -> str:
        """With it everything may be asked of `/api`."""
        return self.token("service")

    @property
    def viewer_token(self) -> str:
        """With it `/api` only tells, and does nothing."""
        return self.token("viewer")

    @property
    def sealer(self) -> Sealer:
        """What areas use for secrets in their databases."""
        return Sealer(self.master_key)


def load_secrets(path: Path) -> Secrets:
    """Read the installation's secrets; make them on first use (mode 0600, written whole or not at all).

    Raises:
        SecretsError: the file is there, and holds no secrets of ours.
    """
    if not path.exists():
        fresh = {"master_key": secrets.token_hex(_SECRET_BYTES), "root": secrets.token_hex(_SECRET_BYTES)}
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(fresh, file)
        try:
            os.link(draft, path)  # fails if another process was first: then its secrets hold
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        kept = json.loads(path.read_text())
        found = Secrets(master_key=bytes.fromhex(kept["master_key"]), root=bytes.fromhex(kept["root"]))
    except (OSError, ValueError, KeyError, TypeError):  # which are not told: they may quote the secrets
        raise SecretsError(f"{path} cannot be read as secrets.", hint=_FROM_BACKUP) from None
    if (len(found.master_key), len(found.root)) != (_SECRET_BYTES, _SECRET_BYTES):
        raise SecretsError(f"{path} holds secrets of another length.", hint=_FROM_BACKUP)
    return found


def new_password() -> str:
    """A password that a person can type: four groups of four, about 79 bits."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))


def hash_password(password: str) -> str:
    """Salted scrypt, as text."""
    salt = os.urandom(16)
    return f"{salt.hex()}:{hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()}"


def password_matches(password: str, hashed: str) -> bool:
    """Whether a password is the one that was hashed; takes the same time either way."""
    salt, _, digest = hashed.partition(":")
    attempt = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_SCRYPT)
    return hmac.compare_digest(attempt.hex(), digest)
