"""Device initialization, replacement and their messages, against a scripted middle."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract.enterprise import confirm, logs
from openami.shared.contract.enterprise.messages.device import (
    UtilitiesDeviceERPSmartMeterBulkCreateRequest,
    UtilitiesDeviceERPSmartMeterCreateRequest,
    UtilitiesDeviceERPSmartMeterRegisteredBulkNotification,
    UtilitiesDeviceERPSmartMeterRegisteredNotification,
)
from openami.shared.contract.enterprise.messages.location import UtilitiesDeviceERPSmartMeterLocationNotification
from openami.shared.contract.enterprise.messages.measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification,
)
from openami.shared.contract.enterprise.messages.reading_result import (
    SmartMeterMeterReadingDocumentERPResultCreateRequest,
)
from openami.shared.contract.enterprise.messages.register import (
    UtilitiesDeviceERPSmartMeterRegisterChangeRequest,
    UtilitiesDeviceERPSmartMeterRegisterCreateRequest,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest,
)

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = pytest.mark.postgres
POINT = "871685900000000001"


def _registered(middle: Middle, device_id: str) -> UtilitiesDeviceERPSmartMeterRegisteredNotification:
    kind = UtilitiesDeviceERPSmartMeterRegisteredNotification
    return kind(
        message_header=middle.header(),
        utilities_device=kind.UtilitiesDevice(
            id=device_id,
            smart_meter=kind.UtilitiesDevice.SmartMeter(utilities_advanced_metering_system_id="AMS1"),
        ),
    )


async def _stage(desk: Desk, name: str) -> str:
    return str((await desk.get(f"/api/devices/{name}"))["stage"])


async def test_a_goods_receipt_is_one_bulk_message_with_an_id_per_device(desk: Desk, middle: Middle) -> None:
    answer = await desk.post("/api/devices/receive", devices=[{"serial": "A"}, {"serial": "B", "kind": "gas"}])
    (bulk,) = middle.of(UtilitiesDeviceERPSmartMeterBulkCreateRequest)
    sent = [item.utilities_device for item in bulk.items]
    assert [device.serial_id for device in sent] == ["A", "B"]
    assert [device.id for device in sent] == [device["id"] for device in answer["devices"]]
    assert all(len(device.id) == 18 for device in sent)
    assert sent[0].start_date == date(2026, 2, 28)
    assert await _stage(desk, "A") == "received"


async def test_a_large_receipt_is_split_by_the_size_of_a_bulk(desk: Desk, middle: Middle) -> None:
    await desk.post("/api/devices/receive", devices=[{"serial": f"S{number}"} for number in range(450)])
    bulks = middle.of(UtilitiesDeviceERPSmartMeterBulkCreateRequest)
    assert [len(bulk.items) for bulk in bulks] == [200, 200, 50]


async def test_confirmation_by_reference_of_the_item(desk: Desk, middle: Middle) -> None:
    await desk.post("/api/devices/receive", devices=[{"serial": "A"}, {"serial": "B"}])
    (bulk,) = middle.of(UtilitiesDeviceERPSmartMeterBulkCreateRequest)
    answer = confirm.confirmation_for(
        bulk, [logs.success(), logs.failed("serial is unknown to the maker")], created=middle.clock.now()
    )
    await middle.send(answer)
    assert await _stage(desk, "A") == "confirmed"
    refused = await desk.get("/api/devices/B")
    assert refused["stage"] == "refused"
    assert "serial is unknown" in refused["refusal"]
    status = await desk.get("/api/status")
    assert status["requests_open"] == 0


async def test_a_repeated_confirmation_changes_nothing(desk: Desk, middle: Middle) -> None:
    await desk.post("/api/devices/receive", devices=[{"serial": "A"}])
    (bulk,) = middle.of(UtilitiesDeviceERPSmartMeterBulkCreateRequest)
    good = confirm.confirmation_for(bulk, [logs.success()], created=middle.clock.now())
    bad = confirm.confirmation_for(bulk, [logs.failed("too late")], created=middle.clock.now())
    await middle.send(good, good, bad)
    assert await _stage(desk, "A") == "confirmed"


async def test_a_confirmation_of_nothing_is_refused_and_shown(desk: Desk, middle: Middle) -> None:
    kind = UtilitiesDeviceERPSmartMeterCreateRequest
    stranger = kind(
        message_header=middle.header(),
        utilities_device=kind.UtilitiesDevice(
            id="1", start_date=date(2026, 1, 1), end_date=date(9999, 12, 31), serial_id="X", material_id="M"
        ),
    )
    await middle.send(confirm.confirmation_for(stranger, logs.success(), created=middle.clock.now()))
    async with middle.area.database.engine.connect() as connection:  # type: ignore[union-attr]
        rows = (await connection.exec_driver_sql("SELECT state, error FROM inbox")).all()
    assert rows[0].state == "refused"
    assert "has not sent" in rows[0].error


async def test_installation_tells_registers_location_point_and_profile(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    (created,) = middle.of(UtilitiesDeviceERPSmartMeterRegisterCreateRequest)
    registers = created.utilities_device.register
    assert [each.utilities_measurement_task_id for each in registers] == [home["register"], home["channel"]]
    assert [each.utilities_object_identification_system_code_text for each in registers] == ["1-0:1.8.0", "1-0:1.29.0"]
    assert [each.utilities_measurement_recurrence_code for each in registers] == [None, "30"]
    assert {each.time_zone_code for each in registers} == {"CET"}
    (located,) = middle.of(UtilitiesDeviceERPSmartMeterLocationNotification)
    (place,) = located.utilities_device.location
    assert place.modification_information is not None
    assert place.modification_information.installation_time == time(10, 0)
    assert place.end_date == date(9999, 12, 31)
    assigned = middle.of(SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification)
    assert {each.utilities_measurement_task.id for each in assigned} == {home["register"], home["channel"]}
    (series,) = middle.of(UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest)
    assert series.utilities_time_series.id == home["profile"]
    (role,) = series.utilities_time_series.measurement_task_assignment_role
    assert role.utilities_measurement_task_id == home["channel"]
    assert (role.start_date, role.start_time) == (date(2026, 2, 28), time(10, 0))


@pytest.mark.parametrize("registered_first", [True, False])
async def test_registration_is_accepted_before_and_after_installation(
    desk: Desk, middle: Middle, *, registered_first: bool
) -> None:
    received = await desk.post("/api/devices/receive", devices=[{"serial": "A"}])
    device_id = received["devices"][0]["id"]
    if registered_first:
        await middle.send(_registered(middle, device_id))
    await desk.post("/api/installations", device="A", point_of_delivery=POINT)
    if not registered_first:
        await middle.send(_registered(middle, device_id.lstrip("0")))
    await middle.send(_registered(middle, device_id))
    await middle.confirm()
    assert await _stage(desk, "A") == "registered"


async def test_a_replacement_ends_the_old_device_and_begins_the_new(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await desk.post("/api/devices/receive", devices=[{"serial": "NEW"}])
    await middle.confirm()
    middle.received.clear()
    await desk.post(
        "/api/replacements",
        old=home["serial"],
        new="NEW",
        at="2026-03-16T10:17:00+01:00",
        final_reading="1234.567",
        start_reading="0.001",
    )
    (ended,) = middle.of(UtilitiesDeviceERPSmartMeterRegisterChangeRequest)
    assert ended.utilities_device.register_list_complete_transmission_indicator is True
    assert {each.end_date for each in ended.utilities_device.register} == {date(2026, 3, 15)}
    locations = middle.of(UtilitiesDeviceERPSmartMeterLocationNotification)
    old_place = locations[0].utilities_device.location[0]
    assert old_place.end_date == date(2026, 3, 15)
    assert old_place.modification_information is not None
    assert old_place.modification_information.remove_time == time(10, 17)
    known = middle.of(SmartMeterMeterReadingDocumentERPResultCreateRequest)
    shown = {
        each.meter_reading_document.meter_reading_reason_code: str(
            each.meter_reading_document.result.meter_reading_result_value
        )
        for each in known
    }
    assert shown == {"22": "1234.567", "21": "0.001"}
    await middle.confirm()
    assert (await desk.get("/api/status"))["requests_open"] == 0
    assert await _stage(desk, home["serial"]) == "removed"
    assert await _stage(desk, "NEW") == "installed"
    assert (await desk.get("/api/devices/NEW"))["installations"][0]["point_id"] == home["point"]


async def test_without_a_final_reading_the_removal_is_ordered(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await desk.post("/api/devices/receive", devices=[{"serial": "NEW"}])
    await desk.post("/api/replacements", old=home["serial"], new="NEW", at="2026-03-16T10:17:00+01:00")
    (order,) = middle.orders()
    assert order.meter_reading_document.meter_reading_reason_code == "22"
    assert order.meter_reading_document.scheduled_meter_reading_date == date(2026, 3, 16)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"devices": [{"kind": "electricity"}]}, "BadFieldError"),
        ({"devices": [{"serial": "A", "kind": "steam"}]}, "BadFieldError"),
        ({"devices": [{"serial": "A", "interval_s": 60}]}, "BadFieldError"),
        ({"devices": [{"serial": "A"}, {"serial": "A"}]}, "BadFieldError"),
        ({"devices": []}, "BadFieldError"),
        ({"devices": ["A"]}, "BadFieldError"),
        ({"devices": [{"serial": "E0001"}]}, "DeviceConflictError"),
    ],
)
async def test_a_receipt_that_cannot_be_says_why(desk: Desk, body: dict[str, Any], error: str) -> None:
    await desk.post("/api/devices/receive", devices=[{"serial": "E0001"}])
    answer = await desk.post("/api/devices/receive", expect=422, **body)
    assert answer["error"] == error
    assert answer["found"]
    assert answer["hint"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"device": "nobody", "point_of_delivery": "P9"}, "UnknownDeviceError"),
        ({"device": "E0001", "point_of_delivery": "P9"}, "DeviceConflictError"),
        ({"device": "FREE", "point_of_delivery": POINT}, "DeviceConflictError"),
        ({"device": "GAS", "point_of_delivery": POINT}, "DeviceConflictError"),
        ({"device": "FREE"}, "BadFieldError"),
        ({"device": "FREE", "point_of_delivery": "P9", "installed_at": "2026-03-01T10:00:00"}, "BadFieldError"),
        ({"device": "FREE", "point_of_delivery": "P9", "start_reading": 1.5}, "BadFieldError"),
        ({"device": "FREE", "point_of_delivery": "P9", "customer": {"id": "K", "name": "N"},
          "contract": {"tariff": "home-gas"}}, "TariffError"),
        ({"device": "FREE", "point_of_delivery": "P9", "customer": {"id": "K", "name": "N"},
          "contract": {"tariff": "none"}}, "UnknownTariffError"),
    ],
)  # fmt: skip
async def test_an_installation_that_cannot_be_says_why_and_leaves_nothing(
    desk: Desk, middle: Middle, body: dict[str, Any], error: str
) -> None:
    await desk.home()
    await desk.post("/api/devices/receive", devices=[{"serial": "FREE"}, {"serial": "GAS", "kind": "gas"}])
    before = len(middle.received)
    answer = await desk.post("/api/installations", expect=422, **body)
    assert answer["error"] == error
    assert len(middle.received) == before
    assert [each["id"] for each in await desk.get("/api/customers")] == ["K1"]


async def test_a_command_is_done_once_and_answered_always(desk: Desk, middle: Middle) -> None:
    body: dict[str, Any] = {"id": "receipt-7", "devices": [{"serial": "A"}]}
    first = await desk.post("/api/devices/receive", **body)
    again = await desk.post("/api/devices/receive", **body)
    assert first == again
    assert len(middle.received) == 1
    other = await desk.post("/api/devices/receive", expect=422, id="receipt-7", devices=[{"serial": "B"}])
    assert other["error"] == "CommandRepeatedError"


async def test_a_command_that_failed_may_be_repeated(desk: Desk) -> None:
    body: dict[str, Any] = {"id": "x", "device": "A", "point_of_delivery": POINT}
    await desk.post("/api/installations", expect=422, **body)
    await desk.post("/api/devices/receive", devices=[{"serial": "A"}])
    await desk.post("/api/installations", **body)


async def test_the_idempotency_key_may_come_as_a_header(desk: Desk) -> None:
    first = await desk.post("/api/devices/receive", key="k1", devices=[{"serial": "A"}])
    assert await desk.post("/api/devices/receive", key="k1", devices=[{"serial": "A"}]) == first


async def test_only_another_device_of_the_same_kind_takes_the_place(desk: Desk) -> None:
    await desk.home(at="2026-02-27T10:00:00+01:00")
    await desk.post("/api/devices/receive", devices=[{"serial": "GAS", "kind": "gas"}])
    for new, said in (("GAS", "delivers electricity, GAS measures gas"), ("E0001", "cannot replace itself")):
        answer = await desk.post("/api/replacements", expect=422, old="E0001", new=new, final_reading="5")
        assert answer["error"] == "DeviceConflictError"
        assert said in answer["found"]
        assert answer["hint"]
    page = await desk.get("/api/devices/E0001")
    assert page["stage"] != "removed"
    assert page["installations"][0]["end"] is None


async def test_a_serial_number_stays_with_one_device(desk: Desk) -> None:
    await desk.post("/api/devices/receive", devices=[{"serial": "A"}, {"serial": "B"}])
    answer = await desk.post("/api/devices/change", expect=422, device="A", serial="B")
    assert answer["error"] == "DeviceConflictError"
    assert (await desk.post("/api/devices/change", device="A", serial="C"))["serial"] == "C"


async def test_of_a_bulk_of_registrations_one_unknown_device_hurts_no_other(desk: Desk, middle: Middle) -> None:
    receipt = await desk.post("/api/devices/receive", devices=[{"serial": "A"}, {"serial": "B"}])
    one, other = (_registered(middle, device["id"]) for device in receipt["devices"])
    stranger = _registered(middle, "9" * 18)
    bulk = UtilitiesDeviceERPSmartMeterRegisteredBulkNotification(
        message_header=middle.header(), items=(one, stranger, other)
    )
    await middle.send(bulk)
    assert [(await desk.get(f"/api/devices/{name}"))["registered_at"] is not None for name in "AB"] == [True, True]
