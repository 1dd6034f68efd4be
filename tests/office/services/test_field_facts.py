"""What the office tells of tasks, transformers and switches, and asks in the same call: messages and answers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract.enterprise import codec, logs
from openami.shared.contract.enterprise.headers import OPEN_END
from openami.shared.contract.enterprise.messages.inferred_connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationNotification as SwitchUndone,
)
from openami.shared.contract.enterprise.messages.inferred_connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPNotification as SwitchNotice,
)
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterOperationalStateByIDResponse as State,
)
from openami.shared.contract.enterprise.messages.inferred_measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPChangeRequest as TaskChange,
)
from openami.shared.contract.enterprise.messages.inferred_measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPDeviceAssignmentNotification as Transformer,
)
from openami.shared.contract.enterprise.messages.inferred_time_series import (
    UtilitiesTimeSeriesItemCreateRequest as OwnValues,
)
from openami.shared.contract.enterprise.messages.time_series import UtilitiesTimeSeriesItemByIDResponse as Items
from openami.shared.seam.outbox import Unreachable
from openami.testing.mdus import FakeMdus

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

    from openami.shared.contract.enterprise.model import Response
    from openami.shared.seam import Envelope

pytestmark = pytest.mark.postgres


def answers(middle: Middle, answer: Response | None = None) -> list[Any]:
    """Let the other side answer questions, as the test kit does or by one answer; returns what it is asked."""
    fake = FakeMdus(middle.clock, None)
    asked: list[Any] = []

    async def carry(envelope: Envelope) -> bytes:
        asked.append(codec.decode(envelope.body))
        return codec.encode(answer) if answer is not None else fake.hear(envelope.body)[1]

    middle.door.carry = carry
    return asked


async def test_a_register_has_another_time_of_use_from_a_day_on(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    change: dict[str, Any] = {"time_of_use": "PEAK", "from": "2026-03-01"}
    told = await desk.post("/api/measurement-tasks/change", device="E0001", **change)
    assert told == {"task": home["register"], "from": "2026-03-01"}
    (message,) = middle.of(TaskChange)
    task = message.utilities_measurement_task
    assert task.utilities_device is not None
    assert (task.id, task.utilities_device.utilities_device_id) == (home["register"], home["device"])
    (slice_,) = task.specifications
    assert (slice_.start_date, slice_.end_date) == (date(2026, 3, 1), OPEN_END)
    assert slice_.utilities_time_of_use_code == "PEAK"


async def test_a_transformer_is_told_with_its_factor_and_the_complete_list(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    assigned: dict[str, Any] = {"transformer": "CT7", "factor": "40", "from": "2026-03-02"}
    told = await desk.post("/api/transformers", device="E0001", **assigned)
    assert told == {"task": home["register"]}
    (message,) = middle.of(Transformer)
    task = message.utilities_measurement_task
    assert task.device_assignment_list_complete_transmission_indicator
    (one,) = task.device_assignment
    assert (one.type_code, one.assigned_utilities_device_id, one.start_date) == ("CT", "CT7", date(2026, 3, 2))
    assert one.utilities_quantity_adjustment_factor_value == 40


@pytest.mark.parametrize(("what", "category"), [("disconnect", "1"), ("reconnect", "2")])
async def test_a_switch_on_the_spot_is_told_and_taken_back(
    desk: Desk, middle: Middle, what: str, category: str
) -> None:
    home = await desk.home()
    at = "2026-02-28T11:30:00+01:00"
    notice = await desk.post("/api/switch-notices", device="E0001", what=what, at=at)
    assert notice["category"] == category
    (told,) = middle.of(SwitchNotice)
    content = told.utilities_connection_status_change_request
    assert (content.id, content.category_code) == (notice["notice"], category)
    (status,) = content.device_connection_status
    assert status.utilities_device_id == home["device"]
    assert status.processing_date_time == datetime(2026, 2, 28, 10, 30, tzinfo=UTC)
    undone = await desk.post("/api/switch-notices/undo", notice=notice["notice"], what=what)
    assert undone == {"notice": notice["notice"], "state": "undone"}
    (taken_back,) = middle.of(SwitchUndone)
    withdrawn = taken_back.utilities_connection_status_change_request
    assert (withdrawn.id, withdrawn.category_code) == (notice["notice"], category)


@pytest.mark.parametrize("body", [{"what": "dim"}, {}])
async def test_what_is_no_switch_is_not_taken_back_as_a_disconnection(
    desk: Desk, middle: Middle, body: dict[str, Any]
) -> None:
    answer = await desk.post("/api/switch-notices/undo", expect=422, notice="7", **body)
    assert (answer["error"], "what" in answer["found"]) == ("BadFieldError", True)
    assert not middle.of(SwitchUndone)


async def test_values_of_our_own_are_sent_exactly(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    start = "2026-03-01T00:00:00Z"
    told = await desk.post("/api/own-values", device="E0001", start=start, values_milli=[125, -1], status="estimated")
    assert told == {"profile": home["profile"], "intervals": 2}
    (message,) = middle.of(OwnValues)
    items = message.utilities_time_series.item
    assert [one.quantity and one.quantity.value for one in items] == [Decimal("0.125"), Decimal("-0.001")]
    assert [one.utc_validity_start_date_time.minute for one in items] == [0, 30]
    assert {one.item_status[0].utilities_time_series_item_type_code for one in items} != {"01"}, "not as valid ones"


async def test_the_state_of_a_device_is_asked_and_told_in_words(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    asked = answers(middle)
    told = await desk.post("/api/device-states/ask", device="E0001")
    assert (told["device"], told["state"], told["note"]) == (home["device"], "on", "")
    assert datetime.fromisoformat(told["since"]) == middle.clock.now()
    assert asked[0].utilities_device_selection_by_id.utilities_device_id == home["device"]


async def test_a_refused_question_is_told_with_its_reason(desk: Desk, middle: Middle) -> None:
    await desk.home()
    answers(middle, State(log=logs.failed("no such device")))
    told = await desk.post("/api/device-states/ask", device="E0001")
    assert (told["state"], told["since"]) == ("refused", None)
    assert "no such device" in told["note"]
    answers(middle, Items(log=logs.failed("no such series")))
    told = await desk.post("/api/series/ask", device="E0001")
    assert told["items"] == []
    assert "no such series" in told["note"]


async def test_a_series_is_asked_between_local_times_and_told_in_utc(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    asked = answers(middle)
    span: dict[str, Any] = {"start": "2026-02-28T00:00:00Z", "end": "2026-02-28T03:00:00Z"}
    told = await desk.post("/api/series/ask", device="E0001", **span)
    wanted = asked[0].utilities_time_series_item_selection_by_id
    assert wanted.utilities_time_series_id == home["profile"]
    assert wanted.utilities_time_series_item_validity_period.start_date_time == datetime(2026, 2, 28, 1)  # noqa: DTZ001
    assert told["profile"] == home["profile"]
    assert len(told["items"]) == 3
    assert all(one["start"].endswith("Z") and one["value"] == "0.5" and one["unit"] == "KWH" for one in told["items"])


async def test_an_answer_of_another_kind_and_a_partner_that_is_not_there_are_told(desk: Desk, middle: Middle) -> None:
    await desk.home()
    answers(middle, Items(log=logs.success()))
    told = await desk.post("/api/device-states/ask", expect=422, device="E0001")
    assert told["error"] == "NotOfferedError"
    assert "UtilitiesTimeSeriesItemByIDResponse" in told["found"]

    async def nobody(_envelope: Envelope) -> bytes:
        raise Unreachable("mdus does not answer.", hint="Does it run?")

    middle.door.carry = nobody
    told = await desk.post("/api/device-states/ask", expect=422, device="E0001")
    assert (told["error"], told["hint"]) == ("Unreachable", "Does it run?")
    middle.door.carry = None
    told = await desk.post("/api/device-states/ask", expect=422, device="E0001")
    assert "cannot ask its partner" in told["found"]
