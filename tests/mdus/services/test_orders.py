"""Reading orders: accepted or refused at once, answered from the store or by the AMS, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract import field as cim
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk, confirmation_for
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.messages.common import SmartMeter
from openami.shared.contract.enterprise.messages.event import UtilitiesSmartMeterEventERPBulkCreateRequest
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPBulkCreateConfirmation,
    SmartMeterMeterReadingDocumentERPCancellationConfirmation,
    SmartMeterMeterReadingDocumentERPCreateConfirmation,
)
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPCancellationRequest as Cancel,
)
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPCreateRequest as Order,
)
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultBulkCreateRequest,
    MeterReadingDocumentERPResultCreateRequest,
    SmartMeterMeterReadingDocumentERPResultCreateConfirmation,
)
from openami.shared.contract.enterprise.messages.reading_result import (
    SmartMeterMeterReadingDocumentERPResultCreateRequest as Known,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

DAILY = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.daily"].code)
NOW_TYPE = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.register"].code)
AMS = SmartMeter(utilities_advanced_metering_system_id="AMS1")
END_OF_MARCH_1 = datetime(2026, 3, 1, 23, tzinfo=UTC)


def order(
    world: Any, home: Any, number: str = "1", *, reason: str = "01", day: date = date(2026, 3, 1), source: str = "0"
) -> Order:
    content = Order.MeterReadingDocument
    task = content.UtiltiesMeasurementTask
    return Order(
        message_header=header(world.clock.now(), sender="OFFICE"),
        meter_reading_document=content(
            id=number.rjust(20, "0"),
            meter_reading_reason_code=reason,
            scheduled_meter_reading_date=day,
            utilities_advanced_metering_data_source_type_code=source,
            utilties_measurement_task=task(
                utilities_measurement_task_id=home.register,
                utilities_object_identification_system_code_text="1-0:1.8.0",
                utilties_device=task.UtiltiesDevice(utilities_device_id=home.device, smart_meter=AMS),
            ),
        ),
    )


def known(world: Any, home: Any, value: str, at: datetime, reason: str = "21") -> Known:
    content = Known.MeterReadingDocument
    local = at.astimezone(UTC) + timedelta(hours=1)
    return Known(
        message_header=header(world.clock.now(), sender="OFFICE"),
        meter_reading_document=content(
            id="900",
            meter_reading_reason_code=reason,
            utilities_measurement_task=content.UtilitiesMeasurementTask(
                utilities_measurement_task_id=home.register,
                utilities_device=content.UtilitiesMeasurementTask.UtilitiesDevice(
                    utilities_device_id=home.device, smart_meter=AMS
                ),
            ),
            result=content.Result(
                meter_reading_date=local.date(),
                meter_reading_time=local.time(),
                meter_reading_type_code="01",
                meter_reading_result_value=Decimal(value),
            ),
        ),
    )


def dial(world: Any, home: Any, at: datetime, value: str, code: cim.ReadingTypeCode = DAILY) -> cim.Envelope:
    one = cim.MeterReading(meter=home.identity, readings=(cim.Reading(reading_type=code, at=at, value=Decimal(value)),))
    return cim.event(cim.Verb.CREATED, cim.MeterReadings((one,)), source="AMS1", at=world.clock.now())


def results(world: Any) -> list[Any]:
    single = world.heard(MeterReadingDocumentERPResultCreateRequest)
    many = world.heard(MeterReadingDocumentERPResultBulkCreateRequest)
    return [one.meter_reading_document for one in [*single, *(item for each in many for item in each.items)]]


def accepted(world: Any) -> list[bool]:
    return [logs.is_success(one.log) for one in world.heard(SmartMeterMeterReadingDocumentERPCreateConfirmation)]


@pytest.fixture
async def street(world: Any, home: Any) -> Any:
    await world.office(*home.initialization())
    world.office_heard.clear()
    world.ams_heard.clear()
    return world


async def test_a_periodic_order_waits_for_its_day_and_takes_the_midnight_after(street: Any, home: Any):
    await street.office(order(street, home))
    assert accepted(street) == [True]
    await street.until(END_OF_MARCH_1 + timedelta(minutes=20))
    assert results(street) == []
    await street.ams(dial(street, home, END_OF_MARCH_1, "123.456"))
    (found,) = results(street)
    assert found.id == "1".rjust(20, "0")
    assert found.utilties_measurement_task.utilties_device.utilities_device_id == home.device
    assert (
        found.utilties_measurement_task.utilities_point_of_delivery.utilities_point_of_delivery_party_id == home.point
    )
    result = found.result
    assert (result.actual_meter_reading_date, result.actual_meter_reading_time) == (date(2026, 3, 1), time(23, 59, 59))
    assert (result.meter_reading_result_value, result.meter_reading_type_code) == (Decimal("123.456"), "01")
    assert street.ams_heard == [], "nothing had to be asked for"


async def test_an_order_for_a_day_that_is_stored_is_answered_at_once(street: Any, home: Any):
    street.clock.advance_to(END_OF_MARCH_1 + timedelta(days=3))
    await street.ams(dial(street, home, END_OF_MARCH_1, "123.456"))
    message = order(street, home)
    await street.office(message, message)
    assert len(results(street)) == 1
    await street.office(message)
    assert len(results(street)) == 1, "a repeat brings the stored confirmation, not a second result"


async def test_a_bulk_order_is_confirmed_item_by_item_and_answered_in_bulk(street: Any, homes: Callable[..., Any]):
    others = [homes(number) for number in (2, 3)]
    for one in others:
        await street.office(*one.initialization())
    street.clock.advance_to(END_OF_MARCH_1 + timedelta(hours=1))
    for index, one in enumerate(others):
        await street.ams(dial(street, one, END_OF_MARCH_1, f"10{index}.5"))
    good = [order(street, one, str(10 + index)) for index, one in enumerate(others)]
    odd = order(street, others[0], "12", reason="77")
    await street.office(bulk([*good, odd], header(street.clock.now(), sender="OFFICE")))
    (answer,) = street.heard(SmartMeterMeterReadingDocumentERPBulkCreateConfirmation)
    assert [logs.is_success(one.log) for one in answer.items] == [True, True, False]
    assert answer.items[2].log.item[0].type_id == "3001"
    (message,) = street.heard(MeterReadingDocumentERPResultBulkCreateRequest)
    values = [item.meter_reading_document.result.meter_reading_result_value for item in message.items]
    assert values == [Decimal("100.500"), Decimal("101.500")]


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"utilities_measurement_task_id": "201".rjust(18, "0")}, "3002"),
        ({"utilties_device": "4712"}, "3008"),
        ({"scheduled_meter_reading_date": date(2026, 1, 1)}, "3003"),
        ({"utilities_advanced_metering_data_source_type_code": "7"}, "3007"),
        ({"meter_reading_reason_code": "XX"}, "3001"),
    ],
)
async def test_an_order_that_cannot_be_is_refused_with_its_reason(
    street: Any, home: Any, change: dict[str, Any], number: str
):
    message = order(street, home)
    document = message.meter_reading_document
    task = document.utilties_measurement_task
    ((name, value),) = change.items()
    if name == "utilties_device":
        task = replace(task, utilties_device=replace(task.utilties_device, utilities_device_id=value))
    elif name == "utilities_measurement_task_id":
        task = replace(task, utilities_measurement_task_id=value)
    else:
        document = replace(document, **change)
    document = replace(document, utilties_measurement_task=task)
    await street.office(replace(message, meter_reading_document=document))
    (refusal,) = street.heard(SmartMeterMeterReadingDocumentERPCreateConfirmation)
    assert (refusal.log.business_document_processing_result_code, refusal.log.item[0].type_id) == ("5", number)
    assert (await street.api("/api/orders"))["orders"] == []


async def test_a_second_order_under_a_known_number_is_refused(street: Any, home: Any):
    await street.office(order(street, home), order(street, home))
    assert accepted(street) == [True, False]


async def test_a_reading_on_demand_is_read_from_the_device_now(street: Any, home: Any):
    street.clock.advance_to(datetime(2026, 3, 10, 9, tzinfo=UTC))
    await street.ams(dial(street, home, datetime(2026, 3, 9, 23, tzinfo=UTC), "100.000"))
    await street.office(order(street, home, day=date(2026, 3, 10), source="1", reason="10"))
    (question,) = street.told(cim.Verb.GET, "MeterReadings")
    assert question.request.option("source") == "device"
    assert results(street) == []
    now = street.clock.now()
    one = cim.MeterReading(
        meter=home.identity, readings=(cim.Reading(reading_type=NOW_TYPE, at=now, value=Decimal("104.321")),)
    )
    answer = cim.reply_to(question.header, source="AMS1", at=now, payload=cim.MeterReadings((one,)))
    await street.ams(answer)
    await street.ams(answer)
    (found,) = results(street)
    assert found.result.meter_reading_result_value == Decimal("104.321")
    assert found.result.actual_meter_reading_time == time(10, 0)


async def test_a_missing_reading_is_asked_for_and_in_the_end_reported(street: Any, home: Any):
    config = cim.MeterConfig(meters=(cim.Meter(serial_number=home.serial, names=home.identity.names),))
    await street.ams(cim.event(cim.Verb.CREATED, config, source="AMS1", at=street.clock.now()))
    await street.office(order(street, home))
    await street.until(END_OF_MARCH_1 + timedelta(hours=11))
    assert street.told(cim.Verb.GET, "MeterReadings") == []
    await street.until(END_OF_MARCH_1 + timedelta(hours=13))
    (question,) = street.told(cim.Verb.GET, "MeterReadings")
    assert question.request.query.period.start == datetime(2026, 2, 28, 23, tzinfo=UTC)
    await street.until(END_OF_MARCH_1 + timedelta(days=6))
    assert len(street.told(cim.Verb.GET, "MeterReadings")) == 3
    assert results(street) == []
    ((event,),) = [one.items for one in street.heard(UtilitiesSmartMeterEventERPBulkCreateRequest)]
    assert event.utilities_smart_meter_event.type_code == "8001"
    (shown,) = (await street.api("/api/orders"))["orders"]
    assert shown["state"] == "failed"


async def test_a_reading_that_nobody_took_is_estimated_and_says_so(street: Any, home: Any):
    """E19: 10 kWh in ten days go on for nine more."""
    config = cim.MeterConfig(meters=(cim.Meter(serial_number=home.serial, names=home.identity.names),))
    await street.ams(cim.event(cim.Verb.CREATED, config, source="AMS1", at=street.clock.now()))
    for day, value in ((0, "100.000"), (10, "110.000")):
        at = END_OF_MARCH_1 + timedelta(days=day)
        street.clock.advance_to(at + timedelta(minutes=5))
        await street.ams(dial(street, home, at, value))
    await street.office(order(street, home, day=date(2026, 3, 20)), order(street, home, "2", day=date(2026, 3, 20)))
    end = END_OF_MARCH_1 + timedelta(days=19)
    await street.until(end + timedelta(days=2))
    assert results(street) == [], "first the AMS is asked"
    await street.until(end + timedelta(days=6))
    for found in results(street):
        result = found.result
        assert (result.meter_reading_result_value, result.meter_reading_type_code) == (Decimal("119.000"), "02")
        assert result.actual_meter_reading_date == date(2026, 3, 20)
        assert result.actual_meter_reading_time == time(23, 59, 59)
    shown = (await street.api("/api/orders"))["orders"]
    assert [(one["state"], one["note"]) for one in shown] == [("result sent", "estimated by E19")] * 2
    assert street.heard(UtilitiesSmartMeterEventERPBulkCreateRequest) == []


async def test_the_answer_to_the_question_fulfils_the_order(street: Any, home: Any):
    await street.office(order(street, home))
    await street.until(END_OF_MARCH_1 + timedelta(hours=13))
    await street.ams(dial(street, home, END_OF_MARCH_1, "55.5"))
    assert [one.result.meter_reading_result_value for one in results(street)] == [Decimal("55.500")]
    await street.until(END_OF_MARCH_1 + timedelta(days=6))
    assert len(street.told(cim.Verb.GET, "MeterReadings")) == 1


async def test_an_open_order_can_be_cancelled_and_a_done_one_not(street: Any, home: Any):
    await street.office(order(street, home, "1"), order(street, home, "2", day=date(2026, 3, 2)))
    content = Cancel.MeterReadingDocument
    cancel = [
        Cancel(
            message_header=header(street.clock.now(), sender="OFFICE"),
            meter_reading_document=content(id=number, utilities_device_smart_meter=AMS),
        )
        for number in ("2", "1")
    ]
    await street.office(cancel[0])
    await street.until(END_OF_MARCH_1 + timedelta(minutes=20))
    await street.ams(dial(street, home, END_OF_MARCH_1, "1.0"))
    await street.office(cancel[1])
    answers = street.heard(SmartMeterMeterReadingDocumentERPCancellationConfirmation)
    assert [logs.is_success(one.log) for one in answers] == [True, False]
    assert answers[1].log.item[0].type_id == "3006"
    await street.until(END_OF_MARCH_1 + timedelta(days=2))
    assert [one.id.lstrip("0") for one in results(street)] == ["1"]


async def test_what_the_back_office_says_of_a_result_is_recorded(street: Any, home: Any):
    street.clock.advance_to(END_OF_MARCH_1 + timedelta(hours=1))
    await street.ams(dial(street, home, END_OF_MARCH_1, "1.0"))
    await street.office(order(street, home))
    (result,) = street.heard(MeterReadingDocumentERPResultCreateRequest)
    await street.office(confirmation_for(result, logs.failed("implausible"), created=street.clock.now()))
    (shown,) = (await street.api("/api/orders"))["orders"]
    assert (shown["state"], "implausible" in shown["note"]) == ("result refused", True)


async def test_readings_known_to_the_back_office_frame_a_swap(street: Any, homes: Callable[..., Any]):
    at = datetime(2026, 3, 16, 10, 20, tzinfo=UTC)
    old = homes(5)
    await street.office(*old.initialization())
    street.clock.advance_to(at + timedelta(hours=1))
    old.until = at
    await street.office(old.located(), old.pointed(old.register), known(street, old, "777.125", at, "22"))
    (confirmed,) = street.heard(SmartMeterMeterReadingDocumentERPResultCreateConfirmation)
    assert logs.is_success(confirmed.log)
    await street.office(order(street, old, "50", reason="22", day=date(2026, 3, 16)))
    (found,) = results(street)
    assert found.result.meter_reading_result_value == Decimal("777.125")
    assert found.result.actual_meter_reading_time == time(11, 20)
