"""General signing against what others signed: every signature of a British test set fits its sender's certificate."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_pem_x509_certificate

from openami.ami.dlms.errors import SecurityFailureError
from openami.ami.dlms.reader import Reader
from openami.ami.dlms.security.envelopes import unwrap
from openami.ami.dlms.security.sealing import Sealed
from openami.ami.dlms.security.signed import Signer

if TYPE_CHECKING:
    from pathlib import Path

TAG_OCTETS = 12


def signed_within(octets: bytes) -> bytes:
    """The general-signing message, which may be sealed."""
    opened = unwrap(octets)
    return octets if opened is None else Sealed.decode(opened[1]).body[:-TAG_OCTETS]


def test_every_signature_fits_its_senders_certificate(fixtures: Path) -> None:
    folder = fixtures / "gbcs-smets2"
    certificates = json.loads((folder / "rtds_test_certificates.json").read_text())
    own, checked = ec.generate_private_key(ec.SECP256R1()), 0
    with gzip.open(folder / "gbcs_rtds_4.5.0.jsonl.gz") as lines:
        messages = [signed_within(bytes.fromhex(json.loads(line)["hex"])) for line in lines]
    for octets in messages:
        reader = Reader(octets[1:])
        _, sender, *_, content = [reader.octets() for _ in range(6)]
        if not reader.remaining or not reader.octets():
            continue  # answered under a message authentication code alone
        certificate = load_pem_x509_certificate(certificates[f"{sender.hex()}-ds"].encode())
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        signer = Signer(own, key, signs_length=True)
        assert signer.unwrap(octets, originator=sender) == content
        checked += 1
        if checked % 20 == 0:  # a changed octet, here and there: checking costs more than reading
            with pytest.raises(SecurityFailureError):
                signer.unwrap(octets[:60] + bytes((octets[60] ^ 1,)) + octets[61:], originator=sender)
    assert checked == 318
