"""Reading orders: accepted or refused at once, answered when the reading is there, from the store or by the AMS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

import numpy as np

from openami.mdus import series
from openami.mdus.registry import rules
from openami.mdus.registry.channel_store import channels_by_id, channels_of_tasks
from openami.mdus.registry.errors import UnknownTaskError
from openami.mdus.registry.ids import TaskId, bare
from openami.mdus.registry.store import load_devices, owners_of
from openami.mdus.series import RegisterReadings
from openami.mdus.series.calendar import instant_of as instant_s
from openami.mdus.services import order_rules, order_store, translate
from openami.mdus.services.desk import not_yet
from openami.mdus.services.order_model import (
    OPEN,
    DataSourceError,
    DuplicateOrderError,
    NoReadingError,
    NotARegisterError,
    OrderPolicy,
    OrderProcessedError,
    OrderState,
    OutsidePeriodError,
    ReadingOrder,
    UnknownOrderError,
    WrongDeviceError,
)
from openami.mdus.services.results import (
    ESTIMATED,
    instant_of,
    register_on,
    result_message,
    scaled_value,
    unsolicited_message,
)
from openami.mdus.vee.readings import register_at
from openami.shared.capabilities import Capabilities
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.errors import OpenAmiError
from openami.shared.quality import Origin, has_value, is_estimated, quality
from openami.shared.quality import Verdict as Judgement
from openami.shared.spans import local_date, local_day

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from datetime import date, datetime
    from decimal import Decimal
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device
    from openami.mdus.services.codes import EnterpriseCodes
    from openami.mdus.services.desk import Desk, Verdict
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import Log
    from openami.shared.contract.enterprise.messages.inferred_reading_result import (
        SmartMeterMeterReadingDocumentERPResultChangeRequest as KnownChange,
    )
    from openami.shared.contract.enterprise.messages.reading_order import (
        SmartMeterMeterReadingDocumentERPCancellationRequest as CancelRequest,
    )
    from openami.shared.contract.enterprise.messages.reading_order import (
        SmartMeterMeterReadingDocumentERPCreateRequest as OrderRequest,
    )
    from openami.shared.contract.enterprise.messages.reading_result import (
        SmartMeterMeterReadingDocumentERPResultCreateRequest as KnownReading,
    )

RESULTS_A_MESSAGE: Final = 500


class ReadingSource(Protocol):
    """What orders need of the AMS."""

    async def read_register(self, tx: AsyncConnection, order: ReadingOrder, device: Device, channel: Channel) -> None:
        """Ask for the register of an order: now, or (not on demand) for the days around its scheduled one."""
        ...


@dataclass(frozen=True, slots=True)
class Orders:
    """The desk for reading orders."""

    desk: Desk
    clock: Clock
    codes: EnterpriseCodes
    series: series.Series
    source: ReadingSource
    failed: Callable[[AsyncConnection, ReadingOrder], Awaitable[None]]
    """Told of an accepted order that will never have a result: the back office hears of it by an event."""
    policy: OrderPolicy = field(default_factory=OrderPolicy)
    capabilities: Capabilities = field(default_factory=Capabilities)
    rules_folder: Path | None = None
    """Rule sets of the installation."""

    async def accept(self, tx: AsyncConnection, items: Sequence[OrderRequest]) -> list[Verdict]:
        """Take orders; those whose day has come are looked at next."""
        documents = [item.meter_reading_document for item in items]
        tasks = [one.utilties_measurement_task.utilities_measurement_task_id for one in documents]
        owners = await owners_of(tx, tasks)
        channels: dict[str, list[Channel]] = {}
        for channel in await channels_of_tasks(tx, tasks):
            channels.setdefault(bare(channel.task), []).append(channel)
        known = await order_store.known(tx, [one.id for one in documents])
        orders: list[ReadingOrder] = []
        verdicts: list[Verdict] = []
        for one in documents:
            key = bare(one.utilties_measurement_task.utilities_measurement_task_id)
            try:
                if bare(one.id) in known:
                    raise DuplicateOrderError(
                        f"Reading document {one.id} is known already.", hint="Send a new document number."
                    )
                orders.append(self._order(one, owners.get(key, []), channels.get(key, [])))
                known.add(bare(one.id))
            except OpenAmiError as reason:
                verdicts.append(reason)
            else:
                verdicts.append(None)
        await order_store.save(tx, orders)
        return verdicts

    async def cancel(self, tx: AsyncConnection, items: Sequence[CancelRequest]) -> list[Verdict]:
        """Withdraw orders that have no result yet."""
        found = await order_store.find(tx, [item.meter_reading_document.id for item in items])
        verdicts: list[Verdict] = []
        cancelled: list[ReadingOrder] = []
        for item in items:
            number = item.meter_reading_document.id
            order = found.get(bare(number))
            if order is None:
                verdicts.append(not_yet(UnknownOrderError(f"Reading document {number} is not known.")))
            elif order.state in {*OPEN, OrderState.CANCELLED}:
                cancelled.append(replace(order, state=OrderState.CANCELLED, note="Cancelled by the back office."))
                verdicts.append(None)
            else:
                verdicts.append(OrderProcessedError(f"Reading document {number} is done: {order.state}."))
        await order_store.save(tx, cancelled)
        return verdicts

    async def take_known(self, tx: AsyncConnection, items: Sequence[KnownReading]) -> list[Verdict]:
        """Keep readings that the back office knew first: of an installation, a removal, a person at the meter."""
        return await self._take_known(tx, items, Judgement.NV, "reading known to the back office")

    async def correct_known(self, tx: AsyncConnection, items: Sequence[KnownChange]) -> list[Verdict]:
        """A person of the back office has corrected readings: their word stands over what was measured."""
        return await self._take_known(tx, items, Judgement.MA, "reading corrected by the back office")

    async def _take_known(
        self, tx: AsyncConnection, items: Sequence[KnownReading | KnownChange], verdict: Judgement, cause: str
    ) -> list[Verdict]:
        tasks = [i.meter_reading_document.utilities_measurement_task.utilities_measurement_task_id for i in items]
        owners = await owners_of(tx, tasks)
        channels: dict[str, list[Channel]] = {}
        for channel in await channels_of_tasks(tx, tasks):
            channels.setdefault(bare(channel.task), []).append(channel)
        verdicts: list[Verdict] = []
        readings: list[tuple[int, int, int, int]] = []
        for item in items:
            document = item.meter_reading_document
            key = bare(document.utilities_measurement_task.utilities_measurement_task_id)
            try:
                readings.append(self._known_reading(document, owners.get(key, []), channels.get(key, []), verdict))
            except OpenAmiError as reason:
                verdicts.append(reason)
            else:
                verdicts.append(None)
        if readings:
            batch = RegisterReadings.of(readings)
            provenance = series.Provenance(self.clock.now(), "office", cause)
            await self.series.channels(tx, batch.channel.tolist(), lock=True)
            await self.series.merge_registers(tx, batch, provenance)
            await self.touched(tx, batch.channel.tolist())
        return verdicts

    async def send_unsolicited(self, tx: AsyncConnection, task: str, at: datetime, reason: str) -> Decimal:
        """Send a stored reading that nobody has ordered (a result without document number); returns the value.

        Raises:
            UnknownTaskError: no device has the task.
            NoReadingError: there is no reading at that instant.
        """
        self.codes.pick(reason)
        owners = await owners_of(tx, [task])
        channels = [one for one in await channels_of_tasks(tx, [task]) if not one.interval_s]
        if not owners or not channels:
            raise UnknownTaskError(f"No device has the register {task}.", hint="Send its registers first.")
        for channel in channels:
            moment = np.array([int(at.timestamp())], np.int64)
            found = await self.series.registers_at(tx, np.array([channel.id], np.int64), moment)
            if has_value(found.quality)[0]:
                break
        else:
            raise NoReadingError(f"There is no reading of {task} at {at:%Y-%m-%d %H:%M:%S} UTC.")
        device = next(one for one in owners[bare(task)] if one.id == channel.device)
        reading = order_rules.Candidate(at, int(found.value[0]), bool(is_estimated(found.quality)[0]))
        register = register_on(device, task, local_date(channel.zone, at))
        message = unsolicited_message(
            reading, reason, device, register, channel, self.codes.registry, self.desk.header()
        )
        await self.desk.send(tx, message, f"reading of {task}")
        return message.meter_reading_document.result.meter_reading_result_value

    async def act(self, tx: AsyncConnection) -> int:
        """Look at every order whose time has come; returns how many."""
        orders = await order_store.due(tx, self.clock.now())
        await self._look(tx, orders)
        return len(orders)

    async def touched(self, tx: AsyncConnection, channels: Iterable[int]) -> None:
        """New readings of these registers were stored: open orders of them may be answered."""
        ids = sorted({int(one) for one in channels})
        await self._look(tx, await order_store.waiting_for(tx, ids, self.clock.now()))

    async def next_due(self, tx: AsyncConnection) -> datetime | None:
        """When an order has to be looked at next."""
        return await order_store.next_look(tx)

    async def results_confirmed(
        self, tx: AsyncConnection, answers: Sequence[tuple[str, UUID | None, Log]]
    ) -> list[bool]:
        """The back office has taken or refused results, named by document or else by our message.

        Tells of each whether an order belongs to it.
        """
        by_document = await order_store.find(tx, [document for document, _, _ in answers if document])
        others = [message for document, message, _ in answers if message and bare(document) not in by_document]
        by_message = await order_store.by_results(tx, others) if others else {}
        outcomes: dict[str, tuple[OrderState, str]] = {}
        known: list[bool] = []
        for document, message, log in answers:
            order = by_document.get(bare(document)) or (by_message.get(message) if message else None)
            known.append(order is not None)
            if order is not None:
                state = OrderState.CONFIRMED if logs.is_success(log) else OrderState.REFUSED
                outcomes[order.document] = (state, logs.notes(log))
        await order_store.conclude(tx, outcomes)
        return known

    async def _look(self, tx: AsyncConnection, orders: Sequence[ReadingOrder]) -> None:
        if not orders:
            return
        now = self.clock.now()
        answers = await self._answers_at_once(tx, orders)
        changed: list[ReadingOrder] = []
        asked: list[ReadingOrder] = []
        for order in orders:
            decision: order_rules.Decision
            if (reading := answers.get(order.document)) is not None:
                decision = order_rules.Answer(reading)
            else:
                decision = order_rules.decide(order, await self._candidates(tx, order), now, self.policy)
            if isinstance(decision, order_rules.Fail) and not order.on_demand:
                decision = await self._estimated(tx, order) or decision
            after = _after(order, decision, now)
            changed += [after] if after != order else []
            asked += [after] if isinstance(decision, order_rules.Ask) else []
            if isinstance(decision, order_rules.Fail):
                await self.failed(tx, after)
        answered = [one for one in changed if one.state is OrderState.SENT]
        waiting = [one for one in changed if one.state is not OrderState.SENT]
        await order_store.save(tx, waiting + await self._send_results(tx, answered))
        await self._ask(tx, asked)

    async def _answers_at_once(
        self, tx: AsyncConnection, orders: Sequence[ReadingOrder]
    ) -> dict[str, order_rules.Candidate]:
        """The common case in one query: the reading at exactly the end of the scheduled day."""
        now = self.clock.now()
        common = [one for one in orders if not one.on_demand and one.not_after is None and one.pick.at_end_of_day]
        ends = [local_day(one.zone, one.scheduled_on).end for one in common]
        due = [(one, end) for one, end in zip(common, ends, strict=True) if end <= now]
        if not due:
            return {}
        channel = np.array([one.channel for one, _ in due], np.int64)
        at_s = np.array([int(end.timestamp()) for _, end in due], np.int64)
        found = await self.series.registers_at(tx, channel, at_s)
        usable, guessed = has_value(found.quality), is_estimated(found.quality)
        return {
            one.document: order_rules.Candidate(end, int(found.value[row]), bool(guessed[row]))
            for row, (one, end) in enumerate(due)
            if usable[row]
        }

    async def _candidates(self, tx: AsyncConnection, order: ReadingOrder) -> list[order_rules.Candidate]:
        span = order_rules.search_span(order, self.policy)
        found = await self.series.registers(tx, order.channel, span)
        usable, guessed = has_value(found.quality), is_estimated(found.quality)
        return [
            order_rules.Candidate(instant_s(int(found.at_s[row])), int(found.value[row]), bool(guessed[row]))
            for row in np.flatnonzero(usable)
        ]

    async def _estimated(self, tx: AsyncConnection, order: ReadingOrder) -> order_rules.Answer | None:
        """The reading that nobody took, by intervals, readings around it, or its past (E14, E15, E19)."""
        along = await self.series.counting_along(tx, np.array([order.channel], np.int64))
        interval = int(along[0]) if len(along) else None
        at = order_rules.first_look(order)
        found = await register_at(self.series, tx, (interval, order.channel), at, folder=self.rules_folder)
        if found is None:
            return None
        return order_rules.Answer(order_rules.Candidate(at, found.value, estimated=True), found.method)

    async def _ask(self, tx: AsyncConnection, orders: Sequence[ReadingOrder]) -> None:
        devices = await load_devices(tx, [one.device for one in orders])
        channels = await channels_by_id(tx, [one.channel for one in orders])
        for order in orders:
            await self.source.read_register(tx, order, devices[bare(order.device)], channels[order.channel])

    async def _send_results(self, tx: AsyncConnection, orders: Sequence[ReadingOrder]) -> list[ReadingOrder]:
        devices = await load_devices(tx, [one.device for one in orders])
        channels = await channels_by_id(tx, [one.channel for one in orders])
        sent: list[ReadingOrder] = []
        messages = []
        for order in orders:
            register = register_on(devices[bare(order.device)], order.task, order.scheduled_on)
            message = result_message(order, register, channels[order.channel], self.codes.registry, self.desk.header())
            messages.append(message)
            sent.append(replace(order, result_message=UUID(message.message_header.uuid or "")))
        for first in range(0, len(messages), RESULTS_A_MESSAGE):
            part = messages[first : first + RESULTS_A_MESSAGE]
            whole = part[0] if len(part) == 1 else bulk(part, self.desk.header())
            await self.desk.send(tx, whole, f"reading {orders[first].document}")
        return sent

    def _order(self, document: Any, owners: Sequence[Device], channels: Sequence[Channel]) -> ReadingOrder:  # noqa: ANN401
        task = document.utilties_measurement_task
        device = _owner(task.utilities_measurement_task_id, task.utilties_device.utilities_device_id, owners)
        channel = _register_channel(task.utilities_measurement_task_id, channels, document.scheduled_meter_reading_date)
        _check_system(device, task.utilties_device.smart_meter, document.scheduled_meter_reading_date)
        source = document.utilities_advanced_metering_data_source_type_code or "0"
        if source not in {"0", "1"}:
            raise DataSourceError(f"Data source {source!r} is not supported.", hint="Send 0 (stored) or 1 (on demand).")
        function = "read on demand" if source == "1" else "read"
        self.capabilities.check(device.subject_on(document.scheduled_meter_reading_date), function)
        now = self.clock.now()
        order = ReadingOrder(
            document=document.id,
            reason=document.meter_reading_reason_code,
            pick=self.codes.pick(document.meter_reading_reason_code),
            scheduled_on=document.scheduled_meter_reading_date,
            on_demand=source == "1",
            task=TaskId(channel.task),
            device=device.id,
            obis=channel.obis,
            point=_point(device, channel, document.scheduled_meter_reading_date),
            channel=channel.id,
            zone=channel.zone,
            received_at=now,
            look_at=now,
            not_before=_on_day(device, channel.zone, document.scheduled_meter_reading_date),
            not_after=device.removed_at(),
        )
        return replace(order, look_at=max(now, order_rules.first_look(order)))

    def _known_reading(
        self,
        document: Any,  # noqa: ANN401
        owners: Sequence[Device],
        channels: Sequence[Channel],
        verdict: Judgement,
    ) -> tuple[int, int, int, int]:
        task, result = document.utilities_measurement_task, document.result
        device = _owner(task.utilities_measurement_task_id, task.utilities_device.utilities_device_id, owners)
        day = result.actual_meter_reading_date or result.meter_reading_date
        moment = result.actual_meter_reading_time or result.meter_reading_time
        channel = _register_channel(task.utilities_measurement_task_id, channels, day)
        register = register_on(device, channel.task, day)
        at = instant_of(day, moment, channel.zone)
        guessed = result.meter_reading_type_code.lstrip("0") == ESTIMATED.lstrip("0")
        origin = Origin.SUBSTITUTED if guessed else Origin.MEASURED
        value = scaled_value(result.meter_reading_result_value, register, channel, self.codes.registry)
        return channel.id, int(at.timestamp()), value, quality(origin, verdict)


def _after(order: ReadingOrder, decision: order_rules.Decision, now: datetime) -> ReadingOrder:
    match decision:
        case order_rules.Answer(reading, method):
            return replace(
                order,
                note=f"estimated by {method}" if method else order.note,
                state=OrderState.SENT,
                result_at=reading.at,
                result_value=reading.value,
                result_estimated=reading.estimated,
            )
        case order_rules.Ask(until):
            attempts = order.attempts + 1
            return replace(order, state=OrderState.COLLECTING, attempts=attempts, asked_at=now, look_at=until)
        case order_rules.Wait(until):
            return replace(order, look_at=until)
        case order_rules.Fail(reason):
            return replace(order, state=OrderState.FAILED, note=reason)


def _owner(task: str, device: str, owners: Sequence[Device]) -> Device:
    if not owners:
        raise not_yet(UnknownTaskError(f"No device has measurement task {task}.", hint="Send its registers first."))
    for owner in owners:
        if bare(owner.id) == bare(device):
            return owner
    raise WrongDeviceError(
        f"Measurement task {task} belongs to device {owners[0].id}, not to {device}.", hint="Name its own device."
    )


def _register_channel(task: str, channels: Sequence[Channel], day: date) -> Channel:
    registers = [one for one in channels if not one.interval_s]
    if not registers:
        raise NotARegisterError(f"Measurement task {task} has intervals, not a register.", hint="Order its register.")
    for one in registers:
        if local_day(one.zone, day).overlap(one.span):
            return one
    raise OutsidePeriodError(f"Measurement task {task} is not valid on {day}.", hint="Send a day of its period.")


def _check_system(device: Device, smart_meter: Any, day: date) -> None:  # noqa: ANN401 - the class differs by message
    rules.check_system(device, translate.system_of(smart_meter), day)


def _point(device: Device, channel: Channel, day: date) -> str:
    span = local_day(channel.zone, day)
    own = [one for one in device.points if bare(one.task) == bare(channel.task)]
    return next((one.point for one in own if one.span.overlap(span)), own[-1].point if own else "")


def _on_day(device: Device, zone_name: str, day: date) -> datetime | None:
    instants = [one.installed_at for one in device.locations if one.installed_at]
    return next((one for one in instants if local_date(zone_name, one) == day), None)
