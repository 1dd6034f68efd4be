"""High level security: each side proves that it can answer the other's challenge (Green Book 9.2.7.4).

Every proof has the same shape seen from its sender: a function of the challenge received, the sender's own challenge,
the sender's title and the other's. So one function serves both directions, and checking is computing the peer's side.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from openami.ami.dlms.enums import Mechanism
from openami.ami.dlms.errors import LocalProtocolError, SecurityFailureError
from openami.ami.dlms.security.counters import ReceiveCounter, SendCounter
from openami.ami.dlms.security.sealing import Sealed, SecurityControl, seal, unseal
from openami.ami.dlms.security.signing import sign, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

    from openami.ami.dlms.security.ciphering import Ciphering
    from openami.ami.dlms.security.keys import Keys

# 8 to 64 octets by the standard, 32 to 64 for signatures
_SHORTEST, _LONGEST = 8, 64
_CHALLENGE_OCTETS = 32


@dataclass(slots=True)
class Prover:
    """One side of the passes 3 and 4.

    Mechanisms 3, 4 and 6 need `secret`, 5 needs `keys` and a counter that is the one of our `Ciphering` when there is
    one, 7 needs the two key pairs. `vendor_formula(challenge, secret)` is mechanism 2, which makers define.
    """

    mechanism: Mechanism
    secret: bytes = field(default=b"", repr=False)
    title: bytes = b""
    peer_title: bytes = b""
    keys: Keys | None = None
    sent: SendCounter = field(default_factory=SendCounter)
    received: ReceiveCounter = field(default_factory=ReceiveCounter)
    signing_key: EllipticCurvePrivateKey | None = None
    peer_key: EllipticCurvePublicKey | None = None
    vendor_formula: Callable[[bytes, bytes], bytes] | None = None
    new_challenge: Callable[[], bytes] = lambda: secrets.token_bytes(_CHALLENGE_OCTETS)
    challenge: bytes = b""
    peer_challenge: bytes = b""

    @classmethod
    def of(cls, ciphering: Ciphering, mechanism: Mechanism = Mechanism.HIGH_GMAC, *, secret: bytes = b"") -> Self:
        """A prover with the title, keys and send counter of the ciphering it works beside.

        The counters received stay apart: a proof is counted before the message that carries it, and checked after.
        """
        return cls(mechanism, secret, ciphering.title, ciphering.peer_title, ciphering.keys, ciphering.sent)

    def begin(self) -> bytes:
        """A fresh challenge for the peer."""
        self.challenge = self.new_challenge()
        return self.challenge

    def meet(self, peer_challenge: bytes, peer_title: bytes) -> None:
        """Take the peer's challenge. Raises SecurityFailureError when it is our own sent back, or has a bad length."""
        if peer_title:
            self.peer_title = peer_title
        if peer_challenge == self.challenge:
            msg = "The peer sent our own challenge back."
            raise SecurityFailureError(msg)
        if not _SHORTEST <= len(peer_challenge) <= _LONGEST:
            msg = f"A challenge has {len(peer_challenge)} octets; {_SHORTEST} to {_LONGEST} are allowed."
            raise SecurityFailureError(msg)
        self.peer_challenge = peer_challenge

    def proof(self) -> bytes:
        """What proves us to the peer."""
        if self.mechanism is Mechanism.HIGH_GMAC:
            sealed = self._tag(self.sent.take(), SecurityControl.AUTHENTICATED | self._keys.suite)
            return sealed.encode()[:5] + sealed.body[-12:]
        if self.mechanism is Mechanism.HIGH_ECDSA:
            if self.signing_key is None:
                msg = "Mechanism 7 needs our signing key."
                raise LocalProtocolError(msg)
            return sign(self.signing_key, self.title + self.peer_title + self.peer_challenge + self.challenge)
        return self._digest(self.title, self.peer_title, self.peer_challenge, self.challenge)

    def check(self, answer: bytes) -> None:
        """Check what should prove the peer. Raises SecurityFailureError when it does not."""
        if self.mechanism is Mechanism.HIGH_GMAC:
            self._check_tag(answer)
        elif self.mechanism is Mechanism.HIGH_ECDSA:
            if self.peer_key is None:
                msg = "Mechanism 7 needs the peer's public signing key."
                raise LocalProtocolError(msg)
            verify(self.peer_key, answer, self.peer_title + self.title + self.challenge + self.peer_challenge)
        elif not hmac.compare_digest(
            answer, self._digest(self.peer_title, self.title, self.challenge, self.peer_challenge)
        ):
            msg = "The peer did not prove its secret."
            raise SecurityFailureError(msg)

    def _digest(self, title: bytes, other_title: bytes, received: bytes, own: bytes) -> bytes:
        match self.mechanism:
            case Mechanism.HIGH_MD5:
                return hashlib.md5(received + self.secret, usedforsecurity=False).digest()
            case Mechanism.HIGH_SHA1:
                return hashlib.sha1(received + self.secret, usedforsecurity=False).digest()
            case Mechanism.HIGH_SHA256:
                return hashlib.sha256(self.secret + title + other_title + received + own).digest()
            case Mechanism.HIGH if self.vendor_formula is not None:
                return self.vendor_formula(received, self.secret)
            case _:
                msg = f"Mechanism {self.mechanism.name} has no digest (mechanism 2 needs its maker's formula)."
                raise LocalProtocolError(msg)

    @property
    def _keys(self) -> Keys:
        if self.keys is None:
            msg = "Mechanism 5 needs the encryption and the authentication key."
            raise LocalProtocolError(msg)
        return self.keys

    def _tag(self, counter: int, control: int) -> Sealed:
        return seal(
            self.peer_challenge,
            control=control,
            counter=counter,
            title=self.title,
            key=self._keys.encryption,
            authentication_key=self._keys.authentication,
        )

    def _check_tag(self, answer: bytes) -> None:
        sealed = Sealed.decode(answer)
        if sealed.bits != SecurityControl.AUTHENTICATED or len(sealed.body) != 12:
            msg = "A proof by GMAC is a control octet for authentication, a counter and a tag."
            raise SecurityFailureError(msg)
        whole = Sealed(sealed.control, sealed.counter, self.challenge + sealed.body)
        unseal(
            whole,
            title=self.peer_title,
            key=self._keys.encryption,
            authentication_key=self._keys.authentication,
        )
        self.received.accept(sealed.counter)
