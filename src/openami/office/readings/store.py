"""Where reading orders and register readings are kept. A correction is a new row; the newest plausible one counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import distinct_on, insert

from openami.office.readings.model import RegisterReading
from openami.office.tables import instant, metadata, text
from openami.shared.database import given, insert_rows, update_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from sqlalchemy import RowMapping
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
Index("register_readings_document", readings.c.document_id)


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


async def orders_by_id(transaction: AsyncConnection, order_ids: Iterable[str]) -> dict[str, ReadingOrder]:
    """Reading orders by the document ids that were asked for, padded or not; locked, in one order."""
    wanted = {one: one.rjust(20, "0") for one in order_ids}
    keys = bindparam("keys", sorted(set(wanted.values())), type_=ARRAY(Text))
    query = select(orders).where(orders.c.id == func.any(keys)).order_by(orders.c.id).with_for_update()
    found = {row.id: ReadingOrder(**row._mapping) for row in await transaction.execute(query)}  # noqa: SLF001 - a public name
    return {asked: found[key] for asked, key in wanted.items() if key in found}


_CHANGED: Final = ("id", "state", "note", "result_at")
_CHANGE: Final = update_rows(orders, _CHANGED, key="id")


async def conclude_orders(transaction: AsyncConnection, changes: Sequence[tuple[str, str, str, datetime]]) -> None:
    """Set state, note and the time of the result of many reading orders, given by id."""
    if changes:
        columns = dict(zip(_CHANGED, map(list, zip(*changes, strict=True)), strict=True))
        await transaction.execute(_CHANGE, given(columns))


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


_ADDED: Final = (
    "register_id",
    "at",
    "value_milli",
    "estimated",
    "reason",
    "document_id",
    "plausible",
    "note",
)
_ADD: Final = insert_rows(readings, _ADDED, for_all=("source", "recorded_at"))


@dataclass(frozen=True, slots=True)
class NewReading:
    """A register reading that is to be kept; with objections it does not count."""

    register_id: str
    reading: RegisterReading
    objections: tuple[str, ...] = ()


async def add_readings(
    transaction: AsyncConnection, new: Sequence[NewReading], *, source: str, recorded_at: datetime
) -> None:
    """Keep register readings."""
    if not new:
        return
    columns = {
        "register_id": [one.register_id for one in new],
        "at": [one.reading.at for one in new],
        "value_milli": [one.reading.value_milli for one in new],
        "estimated": [one.reading.estimated for one in new],
        "reason": [one.reading.reason for one in new],
        "document_id": [one.reading.document_id for one in new],
        "plausible": [not one.objections for one in new],
        "note": ["; ".join(one.objections) for one in new],
        "source": source,
        "recorded_at": recorded_at,
    }
    await transaction.execute(_ADD, given(columns))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What is kept around a reading: for its document, and the plausible ones right before and after it."""

    of_document: RegisterReading | None
    before: RegisterReading | None
    after: RegisterReading | None


_FIELDS: Final = ("at", "value_milli", "estimated", "reason", "document_id")
_AROUND: Final = """
LEFT JOIN LATERAL (
    SELECT at, value_milli, estimated, reason, document_id FROM register_readings kept
    WHERE kept.register_id = given.register_id AND {condition} ORDER BY {order} LIMIT 1
) {name} ON true"""
_NEIGHBOURS: Final = sql(
    "SELECT "  # noqa: S608 - no word of it comes from outside
    + ", ".join(f"{part}.{name} AS {part}_{name}" for part in ("of_document", "before", "after") for name in _FIELDS)
    + " FROM unnest(CAST(:registers AS text[]), CAST(:instants AS timestamptz[]), CAST(:documents AS text[]))"
    " WITH ORDINALITY AS given(register_id, at, document_id, place)"
    + _AROUND.format(
        name="of_document",
        condition="kept.document_id = given.document_id AND given.document_id <> ''",
        order="kept.id DESC",
    )
    + _AROUND.format(
        name="before", condition="kept.plausible AND kept.at < given.at", order="kept.at DESC, kept.id DESC"
    )
    + _AROUND.format(name="after", condition="kept.plausible AND kept.at > given.at", order="kept.at, kept.id DESC")
    + " ORDER BY given.place"
)


async def neighbours_of(
    transaction: AsyncConnection, readings_: Sequence[tuple[str, RegisterReading]]
) -> list[Neighbours]:
    """What is kept around readings of registers, in the order given: one query, one look into the index each."""
    parameters = {
        "registers": [register for register, _ in readings_],
        "instants": [one.at for _, one in readings_],
        "documents": [one.document_id for _, one in readings_],
    }
    return [
        Neighbours(*(_kept(row, part) for part in ("of_document", "before", "after")))
        for row in (await transaction.execute(_NEIGHBOURS, parameters)).mappings()
    ]


def _kept(row: RowMapping, part: str) -> RegisterReading | None:
    if row[f"{part}_at"] is None:
        return None
    return RegisterReading(*(row[f"{part}_{name}"] for name in _FIELDS))


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
