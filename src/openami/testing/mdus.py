"""A fake MDUS: takes what a back office sends, and does what an MDUS does, from a plan instead of from meters.

Each device is registered as soon as it has registers and a place; each reading order is answered by a value that grows
with time; each switch succeeds; each calculation gives the same quantity for every time of use.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from openami.shared.contract.enterprise import confirm, logs
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.contract.enterprise.messages import (
    connection,
    device,
    event,
    inferred_calculation,
    inferred_device,
    inferred_time_series,
    location,
    reading_order,
    reading_result,
    register,
    time_series,
)
from openami.shared.contract.enterprise.messages.common import PointOfDelivery, Quantity
from openami.shared.contract.enterprise.model import Bulk, HeadedMessage
from openami.shared.errors import OpenAmiError
from openami.testing.party import Party

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openami.shared.contract.enterprise.messages.common import Log
    from openami.shared.contract.enterprise.model import Message, Response

Event = event.UtilitiesSmartMeterEventERPCreateRequest
Switch = connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest
SwitchCancel = connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest
Switched = connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation
Order = reading_order.SmartMeterMeterReadingDocumentERPCreateRequest
Result = reading_result.MeterReadingDocumentERPResultCreateRequest
Calculation = inferred_calculation.UtilitiesTimeSeriesCalculationERPCreateRequest
Calculated = inferred_calculation.UtilitiesTimeSeriesCalculationERPCreateConfirmation
Registered = device.UtilitiesDeviceERPSmartMeterRegisteredNotification
RegisterCreate = register.UtilitiesDeviceERPSmartMeterRegisterCreateRequest
Located = location.UtilitiesDeviceERPSmartMeterLocationNotification
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


class FakeMdus(Party):
    """One fake MDUS; `reading_of` makes the value of a register on a day."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 - those of Party, after the side
        super().__init__(Side.MDUS, *args, **named)
        self.troubles: list[str] = []
        """What the back office did not take, or answered wrongly."""
        self.reading_of: Callable[[str, datetime], Decimal] = _growing
        self.in_bulk = True
        """Several things to tell go in one message; else each in its own."""
        self._held_switches: dict[str, Switch] = {}
        self.holds_back = False
        """Orders are accepted and nothing more: for processes that withdraw them."""
        self._facts: dict[str, set[str]] = {}
        self._registered: set[str] = set()

    async def answer(self, message: HeadedMessage) -> None:
        """Confirm, and do what follows."""
        items: Sequence[Any] = message.items if isinstance(message, Bulk) else (message,)
        if isinstance(items[0], Switch):
            if self.holds_back:
                self._held_switches |= {one.utilities_connection_status_change_request.id: one for one in items}
            else:
                await self._switch(message, items)
        elif isinstance(items[0], Calculation):
            await self._calculate(message, items)
        else:
            await super().answer(message)
            await self._follow(items)

    def respond(self, query: Message) -> Response | None:
        """Every device is on; every series has one value an hour."""
        if isinstance(query, inferred_device.UtilitiesDeviceERPSmartMeterOperationalStateByIDQuery):
            return self._state(query)
        if isinstance(query, time_series.UtilitiesTimeSeriesItemByIDQuery):
            return self._items(query)
        return None

    async def work(self) -> None:
        """Answer and send what waits; what goes wrong is kept for the report, and no reason to end."""
        try:
            await self.flush()
        except OpenAmiError as error:
            self._trouble(str(error))

    async def tell(self, *events: tuple[str, str], in_bulk: bool | None = None) -> list[Event]:
        """Events: device and type code; returns the messages."""
        messages = [
            Event(
                message_header=self.head(),
                utilities_smart_meter_event=Event.UtilitiesSmartMeterEvent(
                    id=f"{uuid4().int % 10**22:022}",
                    utilities_device_id=number,
                    date_time=self.clock.now(),
                    category_code="3",
                    type_code=code,
                    severity_code="3",
                    origin_type_code="1",
                ),
            )
            for number, code in events
        ]
        in_bulk = self.in_bulk if in_bulk is None else in_bulk
        await self.send(*([confirm.bulk(messages, self.head())] if in_bulk else messages))
        return messages

    async def upload(self, profile: str, items: Sequence[time_series.UtilitiesTimeSeriesItem], *, change: bool) -> Any:  # noqa: ANN401 - a generated class
        """Interval values of a profile, new or replaced."""
        kind: Any = time_series.UtilitiesTimeSeriesERPItemCreateRequest
        if change:
            kind = time_series.UtilitiesTimeSeriesERPItemChangeRequest
        one = kind(
            message_header=self.head(), utilities_time_series=kind.UtilitiesTimeSeries(id=profile, item=tuple(items))
        )
        await self.send(confirm.bulk([one], self.head()))
        return one

    async def upload_by_point(
        self, point: str, obis: str, items: Sequence[time_series.UtilitiesTimeSeriesItem]
    ) -> None:
        """Interval values of a point of delivery."""
        kind = inferred_time_series.UtilitiesTimeSeriesERPItemNotification
        content = kind.UtilitiesTimeSeries
        role = content.UtilitiesMeasurementTaskAssignmentRole(
            utilities_object_identification_system_code_text=obis,
            utilities_point_of_delivery_external_identification=PointOfDelivery(
                utilities_point_of_delivery_party_id=point
            ),
        )
        one = kind(
            message_header=self.head(),
            utilities_time_series=content(item=tuple(items), utilities_measurement_task_assignment_role=role),
        )
        await self.send(confirm.bulk([one], self.head()))

    async def read_unasked(self, device_id: str, task: str, at: datetime) -> Any:  # noqa: ANN401 - a generated class
        """A reading that nobody has ordered."""
        content = Result.MeterReadingDocument
        part = content.UtiltiesMeasurementTask
        message = Result(
            message_header=self.head(),
            meter_reading_document=content(
                meter_reading_reason_code="10",
                utilties_measurement_task=part(
                    utilities_measurement_task_id=task,
                    utilties_device=part.UtiltiesDevice(utilities_device_id=device_id),
                ),
                result=self._reading(task, at),
            ),
        )
        await self.send(message)
        return message

    def _trouble(self, text: str) -> None:
        if text not in self.troubles:
            self.troubles.append(text)

    async def _follow(self, items: Sequence[Any]) -> None:
        """What an MDUS does after it has confirmed."""
        for item in items:
            if isinstance(item, SwitchCancel):
                held = self._held_switches.pop(item.utilities_connection_status_change_request.id, None)
                if held is not None:
                    await self.send(self._switched(held, logs.failed("Withdrawn before anything was done.")))
            if isinstance(item, RegisterCreate | Located):
                self._facts.setdefault(item.utilities_device.id, set()).add(type(item).__name__)
        ready = [number for number, facts in self._facts.items() if len(facts) == 2 and number not in self._registered]
        self._registered |= set(ready)
        await self._send_all([self._registration(number) for number in ready], always_bulk=self.in_bulk)
        if not self.holds_back:
            results = [self._result(item) for item in items if isinstance(item, Order)]
            await self._send_all(results, always_bulk=self.in_bulk)

    async def _send_all(self, messages: Sequence[HeadedMessage], *, always_bulk: bool = False) -> None:
        if messages and self.in_bulk and (always_bulk or len(messages) > 1):
            await self.send(confirm.bulk(messages, self.head()))
        else:
            await self.send(*messages)

    def _registration(self, number: str) -> Registered:
        content = Registered.UtilitiesDevice
        meter = content.SmartMeter(start_date=self.clock.now().date(), utilities_advanced_metering_system_id="AMS1")
        return Registered(message_header=self.head(), utilities_device=content(id=number, smart_meter=meter))

    def _result(self, order: Order) -> Result:
        asked = order.meter_reading_document
        task = asked.utilties_measurement_task
        content = Result.MeterReadingDocument
        at = datetime.combine(asked.scheduled_meter_reading_date, time(23, 59, 59), tzinfo=UTC)
        return Result(
            message_header=self.head(),
            meter_reading_document=content(
                id=asked.id,
                meter_reading_reason_code=asked.meter_reading_reason_code,
                scheduled_meter_reading_date=asked.scheduled_meter_reading_date,
                utilties_measurement_task=content.UtiltiesMeasurementTask(
                    utilities_measurement_task_id=task.utilities_measurement_task_id
                ),
                result=self._reading(task.utilities_measurement_task_id, at),
            ),
        )

    def _reading(self, task: str, at: datetime) -> Result.MeterReadingDocument.Result:
        return Result.MeterReadingDocument.Result(
            actual_meter_reading_date=at.date(),
            actual_meter_reading_time=at.time().replace(microsecond=0),
            meter_reading_type_code="01",
            meter_reading_result_value=self.reading_of(task, at),
        )

    async def _switch(self, message: HeadedMessage, requests: Sequence[Switch]) -> None:
        """Everything is switched at once; a bulk is answered in bulk."""
        answers = [self._switched(one) for one in requests]
        if not isinstance(message, Bulk):
            await self.send(answers[0])
            return
        log = logs.overall([one.log for one in answers])
        await self.send(confirm.bulk_confirmation(answers, self.head(reply_to=message.message_header), log))

    def _switched(self, request: Switch, refusal: Log | None = None) -> Switched:
        asked = request.utilities_connection_status_change_request
        content = Switched.UtilitiesConnectionStatusChangeRequest
        log = refusal or self._log_of(request)
        code = "1" if logs.is_success(log) else "2"
        results = tuple(
            content.DeviceConnectionStatus(
                processing_date_time=self.clock.now(),
                utilities_device_connection_status_processing_result_code=code,
                utilities_device_id=one.utilities_device_id,
            )
            for one in asked.device_connection_status
        )
        return Switched(
            message_header=self.head(reply_to=request.message_header),
            utilities_connection_status_change_request=content(
                id=asked.id, category_code=asked.category_code, device_connection_status=results
            ),
            log=log,
        )

    async def _calculate(self, message: HeadedMessage, orders: Sequence[Calculation]) -> None:
        answers = [self._calculated(one) for one in orders]
        log = logs.overall([one.log for one in answers])
        await self.send(confirm.bulk_confirmation(answers, self.head(reply_to=message.message_header), log))

    def _calculated(self, order: Calculation) -> Calculated:
        asked = order.utilities_time_series_calculation
        content = Calculated.UtilitiesTimeSeriesCalculation
        codes = dict.fromkeys(one.utilities_time_of_use_code for one in asked.time_of_use_period)
        named = [*(codes or asked.utilities_time_of_use_code)] or [None]
        results = tuple(
            content.Result(
                utilities_time_of_use_code=code,
                quantity=Quantity(value=Decimal(10), unit_code=asked.measure_unit_code),
                utilities_time_series_item_type_code="01",
            )
            for code in named
        )
        return Calculated(
            message_header=self.head(reply_to=order.message_header),
            utilities_time_series_calculation=content(
                id=asked.id, utilities_time_series_id=asked.utilities_time_series_id, result=results
            ),
            log=self._log_of(order),
        )

    def _state(self, query: Any) -> Response:  # noqa: ANN401 - a generated class
        kind = inferred_device.UtilitiesDeviceERPSmartMeterOperationalStateByIDResponse
        content = kind.UtilitiesDevice(
            id=query.utilities_device_selection_by_id.utilities_device_id,
            operational_state_code="ON",
            operational_state_date_time=self.clock.now(),
        )
        return kind(utilities_device=content, log=logs.success())

    def _items(self, query: time_series.UtilitiesTimeSeriesItemByIDQuery) -> Response:
        kind = time_series.UtilitiesTimeSeriesItemByIDResponse
        content = kind.UtilitiesTimeSeries
        wanted = query.utilities_time_series_item_selection_by_id
        period = wanted.utilities_time_series_item_validity_period
        start = period.start_date_time or EPOCH.replace(tzinfo=None)
        end = period.end_date_time or start + timedelta(days=1)
        hours = min(24 * 366, max(1, int((end - start).total_seconds() // 3600)))
        items = tuple(
            content.Item(
                quantity=Quantity(value=Decimal("0.5"), unit_code="KWH"),
                utc_validity_start_date_time=start + timedelta(hours=hour),
                utc_validity_end_date_time=start + timedelta(hours=hour + 1),
                status=(content.Item.Status(code="01"),),
            )
            for hour in range(hours)
        )
        series = content(id=wanted.utilities_time_series_id, measure_unit_code="KWH", item=items)
        return kind(utilities_time_series=series, log=logs.success())


def _growing(_task: str, at: datetime) -> Decimal:
    """A register that counts one unit an hour."""
    return Decimal(int((at - EPOCH).total_seconds() // 3600))
