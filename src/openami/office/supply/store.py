"""Where customers and contracts are kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import Column, Date, ForeignKey, Table, Text, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from openami.office.supply.model import Contract, Customer, UnknownContractError
from openami.office.tables import metadata, text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

customers = Table(
    "customers",
    metadata,
    text("id", primary_key=True),
    text("name"),
    text("address"),
    text("protection", server_default=""),
)
contracts = Table(
    "contracts",
    metadata,
    text("id", primary_key=True),
    Column("customer_id", Text, ForeignKey("customers.id"), nullable=False, index=True),
    Column("point_id", Text, ForeignKey("points.id"), nullable=False, index=True),
    text("division"),
    text("tariff_id"),
    Column("first_day", Date, nullable=False),
    Column("past_last_day", Date),
)


async def put_customer(transaction: AsyncConnection, customer: Customer) -> None:
    """Keep a customer; a known one is brought up to date."""
    values = asdict(customer)
    statement = insert(customers).values(**values)
    await transaction.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


async def customers_by_id(transaction: AsyncConnection, ids: Iterable[str] | None = None) -> dict[str, Customer]:
    """Customers by id; all of them without ids."""
    query = select(customers).order_by(customers.c.id)
    rows = await transaction.execute(query if ids is None else query.where(customers.c.id.in_(list(ids))))
    return {row.id: Customer(**row._mapping) for row in rows}  # noqa: SLF001 - a public name


async def add_contract(transaction: AsyncConnection, contract: Contract) -> bool:
    """Keep a new contract; false if its id is known already."""
    statement = insert(contracts).values(**asdict(contract)).on_conflict_do_nothing().returning(contracts.c.id)
    return (await transaction.execute(statement)).scalar_one_or_none() is not None


async def end_contract(transaction: AsyncConnection, contract_id: str, past_last_day: date) -> None:
    """Set the end of a contract."""
    await transaction.execute(
        update(contracts).where(contracts.c.id == contract_id).values(past_last_day=past_last_day)
    )


async def contracts_during(transaction: AsyncConnection, first: date, past_last: date) -> list[Contract]:
    """The contracts that run in a period, by id."""
    return await _contracts(
        transaction,
        contracts.c.first_day < past_last,
        or_(contracts.c.past_last_day.is_(None), contracts.c.past_last_day > first),
    )


async def contracts_of_point(transaction: AsyncConnection, point_id: str) -> list[Contract]:
    """All contracts of a point of delivery, by first day."""
    return await _contracts(transaction, contracts.c.point_id == point_id)


async def find_contract(transaction: AsyncConnection, name: str, day: date) -> Contract:
    """A contract by its id, or by the point of delivery that it supplies on a day.

    Raises:
        UnknownContractError: there is none.
    """
    found = await _contracts(transaction, or_(contracts.c.id == name, contracts.c.point_id == name))
    running = [contract for contract in found if contract.id == name or contract.runs(day)]
    if not running:
        raise UnknownContractError(
            f"No contract is called {name!r}, and none supplies a point of delivery of this name on {day}.",
            hint="See GET /api/customers.",
        )
    return running[-1]


async def all_contracts(transaction: AsyncConnection) -> list[Contract]:
    """Every contract."""
    return await _contracts(transaction)


async def _contracts(transaction: AsyncConnection, *conditions: ColumnElement[bool]) -> list[Contract]:
    query = select(contracts).where(*conditions).order_by(contracts.c.first_day, contracts.c.id)
    return [Contract(**row._mapping) for row in await transaction.execute(query)]  # noqa: SLF001 - a public name
