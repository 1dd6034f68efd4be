"""How far each stage of the head-end lags: what waits, and since when the oldest of it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from openami.ami.collector.store import OF_METERS, forwardable, telegram_table
from openami.ami.headend.command_store import WAITING, item_table
from openami.ami.headend.model import Kind, Stream
from openami.ami.headend.store import mark_table, meter_table
from openami.ami.headend.tables import seam
from openami.shared.seam.store import PENDING

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, FromClause
    from sqlalchemy.ext.asyncio import AsyncConnection

COUNTER_LIMIT: Final = 0xFFFF_FFFF
"""The invocation counter that may not be passed (Green Book 9.2.3.3.7.3): before it the key must be changed."""


async def stages(transaction: AsyncConnection, now: datetime) -> list[dict[str, Any]]:
    """Every stage from the meter to the MDUS and back, in the order of a reading's way."""
    meter, item, telegram, outbox = meter_table.c, item_table.c, telegram_table.c, seam.outbox.c
    active = meter.provisioned_at.is_not(None) & meter.removed_at.is_(None)
    read = _lag(meter_table, meter.next_due_at, meter.next_due_at <= now)
    orders = _lag(item_table, item.next_due_at, (item.state == WAITING) & (item.next_due_at <= now))
    put_off = _lag(item_table, item.next_due_at, (item.state == WAITING) & (item.next_due_at > now))
    found = [
        ("readings due", *await _one(transaction, read)),
        *[
            (f"{stream.name.lower().replace('_', ' ')}s read until", *await _marks(transaction, stream, active))
            for stream in (Stream.LOAD_PROFILE, Stream.DAILY_PROFILE)
        ],
        ("orders due", *await _one(transaction, orders)),
        ("orders put off or for later", *await _one(transaction, put_off)),
        ("telegrams to forward", *await _one(transaction, _lag(OF_METERS, telegram.received_at, forwardable()))),
        (
            "messages to the MDUS",
            *await _one(transaction, _lag(seam.outbox, outbox.created_at, outbox.state == PENDING)),
        ),
    ]
    return [
        {
            "stage": name,
            "waiting": count,
            "oldest": None if oldest is None else oldest.isoformat(),
            "lag_s": None if oldest is None else max(0, round((now - oldest).total_seconds())),
        }
        for name, count, oldest in found
    ]


async def retries(transaction: AsyncConnection) -> list[dict[str, Any]]:
    """How many meters failed how often in a row, and when they are tried next."""
    table = meter_table.c
    query = (
        select(table.failures, func.count().label("meters"), func.min(table.next_due_at).label("next_due_at"))
        .where(table.failures > 0, table.removed_at.is_(None), table.kind == Kind.ELECTRICITY.value)
        .group_by(table.failures)
        .order_by(table.failures)
    )
    return [
        {"failures": row.failures, "meters": row.meters, "next_due_at": row.next_due_at and row.next_due_at.isoformat()}
        for row in await transaction.execute(query)
    ]


async def counters(transaction: AsyncConnection) -> dict[str, Any]:
    """The invocation counters: how many meters have one, and how far the highest is from its end."""
    table = meter_table.c
    query = select(func.count(), func.max(table.counter_reserved)).where(table.sealed_keys.is_not(None))
    ciphered, highest = (await transaction.execute(query)).one()
    return {
        "ciphered_meters": ciphered,
        "highest": highest,
        "left": None if highest is None else COUNTER_LIMIT - highest,
    }


def _lag(table: FromClause, at: ColumnElement[Any], condition: ColumnElement[bool]) -> Any:  # noqa: ANN401 - a select
    return select(func.count(), func.min(at)).select_from(table).where(condition)


async def _one(transaction: AsyncConnection, query: Any) -> tuple[int, datetime | None]:  # noqa: ANN401 - a select
    count, oldest = (await transaction.execute(query)).one()
    return int(count), oldest


async def _marks(
    transaction: AsyncConnection, stream: Stream, active: ColumnElement[bool]
) -> tuple[int, datetime | None]:
    """Meters that were read of a stream, and how far the one that is furthest behind was."""
    query = (
        select(func.count(), func.min(mark_table.c.at))
        .join(meter_table, meter_table.c.serial == mark_table.c.serial)
        .where(mark_table.c.stream == stream.value, active)
    )
    return await _one(transaction, query)
