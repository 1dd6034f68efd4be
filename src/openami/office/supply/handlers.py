"""Supply begins and ends: customers move in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openami.office.billing.tariff import TariffError, tariff_named
from openami.office.commands import Command, record
from openami.office.supply.model import Contract, ContractConflictError, Customer
from openami.office.supply.store import (
    add_contract,
    contracts_of_point,
    customers_by_id,
    end_contract,
    find_contract,
    put_customer,
)
from openami.office.tables import contract_numbers, draw

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Point

CONTRACT_ID_WIDTH = 12


async def begin_supply(
    office: Office, transaction: AsyncConnection, command: Command, point: Point, first_day: date
) -> Contract | None:
    """Make the customer and the contract that an installation or a move-in names; None if it names no customer.

    Raises:
        ContractConflictError: another contract supplies the point of delivery on that day or later.
        TariffError: the tariff is for another division.
    """
    if "customer" not in command.body:
        return None
    customer = await _customer(transaction, command.part(command.body["customer"]), point)
    wish = command.part(command.body.get("contract", {}))
    tariff_id = wish.text("tariff", office.settings.default_tariffs[point.kind])
    if tariff_named(office.tariffs, tariff_id).division.value != point.kind.value:
        raise TariffError(f"Tariff {tariff_id} is not for {point.kind}.", hint="Choose a tariff of the same division.")
    start = wish.date("start", first_day)
    for other in await contracts_of_point(transaction, point.id):
        if other.past_last_day is None or other.past_last_day > start:
            raise ContractConflictError(
                f"Contract {other.id} supplies {point.id} from {other.first_day} to {other.past_last_day or 'now'}.",
                hint="End it first (POST /api/move-outs).",
            )
    contract = Contract(
        id=wish.text("id", "") if wish.body.get("id") else await draw(transaction, contract_numbers, CONTRACT_ID_WIDTH),
        customer_id=customer.id,
        point_id=point.id,
        division=point.kind.value,
        tariff_id=tariff_id,
        first_day=start,
    )
    await add_contract(transaction, contract)
    return contract


async def move_out(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """End a contract; the day that is given is the first one that it does not supply.

    Raises:
        ContractConflictError: it would end before it began, or has ended already.
    """
    day = command.date("day", office.today())
    contract = await find_contract(transaction, command.text("contract"), day)
    if contract.past_last_day is not None or day <= contract.first_day:
        raise ContractConflictError(
            f"Contract {contract.id} runs from {contract.first_day} to {contract.past_last_day or 'now'}.",
            hint="Give a running contract and a day after its first.",
        )
    await end_contract(transaction, contract.id, day)
    await record(office, transaction, command, contract.id, before=contract.past_last_day, after=day)
    return {"contract": contract.id, "past_last_day": day.isoformat()}


async def _customer(transaction: AsyncConnection, wish: Command, point: Point) -> Customer:
    customer_id = wish.text("id")
    known = (await customers_by_id(transaction, [customer_id])).get(customer_id)
    protected = wish.body.get("protected", False)
    customer = Customer(
        id=customer_id,
        name=wish.text("name", known.name if known else None),
        address=wish.text("address", known.address if known else str(point.address)),
        protection=str(wish.body.get("protection", "medical need" if protected else known.protection if known else "")),
    )
    await put_customer(transaction, customer)
    return customer
