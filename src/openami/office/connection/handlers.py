"""Disconnect, reconnect, cancel, pay; and what the middle says became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openami.office.commands import BadFieldError, Command, record
from openami.office.connection.model import (
    OPEN,
    Category,
    ConnectionConflictError,
    ConnectionDocument,
    DisconnectionReason,
    DocumentEvent,
    DocumentState,
    step,
)
from openami.office.connection.rules import Wish, is_connected, last_executed, permit
from openami.office.connection.store import (
    add_document,
    add_open_item,
    add_payment,
    change_document,
    disconnections_since,
    document_by_id,
    documents_of_point,
    owed,
    settle_oldest,
)
from openami.office.devices.store import device_by_id, find_device, open_installation, points_by_id
from openami.office.services.items import take_each
from openami.office.services.letters import request
from openami.office.services.store import settle
from openami.office.supply.store import customers_by_id, find_contract
from openami.office.tables import draw, order_numbers
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.messages.common import SmartMeter
from openami.shared.contract.enterprise.messages.connection import (
    DeviceToSwitch,
)
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest as SwitchCancel,
)
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest as Switch,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Device
    from openami.office.supply.model import Contract
    from openami.shared.contract.enterprise.messages.connection import (
        SmartMeterUtilitiesConnectionStatusChangeRequestERPBulkCreateConfirmation as SwitchedBulk,
    )
    from openami.shared.contract.enterprise.messages.connection import (
        SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationConfirmation as SwitchCancelled,
    )
    from openami.shared.contract.enterprise.messages.connection import (
        SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation as Switched,
    )

ORDER_ID_WIDTH: Final = 12
RESULT_DONE: Final = "1"
_REASONS: Final = {
    "non-payment": DisconnectionReason.NON_PAYMENT,
    "customer request": DisconnectionReason.CUSTOMER_REQUEST,
    "safety": DisconnectionReason.SAFETY,
    "moved out": DisconnectionReason.MOVED_OUT,
}


async def disconnect(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Order a disconnection, if the safety rules permit it.

    Raises:
        ProtectedCustomerError, ConnectionConflictError, NothingOverdueError, RateCapError: they do not.
        NotCapableError: the meter cannot be switched from afar.
    """
    now = office.clock.now()
    contract, device, feeder = await _home(office, transaction, command)
    office.check_capability(device, "switch")
    reason = _reason(command)
    if "amount_due" in command.body:
        await add_open_item(
            transaction,
            contract_id=contract.id,
            amount=command.money("amount_due"),
            currency="EUR",
            due=now,
            origin="carried over",
        )
    own = await documents_of_point(transaction, contract.point_id)
    wish = Wish(
        customer=(await customers_by_id(transaction, [contract.customer_id]))[contract.customer_id],
        reason=reason,
        feeder=feeder,
        now=now,
        connected=is_connected(own),
        overdue=await owed(transaction, contract.id, due=now),
        recent=await disconnections_since(transaction, now - office.settings.limits.window),
        own=own,
    )
    permit(wish, office.settings.limits)
    document = await _order(office, transaction, contract, device, feeder, Category.DISCONNECT, reason, command)
    await record(office, transaction, command, contract.id, before="connected", after={"order": document.id})
    return {"order": document.id, "contract": contract.id, "device": device.id, "state": document.state.value}


