"""ECDSA as DLMS writes it: P-256 with SHA-256 or P-384 with SHA-384, signatures as r and s side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from openami.ami.dlms.errors import SecurityFailureError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

_HALF_OCTETS = {256: 32, 384: 48}


def half_octets(key: EllipticCurvePrivateKey | EllipticCurvePublicKey) -> int:
    """Octets of one coordinate on the key's curve."""
    return _HALF_OCTETS[key.curve.key_size]


def digest(key: EllipticCurvePrivateKey | EllipticCurvePublicKey) -> hashes.HashAlgorithm:
    """The hash that belongs to the key's curve."""
    return hashes.SHA256() if key.curve.key_size == 256 else hashes.SHA384()


def sign(key: EllipticCurvePrivateKey, data: bytes) -> bytes:
    """The signature, r then s."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest(key))))
    octets = half_octets(key)
    return r.to_bytes(octets, "big") + s.to_bytes(octets, "big")


def verify(key: EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    """Check a signature of r then s. Raises SecurityFailureError when it does not fit."""
    octets = half_octets(key)
    msg = "A signature is wrong."
    if len(signature) != 2 * octets:
        raise SecurityFailureError(msg, service_error=5)
    r, s = int.from_bytes(signature[:octets], "big"), int.from_bytes(signature[octets:], "big")
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(digest(key)))
    except InvalidSignature:
        raise SecurityFailureError(msg, hint="Check the certificate of the sender.", service_error=5) from None


def public_octets(key: EllipticCurvePublicKey) -> bytes:
    """The public key as it travels: x then y, without the leading 04."""
    numbers, octets = key.public_numbers(), half_octets(key)
    return numbers.x.to_bytes(octets, "big") + numbers.y.to_bytes(octets, "big")


def public_key(octets: bytes) -> EllipticCurvePublicKey:
    """The public key in x then y. Raises SecurityFailureError when it is no point of a known curve."""
    curves: dict[int, ec.EllipticCurve] = {64: ec.SECP256R1(), 96: ec.SECP384R1()}
    curve = curves.get(len(octets))
    msg = f"{len(octets)} octets are not a public key of P-256 or P-384."
    if curve is None:
        raise SecurityFailureError(msg, service_error=5)
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + octets)
    except ValueError:
        raise SecurityFailureError(msg, service_error=5) from None
