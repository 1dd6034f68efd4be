"""DLMS pushes of consumer ports, told in the common shape: over HDLC, over wired M-Bus, in the TCP wrapper, or bare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.ami.dlms.data import Data, Tag
from openami.ami.dlms.errors import RemoteProtocolError, TypeMismatchError
from openami.ami.dlms.hdlc.listening import PushReader, damaged_apdu, without_llc
from openami.ami.dlms.push import Listener, MBusReader
from openami.ami.dlms.security import Keys
from openami.ami.dlms.security.envelopes import unwrap
from openami.ami.dlms.wrapper import WrapperBuffer
from openami.ami.telegrams.model import DecodedReading, DecodedTelegram
from openami.ami.telegrams.units import UNITS, unit_of_code
from openami.shared.errors import OpenAmiError
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openami.ami.dlms.push import Push, PushedValue
    from openami.ami.dlms.times import CosemDateTime

_HDLC_FLAG: Final = 0x7E
_HDLC_STUFFING: Final = 0x7D
_LONG_FRAME_START: Final = 0x68
_WRAPPER_VERSION: Final = b"\x00\x01"
_PUSH_TAGS: Final = frozenset({0x0F, 0xDB, 0xE0})  # data-notification, general-glo-ciphering, general-block-transfer
# the logical device name is unique in the world, the numbers behind it are so for a utility only
_IDENTITIES: Final = ("0-0:42.0.0.255", "0-0:96.1.0.255", "0-0:96.1.1.255", "1-1:0.0.5.255")
_CLOCK: Final = "0-0:1.0.0.255"
_STAMP_OCTETS: Final = 12
_INCOMPLETE: Final = "The messages here make no whole push: a block of it is missing."
_DAMAGED: Final = "The frame's checksum is wrong: what it says may be wrong too."


def decode_pushes(
    octets: bytes, zone_name: str, key_of: Callable[[str], bytes | None], auth_key: bytes | None
) -> list[DecodedTelegram]:
    """The pushes in the bytes, in whichever transport they came; `key_of` gives keys by system title."""

    def keys_of(title: bytes) -> Keys | None:
        key = key_of(title.hex())
        return Keys(encryption=key, authentication=auth_key or b"") if key is not None and len(key) == 16 else None

    listener = Listener(keys_of)
    apdus, note = _apdus(octets)
    told: list[DecodedTelegram] = []
    for apdu in apdus:
        try:
            push = listener.take(apdu)
        except OpenAmiError as error:
            told.append(DecodedTelegram("dlms", _title(apdu), error=note or str(error)))
            continue
        if push is not None and push.values:
            told.append(_telegram(push, zone_name, note))
    if not told and (note or apdus):
        told.append(DecodedTelegram("dlms", error=note or _INCOMPLETE))
    return told


def _apdus(octets: bytes) -> tuple[list[bytes], str]:
    """Whole APDUs; only transports that check themselves are searched for, others must begin with the first byte.

    With them what is wrong with their transport, if anything is.
    """
    if not octets:
        return [], ""
    for start, reader in ((_HDLC_FLAG, PushReader()), (_LONG_FRAME_START, MBusReader())):
        if start in octets:
            reader.receive(octets)
            found = list(iter(reader.next_apdu, None))
            if found:
                return found, ""
    if octets[0] == _HDLC_FLAG and octets[1:2] and octets[1] >> 4 == 0xA:
        return _mended(octets)
    if octets.startswith(_WRAPPER_VERSION):
        return list(_wrapped(octets)), ""
    bare = without_llc(octets)
    return ([bare] if bare[:1] and bare[0] in _PUSH_TAGS else []), ""


def _mended(octets: bytes) -> tuple[list[bytes], str]:
    """HDLC in which no good frame was found: with octet stuffing, as some ports do, or with a wrong checksum."""
    reader = PushReader()
    reader.receive(_unstuffed(octets))
    found = list(iter(reader.next_apdu, None))
    if found:
        return found, ""
    damaged = damaged_apdu(octets)
    if damaged is not None:
        return [damaged], _DAMAGED
    return [], "There is no HDLC frame here that carries a whole message."


def _unstuffed(octets: bytes) -> bytes:
    plain, stuffed = bytearray(), False
    for octet in octets:
        if octet == _HDLC_STUFFING and not stuffed:
            stuffed = True
            continue
        plain.append(octet ^ 0x20 if stuffed else octet)
        stuffed = False
    return bytes(plain)


def _wrapped(octets: bytes) -> Iterator[bytes]:
    buffer = WrapperBuffer()
    buffer.receive(octets)
    try:
        while (frame := buffer.next_frame()) is not None:
            yield frame.apdu
    except RemoteProtocolError:
        return  # what follows is no wrapper frame: nothing behind it can be trusted


def _title(apdu: bytes) -> str:
    """Who sent a ciphered push that was not opened: its system title."""
    try:
        opened = unwrap(apdu)
    except OpenAmiError:
        return ""
    return opened[0].title.hex() if opened is not None else ""


def _telegram(push: Push, zone_name: str, note: str) -> DecodedTelegram:
    by_code = {str(value.obis): value for value in push.values}
    named = (_text(by_code[code].value) for code in _IDENTITIES if code in by_code)
    meter = next((name for name in named if name), "") or push.title.hex()
    # the meter's clock when it took the values, or the time of the message
    time = ""
    if _CLOCK in by_code:
        time = _guarded(lambda: stamp_text(by_code[_CLOCK].value.date_time(), zone_name))
    time = time or stamp_text(push.notification.time, zone_name)
    readings = tuple(_reading(value, zone_name) for value in push.values)
    return DecodedTelegram("dlms", meter, time, readings, note)


def _reading(pushed: PushedValue, zone_name: str) -> DecodedReading:
    obis, unit = str(pushed.obis).removesuffix(".255"), UNITS.get(pushed.unit, f"unit {pushed.unit}")
    if pushed.number is not None:
        return DecodedReading(pushed.number, unit or unit_of_code(pushed.obis.octets), obis=obis)
    return DecodedReading(_plain(pushed.value, zone_name), obis=obis)


def _plain(data: Data, zone_name: str) -> str | int | bytes | None:
    value = data.value
    if isinstance(value, bytes):
        stamp = _guarded(lambda: stamp_text(data.date_time(), zone_name)) if len(value) == _STAMP_OCTETS else ""
        return stamp or _text(data) or value
    if isinstance(value, str):
        return _text(data) or value
    if isinstance(value, bool | int):
        return value
    return None if data.tag is Tag.NULL else str(value)


def _text(data: Data) -> str:
    """An octet-string or a string that people can read, or empty text."""
    text = _guarded(data.text).rstrip("\0")  # some pad to a fixed length
    return text if text.isprintable() and "\ufffd" not in text else ""


def stamp_text(stamp: CosemDateTime | None, zone_name: str) -> str:
    """A COSEM stamp as an instant in ISO 8601; empty where it is none."""
    return "" if stamp is None else _guarded(lambda: stamp.instant(zone=zone(zone_name)).isoformat())


def _guarded(read: Callable[[], str]) -> str:
    try:
        return read()
    except TypeMismatchError:
        return ""