async def reconnect(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Order a reconnection.

    Raises:
        ConnectionConflictError: the home has power, or an order of it is still open.
        NotCapableError: the meter cannot be switched from afar.
    """
    contract, device, feeder = await _home(office, transaction, command)
    office.check_capability(device, "switch")
    own = await documents_of_point(transaction, contract.point_id)
    if is_connected(own) or any(document.state in OPEN for document in own):
        raise ConnectionConflictError(
            "The home is connected, or an order of it is still open.", hint="See GET /api/connections."
        )
    document = await _order(office, transaction, contract, device, feeder, Category.RECONNECT, "", command)
    await record(office, transaction, command, contract.id, before="disconnected", after={"order": document.id})
    return {"order": document.id, "contract": contract.id, "device": device.id, "state": document.state.value}


async def cancel(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Withdraw an order that the middle has not answered yet.

    Raises:
        ConnectionConflictError: there is no such order, or it is being withdrawn already.
        TransitionError: it is not open any more.
    """
    document = await document_by_id(transaction, command.text("order"))
    if document is None:
        raise ConnectionConflictError(
            f"There is no connection order {command.text('order')!r}.", hint="See GET /api/connections."
        )
    if document.state is DocumentState.CANCELLING:
        raise ConnectionConflictError(
            f"Order {document.id} is being withdrawn already.", hint="Wait for the answer; see GET /api/connections."
        )
    state = step(document.state, DocumentEvent.WITHDRAW)
    device = await device_by_id(transaction, document.device_id)
    message = SwitchCancel(
        message_header=office.door.header(),
        utilities_connection_status_change_request=SwitchCancel.UtilitiesConnectionStatusChangeRequest(
            id=document.id, category_code=document.category, device_connection_status=(_to_switch(device),)
        ),
    )
    await request(office, transaction, message, document.id)
    await change_document(transaction, document.id, state=state)
    await record(office, transaction, command, document.id, before=document.state, after=state)
    return {"order": document.id, "state": state.value}


async def pay(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Take a payment: settle what is owed, oldest first, and reconnect a home that was cut off for it."""
    amount = command.money("amount")
    now = office.clock.now()
    contract = await find_contract(transaction, await _contract_name(transaction, command), office.today())
    await add_payment(transaction, contract.id, amount, now)
    items = await settle_oldest(transaction, contract.id, now)
    settled = [f"{item.amount:.2f} {item.currency} {item.origin}" for item in items]
    await record(office, transaction, command, contract.id, after={"amount": amount, "settled": settled})
    document = await reconnect_if_paid(office, transaction, contract, command)
    return {
        "contract": contract.id,
        "settled": settled,
        "reconnection": document.id if document else None,
    }


async def on_switched(office: Office, transaction: AsyncConnection, message: Switched) -> None:
    """The middle has executed an order, or could not; the result code of the device is the proof."""
    await settle(office, transaction, message.message_header, message.log)
    answer = message.utilities_connection_status_change_request
    document = await document_by_id(transaction, answer.id)
    if document is None:
        raise ConnectionConflictError(f"There is no connection order {answer.id}.")
    results = {each.utilities_device_id.rjust(18, "0"): each for each in answer.device_connection_status}
    mine = results.get(document.device_id)
    code = mine.utilities_device_connection_status_processing_result_code.lstrip("0") if mine else ""
    done = code == RESULT_DONE if mine else False
    state = step(document.state, DocumentEvent.DONE if done else DocumentEvent.NOT_DONE)
    if state is document.state and document.result_code:
        return
    await change_document(
        transaction,
        document.id,
        state=state,
        result_code=code,
        processed_at=mine.processing_date_time if mine else office.clock.now(),
        note=logs.notes(message.log),
    )
    await _after_result(office, transaction, document, state)


async def on_switched_bulk(office: Office, transaction: AsyncConnection, message: SwitchedBulk) -> None:
    """Several orders were executed, or could not be; each has its own result."""
    await take_each(transaction, message.items, lambda item: on_switched(office, transaction, item))


async def on_cancelled(office: Office, transaction: AsyncConnection, message: SwitchCancelled) -> None:
    """The middle has withdrawn an order, or it was too late."""
    settled = await settle(office, transaction, message.message_header, message.log)
    document = await document_by_id(transaction, settled.subject)
    if document is None or not settled.first:
        return
    state = step(document.state, DocumentEvent.WITHDRAWN if settled.ok else DocumentEvent.TOO_LATE)
    await change_document(transaction, document.id, state=state, note=settled.note)


async def reconnect_if_paid(
    office: Office, transaction: AsyncConnection, contract: Contract, command: Command
) -> ConnectionDocument | None:
    """Order the reconnection of a home that was cut off for non-payment and owes nothing overdue any more.

    Who has moved out pays for the past only: the home is empty, or somebody else's.
    """
    own = await documents_of_point(transaction, contract.point_id)
    last = last_executed(own)
    if last is None or is_connected(own) or any(document.state in OPEN for document in own):
        return None
    if last.reason != DisconnectionReason.NON_PAYMENT or last.contract_id != contract.id:
        return None
    if await owed(transaction, contract.id, due=office.clock.now()) > 0 or not contract.runs(office.today()):
        return None
    device = await find_device(transaction, contract.point_id)  # the meter may have been replaced meanwhile
    document = await _order(office, transaction, contract, device, last.feeder, Category.RECONNECT, "", command)
    await record(office, transaction, command, contract.id, before="disconnected", after={"order": document.id})
    return document


async def _after_result(
    office: Office, transaction: AsyncConnection, document: ConnectionDocument, state: DocumentState
) -> None:
    """Somebody may have paid while the disconnection was on its way: then the light comes on again at once."""
    if document.category is Category.DISCONNECT and state is DocumentState.EXECUTED:
        contract = await find_contract(transaction, document.contract_id, office.today())
        command = Command(
            "reconnect after payment", {"why": "paid while the disconnection was under way"}, "", "office"
        )
        await reconnect_if_paid(office, transaction, contract, command)


async def _order(
    office: Office,
    transaction: AsyncConnection,
    contract: Contract,
    device: Device,
    feeder: str,
    category: Category,
    reason: str,
    command: Command,
) -> ConnectionDocument:
    now = office.clock.now()
    planned = command.instant("planned_at", now)
    document = ConnectionDocument(
        id=await draw(transaction, order_numbers, ORDER_ID_WIDTH),
        contract_id=contract.id,
        device_id=device.id,
        feeder=feeder,
        category=category,
        reason=reason,
        planned_at=planned,
        immediate=planned <= now,
        state=DocumentState.SENT,
        created_at=now,
    )
    await add_document(transaction, document)
    message = Switch(
        message_header=office.door.header(),
        utilities_connection_status_change_request=Switch.UtilitiesConnectionStatusChangeRequest(
            id=document.id,
            category_code=category,
            utilities_service_disconnection_reason_code=reason or None,
            planned_processing_date_time=planned,
            immediate_status_change_indicator=document.immediate,
            device_connection_status=(_to_switch(device),),
        ),
    )
    await request(office, transaction, message, document.id)
    return document


def _to_switch(device: Device) -> DeviceToSwitch:
    return DeviceToSwitch(
        utilities_device_id=device.id,
        smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
    )


async def _home(office: Office, transaction: AsyncConnection, command: Command) -> tuple[Contract, Device, str]:
    contract = await find_contract(transaction, await _contract_name(transaction, command), office.today())
    device = await find_device(transaction, contract.point_id, lock=True)
    point = (await points_by_id(transaction, [contract.point_id]))[contract.point_id]
    return contract, device, point.feeder


async def _contract_name(transaction: AsyncConnection, command: Command) -> str:
    """The contract, the point of delivery, or the point where a named device is installed."""
    for field in ("contract", "point_of_delivery"):
        if field in command.body:
            return command.text(field)
    device = await find_device(transaction, command.text("device"))
    place = await open_installation(transaction, device.id)
    if place is None:
        raise ConnectionConflictError(f"Device {device.serial} is not installed.", hint="Name a contract.")
    return place.point_id


def _reason(command: Command) -> DisconnectionReason:
    text = command.text("reason", "non-payment")
    known = _REASONS.get(text.lower()) or next((code for code in DisconnectionReason if code == text), None)
    if known is None:
        raise BadFieldError(f"The reason is {text!r}.", hint=f"Use one of: {', '.join(_REASONS)}.")
    return known
