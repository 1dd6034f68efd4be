"""Key agreement of suites 1 and 2: ECDH, and the derivation of NIST SP 800-56A with the standard's OtherInfo."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from openami.ami.dlms.reader import encode_octets
from openami.ami.dlms.security.signing import digest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

# 2.16.756.5.8.3.n, without tag and length
_ALGORITHM_BRANCH = bytes.fromhex("608574050803")
_ROUND = b"\x00\x00\x00\x01"


class Algorithm(IntEnum):
    """What the derived key is for: the last number of its object identifier."""

    AES_GCM_128 = 0
    AES_GCM_256 = 1
    AES_WRAP_128 = 2
    AES_WRAP_256 = 3


def shared_secret(own: EllipticCurvePrivateKey, peer: EllipticCurvePublicKey) -> bytes:
    """Z: the x coordinate both ends compute."""
    return own.exchange(ec.ECDH(), peer)


def derive_key(secret: bytes, other_info: bytes, *, key: EllipticCurvePrivateKey) -> bytes:
    """The key in one round of hashing: 16 octets for P-256, 32 for P-384."""
    hashing = hashes.Hash(digest(key))
    hashing.update(_ROUND + secret + other_info)
    return hashing.finalize()[: 16 if key.curve.key_size == 256 else 32]


def ephemeral_info(algorithm: Algorithm, client_title: bytes, server_title: bytes) -> bytes:
    """OtherInfo of the ephemeral scheme C(2e,0s), class 64 method 3."""
    return _identifier(algorithm) + client_title + server_title


def one_pass_info(algorithm: Algorithm, originator: bytes, recipient: bytes) -> bytes:
    """OtherInfo of the one-pass scheme C(1e,1s) of general-ciphering."""
    return _identifier(algorithm) + originator + recipient


def static_info(algorithm: Algorithm, originator: bytes, transaction_id: bytes, recipient: bytes) -> bytes:
    """OtherInfo of the static scheme C(0e,2s): the transaction-id goes in with its length octet."""
    return _identifier(algorithm) + originator + encode_octets(transaction_id) + recipient


def _identifier(algorithm: Algorithm) -> bytes:
    return _ALGORITHM_BRANCH + bytes((algorithm,))
