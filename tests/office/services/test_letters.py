"""In which form requests leave, and what becomes of an order whose confirmation says no."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from openami.office.context import OfficeSettings
from openami.shared.contract.enterprise import confirm, logs
from openami.shared.contract.enterprise.model import Bulk

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = pytest.mark.postgres
MONTH = "2026-03"


class TestSingle:
    """A partner that takes no bulk messages where a single form exists."""

    @pytest.fixture
    def settings(self) -> OfficeSettings:
        return OfficeSettings(form="single")

    async def test_each_order_of_a_month_leaves_by_itself(self, desk: Desk, middle: Middle) -> None:
        homes = [await desk.home(number) for number in (1, 2)]
        middle.received.clear()
        await desk.post("/api/reading-orders", month=MONTH)
        assert not [one for one in middle.received if isinstance(one, Bulk)]
        asked = [one.meter_reading_document.utilties_measurement_task for one in middle.orders()]
        assert {one.utilties_device.utilities_device_id for one in asked} == {home["device"] for home in homes}

    async def test_what_has_no_single_form_leaves_in_bulk(self, desk: Desk, middle: Middle) -> None:
        await desk.home()
        middle.received.clear()
        await desk.post("/api/replications", devices=["E0001"])
        assert middle.received
        assert all(isinstance(one, Bulk) for one in middle.received)


class TestBulk:
    """A partner that takes everything in bulk, at most three items at once."""

    @pytest.fixture
    def settings(self) -> OfficeSettings:
        return OfficeSettings(form="bulk", bulk_items_max=3)

    async def test_one_order_leaves_in_bulk(self, desk: Desk, middle: Middle) -> None:
        await desk.home()
        middle.received.clear()
        await desk.post("/api/readings", device="E0001")
        (message,) = middle.received
        assert isinstance(message, Bulk)
        assert len(message.items) == 1

    async def test_many_leave_in_pieces(self, desk: Desk, middle: Middle) -> None:
        serials = [f"M{number}" for number in range(7)]
        await desk.post("/api/devices/receive", devices=[{"serial": one} for one in serials])
        creates = [one for one in middle.received if type(one).__name__.endswith("SmartMeterBulkCreateRequest")]
        assert [len(one.items) for one in creates] == [3, 3, 1]


async def order_of(desk: Desk, number: str) -> dict[str, Any]:
    return next(one for one in await desk.get("/api/orders") if one["id"] == number)


async def test_a_refused_order_is_rejected_with_the_reason(desk: Desk, middle: Middle) -> None:
    await desk.home()
    ordered = await desk.post("/api/readings", device="E0001")
    await middle.confirm(logs.failed("1013 not capable"))
    found = await order_of(desk, ordered["order"])
    assert (found["state"], "1013 not capable" in found["note"]) == ("rejected", True)
    answer = await desk.post("/api/reading-orders/cancel", expect=422, order=ordered["order"])
    assert answer["error"] == "OrderConflictError"
    assert "Only an open order" in answer["hint"]


async def test_an_order_that_cannot_be_withdrawn_any_more_goes_on(desk: Desk, middle: Middle) -> None:
    await desk.home()
    ordered = await desk.post("/api/readings", device="E0001")
    await middle.confirm()
    await desk.post("/api/reading-orders/cancel", order=ordered["order"])
    assert (await order_of(desk, ordered["order"]))["state"] == "cancelling"
    await middle.confirm(logs.failed("too late"))
    found = await order_of(desk, ordered["order"])
    assert (found["state"], "too late" in found["note"]) == ("accepted", True)
    await middle.send(middle.results(middle.result(middle.orders()[0], "12")))
    assert (await order_of(desk, ordered["order"]))["state"] == "fulfilled"


async def test_a_confirmation_that_comes_after_the_result_changes_nothing(desk: Desk, middle: Middle) -> None:
    await desk.home()
    ordered = await desk.post("/api/readings", device="E0001")
    late = middle.confirmations(logs.failed("refused after all"))
    await middle.send(middle.results(middle.result(middle.orders()[0], "12")))
    state = (await order_of(desk, ordered["order"]))["state"]
    await middle.send(*late)
    assert (await order_of(desk, ordered["order"]))["state"] == state == "fulfilled"


async def test_of_a_bulk_confirmation_each_item_counts_for_its_own_order(desk: Desk, middle: Middle) -> None:
    for number in (1, 2):
        await desk.home(number)
    await desk.post("/api/reading-orders", month=MONTH)
    orders = middle.orders()
    now = middle.clock.now()
    taken = [logs.success() if place % 2 else logs.failed("not mine") for place in range(len(orders))]
    items = [confirm.confirmation_for(one, log, created=now) for one, log in zip(orders, taken, strict=True)]
    await middle.send(confirm.bulk_confirmation(items, middle.header(), logs.overall(taken)))
    states = {one["id"]: one["state"] for one in await desk.get("/api/orders")}
    found = [states[one.meter_reading_document.id] for one in orders]
    assert found == ["accepted" if place % 2 else "rejected" for place in range(len(orders))]


async def test_a_confirmation_of_nothing_that_was_asked_changes_nothing(desk: Desk, middle: Middle) -> None:
    await desk.home()
    await desk.post("/api/readings", device="E0001")
    (order,) = middle.orders()
    stranger = replace(order, message_header=middle.header())
    await middle.send(confirm.confirmation_for(stranger, logs.success(), created=middle.clock.now()))
    assert {one["state"] for one in await desk.get("/api/orders")} == {"created"}
    await middle.confirm()
    assert {one["state"] for one in await desk.get("/api/orders")} == {"accepted"}
