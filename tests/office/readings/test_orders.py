"""Single reading orders, on demand or stored, and their withdrawal, against a scripted middle."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract.enterprise import confirm, logs
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPCancellationRequest,
)
from openami.shared.contract.enterprise.messages.reading_result import MeterReadingDocumentERPResultCreateConfirmation

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = pytest.mark.postgres


async def test_a_reading_on_demand_is_one_order_and_one_confirmed_result(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    made = await desk.post("/api/readings", device="E0001", source="1")
    (order,) = middle.orders()
    document = order.meter_reading_document
    assert (document.id, document.meter_reading_reason_code) == (made["order"], "10")
    assert document.utilities_advanced_metering_data_source_type_code == "1"
    assert document.utilties_measurement_task.utilities_measurement_task_id == home["register"]
    await middle.send(middle.result(order, "12.345", time="08:00:00"))
    (answer,) = middle.of(MeterReadingDocumentERPResultCreateConfirmation)
    assert logs.is_success(answer.log)
    assert (await desk.get("/api/orders"))[0]["state"] == "fulfilled"


@pytest.mark.parametrize("in_time", [True, False])
async def test_an_order_is_withdrawn_unless_its_result_came(desk: Desk, middle: Middle, *, in_time: bool) -> None:
    await desk.home()
    made = await desk.post("/api/readings", device="E0001", reason="10", day="2026-02-28")
    (order,) = middle.orders()
    await desk.post("/api/reading-orders/cancel", order=made["order"])
    (cancel,) = middle.of(SmartMeterMeterReadingDocumentERPCancellationRequest)
    log = logs.success() if in_time else logs.failed("already being processed")
    await middle.send(confirm.confirmation_for(cancel, log, created=middle.clock.now()))
    assert (await desk.get("/api/orders"))[0]["state"] == ("cancelled" if in_time else "accepted")
    await middle.send(middle.result(order, "5"))
    answers = middle.of(MeterReadingDocumentERPResultCreateConfirmation)
    assert logs.is_success(answers[-1].log) is not in_time
    again = await desk.post("/api/reading-orders/cancel", expect=422, order=made["order"])
    assert again["error"] == "OrderConflictError"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"device": "SHELF"}, "OrderConflictError"),
        ({"device": "E0001", "reason": "77"}, "BadFieldError"),
        ({"device": "E0001", "source": "9"}, "BadFieldError"),
    ],
)
async def test_an_order_that_cannot_be_says_why(desk: Desk, body: dict[str, Any], error: str) -> None:
    await desk.home()
    await desk.post("/api/devices/receive", devices=[{"serial": "SHELF"}])
    answer = await desk.post("/api/readings", expect=422, **body)
    assert answer["error"] == error


async def test_the_billing_loop_works_by_itself_and_says_what_is_left(desk: Desk, middle: Middle) -> None:
    await desk.home()
    middle.clock.advance_to(middle.clock.now().replace(month=4, day=2))
    await desk.post("/api/billing-runs", month="2026-03")
    (ask,) = middle.area.work
    assert (await ask()).pending == 1
    (loop,) = middle.area.loops
    task = asyncio.ensure_future(loop())
    while (await ask()).pending:  # noqa: ASYNC110 - the progress is in the database, not in an event
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    (item,) = (await desk.get("/api/billing-runs"))[0]["items"]
    assert item["state"] == "withheld"
    assert {finding["rule"] for finding in item["findings"]} == {"B02", "B05"}
    assert date(2026, 3, 1).isoformat() == (await desk.get("/api/billing-runs"))[0]["first_day"]
