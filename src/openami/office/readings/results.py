"""Register readings: results of the middle are judged and confirmed; readings known here first are passed on."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from openami.office.devices.store import device_by_id, register_by_id
from openami.office.readings.errors import Implausible, OrderClosed, TooFine, UnknownDocument, UnknownTask, WrongTask
from openami.office.readings.model import MILLI, ReadingType, Reason, RegisterReading
from openami.office.readings.rules import Candidate, check
from openami.office.readings.store import (
    OrderState,
    ReadingOrder,
    add_reading,
    change_order,
    order_by_id,
    reading_of_document,
    readings_of,
)
from openami.office.services.letters import answer, request
from openami.office.tables import document_numbers, draw
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.errors import Refusal
from openami.shared.contract.enterprise.headers import same_id
from openami.shared.contract.enterprise.messages.common import SmartMeter
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultBulkCreateRequest as ResultBulk,
)
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultCreateRequest as Result,
)
from openami.shared.contract.enterprise.messages.reading_result import (
    SmartMeterMeterReadingDocumentERPResultCreateRequest as KnownReading,
)
from openami.shared.spans import zone

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Register
    from openami.shared.contract.enterprise.messages.common import Log

LAST_SECOND: Final = time(23, 59, 59)
DOCUMENT_ID_WIDTH: Final = 20


async def on_result(office: Office, transaction: AsyncConnection, message: Result) -> None:
    """One reading from the middle."""
    log = await _take(office, transaction, message)
    await answer(office, transaction, message, log, business_key=message.meter_reading_document.id or "")


async def on_result_bulk(office: Office, transaction: AsyncConnection, message: ResultBulk) -> None:
    """Many readings from the middle; each is taken or refused by itself."""
    taken = [await _take(office, transaction, item) for item in message.items]
    await answer(office, transaction, message, taken, business_key="bulk")


async def pass_on(office: Office, transaction: AsyncConnection, register: Register, reading: RegisterReading) -> None:
    """Keep a reading that is known here first (installation, removal), and tell the middle."""
    document_id = await draw(transaction, document_numbers, DOCUMENT_ID_WIDTH)
    await keep(office, transaction, register, reading, document_id=document_id, source="office", objections=())
    device = await device_by_id(transaction, register.device_id)
    local = reading.at.astimezone(zone(office.settings.zone)).replace(microsecond=0, tzinfo=None)
    content = KnownReading.MeterReadingDocument
    message = KnownReading(
        message_header=office.door.header(),
        meter_reading_document=content(
            id=document_id,
            meter_reading_reason_code=reading.reason,
            utilities_measurement_task=content.UtilitiesMeasurementTask(
                utilities_measurement_task_id=register.id,
                utilities_device=content.UtilitiesMeasurementTask.UtilitiesDevice(
                    utilities_device_id=device.id,
                    smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
                ),
            ),
            result=content.Result(
                meter_reading_date=local.date(),
                meter_reading_time=local.time(),
                actual_meter_reading_date=local.date(),
                actual_meter_reading_time=local.time(),
                meter_reading_type_code=ReadingType.ESTIMATED if reading.estimated else ReadingType.MEASURED,
                meter_reading_result_value=Decimal(reading.value_milli).scaleb(-3),
            ),
        ),
    )
    await request(office, transaction, message, document_id)


def instant_of_reading(zone_name: str, day: date, moment: time) -> datetime:
    """The instant for which a local date and time stand; the last second of a day is that day's end."""
    local = datetime.combine(day, moment.replace(microsecond=0), tzinfo=zone(zone_name))
    at = local.astimezone(UTC)
    return at + timedelta(seconds=1) if moment.replace(microsecond=0) == LAST_SECOND else at


def milli(value: Decimal) -> int:
    """A register value in thousandths of its unit, exactly.

    Raises:
        TooFine: it has more decimals.
    """
    scaled = value * MILLI
    if scaled != scaled.to_integral_value():
        raise TooFine(f"{value} has more than three decimals.", hint="Send Wh or litres at the finest.")
    return int(scaled)


