"""Keys of one message: agreed from key pairs or wrapped into it (general-ciphering, Green Book 9.2.3.4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from openami.ami.dlms.errors import LocalProtocolError, SecurityFailureError
from openami.ami.dlms.security.agreement import Algorithm, derive_key, one_pass_info, shared_secret, static_info
from openami.ami.dlms.security.envelopes import KeyInfo
from openami.ami.dlms.security.signing import half_octets, public_key, public_octets, sign, verify

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

AGREED_KEY = 2


class Scheme(IntEnum):
    """The key-parameters of an agreed key."""

    ONE_PASS = 1  # C(1e, 1s): a fresh pair of the sender, the static one of the receiver
    STATIC = 2  # C(0e, 2s): the static pairs of both


@dataclass(frozen=True, slots=True, repr=False)
class Agreement:
    """What one side needs to agree on keys with a peer: its key-agreement pair, and for one-pass the signing keys."""

    own_key: EllipticCurvePrivateKey
    peer_key: EllipticCurvePublicKey
    scheme: Scheme = Scheme.ONE_PASS
    signing_key: EllipticCurvePrivateKey | None = None
    peer_signing_key: EllipticCurvePublicKey | None = None

    def make(self, originator: bytes, recipient: bytes, transaction_id: bytes) -> tuple[KeyInfo, bytes]:
        """A key for a message of ours, and what tells the receiver how to find it."""
        if self.scheme is Scheme.STATIC:
            info = static_info(self._algorithm, originator, transaction_id, recipient)
            key = derive_key(shared_secret(self.own_key, self.peer_key), info, key=self.own_key)
            return KeyInfo(AGREED_KEY, Scheme.STATIC), key
        if self.signing_key is None:
            msg = "A one-pass agreement needs our signing key."
            raise LocalProtocolError(msg)
        fresh = ec.generate_private_key(self.own_key.curve)
        offered = public_octets(fresh.public_key())
        info = one_pass_info(self._algorithm, originator, recipient)
        key = derive_key(shared_secret(fresh, self.peer_key), info, key=self.own_key)
        return KeyInfo(AGREED_KEY, Scheme.ONE_PASS, offered + sign(self.signing_key, offered)), key

    def find(self, info: KeyInfo, originator: bytes, recipient: bytes, transaction_id: bytes) -> bytes:
        """The key of a message of the peer. Raises SecurityFailureError when its offer is not genuine."""
        if info.number == Scheme.STATIC:
            other = static_info(self._algorithm, originator, transaction_id, recipient)
            return derive_key(shared_secret(self.own_key, self.peer_key), other, key=self.own_key)
        octets = 2 * half_octets(self.own_key)
        offered, signature = info.data[:octets], info.data[octets:]
        if info.number != Scheme.ONE_PASS or self.peer_signing_key is None or len(offered) != octets:
            msg = f"A key agreed by scheme {info.number} cannot be found with what is known here."
            raise SecurityFailureError(msg, service_error=5)
        verify(self.peer_signing_key, signature, offered)
        fresh = public_key(offered)
        other = one_pass_info(self._algorithm, originator, recipient)
        return derive_key(shared_secret(self.own_key, fresh), other, key=self.own_key)

    @property
    def _algorithm(self) -> Algorithm:
        return Algorithm.AES_GCM_128 if self.own_key.curve.key_size == 256 else Algorithm.AES_GCM_256
