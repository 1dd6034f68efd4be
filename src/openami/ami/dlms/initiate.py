"""InitiateRequest and InitiateResponse: what client and server agree on (Green Book 9.5)."""

from __future__ import annotations

from functools import lru_cache

from openami.ami.dlms.enums import Conformance
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.events import Initiate
from openami.ami.dlms.reader import Reader, encode_octets

REQUEST_TAG = 0x01
RESPONSE_TAG = 0x08
# [APPLICATION 31] IMPLICIT BIT STRING of 24 bits: 5F 1F, length 4, no unused bits
_CONFORMANCE_HEAD = bytes.fromhex("5f1f0400")
# some clients leave the second tag octet out
_CONFORMANCE_SHORT_HEAD = bytes.fromhex("5f0400")
VAA_LOGICAL_NAMES = 0x0007


def encode_request(initiate: Initiate) -> bytes:
    """The InitiateRequest a client puts into its AARQ."""
    return b"".join(
        (
            bytes((REQUEST_TAG,)),
            b"\x01" + encode_octets(initiate.dedicated_key) if initiate.dedicated_key else b"\x00",
            # response-allowed is DEFAULT TRUE
            b"\x00" if initiate.response_allowed else b"\x01\x00",
            _quality(initiate),
            _tail(initiate),
        )
    )


def encode_response(initiate: Initiate) -> bytes:
    """The InitiateResponse a server puts into its AARE."""
    vaa_name = VAA_LOGICAL_NAMES.to_bytes(2, "big")
    return bytes((RESPONSE_TAG,)) + _quality(initiate) + _tail(initiate) + vaa_name


def decode_request(octets: bytes) -> Initiate:
    """The InitiateRequest in `octets`."""
    reader = _start(octets, REQUEST_TAG, "InitiateRequest")
    dedicated_key = reader.octets() if reader.flag() else b""
    response_allowed = not reader.flag() or reader.flag()
    quality = reader.i8() if reader.flag() else None
    version, conformance, max_pdu_octets = _read_tail(reader)
    return Initiate(conformance, max_pdu_octets, dedicated_key, response_allowed, quality, version)


@lru_cache(maxsize=256)  # the meters of a make all answer alike
def decode_response(octets: bytes) -> Initiate:
    """The InitiateResponse in `octets`; the vaa-name behind it is not needed for logical names."""
    reader = _start(octets, RESPONSE_TAG, "InitiateResponse")
    quality = reader.i8() if reader.flag() else None
    version, conformance, max_pdu_octets = _read_tail(reader)
    return Initiate(conformance, max_pdu_octets, quality_of_service=quality, version=version)


def _quality(initiate: Initiate) -> bytes:
    if initiate.quality_of_service is None:
        return b"\x00"
    return b"\x01" + initiate.quality_of_service.to_bytes(1, "big", signed=True)


def _tail(initiate: Initiate) -> bytes:
    return (
        bytes((initiate.version,))
        + _CONFORMANCE_HEAD
        + int(initiate.conformance).to_bytes(3, "big")
        + initiate.max_pdu_octets.to_bytes(2, "big")
    )


def _start(octets: bytes, tag: int, what: str) -> Reader:
    reader = Reader(octets)
    found = reader.u8()
    if found != tag:
        msg = f"An {what} starts with {tag:02X}, not {found:02X}."
        raise RemoteProtocolError(msg)
    return reader


def _read_tail(reader: Reader) -> tuple[int, Conformance, int]:
    version = reader.u8()
    head = reader.take(3)
    if head != _CONFORMANCE_SHORT_HEAD and head + reader.take(1) != _CONFORMANCE_HEAD:
        msg = f"The conformance block starts with {head.hex()} instead of 5f1f0400."
        raise RemoteProtocolError(msg)
    conformance = Conformance(int.from_bytes(reader.take(3), "big") & _KNOWN_BITS)
    return version, conformance, reader.u16()


_KNOWN_BITS = sum(Conformance)
