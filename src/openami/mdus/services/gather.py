"""Answers to the items of one bulk message that come at different times: gathered, and sent as one confirmation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import Column, Integer, LargeBinary, Table, Text, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.mdus.tables import metadata
from openami.shared.contract.enterprise import codec, logs
from openami.shared.contract.enterprise.confirm import bulk_confirmation
from openami.shared.contract.enterprise.headers import message_key
from openami.shared.contract.enterprise.messages.common import MessageHeader

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.services.desk import Desk
    from openami.shared.contract.enterprise.model import Bulk, Confirmation

table: Final = Table(
    "bulk_answer",
    metadata,
    Column("bulk", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("item", Text, nullable=False, index=True),
    Column("head", JSONB, nullable=False),
    Column("body", LargeBinary),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Gather:
    """Waits until every item of a bulk message has its answer."""

    desk: Desk

    async def expect(self, tx: AsyncConnection, message: Bulk[Any]) -> None:
        """Answers to the items of this message will come one by one."""
        head = message.message_header
        kept = {"uuid": head.uuid, "id": head.id, "sender": head.sender_business_system_id}
        rows = [
            {"bulk": message_key(head), "position": position, "item": message_key(item.message_header), "head": kept}
            for position, item in enumerate(message.items)
        ]
        await tx.execute(insert(table).on_conflict_do_nothing(), rows)

    async def take(self, tx: AsyncConnection, item: str, answer: Confirmation, key: str) -> bool:
        """Keep the answer to an item, and send all when it was the last; false when no bulk waits for it."""
        waiting = select(table.c.bulk).where(table.c.item == item, table.c.body.is_(None)).limit(1)
        bulk = (await tx.execute(waiting)).scalar_one_or_none()
        if bulk is None:
            return False
        # all items are locked before one is answered: answers to two of them at the same time would wait for each other
        query = select(table).where(table.c.bulk == bulk).order_by(table.c.position)
        await tx.execute(query.with_for_update())
        mine = (table.c.bulk == bulk, table.c.item == item, table.c.body.is_(None))
        taken = await tx.execute(table.update().where(*mine).values(body=codec.encode(answer)))
        if not taken.rowcount:
            return False  # another answer to it came while we waited for the lock
        rows = list(await tx.execute(query))
        if all(row.body is not None for row in rows):
            items = [cast("Confirmation", codec.decode(row.body)) for row in rows]
            head = rows[0].head
            asked = MessageHeader(
                uuid=head["uuid"],
                id=head["id"],
                sender_business_system_id=head["sender"],
                creation_date_time=_EPOCH,
            )
            log = logs.overall([one.log for one in items])
            await self.desk.send(tx, bulk_confirmation(items, self.desk.header(reply_to=asked), log), key)
        return True
