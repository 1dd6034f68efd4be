"""One sealed message: security control, counter, body and tag, by AES-GCM (Green Book 9.2.4.8)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from openami.ami.dlms.errors import RemoteProtocolError, SecurityFailureError

TAG_OCTETS = 12
NONCE_OCTETS = 12  # system title and invocation counter
TITLE_OCTETS = 8
HEAD_OCTETS = 5
_SUITE_BITS = 0x0F
# AESGCM puts a tag of sixteen octets behind the text; the standard keeps the left twelve
_WHOLE_TAG_OCTETS: Final = 16
_KEYS_AT_HAND: Final = 256
"""A session uses its key about ten times; a few hundred sessions are under way."""
# plain numbers for what is done with every message: flags are slow to combine
_AUTHENTICATED, _ENCRYPTED, _COMPRESSED = 0x10, 0x20, 0x80


class SecurityControl(IntFlag):
    """The bits of the security control octet above the suite number."""

    AUTHENTICATED = 0x10
    ENCRYPTED = 0x20
    BROADCAST_KEY = 0x40
    COMPRESSED = 0x80

    @classmethod
    def both(cls) -> Self:
        """Authenticated and encrypted, as nearly all messages are."""
        return cls(cls.AUTHENTICATED | cls.ENCRYPTED)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A protected message: how, under which counter, and its octets (ciphertext or plain text, tag behind it)."""

    control: int
    counter: int
    body: bytes

    @property
    def bits(self) -> SecurityControl:
        """What was applied."""
        return SecurityControl(self.control & ~_SUITE_BITS & 0xFF)

    @property
    def suite(self) -> int:
        """The suite the sender names."""
        return self.control & _SUITE_BITS

    def encode(self) -> bytes:
        """Control, counter, body."""
        return bytes((self.control,)) + self.counter.to_bytes(4, "big") + self.body

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The parts of a protected message."""
        if len(octets) < HEAD_OCTETS:
            msg = f"A protected message has at least {HEAD_OCTETS} octets, not {len(octets)}."
            raise RemoteProtocolError(msg, service_error=5)
        return cls(octets[0], int.from_bytes(octets[1:5], "big"), octets[HEAD_OCTETS:])


def overhead_octets(control: int) -> int:
    """What sealing adds to a message: control, counter, and the tag if there is one."""
    return HEAD_OCTETS + (TAG_OCTETS if control & _AUTHENTICATED else 0)


def seal(
    plain: bytes,
    *,
    control: int,
    counter: int,
    title: bytes,
    key: bytes,
    authentication_key: bytes,
    header: bytes = b"",
) -> Sealed:
    """Protect `plain` as `control` says; `title` is the sender's, `header` that of general-ciphering."""
    nonce = title + counter.to_bytes(4, "big")
    additional = bytes((control,)) + authentication_key + header
    return Sealed(control, counter, _body(plain, control, nonce, key, additional))


def unseal(sealed: Sealed, *, title: bytes, key: bytes, authentication_key: bytes, header: bytes = b"") -> bytes:
    """The plain message. Raises SecurityFailureError when the tag does not fit keys, sender and counter."""
    nonce = title + sealed.counter.to_bytes(4, "big")
    control, body = sealed.control, sealed.body
    if control & _COMPRESSED:
        msg = "A message is compressed (V.44), which this stack does not read."
        raise SecurityFailureError(msg, hint="Switch compression off at the sender.", service_error=5)
    if control & (_ENCRYPTED | _AUTHENTICATED) and (len(nonce) != NONCE_OCTETS or not key):
        msg = "A message names no sender, or a key that we do not have."
        raise SecurityFailureError(msg, hint="Give the system title, and the broadcast key.", service_error=5)
    text = body
    if control & _AUTHENTICATED:
        if len(body) < TAG_OCTETS:
            msg = f"An authenticated message of {len(body)} octets has no room for its tag."
            raise SecurityFailureError(msg, service_error=5)
        text = body[:-TAG_OCTETS]
    plain = _through_stream(text, nonce, key) if control & _ENCRYPTED else text
    if control & _AUTHENTICATED:
        # the control octet goes in as received: some meters name suite 0 while they use suite 1
        additional = bytes((control,)) + authentication_key + header
        again = _body(plain, control, nonce, key, additional)
        if not hmac.compare_digest(again[-TAG_OCTETS:], body[-TAG_OCTETS:]):
            msg = "The authentication tag of a message is wrong."
            raise SecurityFailureError(msg, hint="Check keys and system title.", service_error=5)
    return plain


def _body(plain: bytes, control: int, nonce: bytes, key: bytes, additional: bytes) -> bytes:
    """What a sealed message holds: ciphertext or plain text, and the tag if there is one."""
    if control & _AUTHENTICATED and control & _ENCRYPTED:
        return _gcm(key).encrypt(nonce, plain, additional)[: TAG_OCTETS - _WHOLE_TAG_OCTETS]
    if control & _AUTHENTICATED:
        return plain + _gcm(key).encrypt(nonce, b"", additional + plain)[:TAG_OCTETS]
    return _through_stream(plain, nonce, key) if control & _ENCRYPTED else plain


def _through_stream(text: bytes, nonce: bytes, key: bytes) -> bytes:
    """GCM adds a stream of octets to the text, so that the same step enciphers and deciphers."""
    return _gcm(key).encrypt(nonce, text, None)[:-_WHOLE_TAG_OCTETS]


@lru_cache(maxsize=_KEYS_AT_HAND)
def _gcm(key: bytes) -> AESGCM:
    """The cipher of a key; it only enciphers, for the library opens no message with a tag of twelve octets."""
    return AESGCM(key)
