"""What the MDUS ordered, from accepted to answered: one command a message, one item a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.ami.headend.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

READ: Final = "read"
CONTROL: Final = "control"
FUNCTION: Final = "function"
OPEN, CLOSED = "open", "closed"
WAITING, DONE, FAILED, CANCELLED = "waiting", "done", "failed", "cancelled"

_Instant = DateTime(timezone=True)

command_table = Table(
    "command",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("received_at", _Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("request", JSONB, nullable=False),
    Column("closed_at", _Instant),
    Column("result", Text),
)

item_table = Table(
    "command_item",
    metadata,
    Column("command_id", Uuid, primary_key=True),
    Column("control_mrid", Text, primary_key=True),
    Column("serial", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Column("digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("next_due_at", _Instant),
    Column("deadline_at", _Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("sent_at", _Instant),
    Column("finished_at", _Instant),
    Column("error_code", Text),
    Column("error", Text),
    Column("outcome", JSONB),
)
Index("command_item_due", item_table.c.next_due_at, postgresql_where=item_table.c.state == WAITING)
Index("command_item_control", item_table.c.control_mrid)
Index("command_item_meter", item_table.c.serial)


@dataclass(frozen=True, slots=True)
class Item:
    """One device of one order, as it is carried out."""

    command_id: UUID
    control_mrid: str
    serial: str
    kind: str
    action: str
    detail: Mapping[str, Any]
    deadline_at: datetime
    attempts: int
    told: bool = False
    """Whether the device was told before, perhaps by a process that was killed then."""

    @property
    def key(self) -> tuple[UUID, str, str]:
        """What identifies it."""
        return self.command_id, self.control_mrid, self.serial


def item_of(row: Row[Any]) -> Item:
    """The item in a row of the table."""
    return Item(
        command_id=row.command_id,
        control_mrid=row.control_mrid,
        serial=row.serial,
        kind=row.kind,
        action=row.action,
        detail=row.detail,
        deadline_at=row.deadline_at,
        attempts=row.attempts,
        told=row.sent_at is not None,
    )


async def add(
    transaction: AsyncConnection, command: Mapping[str, object], items: Sequence[Mapping[str, object]]
) -> None:
    """Keep a new command with its items."""
    await transaction.execute(insert(command_table).values(**command))
    if items:
        await transaction.execute(insert(item_table), list(items))


async def items_of_controls(transaction: AsyncConnection, mrids: Iterable[str]) -> list[Row[Any]]:
    """The items of controls by their mRID, locked."""
    query = select(item_table).where(
        item_table.c.control_mrid.in_(list(mrids)), item_table.c.kind.in_((CONTROL, FUNCTION))
    )
    return list(await transaction.execute(query.with_for_update()))


async def items_of_command(transaction: AsyncConnection, command_id: UUID) -> list[Row[Any]]:
    """All items of a command, in a fixed order."""
    query = select(item_table).where(item_table.c.command_id == command_id)
    return list(await transaction.execute(query.order_by(item_table.c.control_mrid, item_table.c.serial)))


async def lock_command(transaction: AsyncConnection, command_id: UUID) -> Row[Any]:
    """A command, locked until the end of the transaction."""
    query = select(command_table).where(command_table.c.id == command_id).with_for_update()
    return (await transaction.execute(query)).one()


async def due_items(transaction: AsyncConnection, now: datetime, *, limit: int) -> list[Item]:
    """Items whose time has come, those that waited longest first."""
    query = (
        select(item_table)
        .where(item_table.c.state == WAITING, item_table.c.next_due_at <= now)
        .order_by(item_table.c.next_due_at, item_table.c.serial)
        .limit(limit)
    )
    return [item_of(row) for row in await transaction.execute(query)]


_DUE, _NOW = item_table.c.next_due_at, bindparam("now", type_=DateTime(timezone=True))
_DUE_COUNT = select(func.count().filter(_DUE <= _NOW), func.min(_DUE).filter(_DUE > _NOW)).where(
    item_table.c.state == WAITING
)


async def due_count(transaction: AsyncConnection, now: datetime) -> tuple[int, datetime | None]:
    """How many items are due by now, and the next instant at which one will be."""
    count, next_due = (await transaction.execute(_DUE_COUNT, {"now": now})).one()
    return int(count), next_due


async def change_item(transaction: AsyncConnection, item: Item, **values: object) -> bool:
    """Set columns of an item that still waits; false if it does not any more (cancelled meanwhile)."""
    table = item_table
    result = await transaction.execute(
        update(table)
        .where(
            and_(
                table.c.command_id == item.command_id,
                table.c.control_mrid == item.control_mrid,
                table.c.serial == item.serial,
                table.c.state == WAITING,
            )
        )
        .values(**values)
    )
    return result.rowcount == 1


async def progress(transaction: AsyncConnection, command_id: UUID) -> dict[str, int]:
    """How many items of a command are in which state."""
    query = select(item_table.c.state, func.count()).where(item_table.c.command_id == command_id)
    return {row[0]: row[1] for row in await transaction.execute(query.group_by(item_table.c.state))}


async def withdraw(transaction: AsyncConnection, command_id: UUID, *, reason: str | None, at: datetime) -> int:
    """Take back what no device was told yet; how many items that were."""
    table = item_table
    result = await transaction.execute(
        update(table)
        .where(table.c.command_id == command_id, table.c.state == WAITING, table.c.sent_at.is_(None))
        .values(state=CANCELLED, finished_at=at, next_due_at=None, error=reason)
    )
    return result.rowcount


async def hurry(transaction: AsyncConnection, serial: str, now: datetime) -> None:
    """Make due now what was tried at a meter and put off, because it can be reached now."""
    table = item_table
    late = and_(table.c.serial == serial, table.c.state == WAITING, table.c.attempts > 0, table.c.next_due_at > now)
    await transaction.execute(update(table).where(late).values(next_due_at=now))


async def close_command(transaction: AsyncConnection, command_id: UUID, *, result: str, at: datetime) -> None:
    """Note that a command is answered."""
    await transaction.execute(
        update(command_table).where(command_table.c.id == command_id).values(state=CLOSED, result=result, closed_at=at)
    )


async def switched_near(transaction: AsyncConnection, serial: str, since: datetime, until: datetime) -> bool:
    """Whether an order of ours moved this meter's breaker in a span."""
    query = (
        select(func.count())
        .select_from(item_table)
        .where(item_table.c.serial == serial, item_table.c.kind == CONTROL)
        .where(item_table.c.sent_at.between(since, until))
    )
    return bool((await transaction.execute(query)).scalar_one())
