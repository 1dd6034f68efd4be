"""Change, withdrawal, texts, replication, reversal and corrected readings, against a scripted middle."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.messages.device import UtilitiesDeviceERPSmartMeterChangeRequest
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterCancellationBulkRequest,
    UtilitiesDeviceERPSmartMeterReplicationBulkRequest,
    UtilitiesDeviceERPSmartMeterTextBulkNotification,
)
from openami.shared.contract.enterprise.messages.inferred_reading_result import (
    SmartMeterMeterReadingDocumentERPResultChangeRequest,
)
from openami.shared.contract.enterprise.messages.inferred_time_series import (
    UtilitiesTimeSeriesERPReplicationBulkRequest,
)
from openami.shared.contract.enterprise.messages.location import UtilitiesDeviceERPSmartMeterLocationNotification
from openami.shared.contract.enterprise.messages.register import UtilitiesDeviceERPSmartMeterRegisterChangeRequest

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = pytest.mark.postgres


async def test_a_device_moves_to_another_ams(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    answer = await desk.post("/api/devices/change", device="E0001", ams="AMS2", why="new head-end")
    assert answer["ams"] == "AMS2"
    (message,) = middle.of(UtilitiesDeviceERPSmartMeterChangeRequest)
    assert message.utilities_device.id == home["device"]
    assert message.utilities_device.smart_meter is not None
    assert message.utilities_device.smart_meter.utilities_advanced_metering_system_id == "AMS2"
    await middle.confirm()
    assert (await desk.get("/api/devices/E0001"))["ams_id"] == "AMS2"
    assert (await desk.get("/api/status"))["requests_open"] == 0
    nothing = await desk.post("/api/devices/change", expect=422, device="E0001", ams="AMS2")
    assert nothing["error"] == "BadFieldError"


@pytest.mark.parametrize("agrees", [True, False])
async def test_an_announcement_is_withdrawn_when_the_middle_agrees(desk: Desk, middle: Middle, *, agrees: bool) -> None:
    await desk.post("/api/devices/receive", devices=[{"serial": "A"}, {"serial": "B"}])
    await middle.confirm()
    await desk.post("/api/devices/withdraw", devices=["A", "B"], why="wrong pallet")
    (bulk,) = middle.of(UtilitiesDeviceERPSmartMeterCancellationBulkRequest)
    assert len(bulk.items) == 2
    await middle.confirm(logs.success() if agrees else logs.failed("it has data"))
    assert (await desk.get("/api/devices/A"))["stage"] == ("removed" if agrees else "confirmed")


async def test_an_installed_device_is_not_withdrawn(desk: Desk) -> None:
    await desk.home()
    answer = await desk.post("/api/devices/withdraw", expect=422, devices=["E0001"])
    assert answer["error"] == "DeviceConflictError"


async def test_a_text_goes_to_every_named_display(desk: Desk, middle: Middle) -> None:
    await desk.home(1)
    await desk.home(2)
    await desk.post("/api/texts", devices=["E0001", "E0002"], text="Work on the cable tonight, 22:00 to 23:00.")
    (bulk,) = middle.of(UtilitiesDeviceERPSmartMeterTextBulkNotification)
    assert [item.utilities_device.text.value for item in bulk.items] == [
        "Work on the cable tonight, 22:00 to 23:00."
    ] * 2
    assert (await desk.get("/api/status"))["requests_open"] == 0
    long = await desk.post("/api/texts", expect=422, devices=["E0001"], text="x" * 1025)
    assert "1025" in long["found"]
    nobody = await desk.post("/api/texts", expect=422, text="hello")
    assert nobody["error"] == "BadFieldError"


async def test_replication_holds_everything_that_the_single_messages_said(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await desk.post("/api/devices/receive", devices=[{"serial": "NEW"}, {"serial": "SHELF"}])
    await desk.post("/api/replacements", old="E0001", new="NEW", at="2026-03-16T10:17:00+01:00", final_reading="5")
    await middle.confirm()
    answer = await desk.post("/api/replications")
    assert answer == {"devices": 3, "profiles": 2}
    (bulk,) = middle.of(UtilitiesDeviceERPSmartMeterReplicationBulkRequest)
    old, new, shelf = (item.utilities_device for item in bulk.items)
    assert {register.end_date for register in old.register} == {date(2026, 3, 15)}
    assert {register.end_date for register in new.register} == {date(9999, 12, 31)}
    assert {register.utilities_measurement_task_id for register in old.register} == {home["register"], home["channel"]}
    assert (old.location[0].end_date, len(new.location), len(shelf.location)) == (date(2026, 3, 15), 1, 0)
    (series,) = middle.of(UtilitiesTimeSeriesERPReplicationBulkRequest)
    assert series.items[0].utilities_time_series.id == home["profile"]
    await middle.confirm()
    assert (await desk.get("/api/status"))["requests_open"] == 0


async def test_an_installation_that_never_happened_is_put_back(desk: Desk, middle: Middle) -> None:
    await desk.home()
    middle.received.clear()
    await desk.post("/api/installations/reverse", device="E0001", why="wrong house")
    (registers,) = middle.of(UtilitiesDeviceERPSmartMeterRegisterChangeRequest)
    assert registers.utilities_device.register == ()
    (location,) = middle.of(UtilitiesDeviceERPSmartMeterLocationNotification)
    assert location.utilities_device.location == ()
    page = await desk.get("/api/devices/E0001")
    assert (page["stage"], page["installations"]) == ("confirmed", [])
    await desk.post("/api/installations", device="E0001", point_of_delivery="871685900000000077")
    assert (await desk.get("/api/devices/E0001"))["installations"][0]["point_id"] == "871685900000000077"
    again = await desk.post("/api/installations/reverse", expect=422, device="NOBODY")
    assert again["error"] == "UnknownDeviceError"


async def test_a_billed_installation_is_not_reversed(desk: Desk, middle: Middle) -> None:
    home = await desk.home(at="2026-03-31T00:00:00+02:00", start_reading="0")
    await middle.send(middle.upload((home["profile"], middle.day_items(date(2026, 3, 31), 100))))
    middle.clock.advance_to(middle.clock.now().replace(month=4, day=2))
    await desk.post("/api/reading-orders", month="2026-03")
    await middle.send(middle.results(middle.result(middle.orders()[-1], "4.8")))
    await desk.bill("2026-03")
    answer = await desk.post("/api/installations/reverse", expect=422, device="E0001")
    assert "is on bill" in answer["found"]


async def test_a_corrected_reading_counts_and_the_middle_is_told(desk: Desk, middle: Middle) -> None:
    await desk.home(start_reading="10")
    (reading,) = (await desk.get("/api/devices/E0001"))["readings"]
    await desk.post("/api/readings/correct", document=reading["document_id"], value="1", why="digits were swapped")
    (corrected,) = (await desk.get("/api/devices/E0001"))["readings"]
    assert (corrected["value_milli"], corrected["document_id"]) == (1000, reading["document_id"])
    (message,) = middle.of(SmartMeterMeterReadingDocumentERPResultChangeRequest)
    assert str(message.meter_reading_document.result.meter_reading_result_value) == "1.000"
    await middle.confirm()
    assert (await desk.get("/api/status"))["requests_open"] == 0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"document": "77", "value": "1", "why": "x"}, "BadFieldError"),
        ({"document": None, "value": "1", "why": "x"}, "BadFieldError"),
        ({"value": "1"}, "BadFieldError"),
        ({"value": "-1", "why": "x"}, "Implausible"),
        ({"value": "1.23456", "why": "x"}, "TooFine"),
    ],
)
async def test_a_correction_needs_a_document_a_value_and_a_reason(desk: Desk, body: dict[str, Any], error: str) -> None:
    await desk.home(start_reading="10")
    (reading,) = (await desk.get("/api/devices/E0001"))["readings"]
    answer = await desk.post("/api/readings/correct", expect=422, **({"document": reading["document_id"]} | body))
    assert answer["error"] == error


async def test_every_answer_to_a_request_of_the_office_has_a_handler(desk: Desk, middle: Middle) -> None:
    """Whatever the office has sent in this file can be refused, and the refusal is noted."""
    await desk.home(start_reading="10")
    await desk.post("/api/devices/receive", devices=[{"serial": "SPARE"}])
    (reading,) = (await desk.get("/api/devices/E0001"))["readings"]
    await desk.post("/api/devices/change", device="E0001", material="M2")
    await desk.post("/api/devices/withdraw", devices=["SPARE"])
    await desk.post("/api/replications", devices=["E0001"])
    await desk.post("/api/readings/correct", document=reading["document_id"], value="9", why="x")
    answers = middle.confirmations(logs.failed("not offered"))
    assert len(answers) == 6
    await middle.send(*answers)
    status = await desk.get("/api/status")
    assert status["requests_open"] == 0
