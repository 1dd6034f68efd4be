from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from openami.office.events.model import UNKNOWN, case_rules, classify
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.codes import code_tables
from openami.shared.contract.enterprise.messages.event import (
    ObjectPropertyValue,
    UtilitiesSmartMeterEventERPBulkCreateConfirmation,
    UtilitiesSmartMeterEventERPBulkCreateRequest,
    UtilitiesSmartMeterEventERPCreateRequest,
)

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

Event = UtilitiesSmartMeterEventERPCreateRequest


def _event(middle: Middle, event_id: str, device: str | None, code: str, category: str = "3") -> Event:
    content = Event.UtilitiesSmartMeterEvent
    return Event(
        message_header=middle.header(),
        utilities_smart_meter_event=content(
            id=event_id,
            utilities_device_id=device,
            date_time=middle.clock.now(),
            category_code=category,
            type_code=code,
            severity_code="3",
            origin_type_code="1",
            property=(content.Property(code="1", object_property_value=ObjectPropertyValue(text="front cover")),),
        ),
    )


def _bulk(middle: Middle, *events: Event) -> UtilitiesSmartMeterEventERPBulkCreateRequest:
    return UtilitiesSmartMeterEventERPBulkCreateRequest(message_header=middle.header(), items=events)


@pytest.mark.parametrize(
    ("code", "name", "case"),
    [
        ("3002", "tamper.cover_open", "tamper"),
        ("3003", "tamper.cover_closed", ""),
        ("3006", "tamper.magnetic_clear", ""),
        ("1001", "power.off", ""),
        ("6004", "switch.failed", "failed order"),
        ("1000", "order.location_failed", "failed order"),
        ("8004", "order.notification_failed", "failed order"),
        ("8002", "order.done", ""),
        ("777", UNKNOWN, ""),
    ],
)
def test_codes_are_classified_by_the_tables(code: str, name: str, case: str) -> None:
    known = classify(code_tables(), code)
    assert (known.name, known.case) == (name, case)


def test_every_pattern_fits_an_event_of_the_table() -> None:
    names = [code.name for code in code_tables()["event_types"].codes]
    for pattern, _ in case_rules():
        assert any(fnmatchcase(name, pattern) for name in names), pattern


@pytest.mark.postgres
async def test_tampering_opens_one_case_and_everything_is_confirmed(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    opened = _event(middle, "EV1", home["device"], "3002")
    power = _event(middle, "EV2", home["device"], "1001", "1")
    system = _event(middle, "EV3", None, "7003", "7")
    await middle.send(_bulk(middle, opened, power, system))
    await middle.send(_bulk(middle, _event(middle, "EV1", home["device"], "3002")))
    first, second = middle.of(UtilitiesSmartMeterEventERPBulkCreateConfirmation)
    assert [logs.is_success(item.log) for item in (*first.items, *second.items)] == [True] * 4
    events = {event["id"]: event for event in await desk.get("/api/events")}
    assert set(events) == {"EV1", "EV2", "EV3"}
    assert (events["EV1"]["case_state"], events["EV1"]["detail"]) == ("open", "front cover")
    assert events["EV2"]["case"] is None
    assert (await desk.get("/api/status"))["cases_open"] == 1


@pytest.mark.postgres
async def test_an_event_of_an_unknown_device_is_refused_by_itself(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await middle.send(_bulk(middle, _event(middle, "EV1", "42", "3002"), _event(middle, "EV2", home["device"], "3002")))
    (answer,) = middle.of(UtilitiesSmartMeterEventERPBulkCreateConfirmation)
    assert [logs.is_success(item.log) for item in answer.items] == [False, True]
    assert "OAMI121" in logs.notes(answer.items[0].log)
    assert answer.log.business_document_processing_result_code == "4"


@pytest.mark.postgres
async def test_a_person_closes_a_case_with_a_reason(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await middle.send(_bulk(middle, _event(middle, "EV1", home["device"], "3002")))
    (event,) = await desk.get("/api/events")
    missing = await desk.post("/api/cases/close", expect=422, case=event["case"])
    assert missing["error"] == "BadFieldError"
    await desk.post("/api/cases/close", case=event["case"], why="seal was replaced on site")
    assert (await desk.get("/api/events"))[0]["case_state"] == "closed"
    again = await desk.post("/api/cases/close", expect=422, case=event["case"], why="again")
    assert "no open case" in again["found"]
