"""Where reading orders are kept: one row an order."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    any_,
    func,
    literal,
    select,
)

from openami.mdus.registry.ids import DeviceId, TaskId, bare
from openami.mdus.registry.tables import among
from openami.mdus.services.codes import Pick
from openami.mdus.services.order_model import OPEN, OrderState, ReadingOrder
from openami.mdus.services.order_rules import first_look
from openami.mdus.tables import metadata
from openami.shared.database import columns_of, given, update_rows, upsert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_OPEN: Final = [state.value for state in OPEN]


def _instant(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


table: Final = Table(
    "reading_order",
    metadata,
    Column("document_key", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("pick", Text, nullable=False),
    Column("scheduled_on", Date, nullable=False),
    Column("on_demand", Boolean, nullable=False),
    Column("task", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("obis", Text, nullable=False),
    Column("point", Text, nullable=False),
    Column("channel", BigInteger, nullable=False),
    Column("zone", Text, nullable=False),
    _instant("received_at", nullable=False),
    _instant("due_from", nullable=False),
    _instant("look_at", nullable=False),
    _instant("not_before"),
    _instant("not_after"),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    _instant("asked_at"),
    _instant("result_at"),
    Column("result_value", BigInteger),
    Column("result_estimated", Boolean, nullable=False),
    Column("result_message", Uuid, index=True),
    Column("note", Text, nullable=False),
)
Index("ix_reading_order_open", table.c.look_at, postgresql_where=table.c.state.in_(_OPEN))
Index("ix_reading_order_channel", table.c.channel, postgresql_where=table.c.state.in_(_OPEN))


async def known(tx: AsyncConnection, documents: Iterable[str]) -> set[str]:
    """Which of these document numbers are known, by bare number."""
    keys = sorted({bare(one) for one in documents})
    return set(await tx.scalars(select(table.c.document_key).where(among(table.c.document_key, keys))))


_FIELDS: Final = tuple(one.name for one in fields(ReadingOrder))
_SAVE: Final = upsert_rows(table, ("document_key", "due_from", *_FIELDS))


async def save(tx: AsyncConnection, orders: Sequence[ReadingOrder]) -> None:
    """Write orders as they are now, each given once."""
    if orders:
        own = {"document_key": [bare(one.document) for one in orders], "due_from": [first_look(one) for one in orders]}
        await tx.execute(_SAVE, given(columns_of(orders, _FIELDS) | own))


async def find(tx: AsyncConnection, documents: Iterable[str]) -> dict[str, ReadingOrder]:
    """Orders by bare document number, locked."""
    keys = sorted({bare(one) for one in documents})
    return {bare(one.document): one for one in await _where(tx, among(table.c.document_key, keys), lock=True)}


async def by_results(tx: AsyncConnection, messages: Iterable[UUID]) -> dict[UUID, ReadingOrder]:
    """The orders that result messages answered, by message, locked."""
    wanted = literal(sorted(set(messages)), ARRAY(Uuid))
    found = await _where(tx, table.c.result_message == any_(wanted), lock=True)
    return {one.result_message: one for one in found if one.result_message is not None}


_CONCLUDE: Final = update_rows(table, ("document_key", "state", "note"), key="document_key")


async def conclude(tx: AsyncConnection, outcomes: Mapping[str, tuple[OrderState, str]]) -> None:
    """Record what the back office made of results, by document number."""
    if outcomes:
        columns = {
            "document_key": [bare(one) for one in outcomes],
            "state": [state.value for state, _ in outcomes.values()],
            "note": [note for _, note in outcomes.values()],
        }
        await tx.execute(_CONCLUDE, given(columns))


async def due(tx: AsyncConnection, now: datetime, *, batch: int = 5000) -> list[ReadingOrder]:
    """Open orders that have to be looked at, locked."""
    return await _where(tx, table.c.state.in_(_OPEN) & (table.c.look_at <= now), lock=True, limit=batch)


async def waiting_for(tx: AsyncConnection, channels: Sequence[int], now: datetime) -> list[ReadingOrder]:
    """Open orders whose day has come, of some registers, locked."""
    if not channels:
        return []
    condition = table.c.state.in_(_OPEN) & among(table.c.channel, channels) & (table.c.due_from <= now)
    return await _where(tx, condition, lock=True)


async def next_look(tx: AsyncConnection) -> datetime | None:
    """The next instant at which an order has to be looked at."""
    found: datetime | None = await tx.scalar(select(func.min(table.c.look_at)).where(table.c.state.in_(_OPEN)))
    return found


async def recent(tx: AsyncConnection, *, limit: int = 500) -> list[ReadingOrder]:
    """The newest orders, for views."""
    query = select(table).order_by(table.c.received_at.desc(), table.c.document_key).limit(limit)
    return [_order(row) for row in await tx.execute(query)]


async def counts(tx: AsyncConnection) -> dict[str, int]:
    """How many orders there are in each state."""
    return {
        row[0]: int(row[1]) for row in await tx.execute(select(table.c.state, func.count()).group_by(table.c.state))
    }


async def _where(
    tx: AsyncConnection, condition: ColumnElement[bool], *, lock: bool, limit: int | None = None
) -> list[ReadingOrder]:
    query = select(table).where(condition).order_by(table.c.document_key)
    query = query.limit(limit) if limit else query
    return [_order(row) for row in await tx.execute(query.with_for_update() if lock else query)]


def _order(row: Row[Any]) -> ReadingOrder:
    return ReadingOrder(
        document=row.document,
        reason=row.reason,
        pick=Pick(row.pick),
        scheduled_on=row.scheduled_on,
        on_demand=row.on_demand,
        task=TaskId(row.task),
        device=DeviceId(row.device),
        obis=row.obis,
        point=row.point,
        channel=row.channel,
        zone=row.zone,
        received_at=row.received_at,
        look_at=row.look_at,
        not_before=row.not_before,
        not_after=row.not_after,
        state=OrderState(row.state),
        attempts=row.attempts,
        asked_at=row.asked_at,
        result_at=row.result_at,
        result_value=row.result_value,
        result_estimated=row.result_estimated,
        result_message=row.result_message,
        note=row.note,
    )
