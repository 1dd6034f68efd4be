"""Many results at once: judged like one after the other, each confirmed by itself."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import TYPE_CHECKING

import pytest

from openami.office.readings.store import readings_of
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultBulkCreateConfirmation,
    MeterReadingDocumentERPResultCreateConfirmation,
)

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

    from openami.shared.database import Database

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True, params=["objects", "columns"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk messages are read as objects or, as large ones are, in columns: with the same outcome."""
    if request.param == "columns":
        monkeypatch.setattr("openami.shared.contract.enterprise.intervals.LARGE_BYTES", 0)


def day(number: int) -> date:
    return date(2026, 3, number)


async def test_results_of_one_register_in_one_bulk_see_one_another(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    task = home["register"]
    sent = [
        middle.result(None, "10", day=day(1), task=task),
        middle.result(None, "12", day=day(2), task=task),
        middle.result(None, "11", day=day(3), task=task),  # below the one before it
        middle.result(None, "12.5", day=day(4), task=task),
        middle.result(None, "1", day=day(4), task="999"),
        middle.result(None, "1.2345", day=day(4), task=task),
    ]
    await middle.send(middle.results(*sent))
    (answer,) = middle.of(MeterReadingDocumentERPResultBulkCreateConfirmation)
    assert [logs.is_success(one.log) for one in answer.items] == [True, True, False, True, False, False]
    assert answer.log.business_document_processing_result_code == "4"
    assert [one.message_header.reference_uuid for one in answer.items] == [one.message_header.uuid for one in sent]
    notes = [logs.notes(one.log) for one in answer.items]
    assert "P02" in notes[2]
    assert "no register" in notes[4]
    assert "three decimals" in notes[5]


async def test_single_results_that_wait_together_are_confirmed_one_by_one(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    sent = [middle.result(None, str(10 + number), day=day(number), task=home["register"]) for number in (1, 2, 3)]
    wrong = middle.result(None, "99", day=day(3), task="999")
    await middle.send(sent[0], wrong, *sent[1:], pump=False)
    await middle.pump()
    answers = middle.of(MeterReadingDocumentERPResultCreateConfirmation)
    by_request = {one.message_header.reference_uuid: logs.is_success(one.log) for one in answers}
    assert len(answers) == 4
    assert by_request == {one.message_header.uuid: one is not wrong for one in [*sent, wrong]}


async def test_a_repeated_result_of_an_order_changes_nothing(desk: Desk, middle: Middle) -> None:
    await desk.home()
    await desk.post("/api/readings", device="E0001", reason="10", day="2026-02-28")
    (order,) = middle.orders()
    first, again, other = (middle.result(order, value) for value in ("5", "5", "6"))
    await middle.send(middle.results(first, again))
    await middle.send(other)
    (bulk,) = middle.of(MeterReadingDocumentERPResultBulkCreateConfirmation)
    assert [logs.notes(one.log) for one in bulk.items] == [
        "000 The reading is plausible.",
        "000 The value is already there.",
    ]
    (order_,) = await desk.get("/api/orders")
    assert order_["state"] == "fulfilled"


async def test_each_reason_against_a_result_has_its_number(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    other = await desk.home(2)
    for number in (1, 2):
        await desk.post("/api/readings", device="E0001", reason="10", day=f"2026-02-0{number}")
    await middle.confirm()
    good, withdrawn = middle.orders()
    await desk.post("/api/reading-orders/cancel", order=withdrawn.meter_reading_document.id)
    await middle.confirm()
    unknown = middle.result(good, "5")
    document = dataclasses.replace(unknown.meter_reading_document, id="4711")
    sent = [
        dataclasses.replace(unknown, meter_reading_document=document),
        middle.result(withdrawn, "5"),
        middle.result(good, "5", task=other["register"]),
        middle.result(None, "5", task="999"),
        middle.result(None, "5", task=home["channel"]),
        middle.result(good, "5.0001"),
        middle.result(good, "1" * 17),
        middle.result(good, "123456789"),
        middle.result(good, "5.000000"),
    ]
    await middle.send(middle.results(*sent))
    (answer,) = middle.of(MeterReadingDocumentERPResultBulkCreateConfirmation)
    assert [one.log.item[0].type_id for one in answer.items] == [
        "OAMI101",
        "OAMI105",
        "OAMI103",
        "OAMI102",
        "OAMI102",
        "OAMI104",
        "OAMI107",
        "OAMI106",
        "000",
    ]
    assert [one.meter_reading_document.id for one in answer.items] == [one.meter_reading_document.id for one in sent]
    states = {one["id"]: one["state"] for one in await desk.get("/api/orders")}
    assert states[good.meter_reading_document.id] == "fulfilled"


async def test_a_repeated_bulk_is_answered_by_its_one_confirmation_again(
    desk: Desk, middle: Middle, database: Database
) -> None:
    home = await desk.home()
    message = middle.results(*(middle.result(None, "10", day=day(number), task=home["register"]) for number in (1, 2)))
    await middle.send(message)
    await middle.send(message)
    first, again = middle.of(MeterReadingDocumentERPResultBulkCreateConfirmation)
    assert first == again
    async with database.read() as connection:
        kept = await readings_of(connection, [home["register"]])
    assert [one.source for one in kept] == ["mdus", "mdus"]
