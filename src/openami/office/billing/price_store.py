"""Where changes of prices are kept: none is overwritten, a later one of the same day corrects it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, Date, Identity, Index, Table, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.office.billing.model import BillState
from openami.office.billing.store import bills
from openami.office.billing.tariff import PriceChange
from openami.office.supply.store import contracts
from openami.office.tables import instant, metadata, text

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

price_changes = Table(
    "price_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    text("tariff_id"),
    Column("valid_from", Date, nullable=False),
    Column("prices", JSONB, nullable=False),
    text("actor"),
    text("reason"),
    instant("stated_at", nullable=False),
    instant("withdrawn_at"),
    Index("price_changes_tariff", "tariff_id", "valid_from"),
)
_LOCK: Final = 0x0A0D18  # advisory lock number of the prices


async def hold_prices(transaction: AsyncConnection) -> None:
    """While bills are made nobody changes prices: a bill must not miss one that was stated before it."""
    await transaction.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))


async def take_prices(transaction: AsyncConnection) -> None:
    """Wait for the bills that are being made, and change prices alone."""
    await transaction.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def add_change(transaction: AsyncConnection, tariff_id: str, change: PriceChange, **values: object) -> None:
    """Keep a change; `values` say who stated it, when and why."""
    prices = {name: format(price, "f") for name, price in change.prices.items()}
    kept = {"tariff_id": tariff_id, "valid_from": change.valid_from, "prices": prices}
    await transaction.execute(insert(price_changes).values(**kept, **values))


async def changes_of(
    transaction: AsyncConnection, tariff_id: str, *, before: date | None = None, up_to_id: int | None = None
) -> tuple[list[PriceChange], int]:
    """The changes of a tariff as they were stated, and the highest number; of a bill, those before its end.

    `up_to_id` gives those alone that an earlier bill could see. No bill saw what is withdrawn: it had not begun.
    """
    query = select(price_changes).where(price_changes.c.tariff_id == tariff_id, price_changes.c.withdrawn_at.is_(None))
    if before is not None:
        query = query.where(price_changes.c.valid_from < before)
    if up_to_id is not None:
        query = query.where(price_changes.c.id <= up_to_id)
    rows = list(await transaction.execute(query.order_by(price_changes.c.id)))
    found = [PriceChange(row.valid_from, {name: Decimal(price) for name, price in row.prices.items()}) for row in rows]
    return found, max((row.id for row in rows), default=0)


async def withdraw_changes(transaction: AsyncConnection, tariff_id: str, valid_from: date, at: datetime) -> int:
    """Take back the changes of a day, and say how many there were."""
    statement = (
        update(price_changes)
        .where(
            price_changes.c.tariff_id == tariff_id,
            price_changes.c.valid_from == valid_from,
            price_changes.c.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=at)
    )
    return (await transaction.execute(statement)).rowcount


async def stated_changes(transaction: AsyncConnection) -> list[dict[str, Any]]:
    """Everything that was ever stated, the newest day first."""
    query = select(price_changes).order_by(price_changes.c.valid_from.desc(), price_changes.c.id.desc())
    return [dict(row._mapping) for row in await transaction.execute(query)]  # noqa: SLF001 - a public name


async def billed_beyond(transaction: AsyncConnection, tariff_id: str, day: date) -> tuple[int, str | None]:
    """How many valid bills of a tariff have days from this one on, and the number of the first."""
    query = (
        select(func.count(), func.min(bills.c.id))
        .join(contracts, contracts.c.id == bills.c.contract_id)
        .where(
            contracts.c.tariff_id == tariff_id,
            bills.c.past_last_day > day,
            bills.c.state != BillState.VOIDED,
            bills.c.reverses.is_(None),
        )
    )
    count, first = (await transaction.execute(query)).one()
    return int(count), first
