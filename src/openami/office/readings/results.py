"""Register readings: results of the middle are judged and confirmed; readings known here first are passed on."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from openami.office.devices.store import device_by_id
from openami.office.readings.errors import (
    Implausible,
    OrderClosed,
    TooFine,
    TooLarge,
    UnknownDocument,
    UnknownTask,
    WrongTask,
)
from openami.office.readings.model import MILLI, ReadingType, Reason, RegisterReading
from openami.office.readings.reported import DOCUMENT_ID_WIDTH, Results
from openami.office.readings.rules import Candidates, check
from openami.office.readings.store import (
    Matched,
    NewReadings,
    OrderState,
    add_readings,
    conclude_orders,
    match,
    neighbours_of,
)
from openami.office.services.letters import answer_many, request
from openami.office.tables import document_numbers, draw
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.logs import Logs
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
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Register
    from openami.office.readings.store import Texts
    from openami.shared.contract.enterprise.errors import Refusal
    from openami.shared.contract.enterprise.messages.common import Log

compute: Any = pyarrow.compute


async def on_results(
    office: Office, transaction: AsyncConnection, messages: Sequence[Result | ResultBulk]
) -> list[None]:
    """Readings from the middle, one or many in a message; each is taken or refused by itself."""
    each = [one.items if isinstance(one, ResultBulk) else (one,) for one in messages]
    taken = await _take(office, transaction, Results.of(each, office.settings.zone))
    answers: list[tuple[Result | ResultBulk, Log | Logs, str]] = []
    first = 0
    for message, items in zip(messages, each, strict=True):
        if isinstance(message, ResultBulk):
            answers.append((message, taken.part(slice(first, first + len(items))), "bulk"))
        else:
            own = taken.different[taken.number[first]]
            answers.append((message, own, message.meter_reading_document.id or ""))
        first += len(items)
    await answer_many(office, transaction, answers)
    return [None] * len(messages)


async def pass_on(office: Office, transaction: AsyncConnection, register: Register, reading: RegisterReading) -> None:
    """Keep a reading that is known here first (installation, removal), and tell the middle.

    Raises:
        Implausible: no register can show it, or not after what it showed before.
    """
    document_id = await draw(transaction, document_numbers, DOCUMENT_ID_WIDTH)
    reading = replace(reading, document_id=document_id)
    if objections := await objections_to(transaction, register, reading):
        raise Implausible("; ".join(objections) + ".", hint="Check the digits; a wrong one before can be corrected.")
    await keep(office, transaction, register, reading)
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


def milli(value: Decimal) -> int:
    """A register value in thousandths of its unit, exactly.

    Raises:
        TooFine: it has more decimals.
    """
    scaled = value * MILLI
    if scaled != scaled.to_integral_value():
        raise too_fine(value)
    return int(scaled)


def too_fine(value: Decimal | str) -> TooFine:
    """The reason against a value with more than three decimals."""
    return TooFine(f"{value} has more than three decimals.", hint="Send Wh or litres at the finest.")


def too_large(value: str) -> TooLarge:
    """The reason against a value beyond what the books hold."""
    return TooLarge(f"{value} has too many digits.", hint="Fifteen before the point are the most.")


class _Taken:
    """What is said to each of some results."""

    def __init__(self, count: int) -> None:
        self._different = [logs.success("The reading is plausible."), logs.success("The value is already there.")]
        self._number = np.zeros(count, np.int32)

    def known(self, places: NDArray[np.intp]) -> None:
        """These are repeats."""
        self._number[places] = 1

    def refuse(self, place: int, reason: Refusal) -> None:
        """This one is refused."""
        self._number[place] = len(self._different)
        self._different.append(logs.failed(reason))

    def logs(self) -> Logs:
        """The log of each."""
        return Logs(self._different, self._number)


async def _take(office: Office, transaction: AsyncConnection, results: Results) -> Logs:
    """Judge and keep results: a few statements for all of them, a few more when a register comes several times."""
    taken = _Taken(len(results))
    matched = await match(transaction, results.document_key, results.task_key)
    good = np.ones(len(results), np.bool_)
    for place, reason in _refusals(results, matched):
        good[place] = False
        taken.refuse(place, reason)
    for turn in _turns(matched.register, np.flatnonzero(good)):
        await _judge_and_keep(office, transaction, results, matched, turn, taken)
    return taken.logs()


def _turns(registers: Texts, places: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Results of one register have to see one another, in their order: each turn has every register once."""
    codes = registers.take(pa.array(places)).dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    turn = np.empty(len(places), np.int64)
    turn[order] = np.arange(len(places)) - np.searchsorted(codes[order], codes[order])
    return [places[turn == number] for number in range(int(turn.max(initial=-1)) + 1)]


