"""Where events and cases are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Table, Text, select, update
from sqlalchemy.dialects.postgresql import insert

from openami.office.events.model import CaseState
from openami.office.tables import instant, metadata, text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

events = Table(
    "meter_events",
    metadata,
    text("id", primary_key=True),
    Column("device_id", Text, ForeignKey("devices.id"), index=True),
    instant("at", nullable=False),
    text("category"),
    text("type"),
    text("severity"),
    text("origin"),
    text("meaning"),
    text("detail"),
    instant("recorded_at", nullable=False),
)
cases = Table(
    "cases",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    text("kind"),
    Column("device_id", Text, ForeignKey("devices.id"), index=True),
    Column("event_id", Text, ForeignKey("meter_events.id"), unique=True),
    text("state"),
    text("note"),
    instant("opened_at", nullable=False),
    instant("closed_at"),
)


async def add_event(transaction: AsyncConnection, **values: object) -> bool:
    """Keep an event; false if its id is known already."""
    statement = insert(events).values(**values).on_conflict_do_nothing().returning(events.c.id)
    return (await transaction.execute(statement)).scalar_one_or_none() is not None


async def open_case(
    transaction: AsyncConnection, *, kind: str, device_id: str | None, event_id: str, note: str, at: datetime
) -> None:
    """Open a case for an event."""
    await transaction.execute(
        insert(cases).values(
            kind=kind, device_id=device_id, event_id=event_id, state=CaseState.OPEN, note=note, opened_at=at
        )
    )


async def close_case(transaction: AsyncConnection, case_id: int, note: str, at: datetime) -> bool:
    """Close an open case; false if there is none of this number."""
    statement = (
        update(cases)
        .where(cases.c.id == case_id, cases.c.state == CaseState.OPEN)
        .values(state=CaseState.CLOSED, closed_at=at, note=note)
        .returning(cases.c.id)
    )
    return (await transaction.execute(statement)).scalar_one_or_none() is not None


async def events_of(transaction: AsyncConnection, device_id: str | None = None) -> list[dict[str, Any]]:
    """The events of a device, or all, newest first, each with the state of its case."""
    query = (
        select(events, cases.c.id.label("case"), cases.c.state.label("case_state"))
        .outerjoin(cases, cases.c.event_id == events.c.id)
        .order_by(events.c.at.desc(), events.c.id)
    )
    if device_id is not None:
        query = query.where(events.c.device_id == device_id)
    return [dict(row._mapping) for row in await transaction.execute(query)]  # noqa: SLF001 - a public name
