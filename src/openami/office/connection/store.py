"""Where connection documents, open items and payments are kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Numeric,
    Table,
    Text,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from openami.office.connection.model import Category, ConnectionDocument, DocumentState, OpenItem
from openami.office.supply.store import contracts
from openami.office.tables import instant, metadata, text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

documents = Table(
    "connection_documents",
    metadata,
    text("id", primary_key=True),
    Column("contract_id", Text, ForeignKey("contracts.id"), nullable=False, index=True),
    text("device_id"),
    text("feeder"),
    text("category"),
    text("reason"),
    instant("planned_at", nullable=False),
    Column("immediate", Boolean, nullable=False),
    text("state"),
    instant("created_at", nullable=False),
    text("result_code", server_default=""),
    instant("processed_at"),
    text("note", server_default=""),
)
open_items = Table(
    "open_items",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract_id", Text, ForeignKey("contracts.id"), nullable=False, index=True),
    Column("amount", Numeric(14, 4), nullable=False),
    text("currency"),
    instant("due", nullable=False),
    text("origin"),
    instant("settled_at"),
)
payments = Table(
    "payments",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("contract_id", Text, ForeignKey("contracts.id"), nullable=False, index=True),
    Column("amount", Numeric(14, 4), nullable=False),
    instant("at", nullable=False),
)


async def add_document(transaction: AsyncConnection, document: ConnectionDocument) -> None:
    """Keep a new document."""
    await transaction.execute(insert(documents).values(**asdict(document)))


async def change_document(transaction: AsyncConnection, document_id: str, **values: object) -> None:
    """Set fields of a document."""
    await transaction.execute(update(documents).where(documents.c.id == document_id).values(**values))


async def document_by_id(transaction: AsyncConnection, document_id: str) -> ConnectionDocument | None:
    """A document, locked until the transaction ends."""
    found = await _documents(transaction, documents.c.id == document_id.rjust(12, "0"), lock=True)
    return found[0] if found else None


async def documents_of_point(transaction: AsyncConnection, point_id: str) -> list[ConnectionDocument]:
    """The documents of a point of delivery, oldest first, of any contract: who moves in finds the breaker as it was."""
    here = select(contracts.c.id).where(contracts.c.point_id == point_id)
    return await _documents(transaction, documents.c.contract_id.in_(here))


async def disconnections_since(transaction: AsyncConnection, start: datetime) -> list[ConnectionDocument]:
    """All disconnections ordered after an instant."""
    return await _documents(transaction, documents.c.category == Category.DISCONNECT, documents.c.created_at > start)


async def all_documents(transaction: AsyncConnection) -> list[ConnectionDocument]:
    """Every document, oldest first."""
    return await _documents(transaction)


async def add_open_item(transaction: AsyncConnection, **values: object) -> None:
    """Keep what a customer owes from now on."""
    await transaction.execute(insert(open_items).values(**values))


async def unsettled(transaction: AsyncConnection, contract_id: str) -> list[OpenItem]:
    """What a contract owes, in the order of the due dates."""
    query = (
        select(open_items)
        .where(open_items.c.contract_id == contract_id, open_items.c.settled_at.is_(None))
        .order_by(open_items.c.due, open_items.c.id)
        .with_for_update()
    )
    return [OpenItem(**row._mapping) for row in await transaction.execute(query)]  # noqa: SLF001 - a public name


async def settle_oldest(transaction: AsyncConnection, contract_id: str, at: datetime) -> list[OpenItem]:
    """Settle what the payments and credits of a contract cover, oldest first; what was settled.

    To be called whenever either changes: a credit (the reversal of a bill) pays for what is owed as money does, and
    money that was paid too early waits for the next bill.
    """
    items = await unsettled(transaction, contract_id)  # locked before the credit is counted: it is spent once
    left = await credit(transaction, contract_id)
    settled = []
    for item in sorted(items, key=lambda item: item.amount > 0):
        if item.amount > left:
            break
        await transaction.execute(update(open_items).where(open_items.c.id == item.id).values(settled_at=at))
        left -= item.amount
        settled.append(item)
    return settled


async def owed(transaction: AsyncConnection, contract_id: str, *, due: datetime | None = None) -> Decimal:
    """What a contract owes (of what is due by an instant), less all that was paid."""
    mine = select(func.sum(open_items.c.amount)).where(open_items.c.contract_id == contract_id)
    if due is not None:
        mine = mine.where(or_(open_items.c.due <= due, open_items.c.settled_at.is_not(None)))
    paid = select(func.sum(payments.c.amount)).where(payments.c.contract_id == contract_id)
    return (await transaction.scalar(mine) or Decimal(0)) - (await transaction.scalar(paid) or Decimal(0))


async def balances(transaction: AsyncConnection) -> dict[str, Decimal]:
    """What every contract owes, less all that was paid; one without a word of money is not in it."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for table, sign in ((open_items, 1), (payments, -1)):
        query = select(table.c.contract_id, func.sum(table.c.amount)).group_by(table.c.contract_id)
        for contract_id, total in await transaction.execute(query):
            found[contract_id] += sign * total
    return found


async def add_payment(transaction: AsyncConnection, contract_id: str, amount: Decimal, at: datetime) -> None:
    """Keep a payment."""
    await transaction.execute(insert(payments).values(contract_id=contract_id, amount=amount, at=at))


async def credit(transaction: AsyncConnection, contract_id: str) -> Decimal:
    """What was paid and not used yet: all payments less all settled items."""
    paid = await transaction.scalar(select(func.sum(payments.c.amount)).where(payments.c.contract_id == contract_id))
    used = await transaction.scalar(
        select(func.sum(open_items.c.amount)).where(
            open_items.c.contract_id == contract_id, open_items.c.settled_at.is_not(None)
        )
    )
    return (paid or Decimal(0)) - (used or Decimal(0))


async def _documents(
    transaction: AsyncConnection, *conditions: ColumnElement[bool], lock: bool = False
) -> list[ConnectionDocument]:
    query = select(documents).where(*conditions).order_by(documents.c.created_at, documents.c.id)
    rows = await transaction.execute(query.with_for_update() if lock else query)
    return [
        ConnectionDocument(
            **{**row._mapping, "category": Category(row.category), "state": DocumentState(row.state)}  # noqa: SLF001 - a public name
        )
        for row in rows
    ]
