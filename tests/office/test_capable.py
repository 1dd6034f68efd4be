"""The office refuses what AMS, capability group or activation group do not support before it sends anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from openami.office.context import OfficeSettings
from openami.shared.capabilities import FUNCTIONS, Capabilities

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

ALL = frozenset(FUNCTIONS)
TABLE = Capabilities(
    systems={"AMS1": ALL},
    groups={"DUMB": frozenset({"intervals", "read"})},
    materials={"SM-DUMB": "DUMB"},
    activation_groups={"SILENT": frozenset()},
)
ORDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "switch": ("/api/disconnections", {"reason": "customer request"}),
    "text": ("/api/texts", {"text": "Hello."}),
    "read on demand": ("/api/readings", {"source": "1"}),
    "state": ("/api/device-states/ask", {}),
}


@pytest.fixture
def settings() -> OfficeSettings:
    return OfficeSettings(capabilities=TABLE)


async def ordered(desk: Desk, home: dict[str, Any], function: str) -> Any:
    path, body = ORDERS[function]
    named = {"devices": [home["serial"]]} if function == "text" else {"device": home["serial"]}
    return await desk.post(path, expect=422, **named, **body)


@pytest.mark.parametrize("function", ORDERS)
async def test_an_order_outside_is_refused_with_the_reason_and_not_sent(desk: Desk, middle: Middle, function: str):
    home = await desk.home()
    await desk.post("/api/devices/change", device=home["serial"], material="SM-DUMB")
    await middle.confirm()
    sent = len(middle.received)
    told = await ordered(desk, home, function)
    assert told["error"] == "NotCapableError"
    assert f"Capability group DUMB of device {home['device']} does not support {function!r}" in told["found"]
    assert len(middle.received) == sent


async def test_a_month_is_ordered_without_the_devices_that_cannot_be_read(desk: Desk, middle: Middle):
    first, second = await desk.home(1), await desk.home(2)
    await desk.post("/api/devices/change", device=second["serial"], activation_group="SILENT")
    await middle.confirm()
    await desk.post("/api/reading-orders", month="2026-03")
    named = {
        one.meter_reading_document.utilties_measurement_task.utilties_device.utilities_device_id
        for one in middle.orders()
    }
    assert named == {first["device"]}
    page = await desk.get(f"/api/devices/{second['serial']}")
    assert {one["state"] for one in page["orders"]} == {"rejected"}
    assert all("Activation group SILENT" in one["note"] for one in page["orders"])


async def test_the_activation_group_of_a_device_comes_with_it_or_later(desk: Desk, middle: Middle):
    await desk.post("/api/devices/receive", devices=[{"serial": "E9", "activation_group": "SILENT"}])
    assert (await desk.post("/api/device-states/ask", expect=422, device="E9"))["error"] == "NotCapableError"
    changed = await desk.post("/api/devices/change", device="E9", activation_group="")
    assert changed["activation_group"] == ""
    assert middle.received
