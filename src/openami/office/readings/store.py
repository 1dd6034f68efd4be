"""Where reading orders and register readings are kept. A correction is a new row; the newest plausible one counts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
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
from openami.shared.database import array_of, given, insert_rows, update_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from numpy.typing import NDArray
    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection

compute: Any = pyarrow.compute
Texts = Any
"""An array of texts of Arrow's, null where there is none."""

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
    # the row with an order's result finds room on the page of the one before: else every index has to learn its place
    postgresql_with={"fillfactor": 50},
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


_MATCH: Final = sql(
    """
WITH named AS (
    SELECT * FROM unnest(:documents, :tasks) WITH ORDINALITY AS named(document, task, place)
), locked AS MATERIALIZED (
    SELECT id, register_id, reason, wanted_at, state FROM reading_orders
    WHERE id = ANY(:documents) ORDER BY id FOR UPDATE
)
SELECT array_agg(state), array_agg(ordered_register), array_agg(ordered_reason), array_agg(register),
    array_agg(unit), array_agg(wanted_us), array_agg(whole_digits)
FROM (
    SELECT o.state, o.register_id AS ordered_register, o.reason AS ordered_reason,
        (extract(epoch FROM o.wanted_at) * 1000000)::bigint AS wanted_us,
        r.id AS register, r.unit, r.total_digits - r.fraction_digits AS whole_digits
    FROM named LEFT JOIN locked o ON o.id = named.document
    LEFT JOIN registers r ON r.id = coalesce(o.register_id, named.task) AND r.interval_s = 0
    ORDER BY named.place
) AS matched
"""
).bindparams(bindparam("documents", type_=array_of(Text())), bindparam("tasks", type_=array_of(Text())))


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The orders and the cumulative registers of results, a column a field, a result a row."""

    state: Texts
    """Of the order; null where there is none of that document."""
    ordered_register: Texts
    ordered_reason: Texts
    wanted_at: NDArray[np.datetime64]
    register: Texts
    """The one that was ordered, else the one that was named; null where there is none."""
    unit: Texts
    whole_digits: NDArray[np.int64]


async def match(transaction: AsyncConnection, documents: Texts, tasks: Texts) -> Matched:
    """Orders by document ids, locked in one order, and registers by theirs or by measurement tasks; in full width."""
    parameters = {"documents": documents.to_pylist(), "tasks": tasks.to_pylist()}
    found = await _columns(transaction, _MATCH, parameters)
    state, ordered_register, ordered_reason, register, unit = (pa.array(texts, pa.string()) for texts in found[:5])
    return Matched(state, ordered_register, ordered_reason, _instants(found[5]), register, unit, _numbers(found[6]))


async def _columns(
    transaction: AsyncConnection, statement: TextClause, parameters: dict[str, Any]
) -> list[Sequence[Any]]:
    """The one row of a statement that gives its columns as arrays, all of them empty if nothing was found."""
    return [column or () for column in (await transaction.execute(statement, parameters)).one()]


def _instants(microseconds: Sequence[int | None]) -> NDArray[np.datetime64]:
    """Instants by the microseconds since 1970; NaT where there is none."""
    found: NDArray[np.datetime64] = pa.array(microseconds, pa.timestamp("us")).to_numpy(zero_copy_only=False)
    return found


def _numbers(values: Sequence[int | None]) -> NDArray[np.int64]:
    """Whole numbers; 0 where there is none."""
    found: NDArray[np.int64] = compute.fill_null(pa.array(values, pa.int64()), 0).to_numpy()
    return found


_CHANGED: Final = ("id", "state", "note", "result_at")
_CHANGE: Final = update_rows(orders, _CHANGED, key="id")


async def conclude_orders(
    transaction: AsyncConnection, order_ids: Sequence[str], notes: Sequence[str], at: datetime
) -> None:
    """Reading orders have their results: implausible ones where there is a note, else they are fulfilled."""
    if order_ids:
        state = [OrderState.IMPLAUSIBLE if note else OrderState.FULFILLED for note in notes]
        columns = {"id": order_ids, "state": state, "note": notes, "result_at": [at] * len(order_ids)}
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


@dataclass(frozen=True, slots=True, eq=False)
class NewReadings:
    """Register readings that are to be kept, a column a field; those with a note do not count."""

    register_id: Sequence[str]
    at: NDArray[np.datetime64]
    value_milli: NDArray[np.int64]
    estimated: NDArray[np.bool_]
    reason: Sequence[str]
    document_id: Sequence[str]
    note: Sequence[str]

    @classmethod
    def one(cls, register_id: str, reading: RegisterReading) -> NewReadings:
        """A single one that counts."""
        return cls(
            [register_id],
            np.array([reading.at.astimezone(UTC).replace(tzinfo=None)], "datetime64[us]"),
            np.array([reading.value_milli], np.int64),
            np.array([reading.estimated]),
            [reading.reason],
            [reading.document_id],
            [""],
        )


async def add_readings(transaction: AsyncConnection, new: NewReadings, *, source: str, recorded_at: datetime) -> None:
    """Keep register readings."""
    if not new.register_id:
        return
    columns = {one.name: getattr(new, one.name) for one in fields(new)}
    plausible = [not note for note in new.note]
    await transaction.execute(
        _ADD, given(columns | {"plausible": plausible, "source": source, "recorded_at": recorded_at})
    )


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """What is kept around readings: for their documents, and the plausible ones right before and after them.

    A column a field, a reading a row; an instant is NaT where nothing is kept.
    """

    document_at: NDArray[np.datetime64]
    document_milli: NDArray[np.int64]
    document_estimated: NDArray[np.bool_]
    before_at: NDArray[np.datetime64]
    before_milli: NDArray[np.int64]
    after_at: NDArray[np.datetime64]
    after_milli: NDArray[np.int64]


_AROUND: Final = """
LEFT JOIN LATERAL (
    SELECT (extract(epoch FROM at) * 1000000)::bigint AS us, value_milli, estimated FROM register_readings kept
    WHERE kept.register_id = given.register_id AND {condition} ORDER BY {order} LIMIT 1
) {name} ON true"""
_NEIGHBOURS: Final = sql(
    "SELECT array_agg(document_us), array_agg(document_milli), array_agg(document_estimated),"  # noqa: S608 - no word of it comes from outside
    " array_agg(before_us), array_agg(before_milli), array_agg(after_us), array_agg(after_milli) FROM ("
    "SELECT document.us AS document_us, document.value_milli AS document_milli,"
    " document.estimated AS document_estimated, before.us AS before_us, before.value_milli AS before_milli,"
    " after.us AS after_us, after.value_milli AS after_milli"
    " FROM unnest(:registers, :instants, :documents) WITH ORDINALITY AS given(register_id, at, document_id, place)"
    + _AROUND.format(name="document", condition="kept.document_id = given.document_id", order="kept.id DESC")
    + _AROUND.format(
        name="before", condition="kept.plausible AND kept.at < given.at", order="kept.at DESC, kept.id DESC"
    )
    + _AROUND.format(name="after", condition="kept.plausible AND kept.at > given.at", order="kept.at, kept.id DESC")
    + " ORDER BY given.place) AS around"
).bindparams(
    bindparam("registers", type_=array_of(Text())),
    bindparam("instants", type_=array_of(DateTime(timezone=True))),
    bindparam("documents", type_=array_of(Text())),
)


async def neighbours_of(
    transaction: AsyncConnection,
    register_ids: Texts,
    at: NDArray[np.datetime64],
    document_ids: Texts,
) -> Neighbours:
    """What is kept around readings of registers, in the order given: one query, one look into the index each."""
    parameters = {"registers": register_ids.to_pylist(), "instants": at, "documents": document_ids.to_pylist()}
    found = await _columns(transaction, _NEIGHBOURS, parameters)
    document_us, document_milli, estimated, before_us, before_milli, after_us, after_milli = found
    return Neighbours(
        _instants(document_us),
        _numbers(document_milli),
        np.array([bool(one) for one in estimated], np.bool_),
        _instants(before_us),
        _numbers(before_milli),
        _instants(after_us),
        _numbers(after_milli),
    )


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
