"""Message headers, and when two identifiers mean the same."""

from __future__ import annotations

import datetime as dt
import uuid as uuids

from openami.shared.contract.enterprise.errors import MissingMessageId
from openami.shared.contract.enterprise.messages.common import MessageHeader

OPEN_END = dt.date(9999, 12, 31)


def header(
    created: dt.datetime,
    *,
    reply_to: MessageHeader | None = None,
    uuid: str | None = None,
    sender: str | None = None,
    recipient: str | None = None,
) -> MessageHeader:
    """A header with a new UUID; `reply_to` fills the references and, unless given, the recipient.

    `sender` and `recipient` are business system ids, such as SAP's logical system.
    """
    reference_id = reference_uuid = None
    if reply_to is not None:
        reference_id, reference_uuid = reply_to.id, reply_to.uuid
        recipient = recipient or reply_to.sender_business_system_id
    return MessageHeader(
        uuid=uuid or str(uuids.uuid4()),
        reference_id=reference_id,
        reference_uuid=reference_uuid,
        creation_date_time=created,
        sender_business_system_id=sender,
        recipient_business_system_id=recipient,
    )


def message_key(of: MessageHeader) -> str:
    """What identifies a message when it is repeated: its UUID in lower case, or its ID; raises MissingMessageId."""
    if of.uuid is not None:
        return of.uuid.lower()
    if of.id is not None:
        return f"id:{of.id}"
    raise MissingMessageId


def reference_key(of: MessageHeader) -> str | None:
    """The key of the message that this one answers, None if it answers none."""
    if of.reference_uuid is not None:
        return of.reference_uuid.lower()
    return None if of.reference_id is None else f"id:{of.reference_id}"


def id_key(text: str) -> str:
    """An identifier without the leading zeros that SAP pads numbers with; one that is no number stays as it is."""
    return text.lstrip("0") or "0" if text.isdecimal() else text


def same_id(first: str, second: str) -> bool:
    """True if two identifiers mean the same object, padded or not."""
    return id_key(first) == id_key(second)
