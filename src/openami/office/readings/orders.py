"""Reading orders: which registers must be read for a month, and single orders for a reason.

A periodic order for day D asks for the reading at the end of D, which is the first of D + 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from openami.office.commands import BadFieldError, Command, record
from openami.office.devices.model import Category, Device, Installation, Register
from openami.office.devices.store import (
    device_by_id,
    find_device,
    installations_during,
    installations_of_device,
    registers_of,
)
from openami.office.readings.model import DataSource, Reason
from openami.office.readings.store import (
    OPEN_STATES,
    OrderState,
    ReadingOrder,
    add_orders,
    change_order,
    order_by_id,
    orders_of,
    readings_of,
)
from openami.office.services.letters import request, request_many
from openami.office.tables import document_numbers, draw
from openami.shared.contract.enterprise.messages.common import PointOfDelivery, SmartMeter
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPCancellationRequest as OrderCancel,
)
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPCreateRequest as OrderCreate,
)
from openami.shared.errors import OpenAmiError
from openami.shared.spans import Span, local_midnight, local_month

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.shared.contract.enterprise.messages.common import MessageHeader

DOCUMENT_ID_WIDTH = 20


class OrderConflictError(OpenAmiError):
    """A reading order cannot be made, or not be withdrawn any more."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A register that must be read: for which reason, and for which instant the value stands."""

    register: Register
    point_id: str
    reason: Reason
    scheduled: date
    wanted_at: datetime
    source: DataSource = DataSource.STORED


def month_of(command: Command) -> tuple[int, int]:
    """Year and month of a command's field `month`.

    Raises:
        BadFieldError: it is not of the form 2026-03.
    """
    text = command.text("month")
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        raise BadFieldError(f"The field 'month' is {text!r}.", hint="Give a month such as 2026-03.")
    return int(text[:4]), int(text[5:])


