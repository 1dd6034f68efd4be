"""Confirmations of the back office, recorded on what they confirm; a failed one is kept where a person sees it."""

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
    """The desk for confirmations."""

    orders: Orders
    uploads: Uploads
    notices: Notices

    async def of_results(self, tx: AsyncConnection, message: HeadedMessage) -> None:
        """Results of reading orders were taken or refused."""
        for item in _items(message):
            document = item.meter_reading_document.id or ""
            reference = _reference(item.message_header)
            if not await self.orders.result_confirmed(tx, document=document, message=reference, log=item.log):
                log.warning("answer.without_order", document=document, reference=str(reference))

    async def of_uploads(self, tx: AsyncConnection, message: HeadedMessage) -> None:
        """Interval uploads were taken or refused."""
        for item in _items(message):
            reference = _reference(item.message_header)
            if reference is None or not await self.uploads.confirmed(tx, reference, item.log):
                log.warning("answer.without_upload", reference=str(reference), notes=logs.notes(item.log))

    async def of_events(self, tx: AsyncConnection, message: HeadedMessage) -> None:
        """Events were taken or refused."""
        for item in _items(message):
            await self.notices.confirmed(tx, item.utilities_smart_meter_event.id, item.log)


def _items(message: HeadedMessage) -> Sequence[Any]:
    return message.items if isinstance(message, Bulk) else (message,)


def _reference(head: MessageHeader) -> UUID | None:
    try:
        return UUID(head.reference_uuid or "")
    except ValueError:
        return None
