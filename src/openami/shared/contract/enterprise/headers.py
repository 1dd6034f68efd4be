"""Message headers, and when two identifiers mean the same."""

from __future__ import annotations

import datetime as dt
import uuid as uuids
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from openami.shared.contract.enterprise.errors import MissingMessageId
from openami.shared.contract.enterprise.messages.common import MessageHeader
from openami.shared.contract.enterprise.model import Bulk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openami.shared.contract.enterprise.model import HeadedMessage

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


SUBJECTS_MAX: Final = 20
"""How many items of a bulk message are named by their ids."""
_POINT: Final = "utilities_measurement_task_assignment_role.utilities_point_of_delivery_external_identification"
_PLACES: Final = tuple(
    tuple(place.split("."))
    for place in (
        "id",
        "utilities_device_id",
        "utilities_device.utilities_device_id",
        "utilties_measurement_task.utilties_device.utilities_device_id",
        "utilities_measurement_task.utilities_device.utilities_device_id",
        f"{_POINT}.utilities_point_of_delivery_party_id",
    )
)


def subject(message: HeadedMessage) -> str:
    """What a message is about: the ids of its object and of its device; of a bulk message those of its first items."""
    items = message.items[:SUBJECTS_MAX] if isinstance(message, Bulk) else (message,)
    return " ".join(dict.fromkeys(name for item in items for name in _named(item)))


def _named(item: HeadedMessage) -> list[str]:
    """The ids that a person looks for: object, device, and the devices of a connection request."""
    message: Any = type(item)
    field = _content_of(message)
    content = getattr(item, field) if field is not None else None
    kind: Any = type(content)
    found = [_at(content, place) for place in _places_of(kind)]
    found += [one.utilities_device_id for one in getattr(content, "device_connection_status", ())]
    return [one for one in found if one]


@cache
def _content_of(kind: type[HeadedMessage]) -> str | None:
    """The part of a message that says what it is about."""
    return next((name for name in kind.__dataclass_fields__ if name not in _NO_CONTENT), None)


@cache
def _places_of(kind: type[Any]) -> list[Sequence[str]]:
    """Where such a part may have ids."""
    return [place for place in _PLACES if hasattr(kind, place[0])]


def _at(content: object, place: Sequence[str]) -> str | None:
    for name in place:
        content = getattr(content, name, None)
    return content if isinstance(content, str) else None


_NO_CONTENT: Final = frozenset({"message_header", "log", "extras"})