async def order_month(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Order the readings that bills of a month need and that are neither there nor ordered.

    These are the registers at both ends of the month, and at the ends of each meter's time within it.
    """
    period = local_month(office.settings.zone, *month_of(command))
    wishes = await _wishes(office, transaction, period)
    open_wishes = await _without_known(transaction, wishes)
    made = await make_orders(office, transaction, open_wishes)
    await record(office, transaction, command, str(command.body["month"]), after={"orders": len(made)})
    return {"month": command.body["month"], "orders": [order.id for order in made], "known": len(wishes) - len(made)}


async def order_single(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Order one reading of a device's register, from the store of the middle or, on demand, from the device now.

    Raises:
        OrderConflictError: the device is not installed.
    """
    device = await find_device(transaction, command.text("device"))
    places = await installations_of_device(transaction, device.id)
    if not places:
        raise OrderConflictError(f"Device {device.id} is not installed.", hint="Install it first.")
    try:
        reason = Reason(command.text("reason", Reason.CONTROL).rjust(2, "0"))
        source = DataSource(command.text("source", DataSource.STORED))
    except ValueError as error:
        raise BadFieldError(
            str(error), hint=f"Reasons: {', '.join(Reason)}; sources: 0 stored, 1 on demand."
        ) from error
    day = command.date("day", office.today())
    wanted = office.clock.now() if source is DataSource.ON_DEMAND else _edge(office, reason, day)
    register = next(task for task in await registers_of(transaction, [device.id]) if task.category is Category.REGISTER)
    wish = Wish(register, places[-1].point_id, reason, day, wanted, source)
    (order,) = await make_orders(office, transaction, [wish])
    await record(office, transaction, command, order.id, after={"device": device.id, "reason": reason})
    return {"order": order.id, "device": device.id}


async def cancel_order(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Withdraw a reading order that has no result yet.

    Raises:
        OrderConflictError: it is unknown, or not open.
    """
    order = await order_by_id(transaction, command.text("order"), lock=True)
    if order is None or order.state not in (OrderState.CREATED, OrderState.ACCEPTED):
        raise OrderConflictError(
            f"Reading order {command.text('order')} is {order.state if order else 'unknown'}.",
            hint="Only an open order can be withdrawn; see GET /api/orders.",
        )
    device = await device_by_id(transaction, order.device_id)
    message = OrderCancel(
        message_header=office.door.header(),
        meter_reading_document=OrderCancel.MeterReadingDocument(
            id=order.id,
            utilities_device_smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
        ),
    )
    await request(office, transaction, message, order.id)
    await change_order(transaction, order.id, state=OrderState.CANCELLING)
    await record(office, transaction, command, order.id, before=order.state, after=OrderState.CANCELLING)
    return {"order": order.id, "state": OrderState.CANCELLING}


async def make_orders(office: Office, transaction: AsyncConnection, wishes: Sequence[Wish]) -> list[ReadingOrder]:
    """Keep orders and send them, as one message or as bulk messages."""
    made, messages = [], []
    for wish in wishes:
        order = ReadingOrder(
            id=await draw(transaction, document_numbers, DOCUMENT_ID_WIDTH),
            register_id=wish.register.id,
            device_id=wish.register.device_id,
            reason=wish.reason,
            scheduled_date=wish.scheduled,
            source=wish.source,
            wanted_at=wish.wanted_at,
            state=OrderState.CREATED,
            note="",
            created_at=office.clock.now(),
        )
        device = await device_by_id(transaction, order.device_id)
        made.append(order)
        messages.append((_message(office.door.header(), order, wish, device), order.id))
    await add_orders(transaction, [_row(order) for order in made])
    if len(messages) == 1:
        await request(office, transaction, *messages[0])
    else:
        await request_many(office, transaction, messages)
    return made


async def _wishes(office: Office, transaction: AsyncConnection, period: Span) -> list[Wish]:
    places = await installations_during(transaction, period)
    tasks = {
        task.device_id: task
        for task in await registers_of(transaction, {place.device_id for place in places})
        if task.category is Category.REGISTER
    }
    wishes = []
    for place in places:
        register = tasks[place.device_id]
        wishes.append(_start_wish(office, place, register, period))
        wishes.append(_end_wish(office, place, register, period))
    return wishes


def _start_wish(office: Office, place: Installation, register: Register, period: Span) -> Wish:
    if place.start > period.start:
        day = office.local_date(place.start)
        return Wish(register, place.point_id, Reason.BILLING_INSTALLATION, day, place.start)
    return _periodic(office, place, register, period.start)


def _end_wish(office: Office, place: Installation, register: Register, period: Span) -> Wish:
    if place.end is not None and place.end < period.end:
        day = office.local_date(place.end)
        return Wish(register, place.point_id, Reason.BILLING_REMOVAL, day, place.end)
    return _periodic(office, place, register, period.end)


def _periodic(office: Office, place: Installation, register: Register, edge: datetime) -> Wish:
    day = office.local_date(edge) - timedelta(days=1)
    return Wish(register, place.point_id, Reason.PERIODIC, day, edge)


async def _without_known(transaction: AsyncConnection, wishes: Sequence[Wish]) -> list[Wish]:
    register_ids = {wish.register.id for wish in wishes}
    there = {(reading.register_id, reading.at) for reading in await readings_of(transaction, register_ids)}
    there |= {
        (order.register_id, order.wanted_at)
        for order in await orders_of(transaction, register_ids)
        if order.state in OPEN_STATES
    }
    missing = {(wish.register.id, wish.wanted_at): wish for wish in wishes}
    return [wish for key, wish in missing.items() if key not in there]


def _edge(office: Office, reason: Reason, day: date) -> datetime:
    """The instant that a reading of a day stands for: the start of the day for beginnings, its end for the rest."""
    starts = {Reason.MOVE_IN, Reason.INSTALLATION, Reason.BILLING_INSTALLATION}
    return local_midnight(office.settings.zone, day if reason in starts else day + timedelta(days=1))


def _message(header: MessageHeader, order: ReadingOrder, wish: Wish, device: Device) -> OrderCreate:
    task = OrderCreate.MeterReadingDocument.UtiltiesMeasurementTask
    return OrderCreate(
        message_header=header,
        meter_reading_document=OrderCreate.MeterReadingDocument(
            id=order.id,
            meter_reading_reason_code=order.reason,
            scheduled_meter_reading_date=order.scheduled_date,
            utilities_advanced_metering_data_source_type_code=order.source,
            utilties_measurement_task=task(
                utilities_measurement_task_id=order.register_id,
                utilities_object_identification_system_code_text=wish.register.obis,
                utilties_device=task.UtiltiesDevice(
                    utilities_device_id=device.id,
                    smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
                ),
                utilities_point_of_delivery=PointOfDelivery(utilities_point_of_delivery_party_id=wish.point_id),
            ),
        ),
    )


def _row(order: ReadingOrder) -> dict[str, Any]:
    return {name: getattr(order, name) for name in order.__dataclass_fields__}
