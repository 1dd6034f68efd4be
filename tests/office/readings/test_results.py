"""Many results at once: judged like one after the other, each confirmed by itself."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultBulkCreateConfirmation,
    MeterReadingDocumentERPResultCreateConfirmation,
)

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = pytest.mark.postgres


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
