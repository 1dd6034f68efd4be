"""New keys for a meter: the parameters of class 64 methods 2 (wrapped keys) and 3 (agreed keys), both sides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from openami.ami.dlms.data import Data, array, enum, octet_string, structure
from openami.ami.dlms.errors import SecurityFailureError, TypeMismatchError
from openami.ami.dlms.security.agreement import Algorithm, derive_key, ephemeral_info, shared_secret
from openami.ami.dlms.security.keys import KeyId, unwrap_key, wrap_key
from openami.ami.dlms.security.signing import half_octets, public_key, public_octets, sign, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey


def key_transfer(key_encryption_key: bytes, keys: Mapping[KeyId, bytes]) -> Data:
    """The parameter of key_transfer: each key under its id, wrapped by the master key."""
    wrapped = {key_id: wrap_key(key_encryption_key, key) for key_id, key in keys.items()}
    return array(structure(enum(key_id), octet_string(octets)) for key_id, octets in wrapped.items())


def transferred_keys(key_encryption_key: bytes, parameter: Data) -> dict[KeyId, bytes]:
    """The keys in a parameter of key_transfer.

    Raises SecurityFailureError when one does not open, TypeMismatchError when the parameter is none.
    """
    return {key_id: unwrap_key(key_encryption_key, octets) for key_id, octets in _entries(parameter)}


@dataclass(slots=True)
class EphemeralAgreement:
    """One side of key_agreement C(2e,0s): both offer a fresh public key, signed, and derive the same new key.

    The client sends `offer`, the server answers with its own; then both know `key`.
    """

    key_id: KeyId
    signing_key: EllipticCurvePrivateKey = field(repr=False)
    peer_signing_key: EllipticCurvePublicKey = field(repr=False)
    client_title: bytes
    server_title: bytes
    _fresh: EllipticCurvePrivateKey | None = field(default=None, repr=False)

    def offer(self) -> Data:
        """Our fresh public key with our signature, as one entry of the parameter or of the answer."""
        self._fresh = ec.generate_private_key(self.signing_key.curve)
        offered = public_octets(self._fresh.public_key())
        signature = sign(self.signing_key, bytes((self.key_id,)) + offered)
        return array([structure(enum(self.key_id), octet_string(offered + signature))])

    def key(self, peer_offer: Data) -> bytes:
        """The new key. Raises SecurityFailureError when the peer's offer is not signed by it."""
        octets = dict(_entries(peer_offer)).get(self.key_id, b"")
        length = 2 * half_octets(self.signing_key)
        offered, signature = octets[:length], octets[length:]
        if self._fresh is None or len(offered) != length:
            msg = "A key agreement needs an offer of both sides for the same key."
            raise SecurityFailureError(msg)
        verify(self.peer_signing_key, signature, bytes((self.key_id,)) + offered)
        info = ephemeral_info(self._algorithm, self.client_title, self.server_title)
        return derive_key(shared_secret(self._fresh, public_key(offered)), info, key=self._fresh)

    @property
    def _algorithm(self) -> Algorithm:
        wraps = self.key_id is KeyId.KEY_ENCRYPTION
        if self.signing_key.curve.key_size == 256:
            return Algorithm.AES_WRAP_128 if wraps else Algorithm.AES_GCM_128
        return Algorithm.AES_WRAP_256 if wraps else Algorithm.AES_GCM_256


def _entries(parameter: Data) -> list[tuple[KeyId, bytes]]:
    found = []
    for entry in parameter.elements():
        members = entry.elements()
        if len(members) != 2 or members[0].integer() not in set(map(int, KeyId)):
            msg = f"A key entry has an id of 0 to 3 and octets, not {len(members)} members."
            raise TypeMismatchError(msg)
        found.append((KeyId(members[0].integer()), members[1].octets()))
    return found
