"""What the collector keeps: every telegram once, and whether the MDUS was told of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.ami.headend.store import meter_table
from openami.ami.headend.tables import metadata
from openami.shared.database import columns_of, given, insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.collector.model import KeptTelegram

_Instant = DateTime(timezone=True)

telegram_table = Table(
    "telegram",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("received_at", _Instant, nullable=False),
    Column("repeats", Integer, nullable=False, server_default="0"),
    Column("mbus_id", Text),
    Column("manufacturer", Text),
    Column("medium", Integer),
    Column("measured_at", _Instant),
    Column("volume_litres", BigInteger),
    Column("status", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("forwarded_at", _Instant),
    Column("language", Text, nullable=False, server_default="mbus"),
    Column("source", Text),
    Column("energy_wh", BigInteger),
    Column("readings", JSONB),
)
Index("telegram_of_meter", telegram_table.c.mbus_id, telegram_table.c.measured_at)
Index("telegram_waiting", telegram_table.c.mbus_id, postgresql_where=telegram_table.c.forwarded_at.is_(None))

timer_table = Table(
    "timer",
    metadata,
    Column("name", Text, primary_key=True),
    Column("due_at", _Instant, nullable=False),
)


_AS_THEY_ARE: Final = (
    "raw",
    "mbus_id",
    "manufacturer",
    "medium",
    "measured_at",
    "volume_litres",
    "status",
    "error",
    "language",
    "source",
    "energy_wh",
)
_ROWS = insert_rows(telegram_table, (*_AS_THEY_ARE, "digest", "repeats", "readings"), for_all=("received_at",))
_KEEP = _ROWS.on_conflict_do_update(
    index_elements=["digest"], set_={"repeats": telegram_table.c.repeats + _ROWS.excluded.repeats + 1}
).returning(literal_column("xmax = 0", Boolean))
"""Whether each was new: a row that was only updated has a former version."""


async def keep(transaction: AsyncConnection, telegrams: Sequence[KeptTelegram], now: datetime) -> int:
    """Keep telegrams; a known one only counts its repeat. Returns how many were new."""
    if not telegrams:
        return 0
    once = {telegram.digest: telegram for telegram in telegrams}
    times = Counter(telegram.digest for telegram in telegrams)
    kept = list(once.values())
    columns = columns_of(kept, _AS_THEY_ARE)
    columns["digest"] = list(once)
    columns["repeats"] = [times[digest] - 1 for digest in once]
    columns["readings"] = [None if one.readings is None else list(one.readings) for one in kept]
    columns["received_at"] = now
    return sum((await transaction.execute(_KEEP, given(columns))).scalars())


OF_METERS: Final = telegram_table.join(meter_table, meter_table.c.mbus_id == telegram_table.c.mbus_id)
"""Telegrams with the meter that each came from."""


def forwardable() -> ColumnElement[bool]:
    """Readings of meters that the MDUS has provisioned, from their installation on, not told yet."""
    return and_(
        telegram_table.c.forwarded_at.is_(None),
        telegram_table.c.measured_at.is_not(None),
        meter_table.c.provisioned_at.is_not(None),
        (meter_table.c.installed_at.is_(None)) | (telegram_table.c.measured_at >= meter_table.c.installed_at),
        (meter_table.c.removed_at.is_(None)) | (telegram_table.c.measured_at <= meter_table.c.removed_at),
    )


async def waiting(transaction: AsyncConnection, *, limit: int) -> list[Row[Any]]:
    """Telegrams to tell the MDUS of, with their meters, locked; by meter and time."""
    query = (
        select(
            telegram_table.c.id,
            telegram_table.c.measured_at,
            telegram_table.c.volume_litres,
            telegram_table.c.energy_wh,
            telegram_table.c.status,
            telegram_table.c.received_at,
            meter_table.c.serial,
            meter_table.c.kind,
            meter_table.c.mrid,
            meter_table.c.usage_point,
            meter_table.c.discovered_at,
        )
        .select_from(OF_METERS)
        .where(forwardable())
        .order_by(meter_table.c.serial, telegram_table.c.measured_at, telegram_table.c.id)
        .limit(limit)
        .with_for_update(of=telegram_table)
    )
    return list(await transaction.execute(query))


async def waiting_count(transaction: AsyncConnection) -> int:
    """How many telegrams wait to be told."""
    query = select(func.count()).select_from(OF_METERS).where(forwardable())
    return int((await transaction.execute(query)).scalar_one())


async def told_instants(
    transaction: AsyncConnection, serial: str, instants: Sequence[datetime]
) -> set[tuple[datetime, int | None, int | None]]:
    """Which (instant, litres, Wh) of these the MDUS was told already, in another telegram of the same reading."""
    query = (
        select(telegram_table.c.measured_at, telegram_table.c.volume_litres, telegram_table.c.energy_wh)
        .select_from(OF_METERS)
        .where(meter_table.c.serial == serial, telegram_table.c.measured_at.in_(instants))
        .where(telegram_table.c.forwarded_at.is_not(None))
    )
    return {(row.measured_at, row.volume_litres, row.energy_wh) for row in await transaction.execute(query)}


async def mark_told(transaction: AsyncConnection, ids: Sequence[int], now: datetime) -> None:
    """Note that the MDUS is told of these, in the transaction that tells it."""
    await transaction.execute(update(telegram_table).where(telegram_table.c.id.in_(ids)).values(forwarded_at=now))


async def last_reading(
    transaction: AsyncConnection, serial: str, *, at_or_before: datetime | None = None
) -> Row[Any] | None:
    """The newest reading of a one-way meter, or the newest up to an instant."""
    query = (
        select(telegram_table)
        .select_from(OF_METERS)
        .where(meter_table.c.serial == serial, telegram_table.c.measured_at.is_not(None))
        .order_by(telegram_table.c.measured_at.desc(), telegram_table.c.id.desc())
        .limit(1)
    )
    if at_or_before is not None:
        query = query.where(telegram_table.c.measured_at <= at_or_before)
    return (await transaction.execute(query)).one_or_none()


async def timer_due(transaction: AsyncConnection, name: str) -> datetime | None:
    """When a timer is due, None if it was never set."""
    query = select(timer_table.c.due_at).where(timer_table.c.name == name)
    return (await transaction.execute(query)).scalar_one_or_none()


async def set_timer(transaction: AsyncConnection, name: str, due_at: datetime) -> None:
    """Set a timer."""
    statement = insert(timer_table).values(name=name, due_at=due_at)
    await transaction.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"due_at": due_at}))