def _refusals(results: Results, matched: Matched) -> Iterator[tuple[int, Refusal]]:
    """The results that name no order or register that they could belong to, or that the books cannot hold."""
    no_order = _true(compute.and_(compute.is_valid(results.document_key), compute.is_null(matched.state)))
    withdrawn = _true(compute.equal(matched.state, OrderState.CANCELLED))
    another = _true(compute.not_equal(results.task_key, matched.ordered_register))
    no_register = _true(compute.is_null(matched.register))
    for place in np.flatnonzero(no_order | withdrawn | another | no_register | ~results.exact | ~results.fits).tolist():
        document, task, value = (each[place].as_py() for each in (results.document, results.task, results.value))
        ordered = matched.ordered_register[place].as_py()
        reason: Refusal
        if no_order[place]:
            hint = "Leave the ID out of unsolicited results."
            reason = UnknownDocument(f"There is no reading order {document}.", hint=hint)
        elif withdrawn[place]:
            reason = OrderClosed(f"Reading order {document} was withdrawn.")
        elif another[place]:
            reason = WrongTask(f"Reading order {document} is for {ordered}, the result names {task}.")
        elif no_register[place]:
            hint = "Name the measurement task of a cumulative register."
            reason = UnknownTask(f"There is no register {ordered or task or None}.", hint=hint)
        else:
            reason = too_large(value) if not results.fits[place] else too_fine(value)
        yield place, reason


def _true(truths: Any) -> NDArray[np.bool_]:  # noqa: ANN401 - of Arrow's
    """Where it is certainly true: what is compared with nothing is not."""
    found: NDArray[np.bool_] = compute.fill_null(truths, False).to_numpy(zero_copy_only=False)
    return found


async def _judge_and_keep(
    office: Office,
    transaction: AsyncConnection,
    results: Results,
    matched: Matched,
    places: NDArray[np.intp],
    taken: _Taken,
) -> None:
    """Judge results, of each register one; keep all that are no repeats, and conclude their orders."""
    rows = pa.array(places)
    register, document = matched.register.take(rows), results.document_key.take(rows)
    at, value, estimated = results.at[places], results.value_milli[places], results.estimated[places]
    around = await neighbours_of(transaction, register, at, document)
    repeated = (around.document_at == at) & (around.document_milli == value) & (around.document_estimated == estimated)
    taken.known(places[repeated])
    candidates = Candidates(
        at=at,
        value_milli=value,
        unit=matched.unit.take(rows).to_pylist(),
        whole_digits=matched.whole_digits[places],
        before_at=around.before_at,
        before_milli=around.before_milli,
        after_at=around.after_at,
        after_milli=around.after_milli,
        wanted_at=matched.wanted_at[places],
    )
    note = np.full(len(places), "", object)
    for number, objections in check(candidates).items():
        if not repeated[number]:
            note[number] = "; ".join(objections)
            hint = "Read the register again."
            taken.refuse(int(places[number]), Implausible(f"{note[number]}.", hint=hint))
    reason = compute.if_else(compute.equal(results.reason, ""), matched.ordered_reason, results.reason).take(rows)
    new = ~repeated
    kept = pa.array(new)
    readings = NewReadings(
        register_id=register.filter(kept).to_pylist(),
        at=at[new],
        value_milli=value[new],
        estimated=estimated[new],
        reason=compute.utf8_lpad(compute.fill_null(reason, Reason.PERIODIC), 2, "0").filter(kept).to_pylist(),
        document_id=compute.fill_null(document, "").filter(kept).to_pylist(),
        note=note[new].tolist(),
    )
    now = office.clock.now()
    await add_readings(transaction, readings, source="mdus", recorded_at=now)
    concluded = new & _true(compute.is_valid(document))
    await conclude_orders(
        transaction, document.filter(pa.array(concluded)).to_pylist(), note[concluded].tolist(), at=now
    )


async def objections_to(transaction: AsyncConnection, register: Register, reading: RegisterReading) -> tuple[str, ...]:
    """What speaks against a reading that nobody has ordered, given the plausible ones before and after it."""
    one = NewReadings.one(register.id, reading)
    around = await neighbours_of(transaction, pa.array(one.register_id), one.at, pa.array(one.document_id))
    candidates = Candidates(
        at=one.at,
        value_milli=one.value_milli,
        unit=[register.unit],
        whole_digits=np.array([register.whole_digits]),
        before_at=around.before_at,
        before_milli=around.before_milli,
        after_at=around.after_at,
        after_milli=around.after_milli,
        wanted_at=np.array(["NaT"], "datetime64[us]"),
    )
    return check(candidates).get(0, ())


async def keep(office: Office, transaction: AsyncConnection, register: Register, reading: RegisterReading) -> None:
    """Add a reading that is known here first to the books."""
    new = NewReadings.one(register.id, reading)
    await add_readings(transaction, new, source="office", recorded_at=office.clock.now())
