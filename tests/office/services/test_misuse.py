"""Orders to the middle that cannot be: refused here, with what to do, and nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterTextBulkNotification as Texts,
)
from openami.shared.contract.enterprise.messages.inferred_measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPDeviceBulkAssignmentNotification as Transformers,
)

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = pytest.mark.postgres
NOON = "2026-03-01T12:00:00Z"
MONTH = {"first_day": "2026-03-01", "past_last_day": "2026-04-01"}


async def test_what_cannot_be_ordered_of_a_device_is_told_and_not_sent(desk: Desk, middle: Middle) -> None:
    await desk.home()
    sent = len(middle.received)
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("texts", {"devices": [], "text": "hello"}, "BadFieldError"),
        ("texts", {"devices": ["E0001"], "text": "hello", "language": "TOOLONGLANG"}, "InvalidMessage"),
        ("devices/withdraw", {"devices": []}, "BadFieldError"),
        ("devices/withdraw", {"devices": [1]}, "BadFieldError"),
        ("replications", {"devices": []}, "BadFieldError"),
        ("devices/receive", {"devices": [{"serial": "S" * 31}]}, "InvalidMessage"),
        ("devices/receive", {"devices": [{"serial": "S", "ams": "TOOLONG"}]}, "InvalidMessage"),
        ("devices/change", {"device": "E0001", "ams": "TOOLONG"}, "InvalidMessage"),
        ("measurement-tasks/change", {"device": "E0001", "time_of_use": "X" * 11}, "InvalidMessage"),
        ("transformers", {"device": "E0001", "transformer": "T" * 19}, "InvalidMessage"),
        ("transformers", {"device": "E0001", "transformer": "T", "factor": "0"}, "BadFieldError"),
        ("transformers", {"device": "E0001", "transformer": "T", "factor": "-40"}, "BadFieldError"),
        ("own-values", {"device": "E0001", "values_milli": [1], "start": "2026-03-01T12:07:00Z"}, "BadFieldError"),
        ("own-values", {"device": "E0001", "values_milli": [10**15], "start": NOON}, "BadFieldError"),
        ("own-values", {"device": "E0001", "values_milli": [1.5], "start": NOON}, "BadFieldError"),
        ("own-values", {"device": "E0001", "values_milli": [True], "start": NOON}, "BadFieldError"),
        ("own-values", {"device": "E0001", "values_milli": [], "start": NOON}, "BadFieldError"),
        ("own-values", {"device": "E0001", "values_milli": [1], "start": NOON, "status": "odd"}, "UnknownCode"),
        ("usage-requests", {"device": "E0001", **MONTH, "times_of_use": ["nope"]}, "UnknownCode"),
        ("usage-requests", {"device": "E0001", **MONTH, "times_of_use": "PEAK"}, "BadFieldError"),
        ("usage-requests", {"device": "E0001", **MONTH, "past_last_day": "2026-03-01"}, "BadFieldError"),
        ("usage-requests/cancel", {"usage_request": "7"}, "BadFieldError"),
        ("switch-notices", {"device": "E0001", "what": "dim"}, "BadFieldError"),
    ]
    for path, body, error in wrong:
        answer = await desk.post(f"/api/{path}", expect=422, **body)
        assert answer["error"] == error, (path, body, answer)
    assert len(middle.received) == sent, "nothing of it has left"


async def test_a_device_that_is_named_twice_is_told_once(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    told = await desk.post("/api/texts", devices=["E0001", home["device"], "E0001"], text="Work tonight.")
    assert told["devices"] == [home["device"]]
    (bulk,) = middle.of(Texts)
    assert len(bulk.items) == 1


async def test_the_factor_of_a_transformer_is_one_unless_it_is_given(desk: Desk, middle: Middle) -> None:
    await desk.home()
    bodies: list[dict[str, Any]] = [{}, {"factor": "40.5"}]
    for body in bodies:
        await desk.post("/api/transformers", device="E0001", transformer="CT1", **body)
    factors = [
        item.utilities_measurement_task.device_assignment[0].utilities_quantity_adjustment_factor_value
        for bulk in middle.of(Transformers)
        for item in bulk.items
    ]
    assert [str(factor) for factor in factors] == ["1", "40.5"]


async def test_a_first_reading_that_no_register_shows_is_refused_with_the_installation(desk: Desk) -> None:
    """It would be above every true one that comes after it, so that nothing could be billed."""
    await desk.post("/api/devices/receive", devices=[{"serial": "E0001"}])
    place = {"device": "E0001", "point_of_delivery": "P1"}
    for value, error in (("1000000", "Implausible"), ("-0.001", "Implausible"), ("0.0001", "TooFine")):
        answer = await desk.post("/api/installations", expect=422, installations=[place | {"start_reading": value}])
        assert answer["error"] == error, value
        assert (await desk.get("/api/devices/E0001"))["installations"] == []
    await desk.post("/api/installations", installations=[place | {"start_reading": "999999.999"}])


async def test_a_final_reading_below_the_last_one_keeps_the_meter_in_its_place(desk: Desk, middle: Middle) -> None:
    await desk.home(at="2026-02-27T10:00:00+01:00", start_reading="100")
    await desk.post("/api/devices/receive", devices=[{"serial": "NEW"}])
    swap: dict[str, Any] = {"old": "E0001", "new": "NEW", "start_reading": "0"}
    answer = await desk.post("/api/replacements", expect=422, **swap, final_reading="99.999")
    assert (answer["error"], "P02" in answer["found"]) == ("Implausible", True)
    assert "corrected" in answer["hint"]
    assert (await desk.get("/api/devices/E0001"))["installations"][0]["end"] is None
    await desk.post("/api/replacements", **swap, final_reading="100.5")
    assert (await desk.get("/api/devices/E0001"))["stage"] == "removed"
