"""The keys of a meter, and how new ones travel: wrapped by the master key (RFC 3394) or agreed (NIST SP 800-56A)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Self

from cryptography.hazmat.primitives import keywrap

from openami.ami.dlms.errors import LocalProtocolError, SecurityFailureError

_KEY_OCTETS = {0: 16, 1: 16, 2: 32}


class KeyId(IntEnum):
    """The key_id of class 64."""

    GLOBAL_UNICAST_ENCRYPTION = 0
    GLOBAL_BROADCAST_ENCRYPTION = 1
    AUTHENTICATION = 2
    KEY_ENCRYPTION = 3


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """The symmetric keys shared with one meter; never printed."""

    encryption: bytes
    authentication: bytes = b""
    broadcast: bytes = b""
    key_encryption: bytes = b""
    suite: int = 0

    def __post_init__(self) -> None:
        octets = _KEY_OCTETS.get(self.suite)
        if octets is None:
            msg = f"Security suite {self.suite} does not exist; 0, 1 and 2 do."
            raise LocalProtocolError(msg)
        for name in ("encryption", "authentication", "broadcast", "key_encryption"):
            found = len(getattr(self, name))
            if found not in (0, octets) or (name == "encryption" and not found):
                msg = f"The {name} key of suite {self.suite} has {octets} octets, not {found}."
                raise LocalProtocolError(msg)

    def changed(self, key_id: KeyId, key: bytes) -> Self:
        """The keys with one of them replaced."""
        match key_id:
            case KeyId.GLOBAL_UNICAST_ENCRYPTION:
                return replace(self, encryption=key)
            case KeyId.GLOBAL_BROADCAST_ENCRYPTION:
                return replace(self, broadcast=key)
            case KeyId.AUTHENTICATION:
                return replace(self, authentication=key)
            case KeyId.KEY_ENCRYPTION:
                return replace(self, key_encryption=key)

    def __repr__(self) -> str:
        return f"Keys(suite={self.suite})"


def wrap_key(key_encryption_key: bytes, key: bytes) -> bytes:
    """A key as key_transfer carries it."""
    return keywrap.aes_key_wrap(key_encryption_key, key)


def unwrap_key(key_encryption_key: bytes, wrapped: bytes) -> bytes:
    """The key inside. Raises SecurityFailureError when it was wrapped by another key or altered."""
    try:
        return keywrap.aes_key_unwrap(key_encryption_key, wrapped)
    except (keywrap.InvalidUnwrap, ValueError):
        msg = "A wrapped key does not open with our key encryption key."
        raise SecurityFailureError(msg, service_error=5) from None
