"""AARQ, AARE, RLRQ and RLRE: opening and closing an association (Green Book 9.4, BER).

The user-information travels beside the values, because security may have to open it first.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

from openami.ami.dlms import ber
from openami.ami.dlms.enums import AcseDiagnostic, AssociationResult, Context, Mechanism, ReleaseReason
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.events import AssociationRequest, AssociationResponse, ReleaseRequest, ReleaseResponse

AARQ = 0x60
AARE = 0x61
RLRQ = 0x62
RLRE = 0x63

# 2.16.756.5.8: the DLMS UA's branch, then .1 context or .2 mechanism, then the number
_BRANCH = bytes.fromhex("6085740508")
_CONTEXT_ARC = 1
_MECHANISM_ARC = 2
_AUTHENTICATION_REQUIRED = bytes.fromhex("0780")

_Code = TypeVar("_Code", bound=IntEnum)


def encode_aarq(request: AssociationRequest, user_information: bytes) -> bytes:
    """The AARQ of a request."""
    parts = [ber.tlv(0xA1, _identifier(_CONTEXT_ARC, request.context))]
    if request.system_title:
        parts.append(ber.tlv(0xA6, ber.tlv(ber.OCTET_STRING, request.system_title)))
    if request.certificate:
        parts.append(ber.tlv(0xA7, ber.tlv(ber.OCTET_STRING, request.certificate)))
    if request.user_id is not None:
        parts.append(ber.tlv(0xA9, _integer(request.user_id)))
    if request.mechanism != Mechanism.NONE:
        parts += [
            ber.tlv(0x8A, _AUTHENTICATION_REQUIRED),
            ber.tlv(0x8B, _identifier(_MECHANISM_ARC, request.mechanism)[2:]),
            ber.tlv(0xAC, ber.tlv(0x80, request.authentication)),
        ]
    parts.append(ber.tlv(0xBE, ber.tlv(ber.OCTET_STRING, user_information)))
    return ber.tlv(AARQ, *parts)


def decode_aarq(octets: bytes) -> tuple[AssociationRequest, bytes]:
    """The request in an AARQ (its `initiate` not yet read) and its user-information."""
    found = dict(ber.fields(ber.inner(octets, AARQ)))
    mechanism = _decode_identifier(found[0x8B], _MECHANISM_ARC, Mechanism) if 0x8B in found else Mechanism.NONE
    request = AssociationRequest(
        context=_context(found),
        mechanism=mechanism,
        authentication=_authentication(found.get(0xAC)),
        system_title=_octets(found.get(0xA6)),
        certificate=_octets(found.get(0xA7)),
        user_id=ber.integer(found[0xA9]) if 0xA9 in found else None,
    )
    return request, _octets(found.get(0xBE))


def encode_aare(response: AssociationResponse, user_information: bytes) -> bytes:
    """The AARE of a response."""
    source = 0xA2 if response.from_provider else 0xA1
    parts = [
        ber.tlv(0xA1, _identifier(_CONTEXT_ARC, response.context)),
        ber.tlv(0xA2, _integer(response.result)),
        ber.tlv(0xA3, ber.tlv(source, _integer(response.diagnostic))),
    ]
    if response.system_title:
        parts.append(ber.tlv(0xA4, ber.tlv(ber.OCTET_STRING, response.system_title)))
    if response.certificate:
        parts.append(ber.tlv(0xA5, ber.tlv(ber.OCTET_STRING, response.certificate)))
    if response.mechanism.high:
        parts += [
            ber.tlv(0x88, _AUTHENTICATION_REQUIRED),
            ber.tlv(0x89, _identifier(_MECHANISM_ARC, response.mechanism)[2:]),
            ber.tlv(0xAA, ber.tlv(0x80, response.authentication)),
        ]
    if user_information:
        parts.append(ber.tlv(0xBE, ber.tlv(ber.OCTET_STRING, user_information)))
    return ber.tlv(AARE, *parts)


def decode_aare(octets: bytes) -> tuple[AssociationResponse, bytes]:
    """The response in an AARE (its `initiate` not yet read) and its user-information."""
    found = dict(ber.fields(ber.inner(octets, AARE)))
    if 0xA2 not in found or 0xA3 not in found:
        msg = "An AARE without result and diagnostic."
        raise RemoteProtocolError(msg)
    source, diagnostic = next(ber.fields(found[0xA3]), (0, b""))
    if source not in (0xA1, 0xA2):
        msg = f"A diagnostic from source {source:02X}; A1 (user) and A2 (provider) exist."
        raise RemoteProtocolError(msg)
    mechanism = _decode_identifier(found[0x89], _MECHANISM_ARC, Mechanism) if 0x89 in found else Mechanism.NONE
    response = AssociationResponse(
        result=_code(AssociationResult, ber.integer(found[0xA2])),
        diagnostic=_code(AcseDiagnostic, ber.integer(diagnostic)),
        context=_context(found),
        mechanism=mechanism,
        authentication=_authentication(found.get(0xAA)),
        system_title=_octets(found.get(0xA4)),
        certificate=_octets(found.get(0xA5)),
        from_provider=source == 0xA2,
    )
    return response, _octets(found.get(0xBE))


def encode_release(message: ReleaseRequest | ReleaseResponse, user_information: bytes = b"") -> bytes:
    """The RLRQ or RLRE."""
    tag = RLRQ if isinstance(message, ReleaseRequest) else RLRE
    reason = ber.tlv(0x80, bytes((message.reason,))) if message.reason is not None else b""
    information = ber.tlv(0xBE, ber.tlv(ber.OCTET_STRING, user_information)) if user_information else b""
    return ber.tlv(tag, reason, information)


def decode_release(octets: bytes) -> tuple[ReleaseRequest | ReleaseResponse, bytes]:
    """The RLRQ or RLRE in `octets` and its user-information; 62 00 and 63 00 are legal and common."""
    found = dict(ber.fields(ber.inner(octets, octets[0])))
    reason = _code(ReleaseReason, int.from_bytes(found[0x80], "big")) if 0x80 in found else None
    message = ReleaseRequest(reason) if octets[0] == RLRQ else ReleaseResponse(reason)
    return message, _octets(found.get(0xBE))


def _integer(value: int) -> bytes:
    return ber.tlv(ber.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _identifier(arc: int, number: int) -> bytes:
    return ber.tlv(ber.OBJECT_IDENTIFIER, _BRANCH, bytes((arc, number)))


def _decode_identifier(octets: bytes, arc: int, kind: type[_Code]) -> _Code:
    if len(octets) != 7 or octets[:5] != _BRANCH or octets[5] != arc:
        msg = f"{octets.hex()} is not a DLMS object identifier 2.16.756.5.8.{arc}.n."
        raise RemoteProtocolError(msg)
    return _code(kind, octets[6])


def _context(found: dict[int, bytes]) -> Context:
    if 0xA1 not in found:
        msg = "The application context name is missing."
        raise RemoteProtocolError(msg)
    return _decode_identifier(ber.inner(found[0xA1], ber.OBJECT_IDENTIFIER), _CONTEXT_ARC, Context)


def _code(kind: type[_Code], number: int) -> _Code:
    try:
        return kind(number)
    except ValueError:
        msg = f"{number} is not a {kind.__name__}."
        raise RemoteProtocolError(msg) from None


def _octets(octets: bytes | None) -> bytes:
    return b"" if octets is None else ber.inner(octets, ber.OCTET_STRING)


def _authentication(octets: bytes | None) -> bytes:
    if octets is None:
        return b""
    choice, value = next(ber.fields(octets), (0, b""))
    if choice not in (0x80, 0x81):
        msg = f"An authentication value of choice {choice:02X}; 80 (text) and 81 (bits) exist."
        raise RemoteProtocolError(msg)
    # a bit string leads with the number of unused bits, which is 0 for whole octets
    return value if choice == 0x80 else value[1:]
