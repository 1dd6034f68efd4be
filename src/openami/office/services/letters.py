"""Sending: single or bulk, in pieces of a bearable size, remembered until confirmed. And answering."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.office.services.store import remember
from openami.shared.contract.enterprise.confirm import bulk, confirmation_for, has_bulk, stands_alone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.shared.contract.enterprise.logs import Logs
    from openami.shared.contract.enterprise.messages.common import Log
    from openami.shared.contract.enterprise.model import HeadedMessage


async def request(office: Office, transaction: AsyncConnection, message: HeadedMessage, subject: str) -> None:
    """Send one message that will be confirmed."""
    await remember(office, transaction, [(message, subject)])
    await office.door.send(transaction, _in_form(office, message), business_key=subject)


async def notify(office: Office, transaction: AsyncConnection, message: HeadedMessage, subject: str) -> None:
    """Send one message that the contract confirms by nothing."""
    await remember(office, transaction, [(message, subject)], confirmed_later=False)
    await office.door.send(transaction, _in_form(office, message), business_key=subject)


async def request_many(
    office: Office,
    transaction: AsyncConnection,
    items: Sequence[tuple[HeadedMessage, str]],
    *,
    confirmed_later: bool = True,
) -> None:
    """Send messages of one kind as bulk messages; each item is confirmed under its own UUID, if at all."""
    size = office.settings.bulk_items_max
    await remember(office, transaction, items, confirmed_later=confirmed_later)
    if office.settings.form == "single" and all(stands_alone(type(item)) for item, _ in items):
        for item, subject in items:
            await office.door.send(transaction, item, business_key=subject)
        return
    for start in range(0, len(items), size):
        piece = items[start : start + size]
        message = bulk([item for item, _ in piece], office.door.header())
        await office.door.send(transaction, message, business_key=piece[0][1] if len(piece) == 1 else "bulk")


def _in_form(office: Office, message: HeadedMessage) -> HeadedMessage:
    if office.settings.form == "bulk" and has_bulk(type(message)):
        return bulk([message], office.door.header())
    return message


async def answer(
    office: Office,
    transaction: AsyncConnection,
    received: HeadedMessage,
    log: Log | Sequence[Log] | Logs,
    *,
    business_key: str = "",
) -> None:
    """Confirm what the middle has sent; a bulk takes one log per item."""
    await answer_many(office, transaction, [(received, log, business_key)])


async def answer_many(
    office: Office,
    transaction: AsyncConnection,
    answers: Sequence[tuple[HeadedMessage, Log | Sequence[Log] | Logs, str]],
) -> None:
    """Confirm several messages, each by one of its own: message, log (a bulk: one per item), business object."""
    now, sender = office.clock.now(), office.door.header().sender_business_system_id
    await office.door.send_many(
        transaction, [(confirmation_for(one, log, created=now, sender=sender), key) for one, log, key in answers]
    )
