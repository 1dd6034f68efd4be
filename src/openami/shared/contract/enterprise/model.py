"""What all messages have in common, as base classes of the generated ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openami.shared.contract.enterprise.messages.common import Log, MessageHeader


@dataclass(frozen=True, slots=True)
class Extra:
    """Something the sender added that the schema does not know: kept as it came, never sent by us.

    `path` leads to the place from the message (in a bulk message: from the item) that has it in its `extras`, such as
    `UtilitiesDevice/Register[2]/RegisterID`; `xml` is the element, or the value of an attribute (path `.../@name`).
    """

    path: str
    xml: str

    def below(self, parent: str) -> Extra:
        """The same, seen from the parent of where its path starts."""
        return Extra(f"{parent}/{self.path}", self.xml)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Any message; only the two synchronous pairs have no header."""

    extras: tuple[Extra, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadedMessage(Message):
    """An asynchronous message: its header's UUID identifies it, its ReferenceUUID names what it answers."""

    message_header: MessageHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation(HeadedMessage):
    """The answer to one message."""

    log: Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    """The synchronous answer to a query."""

    log: Log


ItemT_co = TypeVar("ItemT_co", bound=HeadedMessage, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk(HeadedMessage, Generic[ItemT_co]):
    """Many messages in one; each item is complete, with its own header."""

    items: Sequence[ItemT_co]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkConfirmation(Bulk[ItemT_co]):
    """The answer to a bulk message: one confirmation per item, and one log over all."""

    log: Log
