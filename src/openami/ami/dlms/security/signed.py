"""General-signing: an APDU with its sender's signature around it (tag DF)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.ami.dlms.errors import SecurityFailureError
from openami.ami.dlms.reader import Reader, encode_octets
from openami.ami.dlms.security.signing import sign, verify

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

TAG = 0xDF
_HEADER_FIELDS = 5


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """Our signing key and the peer's public one.

    `signs_length` is for peers that count the content's length octets among what is signed.
    """

    signing_key: EllipticCurvePrivateKey
    peer_key: EllipticCurvePublicKey
    signs_length: bool = False

    def wrap(self, apdu: bytes, *, originator: bytes, recipient: bytes, transaction_id: bytes) -> bytes:
        """The APDU signed by us."""
        header = b"".join(map(encode_octets, (transaction_id, originator, recipient, b"", b"")))
        signature = sign(self.signing_key, self._signed(header, apdu))
        return bytes((TAG,)) + header + encode_octets(apdu) + encode_octets(signature)

    def unwrap(self, octets: bytes, *, originator: bytes) -> bytes:
        """The APDU inside. Raises SecurityFailureError when another than `originator` is named or has signed."""
        reader = Reader(octets)
        reader.u8()
        start = reader.position
        fields = [reader.octets() for _ in range(_HEADER_FIELDS)]
        header = octets[start : reader.position]
        content, signature = reader.octets(), reader.octets()
        reader.finish("signed APDU")
        if fields[1] and originator and fields[1] != originator:
            msg = f"A message signed for {fields[1].hex()} came from {originator.hex()}."
            raise SecurityFailureError(msg, service_error=5)
        verify(self.peer_key, signature, self._signed(header, content))
        return content

    def _signed(self, header: bytes, content: bytes) -> bytes:
        return header + (encode_octets(content) if self.signs_length else content)
