"""The items of a bulk message, each taken by itself: one that cannot be taken leaves the others' facts in the books."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import structlog

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

log = structlog.get_logger()
ItemT = TypeVar("ItemT")


async def take_each(
    transaction: AsyncConnection, items: Sequence[ItemT], take: Callable[[ItemT], Awaitable[None]]
) -> None:
    """Take all items at once if that goes, else each in a savepoint of its own.

    Nobody confirms a confirmation, so an item that is refused beside good ones is told in the log.

    Raises:
        OpenAmiError: not one item could be taken; then the message is refused, and shown, as a whole.
    """
    try:
        async with transaction.begin_nested():
            for item in items:
                await take(item)
    except OpenAmiError:
        if len(items) == 1:
            raise
    else:
        return
    reasons = [reason for item in items if (reason := await _take_alone(transaction, item, take)) is not None]
    if len(reasons) == len(items):
        raise reasons[0]
    for reason in reasons:
        log.warning("bulk.item_refused", reason=str(reason), items=len(items), refused=len(reasons))


async def _take_alone(
    transaction: AsyncConnection, item: ItemT, take: Callable[[ItemT], Awaitable[None]]
) -> OpenAmiError | None:
    try:
        async with transaction.begin_nested():
            await take(item)
    except OpenAmiError as reason:
        return reason
    return None
