"""What a server sends unasked: DataNotification (0F), its receipt (10) and EventNotification (C2)."""

from __future__ import annotations

from openami.ami.dlms import axdr
from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.data import Tag
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.events import DataNotification, DataNotificationConfirm, EventNotification
from openami.ami.dlms.reader import Reader
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.times import CosemDateTime

DATA_NOTIFICATION_TAG = 0x0F
CONFIRM_TAG = 0x10
EVENT_NOTIFICATION_TAG = 0xC2

_STAMP_OCTETS = 12


def encode_data_notification(message: DataNotification) -> bytes:
    """The data-notification: long invoke-id, time, body."""
    return long_head(DATA_NOTIFICATION_TAG, message.invoke, message.time) + message.body.raw


def decode_data_notification(octets: bytes) -> DataNotification:
    """The data-notification in `octets`; the body stays encoded, since pushes deviate (see `bodies`)."""
    reader = Reader(octets)
    reader.u8()
    invoke = reader.u32()
    return DataNotification(time=read_stamp(reader), body=Encoded(reader.rest()), invoke=invoke)


def encode_confirm(message: DataNotificationConfirm) -> bytes:
    """The data-notification-confirm."""
    return long_head(CONFIRM_TAG, message.invoke, message.time)


def decode_confirm(octets: bytes) -> DataNotificationConfirm:
    """The data-notification-confirm in `octets`."""
    reader = Reader(octets)
    reader.u8()
    confirm = DataNotificationConfirm(reader.u32(), read_stamp(reader))
    reader.finish("data-notification-confirm")
    return confirm


def encode_event_notification(message: EventNotification) -> bytes:
    """The event-notification: time as an OPTIONAL, attribute, value."""
    stamp = b"\x00" if message.time is None else b"\x01\x0c" + message.time.encode()
    reference = message.attribute.encode(with_selection=False)
    return bytes((EVENT_NOTIFICATION_TAG,)) + stamp + reference + axdr.encode(message.value)


def decode_event_notification(octets: bytes) -> EventNotification:
    """The event-notification in `octets`; its time is seen as 01 0C, as 01 and bare, and as 09 0C."""
    reader = Reader(octets)
    reader.u8()
    lead = reader.u8()
    time = None
    if lead:
        if lead == Tag.OCTET_STRING or reader.data[reader.position : reader.position + 1] == b"\x0c":
            reader.u8()
        time = CosemDateTime.decode(reader.take(_STAMP_OCTETS))
    attribute = AttributeRef.decode(reader, with_selection=False)
    value = axdr.read_data(reader)
    reader.finish("event-notification")
    return EventNotification(attribute, value, time)


def long_head(tag: int, invoke: int, time: CosemDateTime | None) -> bytes:
    """The first octets of messages with a long invoke-id: tag, invoke-id, time."""
    stamp = b"\x00" if time is None else bytes((_STAMP_OCTETS,)) + time.encode()
    return bytes((tag,)) + invoke.to_bytes(4, "big") + stamp


def read_stamp(reader: Reader) -> CosemDateTime | None:
    """The time behind a long invoke-id, if there is one."""
    # The standard says a bare length (00 or 0C); Kaifa writes a whole octet-string (09 0C), others a date-time (19).
    lead = reader.u8()
    if lead == Tag.OCTET_STRING:
        lead = reader.u8()
    if lead == 0:
        return None
    if lead not in (_STAMP_OCTETS, Tag.DATE_TIME):
        msg = f"The time of a notification starts with {lead:02X}; 00, 0C, 09 0C and 19 are known."
        raise RemoteProtocolError(msg)
    return CosemDateTime.decode(reader.take(_STAMP_OCTETS))
