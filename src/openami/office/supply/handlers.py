"""Supply begins and ends: customers move in and out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from openami.office.billing.store import bills_of_contract
from openami.office.billing.tariff import TariffError, tariff_named
from openami.office.commands import BadFieldError, Command, record
from openami.office.devices.store import points_by_id
from openami.office.readings.model import Reason
from openami.office.readings.orders import edge_wishes, order_if_missing
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
from openami.shared.spans import local_midnight

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
        ContractConflictError: another contract supplies the point of delivery on that day or later, or has this id.
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
    contract_id = await draw(transaction, contract_numbers, CONTRACT_ID_WIDTH)
    contract = Contract(
        id=wish.text("id") if wish.body.get("id") else contract_id,
        customer_id=customer.id,
        point_id=point.id,
        division=point.kind.value,
        tariff_id=tariff_id,
        first_day=start,
    )
    if not await add_contract(transaction, contract):
        raise ContractConflictError(f"There is a contract {contract.id!r} already.", hint="Give another id, or none.")
    return contract


async def move_in(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Begin supply at a point of delivery that has a meter, and order the reading with which it begins.

    Raises:
        BadFieldError: nothing is known of the point of delivery, or the customer is missing.
        ContractConflictError: somebody else is supplied there.
    """
    point_id = command.text("point_of_delivery")
    point = (await points_by_id(transaction, [point_id], lock=True)).get(point_id)
    if point is None or "customer" not in command.body:
        raise BadFieldError(
            f"The point of delivery {point_id!r} is {'known' if point else 'unknown'}; the customer is "
            f"{command.body.get('customer')!r}.",
            hint="Give a point of delivery that has had a meter, and a customer with id and name.",
        )
    contract = await begin_supply(office, transaction, command, point, office.today())
    assert contract is not None
    edge = local_midnight(office.settings.zone, contract.first_day)
    wishes = await edge_wishes(transaction, point.id, edge, contract.first_day, Reason.MOVE_IN)
    made = await order_if_missing(office, transaction, wishes)
    await record(office, transaction, command, contract.id, after={"point": point.id, "from": contract.first_day})
    return {"contract": contract.id, "point_of_delivery": point.id, "orders": [order.id for order in made]}


async def move_out(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """End a contract and order its final reading; the day that is given is the first one that it does not supply.

    Raises:
        ContractConflictError: it would end before it began, has ended already, or is billed beyond that day.
    """
    day = command.date("day", office.today())
    contract = await find_contract(transaction, command.text("contract"), day)
    if contract.past_last_day is not None or day <= contract.first_day:
        raise ContractConflictError(
            f"Contract {contract.id} runs from {contract.first_day} to {contract.past_last_day or 'now'}.",
            hint="Give a running contract and a day after its first.",
        )
    for bill in await bills_of_contract(transaction, contract.id):
        if bill.past_last_day > day:  # the next customer would pay for the same energy again
            raise ContractConflictError(
                f"Bill {bill.id} of contract {contract.id} goes to {bill.past_last_day - timedelta(days=1)}.",
                hint="Void it first (POST /api/bills/void); the next run bills the days up to the end.",
            )
    await end_contract(transaction, contract.id, day)
    edge = local_midnight(office.settings.zone, day)
    wishes = await edge_wishes(transaction, contract.point_id, edge, day - timedelta(days=1), Reason.MOVE_OUT)
    made = await order_if_missing(office, transaction, wishes)
    await record(office, transaction, command, contract.id, before=contract.past_last_day, after=day)
    return {"contract": contract.id, "past_last_day": day.isoformat(), "orders": [order.id for order in made]}


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
