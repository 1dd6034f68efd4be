"""Register readings: results of the middle are judged and confirmed; readings known here first are passed on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Final

from openami.office.devices.store import device_by_id, registers_by_id
from openami.office.readings.errors import Implausible, OrderClosed, TooFine, UnknownDocument, UnknownTask, WrongTask
from openami.office.readings.model import MILLI, ReadingType, Reason, RegisterReading
from openami.office.readings.rules import Candidate, check
from openami.office.readings.store import (
    Neighbours,
    NewReading,
    OrderState,
    ReadingOrder,
    add_readings,
    conclude_orders,
    neighbours_of,
    orders_by_id,
)
from openami.office.services.letters import answer_many, request
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
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Register
    from openami.shared.contract.enterprise.messages.common import Log

LAST_SECOND: Final = time(23, 59, 59)
DOCUMENT_ID_WIDTH: Final = 20


async def on_results(
    office: Office, transaction: AsyncConnection, messages: Sequence[Result | ResultBulk]
) -> list[None]:
    """Readings from the middle, one or many in a message; each is taken or refused by itself."""
    each = [one.items if isinstance(one, ResultBulk) else (one,) for one in messages]
    taken = iter(await _take(office, transaction, [item for items in each for item in items]))
    answers: list[tuple[Result | ResultBulk, Log | list[Log], str]] = []
    for message, items in zip(messages, each, strict=True):
        own = list(islice(taken, len(items)))
        if isinstance(message, ResultBulk):
            answers.append((message, own, "bulk"))
        else:
            answers.append((message, own[0], message.meter_reading_document.id or ""))
    await answer_many(office, transaction, answers)
    return [None] * len(messages)


async def pass_on(office: Office, transaction: AsyncConnection, register: Register, reading: RegisterReading) -> None:
    """Keep a reading that is known here first (installation, removal), and tell the middle."""
    document_id = await draw(transaction, document_numbers, DOCUMENT_ID_WIDTH)
    await keep(office, transaction, register, replace(reading, document_id=document_id))
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


@dataclass(frozen=True, slots=True)
class _Reported:
    """A result whose register and order are known."""

    register: Register
    order: ReadingOrder | None
    reading: RegisterReading


async def _take(office: Office, transaction: AsyncConnection, items: Sequence[Result]) -> list[Log]:
    """Judge and keep results: a few statements for all of them, a few more when a register comes several times."""
    orders = await orders_by_id(transaction, [one.meter_reading_document.id or "" for one in items])
    named = [_task_of(one) for one in items] + [one.register_id for one in orders.values()]
    registers = await registers_by_id(transaction, [one for one in named if one])
    taken: list[Log | None] = []
    reported: list[tuple[int, _Reported]] = []
    for number, item in enumerate(items):
        try:
            reported.append((number, _reported(office, item, orders, registers)))
            taken.append(None)
        except Refusal as reason:
            taken.append(logs.failed(reason))
    for turn in _turns(reported):
        judged = await _judge_and_keep(office, transaction, [one for _, one in turn])
        for (number, _), log in zip(turn, judged, strict=True):
            taken[number] = log
    return [log for log in taken if log is not None]


def _turns(reported: Sequence[tuple[int, _Reported]]) -> list[list[tuple[int, _Reported]]]:
    """Results of one register have to see one another, in their order: each turn has every register once."""
    turns: list[list[tuple[int, _Reported]]] = []
    seen: Counter[str] = Counter()
    for one in reported:
        turn = seen[one[1].register.id]
        seen[one[1].register.id] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(one)
    return turns


async def _judge_and_keep(office: Office, transaction: AsyncConnection, reported: Sequence[_Reported]) -> list[Log]:
    found = await neighbours_of(transaction, [(one.register.id, one.reading) for one in reported])
    now = office.clock.now()
    taken: list[Log] = []
    new: list[NewReading] = []
    concluded: list[tuple[str, str, str, datetime]] = []
    for one, around in zip(reported, found, strict=True):
        if one.order is not None and _is_repeat(around.of_document, one.reading):
            taken.append(logs.success("The value is already there."))
            continue
        objections = _objections(one, around)
        new.append(NewReading(one.register.id, one.reading, objections))
        if one.order is not None:
            state = OrderState.IMPLAUSIBLE if objections else OrderState.FULFILLED
            concluded.append((one.order.id, state, "; ".join(objections), now))
        if objections:
            taken.append(logs.failed(Implausible("; ".join(objections) + ".", hint="Read the register again.")))
        else:
            taken.append(logs.success("The reading is plausible."))
    await add_readings(transaction, new, source="mdus", recorded_at=now)
    await conclude_orders(transaction, concluded)
    return taken


def _reported(
    office: Office, message: Result, orders: Mapping[str, ReadingOrder], registers: Mapping[str, Register]
) -> _Reported:
    document = message.meter_reading_document
    order = _order(document.id, orders) if document.id else None
    register = _register(message, order, registers)
    result = document.result
    reading = RegisterReading(
        at=instant_of_reading(office.settings.zone, result.actual_meter_reading_date, result.actual_meter_reading_time),
        value_milli=milli(result.meter_reading_result_value),
        estimated=(result.meter_reading_type_code or "").lstrip("0") == ReadingType.ESTIMATED.lstrip("0"),
        reason=(document.meter_reading_reason_code or (order.reason if order else Reason.PERIODIC)).rjust(2, "0"),
        document_id=order.id if order else "",
    )
    return _Reported(register, order, reading)


def _order(document_id: str, orders: Mapping[str, ReadingOrder]) -> ReadingOrder:
    order = orders.get(document_id)
    if order is None:
        raise UnknownDocument(
            f"There is no reading order {document_id}.", hint="Leave the ID out of unsolicited results."
        )
    if order.state == OrderState.CANCELLED:
        raise OrderClosed(f"Reading order {document_id} was withdrawn.")
    return order


def _task_of(message: Result) -> str | None:
    task = message.meter_reading_document.utilties_measurement_task
    return task.utilities_measurement_task_id if task else None


def _register(message: Result, order: ReadingOrder | None, registers: Mapping[str, Register]) -> Register:
    named = _task_of(message)
    if order is not None and named and not same_id(named, order.register_id):
        raise WrongTask(f"Reading order {order.id} is for {order.register_id}, the result names {named}.")
    wanted = order.register_id if order else named
    register = registers.get(wanted) if wanted else None
    if register is None or register.interval_s:
        raise UnknownTask(f"There is no register {wanted}.", hint="Name the measurement task of a cumulative register.")
    return register


def _is_repeat(kept: RegisterReading | None, reading: RegisterReading) -> bool:
    return kept is not None and (kept.at, kept.value_milli, kept.estimated) == (
        reading.at,
        reading.value_milli,
        reading.estimated,
    )


async def objections_to(transaction: AsyncConnection, register: Register, reading: RegisterReading) -> tuple[str, ...]:
    """What speaks against a reading that nobody has ordered, given the plausible ones before and after it."""
    (around,) = await neighbours_of(transaction, [(register.id, reading)])
    return _objections(_Reported(register, None, reading), around)


def _objections(reported: _Reported, around: Neighbours) -> tuple[str, ...]:
    candidate = Candidate(
        reading=reported.reading,
        unit=reported.register.unit,
        total_digits=reported.register.total_digits,
        fraction_digits=reported.register.fraction_digits,
        before=around.before,
        after=around.after,
        wanted_at=reported.order.wanted_at if reported.order else None,
    )
    return check(candidate)


async def keep(office: Office, transaction: AsyncConnection, register: Register, reading: RegisterReading) -> None:
    """Add a reading that is known here first to the books."""
    new = [NewReading(register.id, reading)]
    await add_readings(transaction, new, source="office", recorded_at=office.clock.now())