async def _take(office: Office, transaction: AsyncConnection, message: Result) -> Log:
    try:
        note = await _judged(office, transaction, message)
    except Refusal as reason:
        return logs.failed(reason)
    return logs.success(note)


async def _judged(office: Office, transaction: AsyncConnection, message: Result) -> str:
    document = message.meter_reading_document
    order = await _order(transaction, document.id) if document.id else None
    register = await _register(transaction, message, order)
    result = document.result
    reading = RegisterReading(
        at=instant_of_reading(office.settings.zone, result.actual_meter_reading_date, result.actual_meter_reading_time),
        value_milli=milli(result.meter_reading_result_value),
        estimated=(result.meter_reading_type_code or "").lstrip("0") == ReadingType.ESTIMATED.lstrip("0"),
        reason=(document.meter_reading_reason_code or (order.reason if order else Reason.PERIODIC)).rjust(2, "0"),
        document_id=order.id if order else "",
    )
    if order is not None and await _is_repeat(transaction, order, reading):
        return "The value is already there."
    objections = await objections_to(transaction, register, reading, order)
    await keep(
        office, transaction, register, reading, document_id=reading.document_id, source="mdus", objections=objections
    )
    if order is not None:
        state = OrderState.IMPLAUSIBLE if objections else OrderState.FULFILLED
        await change_order(transaction, order.id, state=state, note="; ".join(objections), result_at=office.clock.now())
    if objections:
        raise Implausible("; ".join(objections) + ".", hint="Read the register again.")
    return "The reading is plausible."


async def _order(transaction: AsyncConnection, document_id: str) -> ReadingOrder:
    order = await order_by_id(transaction, document_id, lock=True)
    if order is None:
        raise UnknownDocument(
            f"There is no reading order {document_id}.", hint="Leave the ID out of unsolicited results."
        )
    if order.state == OrderState.CANCELLED:
        raise OrderClosed(f"Reading order {document_id} was withdrawn.")
    return order


async def _register(transaction: AsyncConnection, message: Result, order: ReadingOrder | None) -> Register:
    task = message.meter_reading_document.utilties_measurement_task
    named = task.utilities_measurement_task_id if task else None
    if order is not None and named and not same_id(named, order.register_id):
        raise WrongTask(f"Reading order {order.id} is for {order.register_id}, the result names {named}.")
    wanted = order.register_id if order else named
    register = await register_by_id(transaction, wanted) if wanted else None
    if register is None or register.interval_s:
        raise UnknownTask(f"There is no register {wanted}.", hint="Name the measurement task of a cumulative register.")
    return register


async def _is_repeat(transaction: AsyncConnection, order: ReadingOrder, reading: RegisterReading) -> bool:
    kept = await reading_of_document(transaction, order.id)
    return kept is not None and (kept.at, kept.value_milli, kept.estimated) == (
        reading.at,
        reading.value_milli,
        reading.estimated,
    )


async def objections_to(
    transaction: AsyncConnection, register: Register, reading: RegisterReading, order: ReadingOrder | None
) -> tuple[str, ...]:
    """What speaks against a reading, given the plausible ones before and after it."""
    kept = await readings_of(transaction, [register.id])
    before = [other.value() for other in kept if other.at < reading.at]
    after = [other.value() for other in kept if other.at > reading.at]
    candidate = Candidate(
        reading=reading,
        unit=register.unit,
        total_digits=register.total_digits,
        fraction_digits=register.fraction_digits,
        before=before[-1] if before else None,
        after=after[0] if after else None,
        wanted_at=order.wanted_at if order else None,
    )
    return check(candidate)


async def keep(
    office: Office,
    transaction: AsyncConnection,
    register: Register,
    reading: RegisterReading,
    *,
    document_id: str,
    source: str,
    objections: tuple[str, ...],
) -> None:
    """Add a reading to the books; one with objections is kept, and does not count."""
    await add_reading(
        transaction,
        register_id=register.id,
        at=reading.at,
        value_milli=reading.value_milli,
        estimated=reading.estimated,
        reason=reading.reason,
        document_id=document_id,
        source=source,
        plausible=not objections,
        note="; ".join(objections),
        recorded_at=office.clock.now(),
    )
