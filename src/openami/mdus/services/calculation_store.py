"""Where orders for billing quantities are kept: one row an item of a bulk message, confirmed together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, DateTime, Index, Integer, Table, Text, func, select
from sqlalchemy.dialects.postgresql import JSONB

from openami.mdus.registry.ids import bare
from openami.mdus.tables import metadata
from openami.shared.database import columns_of, given, upsert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection


class CalculationState(StrEnum):
    """How far an order for quantities has come."""

    WAITING = "waiting"
    """Some of its values have not arrived, or its period is not over."""
    DONE = "calculated"
    REFUSED = "refused"
    CANCELLED = "cancelled"


def _instant(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


table: Final = Table(
    "calculation",
    metadata,
    Column("bulk", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("number", Text, nullable=False),
    Column("number_key", Text, nullable=False, index=True),
    Column("profile_key", Text, nullable=False, index=True),
    Column("bulk_head", JSONB, nullable=False),
    Column("item_head", JSONB, nullable=False),
    Column("order", JSONB, nullable=False),
    _instant("start_at", nullable=False),
    _instant("end_at", nullable=False),
    _instant("received_at", nullable=False),
    _instant("look_at", nullable=False),
    _instant("deadline", nullable=False),
    _instant("confirmed_at"),
    Column("state", Text, nullable=False),
    Column("results", JSONB, nullable=False),
    Column("reason", JSONB, nullable=False),
)
Index("ix_calculation_waiting", table.c.look_at, postgresql_where=table.c.state == CalculationState.WAITING.value)


@dataclass(frozen=True, slots=True)
class Calculation:
    """One order: which profile, which span, which rule; and what became of it."""

    bulk: str
    position: int
    number: str
    profile: str
    bulk_head: dict[str, Any]
    item_head: dict[str, Any]
    order: dict[str, Any]
    """The rule, the unit, and the buckets: a list of code, start, end."""
    start_at: datetime
    end_at: datetime
    received_at: datetime
    look_at: datetime
    deadline: datetime
    confirmed_at: datetime | None = None
    state: CalculationState = CalculationState.WAITING
    results: list[dict[str, Any]] | None = None
    reason: dict[str, Any] | None = None
    """Why it was refused: note, number and category of the log."""

    def refused(self, note: str, *, number: str, category: str, state: CalculationState) -> Calculation:
        """The order without a result."""
        return replace(self, state=state, reason={"note": note, "number": number, "category": category})


_OWN: Final = ("number_key", "profile_key", "results", "reason")
_AS_THEY_ARE: Final = tuple(column.name for column in table.c if column.name not in _OWN)
_SAVE: Final = upsert_rows(table, (*_AS_THEY_ARE, *_OWN))


async def save(tx: AsyncConnection, rows: Sequence[Calculation]) -> None:
    """Write orders as they are now, each given once."""
    if not rows:
        return
    own = {
        "number_key": [bare(one.number) for one in rows],
        "profile_key": [bare(one.profile) for one in rows],
        "results": [one.results or [] for one in rows],
        "reason": [one.reason or {} for one in rows],
    }
    await tx.execute(_SAVE, given(columns_of(rows, _AS_THEY_ARE) | own))


async def of_bulk(tx: AsyncConnection, bulk: str) -> list[Calculation]:
    """All orders of one message, in its order; locked."""
    return await _where(tx, table.c.bulk == bulk, lock=True)


async def of_number(tx: AsyncConnection, number: str) -> list[Calculation]:
    """The orders that have this number, the newest last; locked."""
    return await _where(tx, table.c.number_key == bare(number), lock=True)


async def waiting_of(tx: AsyncConnection, profile: str) -> list[Calculation]:
    """The open orders of a profile; locked."""
    condition = (table.c.profile_key == bare(profile)) & (table.c.state == CalculationState.WAITING)
    return await _where(tx, condition, lock=True)


async def due(tx: AsyncConnection, now: datetime, *, limit: int = 200) -> list[Calculation]:
    """The open orders that are to be looked at now; locked."""
    condition = (table.c.state == CalculationState.WAITING) & (table.c.look_at <= now)
    return await _where(tx, condition, lock=True, limit=limit)


async def next_look(tx: AsyncConnection) -> datetime | None:
    """When an open order has to be looked at next."""
    query = select(func.min(table.c.look_at)).where(table.c.state == CalculationState.WAITING)
    found: datetime | None = await tx.scalar(query)
    return found


async def mark_confirmed(tx: AsyncConnection, bulk: str, at: datetime) -> None:
    """The answer to a message has left."""
    await tx.execute(table.update().where(table.c.bulk == bulk).values(confirmed_at=at))


async def recent(tx: AsyncConnection, *, limit: int = 200) -> list[dict[str, Any]]:
    """The newest orders, for views."""
    query = select(table).order_by(table.c.received_at.desc(), table.c.bulk, table.c.position).limit(limit)
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def _where(
    tx: AsyncConnection, condition: ColumnElement[bool], *, lock: bool, limit: int | None = None
) -> list[Calculation]:
    query = select(table).where(condition).order_by(table.c.received_at, table.c.bulk, table.c.position)
    query = query.limit(limit) if limit else query
    return [_calculation(row) for row in await tx.execute(query.with_for_update() if lock else query)]


def _calculation(row: Row[Any]) -> Calculation:
    return Calculation(
        bulk=row.bulk,
        position=row.position,
        number=row.number,
        profile=row.profile_key,
        bulk_head=row.bulk_head,
        item_head=row.item_head,
        order=row.order,
        start_at=row.start_at,
        end_at=row.end_at,
        received_at=row.received_at,
        look_at=row.look_at,
        deadline=row.deadline,
        confirmed_at=row.confirmed_at,
        state=CalculationState(row.state),
        results=row.results or None,
        reason=row.reason or None,
    )
