"""Where events are kept: each once, by device, code, time and mRID."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.mdus.events.model import DeviceEvent, Forwarding
from openami.mdus.registry.ids import bare
from openami.mdus.registry.tables import among
from openami.mdus.tables import metadata
from openami.shared.database import given, update_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

table: Final = Table(
    "device_event",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("device_key", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("mrid", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("tracking_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("enterprise_id", Text, nullable=False, unique=True),
    Column("forwarding", Text, nullable=False, server_default=Forwarding.KEPT.value),
    Column("note", Text, nullable=False, server_default=""),
    UniqueConstraint("device_key", "code", "occurred_at", "mrid", name="uq_device_event_key"),
)
Index("ix_device_event_device_time", table.c.device_key, table.c.occurred_at)
_MARK: Final = update_rows(table, ("enterprise_id", "forwarding", "note"), key="enterprise_id")


async def keep(tx: AsyncConnection, events: Sequence[DeviceEvent], received_at: datetime) -> list[DeviceEvent]:
    """Store events that are not known yet, and return those."""
    if not events:
        return []
    distinct = {one.key: one for one in reversed(events)}
    rows = [_row(one, received_at) for one in reversed(distinct.values())]
    statement = insert(table).on_conflict_do_nothing().returning(table.c.enterprise_id)
    new = set((await tx.execute(statement, rows)).scalars())
    return [one for one in reversed(distinct.values()) if one.enterprise_id in new]


async def mark(tx: AsyncConnection, outcomes: Mapping[str, tuple[Forwarding, str]]) -> None:
    """Record what became of events on their way to the back office, by their ids there."""
    if outcomes:
        columns = {
            "enterprise_id": list(outcomes),
            "forwarding": [forwarding.value for forwarding, _ in outcomes.values()],
            "note": [note for _, note in outcomes.values()],
        }
        await tx.execute(_MARK, given(columns))


async def recent(
    tx: AsyncConnection, *, devices: Sequence[str] | None = None, limit: int = 500
) -> list[dict[str, Any]]:
    """The newest events, of all devices or of some, for views."""
    query = select(table).order_by(table.c.occurred_at.desc(), table.c.sequence.desc()).limit(limit)
    if devices is not None:
        query = query.where(among(table.c.device_key, sorted({bare(one) for one in devices})))
    columns = ("device", "name", "code", "severity", "occurred_at", "received_at", "reason", "details", "source")
    extra = ("enterprise_id", "forwarding", "note", "tracking_id")
    return [{name: row[name] for name in columns + extra} for row in (await tx.execute(query)).mappings()]


async def counts(tx: AsyncConnection) -> dict[str, int]:
    """How many events of each name are kept."""
    return {row[0]: int(row[1]) for row in await tx.execute(select(table.c.name, func.count()).group_by(table.c.name))}


def _row(event: DeviceEvent, received_at: datetime) -> dict[str, object]:
    return {
        "device_key": bare(event.device),
        "device": event.device,
        "name": event.name,
        "code": event.code,
        "severity": event.severity,
        "occurred_at": event.occurred_at,
        "mrid": event.mrid,
        "reason": event.reason,
        "tracking_id": event.tracking_id,
        "source": event.source,
        "details": event.details,
        "received_at": received_at,
        "enterprise_id": event.enterprise_id,
    }
