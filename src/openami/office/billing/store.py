"""Where billing runs, their items and bills are kept. A posted bill never changes; a reversal is a bill of its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.office.billing.model import BillState
from openami.office.tables import instant, metadata, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from decimal import Decimal

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

runs = Table(
    "billing_runs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("first_day", Date, nullable=False),
    Column("past_last_day", Date, nullable=False),
    text("actor"),
    instant("as_of", nullable=False),
)
items = Table(
    "billing_items",
    metadata,
    Column("run_id", BigInteger, ForeignKey("billing_runs.id"), nullable=False),
    Column("contract_id", Text, ForeignKey("contracts.id"), nullable=False),
    text("state"),
    Column("findings", JSONB, nullable=False, server_default="[]"),
    Column("bill_id", Text),
    instant("done_at"),
    UniqueConstraint("run_id", "contract_id"),
)
Index("billing_items_open", items.c.run_id, postgresql_where=items.c.state == "open")
bills = Table(
    "bills",
    metadata,
    text("id", primary_key=True),
    Column("contract_id", Text, ForeignKey("contracts.id"), nullable=False, index=True),
    Column("first_day", Date, nullable=False),
    Column("past_last_day", Date, nullable=False),
    text("state"),
    Column("total", Numeric(14, 4), nullable=False),
    text("currency"),
    Column("document", JSONB, nullable=False),
    text("seal"),
    Column("reverses", Text, ForeignKey("bills.id")),
    instant("created_at", nullable=False),
    instant("posted_at"),
    instant("voided_at"),
)
Index(
    "bills_one_valid",
    bills.c.contract_id,
    bills.c.first_day,
    unique=True,
    postgresql_where=(bills.c.state != BillState.VOIDED) & bills.c.reverses.is_(None),
)


class ItemState(StrEnum):
    """One contract in a billing run."""

    OPEN = "open"
    BILLED = "billed"
    WITHHELD = "withheld"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunItem:
    """The next contract of a run."""

    run_id: int
    contract_id: str
    first_day: date
    past_last_day: date
    as_of: datetime


@dataclass(frozen=True, slots=True)
class KeptBill:
    """A bill as it is kept."""

    id: str
    contract_id: str
    first_day: date
    past_last_day: date
    state: BillState
    total: Decimal
    currency: str
    document: dict[str, Any]
    seal: str
    reverses: str | None
    created_at: datetime
    posted_at: datetime | None
    voided_at: datetime | None


async def add_run(
    transaction: AsyncConnection,
    *,
    first_day: date,
    past_last_day: date,
    actor: str,
    as_of: datetime,
    contract_ids: Sequence[str],
) -> int:
    """Keep a run with one open item per contract."""
    statement = insert(runs).values(first_day=first_day, past_last_day=past_last_day, actor=actor, as_of=as_of)
    run_id = int((await transaction.execute(statement.returning(runs.c.id))).scalar_one())
    if contract_ids:
        rows = [{"run_id": run_id, "contract_id": contract, "state": ItemState.OPEN} for contract in contract_ids]
        await transaction.execute(insert(items), rows)
    return run_id


async def next_item(transaction: AsyncConnection) -> RunItem | None:
    """Claim an open item; others skip it until this transaction ends."""
    query = (
        select(items.c.run_id, items.c.contract_id, runs.c.first_day, runs.c.past_last_day, runs.c.as_of)
        .join(runs, runs.c.id == items.c.run_id)
        .where(items.c.state == ItemState.OPEN)
        .order_by(items.c.run_id, items.c.contract_id)
        .limit(1)
        .with_for_update(of=items, skip_locked=True)
    )
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else RunItem(**row._mapping)  # noqa: SLF001 - a public name


async def finish_item(transaction: AsyncConnection, item: RunItem, **values: object) -> None:
    """Say what became of an item."""
    await transaction.execute(
        update(items).where(items.c.run_id == item.run_id, items.c.contract_id == item.contract_id).values(**values)
    )


_OPEN_ITEMS_COUNT = select(func.count()).where(items.c.state == ItemState.OPEN)


async def open_items_count(transaction: AsyncConnection) -> int:
    """How many items of all runs are not done."""
    return int((await transaction.execute(_OPEN_ITEMS_COUNT)).scalar_one())


async def run_report(transaction: AsyncConnection, run_id: int | None = None) -> list[dict[str, Any]]:
    """The runs (or one), newest first, each with its items."""
    query = select(runs).order_by(runs.c.id.desc())
    found = await transaction.execute(query if run_id is None else query.where(runs.c.id == run_id))
    reports = []
    for run in found:
        rows = await transaction.execute(select(items).where(items.c.run_id == run.id).order_by(items.c.contract_id))
        contents = [
            {"contract": row.contract_id, "state": row.state, "findings": row.findings, "bill": row.bill_id}
            for row in rows
        ]
        reports.append(dict(run._mapping) | {"items": contents})  # noqa: SLF001 - a public name
    return reports


async def add_bill(transaction: AsyncConnection, bill: KeptBill) -> None:
    """Keep a new bill."""
    await transaction.execute(insert(bills).values(**{name: getattr(bill, name) for name in bill.__dataclass_fields__}))


async def change_bill(transaction: AsyncConnection, bill_id: str, **values: object) -> None:
    """Set the state of a bill; the document stays as it is."""
    await transaction.execute(update(bills).where(bills.c.id == bill_id).values(**values))


async def bill_by_id(transaction: AsyncConnection, bill_id: str, *, lock: bool = False) -> KeptBill | None:
    """A bill by its number."""
    query = select(bills).where(bills.c.id == bill_id)
    row = (await transaction.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else _bill(row)


async def valid_bill(transaction: AsyncConnection, contract_id: str, first_day: date) -> KeptBill | None:
    """The bill of a contract for a period that is neither voided nor a reversal."""
    query = select(bills).where(
        bills.c.contract_id == contract_id,
        bills.c.first_day == first_day,
        bills.c.state != BillState.VOIDED,
        bills.c.reverses.is_(None),
    )
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else _bill(row)


async def all_bills(transaction: AsyncConnection) -> list[KeptBill]:
    """Every bill, by number."""
    return [_bill(row) for row in await transaction.execute(select(bills).order_by(bills.c.id))]


async def bills_of_contract(transaction: AsyncConnection, contract_id: str) -> list[KeptBill]:
    """The bills of a contract that are neither voided nor reversals."""
    query = select(bills).where(
        bills.c.contract_id == contract_id, bills.c.state != BillState.VOIDED, bills.c.reverses.is_(None)
    )
    return [_bill(row) for row in await transaction.execute(query)]


async def bills_by_state(transaction: AsyncConnection) -> dict[str, int]:
    """How many bills are in each state."""
    query = select(bills.c.state, func.count()).group_by(bills.c.state)
    return {state: int(count) for state, count in await transaction.execute(query)}


def _bill(row: Row[Any]) -> KeptBill:
    return KeptBill(**{**row._mapping, "state": BillState(row.state)})  # noqa: SLF001 - a public name
