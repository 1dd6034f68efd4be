"""Disconnection for non-payment and reconnection after payment, against a scripted middle."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from openami.office.connection.rules import SafetyLimits
from openami.office.context import OfficeSettings
from openami.shared.contract.enterprise import confirm, logs
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPBulkCreateConfirmation as SwitchedBulk,
)
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest,
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation,
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest,
)

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = pytest.mark.postgres
Switch = SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest
Switched = SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation


@pytest.fixture
def settings() -> OfficeSettings:
    return OfficeSettings(limits=SafetyLimits(per_window_max=3, per_feeder_max=2))


def _switched(middle: Middle, order: Switch, result: str = "1") -> Switched:
    request = order.utilities_connection_status_change_request
    answer = confirm.confirmation_for(
        order, logs.success() if result == "1" else logs.failed("breaker did not move"), created=middle.clock.now()
    )
    assert isinstance(answer, Switched)
    content = Switched.UtilitiesConnectionStatusChangeRequest
    devices = tuple(
        content.DeviceConnectionStatus(
            processing_date_time=middle.clock.now(),
            utilities_device_connection_status_processing_result_code=result,
            utilities_device_id=device.utilities_device_id.lstrip("0"),
        )
        for device in request.device_connection_status
    )
    return replace(
        answer,
        utilities_connection_status_change_request=content(
            id=request.id, category_code=request.category_code, device_connection_status=devices
        ),
    )


def _last(middle: Middle) -> Switch:
    return middle.of(Switch)[-1]


async def _contract(desk: Desk, number: int = 1) -> Any:
    customers = await desk.get("/api/customers")
    return next(each for each in customers if each["id"] == f"K{number}")["contracts"][0]


async def _cut_off(desk: Desk, middle: Middle) -> None:
    await desk.post("/api/disconnections", device="E0001", amount_due="120.00")
    await middle.send(_switched(middle, _last(middle)))


async def test_non_payment_disconnects_and_payment_reconnects(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await desk.post("/api/disconnections", point_of_delivery=home["point"], amount_due="120.00")
    order = _last(middle).utilities_connection_status_change_request
    assert (order.category_code, order.utilities_service_disconnection_reason_code) == ("1", "01")
    assert order.immediate_status_change_indicator is True
    assert (await _contract(desk))["connected"] is True  # a wish proves nothing
    await middle.send(_switched(middle, _last(middle)))
    assert (await _contract(desk))["connected"] is False
    middle.clock.advance(timedelta(days=1))
    part = await desk.post("/api/payments", contract=home["contract"], amount="100.00")
    assert (part["settled"], part["reconnection"]) == ([], None)
    rest = await desk.post("/api/payments", contract=home["contract"], amount="20.00")
    assert rest["settled"] == ["120.00 EUR carried over"]
    assert _last(middle).utilities_connection_status_change_request.category_code == "2"
    await middle.send(_switched(middle, _last(middle)))
    assert (await _contract(desk))["connected"] is True


async def test_a_payment_while_the_order_is_under_way_brings_the_light_back_at_once(desk: Desk, middle: Middle) -> None:
    await desk.home()
    await desk.post("/api/disconnections", device="E0001", amount_due="50")
    paid = await desk.post("/api/payments", device="E0001", amount="50")
    assert paid["reconnection"] is None
    await middle.send(_switched(middle, _last(middle)))
    assert _last(middle).utilities_connection_status_change_request.category_code == "2"


async def test_a_failed_disconnection_leaves_the_home_connected(desk: Desk, middle: Middle) -> None:
    await desk.home()
    await desk.post("/api/disconnections", device="E0001", amount_due="50")
    await middle.send(_switched(middle, _last(middle), result="2"))
    (document,) = await desk.get("/api/connections")
    assert (document["state"], document["result_code"]) == ("failed", "2")
    assert "did not move" in document["note"]
    assert (await _contract(desk))["connected"] is True
    await desk.post("/api/disconnections", device="E0001")


async def test_a_refusal_without_devices_is_a_failure(desk: Desk, middle: Middle) -> None:
    await desk.home()
    await desk.post("/api/disconnections", device="E0001", amount_due="50")
    refused = confirm.confirmation_for(_last(middle), logs.failed("no capability"), created=middle.clock.now())
    await middle.send(refused)
    (document,) = await desk.get("/api/connections")
    assert document["state"] == "failed"


async def test_repeated_results_change_nothing(desk: Desk, middle: Middle) -> None:
    await desk.home()
    await _cut_off(desk, middle)
    await middle.send(_switched(middle, _last(middle)), _switched(middle, _last(middle)))
    (document,) = await desk.get("/api/connections")
    assert document["state"] == "executed"


async def test_a_protected_customer_is_not_disconnected(desk: Desk, middle: Middle) -> None:
    await desk.home(customer={"protected": True})
    answer = await desk.post("/api/disconnections", expect=422, device="E0001", amount_due="500")
    assert answer["error"] == "ProtectedCustomerError"
    assert "medical" in answer["found"]
    assert middle.of(Switch) == []
    assert (await _contract(desk))["owed"] == "0.00"
    await desk.post("/api/disconnections", device="E0001", reason="safety")


@pytest.mark.parametrize("state", ["pending", "disconnected"])
async def test_only_a_connected_home_without_open_order_is_disconnected(desk: Desk, middle: Middle, state: str) -> None:
    await desk.home()
    await desk.post("/api/disconnections", device="E0001", amount_due="50")
    if state == "disconnected":
        await middle.send(_switched(middle, _last(middle)))
    answer = await desk.post("/api/disconnections", expect=422, device="E0001")
    assert answer["error"] == "ConnectionConflictError"


async def test_non_payment_needs_a_debt(desk: Desk) -> None:
    await desk.home()
    answer = await desk.post("/api/disconnections", expect=422, device="E0001")
    assert answer["error"] == "NothingOverdueError"
    assert "amount_due" in answer["hint"]


async def test_the_rate_caps_hold_per_feeder_and_in_all(desk: Desk, middle: Middle) -> None:
    for number, feeder in ((1, "T1"), (2, "T1"), (3, "T1"), (4, "T2"), (5, "T2")):
        await desk.home(number, feeder=feeder)
    for number in (1, 2):
        await desk.post("/api/disconnections", device=f"E000{number}", amount_due="50")
    third = await desk.post("/api/disconnections", expect=422, device="E0003", amount_due="50")
    assert "feeder T1" in third["found"]
    await desk.post("/api/disconnections", device="E0004", amount_due="50")
    fifth = await desk.post("/api/disconnections", expect=422, device="E0005", amount_due="50")
    assert fifth["error"] == "RateCapError"
    middle.clock.advance(timedelta(minutes=61))
    await desk.post("/api/disconnections", device="E0005", amount_due="50")


@pytest.mark.parametrize("in_time", [True, False])
async def test_an_order_is_withdrawn_if_the_middle_has_not_acted(desk: Desk, middle: Middle, *, in_time: bool) -> None:
    await desk.home()
    ordered = await desk.post("/api/disconnections", device="E0001", amount_due="50")
    await desk.post("/api/connections/cancel", order=ordered["order"])
    (cancel,) = middle.of(SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest)
    if in_time:
        await middle.send(confirm.confirmation_for(cancel, logs.success(), created=middle.clock.now()))
    else:
        await middle.send(_switched(middle, _last(middle)))
        late = confirm.confirmation_for(cancel, logs.failed("already processed"), created=middle.clock.now())
        await middle.send(late)
    (document,) = await desk.get("/api/connections")
    assert document["state"] == ("cancelled" if in_time else "executed")
    assert (await _contract(desk))["connected"] is in_time


async def test_an_order_is_withdrawn_once_and_only_while_it_is_open(desk: Desk, middle: Middle) -> None:
    async def refused(order: str) -> str:
        answer = await desk.post("/api/connections/cancel", expect=422, order=order)
        assert answer["hint"]
        return str(answer["error"])

    await desk.home()
    order = (await desk.post("/api/disconnections", device="E0001", amount_due="50"))["order"]
    await desk.post("/api/connections/cancel", order=order.lstrip("0"))  # padded or not
    assert await refused(order) == "ConnectionConflictError"
    (cancel,) = middle.of(SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest)
    await middle.send(confirm.confirmation_for(cancel, logs.success(), created=middle.clock.now()))
    assert await refused(order) == "TransitionError", "it is cancelled"
    order = (await desk.post("/api/disconnections", device="E0001"))["order"]
    await middle.send(_switched(middle, _last(middle), result="2"))
    assert await refused(order) == "TransitionError", "it has failed"
    middle.clock.advance(timedelta(hours=2))  # the rate cap counts what was ordered, whatever became of it
    order = (await desk.post("/api/disconnections", device="E0001"))["order"]
    await middle.send(_switched(middle, _last(middle)))
    assert await refused(order) == "TransitionError", "it is executed"
    assert len(middle.of(SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest)) == 1


async def test_a_withdrawal_that_comes_too_late_leaves_the_order_open_for_its_result(
    desk: Desk, middle: Middle
) -> None:
    await desk.home()
    order = (await desk.post("/api/disconnections", device="E0001", amount_due="50"))["order"]
    await desk.post("/api/connections/cancel", order=order)
    (cancel,) = middle.of(SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest)
    late = confirm.confirmation_for(cancel, logs.failed("already processed"), created=middle.clock.now())
    await middle.send(late)
    assert (await desk.get("/api/connections"))[0]["state"] == "sent"
    await middle.send(_switched(middle, _last(middle)), late)
    assert (await desk.get("/api/connections"))[0]["state"] == "executed"
    assert (await _contract(desk))["connected"] is False


async def test_of_a_bulk_of_results_each_counts_though_another_cannot_be(desk: Desk, middle: Middle) -> None:
    """One home is dark, one is not, and one the middle made up: what is proven must be in the books."""
    for number in (1, 2):
        await desk.home(number)
        await desk.post("/api/disconnections", device=f"E000{number}", amount_due="50")
    first, second = middle.of(Switch)
    made_up = _switched(middle, first)
    made_up = replace(made_up, message_header=replace(made_up.message_header, reference_uuid=str(uuid4())))
    results = (_switched(middle, first), made_up, _switched(middle, second, result="2"))
    await middle.send(SwitchedBulk(message_header=middle.header(), items=results, log=logs.success()))
    states = {one["device_id"][-1]: one["state"] for one in await desk.get("/api/connections")}
    assert sorted(states.values()) == ["executed", "failed"]
    assert [(await _contract(desk, number))["connected"] for number in (1, 2)] == [False, True]


async def test_a_planned_disconnection_names_its_instant(desk: Desk, middle: Middle) -> None:
    await desk.home()
    await desk.post("/api/disconnections", device="E0001", amount_due="50", planned_at="2026-03-11T10:00:00+01:00")
    order = _last(middle).utilities_connection_status_change_request
    assert order.immediate_status_change_indicator is False
    assert order.planned_processing_date_time.isoformat() == "2026-03-11T09:00:00+00:00"


async def test_reconnection_by_hand_and_its_misuse(desk: Desk, middle: Middle) -> None:
    await desk.home()
    refused = await desk.post("/api/reconnections", expect=422, device="E0001")
    assert refused["error"] == "ConnectionConflictError"
    await _cut_off(desk, middle)
    await desk.post("/api/reconnections", device="E0001")
    await middle.send(_switched(middle, _last(middle)))
    assert (await _contract(desk))["connected"] is True


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/api/disconnections", {"device": "nobody"}, "UnknownDeviceError"),
        ("/api/disconnections", {"contract": "nobody"}, "UnknownContractError"),
        ("/api/disconnections", {"device": "E0001", "reason": "mood"}, "BadFieldError"),
        ("/api/payments", {"device": "E0001"}, "BadFieldError"),
        ("/api/payments", {"device": "E0001", "amount": "-3"}, "BadFieldError"),
        ("/api/payments", {"device": "E0001", "amount": 3.5}, "BadFieldError"),
        ("/api/connections/cancel", {"order": "77"}, "ConnectionConflictError"),
    ],
)
async def test_misuse_is_explained(desk: Desk, path: str, body: dict[str, Any], error: str) -> None:
    await desk.home()
    answer = await desk.post(path, expect=422, **body)
    assert answer["error"] == error
    assert answer["hint"]
