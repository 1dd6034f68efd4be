"""Confirmations of the back office, recorded on what they confirm; a failed one is kept where a person sees it.

All confirmations that came together are one statement; of several for one object the last one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.model import Bulk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.services.notices import Notices
    from openami.mdus.services.orders import Orders
    from openami.mdus.services.upload import Uploads
    from openami.shared.contract.enterprise.messages.common import MessageHeader
    from openami.shared.contract.enterprise.model import HeadedMessage

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answers:
    """The desk for confirmations: it refuses none, as nobody would hear of it."""

    orders: Orders
    uploads: Uploads
    notices: Notices

    async def of_results(self, tx: AsyncConnection, messages: Sequence[HeadedMessage]) -> list[None]:
        """Results of reading orders were taken or refused."""
        answers = [
            (item.meter_reading_document.id or "", _reference(item.message_header), item.log)
            for item in _items(messages)
        ]
        known = await self.orders.results_confirmed(tx, answers)
        for (document, reference, _), has_order in zip(answers, known, strict=True):
            if not has_order:
                log.warning("answer.without_order", document=document, reference=str(reference))
        return [None] * len(messages)

    async def of_uploads(self, tx: AsyncConnection, messages: Sequence[HeadedMessage]) -> list[None]:
        """Interval uploads were taken or refused."""
        answers = [(_reference(item.message_header), item.log) for item in _items(messages)]
        known = await self.uploads.confirmed(tx, {one: told for one, told in answers if one is not None})
        for reference, told in answers:
            if reference not in known:
                log.warning("answer.without_upload", reference=str(reference), notes=logs.notes(told))
        return [None] * len(messages)

    async def of_events(self, tx: AsyncConnection, messages: Sequence[HeadedMessage]) -> list[None]:
        """Events were taken or refused."""
        await self.notices.confirmed(tx, {item.utilities_smart_meter_event.id: item.log for item in _items(messages)})
        return [None] * len(messages)


def _items(messages: Sequence[HeadedMessage]) -> list[Any]:
    return [item for one in messages for item in (one.items if isinstance(one, Bulk) else (one,))]


def _reference(head: MessageHeader) -> UUID | None:
    try:
        return UUID(head.reference_uuid or "")
    except ValueError:
        return None
