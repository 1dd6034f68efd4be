"""The envelopes of protected APDUs: service-specific tags, general ciphering of three kinds (Green Book 9.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError
from openami.ami.dlms.reader import Reader, encode_octets

GENERAL_GLO = 0xDB
GENERAL_DED = 0xDC
GENERAL = 0xDD

# plain tag: (global tag, dedicated tag)
_SERVICE_TAGS: dict[int, tuple[int, int]] = {
    **{tag: (tag + 0x20, tag + 0x40) for tag in (0x01, 0x05, 0x06, 0x08, 0x0C, 0x0D, 0x0E, 0x16, 0x18)},
    **{tag: (tag + 0x08, tag + 0x10) for tag in (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC7)},
}

_IDENTIFIED_KEY = 0
_WRAPPED_KEY = 1
_AGREED_KEY = 2


class Envelope(Enum):
    """How a protected APDU is labelled."""

    SERVICE = "service"
    GENERAL_GLO_DED = "general-glo-ded"
    GENERAL = "general"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """Which key opens a general-ciphering APDU: identified, wrapped in it, or agreed."""

    choice: int = _IDENTIFIED_KEY
    number: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Envelop:
    """What stands around the sealed octets of a message."""

    envelope: Envelope
    dedicated: bool = False
    title: bytes = b""
    recipient: bytes = b""
    transaction_id: bytes = b""
    date_time: bytes = b""
    other: bytes = b""
    key_info: KeyInfo | None = None
    plain_tag: int | None = None

    def header(self) -> bytes:
        """The fields general-ciphering authenticates; empty for the other envelopes."""
        if self.envelope is not Envelope.GENERAL:
            return b""
        fields = (self.transaction_id, self.title, self.recipient, self.date_time, self.other)
        return b"".join(map(encode_octets, fields))


# what the tag of a service says of its message
_SERVICE_ENVELOPS = {
    tag: Envelop(Envelope.SERVICE, dedicated, plain_tag=plain)
    for plain, tags in _SERVICE_TAGS.items()
    for dedicated, tag in zip((False, True), tags, strict=True)
}


def wrap(around: Envelop, plain_tag: int, sealed: bytes) -> bytes:
    """The APDU that carries `sealed`; `plain_tag` is the first octet of what was sealed."""
    content = encode_octets(sealed)
    if around.envelope is Envelope.GENERAL_GLO_DED or (
        around.envelope is Envelope.SERVICE and plain_tag not in _SERVICE_TAGS
    ):
        # notifications and ACCESS have no tag of their own
        tag = GENERAL_DED if around.dedicated else GENERAL_GLO
        return bytes((tag,)) + encode_octets(around.title) + content
    if around.envelope is Envelope.SERVICE:
        return bytes((_SERVICE_TAGS[plain_tag][around.dedicated],)) + content
    return bytes((GENERAL,)) + around.header() + _key_info(around.key_info) + content


def unwrap(apdu: bytes) -> tuple[Envelop, bytes] | None:
    """The envelope of an APDU and the sealed octets in it, or None when it travels unprotected."""
    if not apdu:
        return None
    reader = Reader(apdu)
    tag = reader.u8()
    around = _SERVICE_ENVELOPS.get(tag) or _read_general(tag, reader)
    if around is None:
        return None
    sealed = reader.octets()
    reader.finish("protected APDU")
    return around, sealed


def _read_general(tag: int, reader: Reader) -> Envelop | None:
    if tag in (GENERAL_GLO, GENERAL_DED):
        return Envelop(Envelope.GENERAL_GLO_DED, tag == GENERAL_DED, reader.octets())
    if tag != GENERAL:
        return None
    transaction_id, title, recipient, date_time, other = (reader.octets() for _ in range(5))
    return Envelop(
        Envelope.GENERAL,
        title=title,
        recipient=recipient,
        transaction_id=transaction_id,
        date_time=date_time,
        other=other,
        key_info=_read_key_info(reader),
    )


def _key_info(info: KeyInfo | None) -> bytes:
    if info is None:
        return b"\x00"
    head = bytes((1, info.choice))
    if info.choice == _IDENTIFIED_KEY:
        return head + bytes((info.number,))
    if info.choice == _WRAPPED_KEY:
        return head + bytes((info.number,)) + encode_octets(info.data)
    if info.choice == _AGREED_KEY:
        return head + encode_octets(bytes((info.number,))) + encode_octets(info.data)
    msg = f"A key-info of choice {info.choice} does not exist."
    raise LocalProtocolError(msg)


def _read_key_info(reader: Reader) -> KeyInfo | None:
    if not reader.flag():
        return None
    choice = reader.u8()
    if choice == _IDENTIFIED_KEY:
        return KeyInfo(choice, reader.u8())
    if choice == _WRAPPED_KEY:
        return KeyInfo(choice, reader.u8(), reader.octets())
    if choice == _AGREED_KEY:
        parameters = reader.octets()
        return KeyInfo(choice, int.from_bytes(parameters, "big"), reader.octets())
    msg = f"A key-info of choice {choice} does not exist."
    raise RemoteProtocolError(msg, service_error=5)
