"""Reading orders: which registers must be read for a month, and single orders for a reason.

A periodic order for day D asks for the reading at the end of D, which is the first of D + 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from openami.office.commands import BadFieldError, Command, record
from openami.office.devices.model import Category, Device, Installation, Register, task_of
from openami.office.devices.store import (
    device_by_id,
    devices_by_id,
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
from openami.office.supply.store import contracts_during
from openami.office.tables import document_numbers, draw_many
from openami.shared.capabilities import NotCapableError
from openami.shared.contract.enterprise.messages.common import PointOfDelivery, SmartMeter
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPCancellationRequest as OrderCancel,
)
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPCreateRequest as OrderCreate,
)
from openami.shared.errors import OpenAmiError
from openami.shared.spans import Span, local_midnight

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.supply.model import Contract
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
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text, re.ASCII):
        raise BadFieldError(f"The field 'month' is {text!r}.", hint="Give a month such as 2026-03.")
    first = replace(command, body={"month": f"{text}-01"}).date("month", None)
    return first.year, first.month


def days_of_month(year: int, month: int) -> tuple[date, date]:
    """The first day of a month and the day after its last."""
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


async def order_month(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Order the readings that bills of a month need and that are neither there nor ordered.

    These are the registers at both ends of the month, and where a contract or a meter comes or goes within it.
    """
    wishes = await _wishes(office, transaction, *days_of_month(*month_of(command)))
    made = await order_if_missing(office, transaction, wishes)
    await record(office, transaction, command, str(command.body["month"]), after={"orders": len(made)})
    return {
        "month": command.body["month"],
        "orders": [order.id for order in made],
        "known": len({(wish.register.id, wish.wanted_at) for wish in wishes}) - len(made),
    }


async def order_single(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Order one reading of a device's register, from the store of the middle or, on demand, from the device now.

    Raises:
        OrderConflictError: the device is not installed.
        NotCapableError: it cannot be read, or not on demand.
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
    office.check_capability(device, _function(source))
    wanted = office.clock.now() if source is DataSource.ON_DEMAND else _edge(office, reason, day)
    register = task_of(await registers_of(transaction, [device.id]), Category.REGISTER)
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
    """Keep orders and send them, as one message or as bulk messages; one outside the capabilities is not sent."""
    numbers = await draw_many(transaction, document_numbers, DOCUMENT_ID_WIDTH, len(wishes))
    devices = await devices_by_id(transaction, {wish.register.device_id for wish in wishes})
    made, messages = [], []
    for number, wish in zip(numbers, wishes, strict=True):
        order, device = _order(office, number, wish), devices[wish.register.device_id]
        try:
            office.check_capability(device, _function(wish.source))
        except NotCapableError as reason:
            order = replace(order, state=OrderState.REJECTED, note=str(reason))
        else:
            messages.append((_message(office.door.header(), order, wish, device), order.id))
        made.append(order)
    await add_orders(transaction, [_row(order) for order in made])
    if len(messages) == 1:
        await request(office, transaction, *messages[0])
    elif messages:
        await request_many(office, transaction, messages)
    return made


def _function(source: DataSource) -> str:
    return "read on demand" if source is DataSource.ON_DEMAND else "read"


async def order_if_missing(office: Office, transaction: AsyncConnection, wishes: Sequence[Wish]) -> list[ReadingOrder]:
    """Order the readings that are neither there nor ordered."""
    return await make_orders(office, transaction, await _without_known(transaction, wishes))


async def edge_wishes(
    transaction: AsyncConnection, point_id: str, edge: datetime, day: date, reason: Reason
) -> list[Wish]:
    """The reading of whatever meter is at a point of delivery when a contract begins or ends."""
    around = Span(edge - timedelta(seconds=1), edge + timedelta(seconds=1))
    places = await installations_during(transaction, around, point_ids=[point_id])
    tasks = await _registers(transaction, places)
    return [Wish(task, point_id, reason, day, edge) for place in places for task in tasks[place.device_id]]


def _order(office: Office, number: str, wish: Wish) -> ReadingOrder:
    return ReadingOrder(
        id=number,
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


async def _wishes(office: Office, transaction: AsyncConnection, first: date, past_last: date) -> list[Wish]:
    """The readings at the ends of every contract's part of the month, and at the ends of each meter's time in it."""
    zone_name = office.settings.zone
    month = Span(local_midnight(zone_name, first), local_midnight(zone_name, past_last))
    places = await installations_during(transaction, month)
    tasks = await _registers(transaction, places)
    supplied: dict[str, list[Part]] = {}
    for contract in await contracts_during(transaction, first, past_last):
        supplied.setdefault(contract.point_id, []).append(Part.of(contract, first, past_last, zone_name))
    wishes = []
    for place in places:
        for part in supplied.get(place.point_id, [Part(month, begins=False, ends=False)]):
            if part.span.overlap(Span(place.start, place.end or month.end)):
                for task in tasks[place.device_id]:
                    wishes += [_start_wish(office, place, task, part), _end_wish(office, place, task, part)]
    return wishes


@dataclass(frozen=True, slots=True)
class Part:
    """A contract's part of a month; whether the contract itself begins or ends at its edges, within the month."""

    span: Span
    begins: bool
    ends: bool

    @classmethod
    def of(cls, contract: Contract, first: date, past_last: date, zone_name: str) -> Part:
        """The part of a month that a contract covers."""
        days = contract.days_in(first, past_last)
        assert days is not None
        span = Span(local_midnight(zone_name, days[0]), local_midnight(zone_name, days[1]))
        return cls(span, begins=days[0] > first, ends=days[1] < past_last)


def _start_wish(office: Office, place: Installation, register: Register, part: Part) -> Wish:
    if place.start > part.span.start:
        day = office.local_date(place.start)
        return Wish(register, place.point_id, Reason.BILLING_INSTALLATION, day, place.start)
    if part.begins:
        return Wish(register, place.point_id, Reason.MOVE_IN, office.local_date(part.span.start), part.span.start)
    return _periodic(office, place, register, part.span.start)


def _end_wish(office: Office, place: Installation, register: Register, part: Part) -> Wish:
    if place.end is not None and place.end < part.span.end:
        day = office.local_date(place.end)
        return Wish(register, place.point_id, Reason.BILLING_REMOVAL, day, place.end)
    wish = _periodic(office, place, register, part.span.end)
    return replace(wish, reason=Reason.MOVE_OUT) if part.ends else wish


def _periodic(office: Office, place: Installation, register: Register, edge: datetime) -> Wish:
    day = office.local_date(edge) - timedelta(days=1)
    return Wish(register, place.point_id, Reason.PERIODIC, day, edge)


async def _registers(transaction: AsyncConnection, places: Sequence[Installation]) -> dict[str, list[Register]]:
    found: dict[str, list[Register]] = {}
    for task in await registers_of(transaction, {place.device_id for place in places}):
        if task.category is Category.REGISTER:
            found.setdefault(task.device_id, []).append(task)
    return found


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
