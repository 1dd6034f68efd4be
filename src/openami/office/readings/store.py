"""Where reading orders and register readings are kept. A correction is a new row; the newest plausible one counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, Column, Date, ForeignKey, Identity, Index, Table, Text, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from openami.office.readings.model import RegisterReading
from openami.office.tables import instant, metadata, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

orders = Table(
    "reading_orders",
    metadata,
    text("id", primary_key=True),
    Column("register_id", Text, ForeignKey("registers.id"), nullable=False, index=True),
    text("device_id"),
    text("reason"),
    Column("scheduled_date", Date, nullable=False),
    text("source"),
    instant("wanted_at", nullable=False),
    text("state"),
    text("note", server_default=""),
    instant("created_at", nullable=False),
    instant("result_at"),
)
readings = Table(
    "register_readings",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("register_id", Text, ForeignKey("registers.id"), nullable=False),
    instant("at", nullable=False),
    Column("value_milli", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    text("reason"),
    text("document_id", server_default=""),
    text("source"),
    Column("plausible", Boolean, nullable=False),
    text("note", server_default=""),
    instant("recorded_at", nullable=False),
)
Index("register_readings_at", readings.c.register_id, readings.c.at)


class OrderState(StrEnum):
    """A reading order from created to fulfilled; a result may come before the confirmation."""

    CREATED = "created"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FULFILLED = "fulfilled"
    IMPLAUSIBLE = "implausible"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


OPEN_STATES = (OrderState.CREATED, OrderState.ACCEPTED, OrderState.CANCELLING)


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """A meter-reading document: one register, for one reason; `wanted_at` is the instant that the value stands for."""

    id: str
    register_id: str
    device_id: str
    reason: str
    scheduled_date: date
    source: str
    wanted_at: datetime
    state: str
    note: str
    created_at: datetime
    result_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeptReading:
    """A register reading as it is kept."""

    id: int
    register_id: str
    at: datetime
    value_milli: int
    estimated: bool
    reason: str
    document_id: str
    source: str
    plausible: bool
    note: str
    recorded_at: datetime

    def value(self) -> RegisterReading:
        """The reading as billing sees it."""
        return RegisterReading(self.at, self.value_milli, self.estimated, self.reason, self.document_id)


async def add_orders(transaction: AsyncConnection, new: Sequence[dict[str, Any]]) -> None:
    """Keep new reading orders."""
    if new:
        await transaction.execute(insert(orders), list(new))


async def order_by_id(transaction: AsyncConnection, order_id: str, *, lock: bool = False) -> ReadingOrder | None:
    """A reading order by its document id, padded or not."""
    query = select(orders).where(orders.c.id == order_id.rjust(20, "0"))
    row = (await transaction.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else ReadingOrder(**row._mapping)  # noqa: SLF001 - a public name


async def change_order(transaction: AsyncConnection, order_id: str, **values: object) -> None:
    """Set fields of a reading order."""
    await transaction.execute(update(orders).where(orders.c.id == order_id).values(**values))


async def orders_of(transaction: AsyncConnection, register_ids: Iterable[str] | None = None) -> list[ReadingOrder]:
    """The reading orders of some registers, or all, newest first."""
    query = select(orders).order_by(orders.c.created_at.desc(), orders.c.id.desc())
    if register_ids is not None:
        query = query.where(orders.c.register_id.in_(list(register_ids)))
    return [ReadingOrder(**row._mapping) for row in await transaction.execute(query)]  # noqa: SLF001 - a public name


async def orders_by_state(transaction: AsyncConnection) -> dict[str, int]:
    """How many reading orders are in each state."""
    query = select(orders.c.state, func.count()).group_by(orders.c.state)
    return {state: int(count) for state, count in await transaction.execute(query)}


async def add_reading(transaction: AsyncConnection, **values: object) -> None:
    """Keep a register reading."""
    await transaction.execute(insert(readings).values(**values))


async def readings_of(
    transaction: AsyncConnection, register_ids: Iterable[str], *, as_of: datetime | None = None, up_to_id: int = 0
) -> list[KeptReading]:
    """The plausible readings of some registers by instant; of several at one instant, the newest known one.

    `as_of` and `up_to_id` ask for what was known then.
    """
    query = (
        select(readings)
        .where(readings.c.register_id.in_(list(register_ids)), readings.c.plausible)
        .ext(distinct_on(readings.c.register_id, readings.c.at))
        .order_by(readings.c.register_id, readings.c.at, readings.c.id.desc())
    )
    if as_of is not None:
        query = query.where(readings.c.recorded_at <= as_of)
    if up_to_id:
        query = query.where(readings.c.id <= up_to_id)
    return [KeptReading(**row._mapping) for row in await transaction.execute(query)]  # noqa: SLF001 - a public name


async def reading_of_document(transaction: AsyncConnection, document_id: str) -> KeptReading | None:
    """The newest reading that came for a document."""
    query = select(readings).where(readings.c.document_id == document_id).order_by(readings.c.id.desc()).limit(1)
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else KeptReading(**row._mapping)  # noqa: SLF001 - a public name
