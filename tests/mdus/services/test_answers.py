"""Confirmations of the back office: many at once are one statement a kind, and each lands on its own object."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select

from openami.mdus.events import store as event_store
from openami.mdus.events.model import DeviceEvent
from openami.mdus.registry.ids import DeviceId, TaskId
from openami.mdus.services import order_store
from openami.mdus.services.answers import Answers
from openami.mdus.services.codes import Pick
from openami.mdus.services.order_model import OrderState, ReadingOrder
from openami.mdus.services.upload import upload_table
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.examples import example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openami.shared.contract.enterprise.messages.common import Log

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

NOW = datetime(2026, 3, 2, tzinfo=UTC)
GOOD, BAD = logs.success(), logs.failed("The value is too high.")


@pytest.fixture
def answers(world: Any) -> Answers:
    middle = world.middle
    return Answers(middle.orders, middle.uploads, middle.notices)


@contextmanager
def statements(world: Any) -> Iterator[list[str]]:
    """What was asked of the database meanwhile."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    engine = world.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def order(number: int, message: UUID | None = None) -> ReadingOrder:
    return ReadingOrder(
        document=str(number).rjust(20, "0"),
        reason="01",
        pick=Pick.END_OF_DAY,
        scheduled_on=date(2026, 3, 1),
        on_demand=False,
        task=TaskId("1"),
        device=DeviceId("1"),
        obis="1-0:1.8.0",
        point="",
        channel=number,
        zone="Europe/Amsterdam",
        received_at=NOW,
        look_at=NOW,
        state=OrderState.SENT,
        result_message=message,
    )


def confirmed(root: str, part: str, told: Log, *, number: str | None = None, reference: UUID | None = None) -> Any:
    """A confirmation of one object, named by number or by the message that it answers."""
    message: Any = example(root)
    head = replace(message.message_header, reference_uuid=str(reference) if reference else None)
    return replace(message, message_header=head, log=told, **{part: replace(getattr(message, part), id=number)})


def of_result(told: Log, *, document: str | None = None, reference: UUID | None = None) -> Any:
    root = "MeterReadingDocumentERPResultCreateConfirmation"
    return confirmed(root, "meter_reading_document", told, number=document, reference=reference)


async def states(world: Any) -> dict[str, tuple[str, str]]:
    async with world.database.read() as tx:
        return {one.document.lstrip("0"): (one.state.value, one.note) for one in await order_store.recent(tx)}


async def test_results_are_confirmed_by_document_or_by_the_message_that_brought_them(world: Any, answers: Answers):
    reference = uuid4()
    async with world.database.begin() as tx:
        await order_store.save(tx, [order(1), order(2), order(3, reference), order(4)])
    messages = [
        of_result(GOOD, document="1"),
        of_result(BAD, document="00002"),
        of_result(GOOD, reference=reference),
        of_result(GOOD, document="99"),
        of_result(GOOD),
    ]
    async with world.database.begin() as tx:
        assert await answers.of_results(tx, messages) == [None] * 5
    assert await states(world) == {
        "1": ("result confirmed", ""),
        "2": ("result refused", logs.notes(BAD)),
        "3": ("result confirmed", ""),
        "4": ("result sent", ""),
    }


async def test_the_last_of_several_confirmations_counts(world: Any, answers: Answers):
    async with world.database.begin() as tx:
        await order_store.save(tx, [order(1)])
        await answers.of_results(tx, [of_result(BAD, document="1"), of_result(GOOD, document="01")])
    assert await states(world) == {"1": ("result confirmed", "")}


async def test_a_group_of_confirmations_costs_as_many_statements_as_one(world: Any, answers: Answers):
    count = 50
    async with world.database.begin() as tx:
        await order_store.save(tx, [order(number) for number in range(1, count + 1)])
    asked = []
    for group in (range(1, 2), range(1, count + 1)):
        with statements(world) as found:
            async with world.database.begin() as tx:
                await answers.of_results(tx, [of_result(GOOD, document=str(number)) for number in group])
        asked.append(found)
    assert asked[0] == asked[1]
    assert len(asked[0]) == 2
    assert set((await states(world)).values()) == {("result confirmed", "")}


async def test_a_bulk_confirmation_is_recorded_item_by_item(world: Any, answers: Answers):
    async with world.database.begin() as tx:
        await order_store.save(tx, [order(1), order(2)])
    whole: Any = example("MeterReadingDocumentERPResultBulkCreateConfirmation")
    items = (of_result(GOOD, document="1"), of_result(BAD, document="2"))
    async with world.database.begin() as tx:
        await answers.of_results(tx, [replace(whole, items=items)])
    assert {number: state for number, (state, _) in (await states(world)).items()} == {
        "1": "result confirmed",
        "2": "result refused",
    }


async def test_uploads_are_confirmed_together_and_strangers_are_told(world: Any, answers: Answers, capsys: Any):
    taken, refused, other = uuid4(), uuid4(), uuid4()
    row = {"profile": "P", "kind": "create", "items": 96, "first_at": NOW, "last_at": NOW, "sent_at": NOW}
    async with world.database.begin() as tx:
        await tx.execute(upload_table.insert(), [row | {"message": one, "state": "sent"} for one in (taken, refused)])
    whole: Any = example("UtilitiesTimeSeriesERPItemBulkCreateConfirmation")
    (item, *_) = whole.items
    items = tuple(
        replace(
            item,
            log=told,
            message_header=replace(item.message_header, reference_uuid=None if one is None else str(one)),
        )
        for one, told in ((taken, GOOD), (refused, BAD), (other, GOOD), (None, BAD))
    )
    with statements(world) as asked:
        async with world.database.begin() as tx:
            await answers.of_uploads(tx, [replace(whole, items=items)])
    assert len(asked) == 1
    async with world.database.read() as tx:
        query = select(upload_table.c.message, upload_table.c.state, upload_table.c.note)
        found = {one.message: (one.state, one.note) for one in await tx.execute(query)}
    assert found == {taken: ("confirmed", ""), refused: ("refused", logs.notes(BAD))}
    told = capsys.readouterr().out
    assert told.count("answer.without_upload") == 2
    assert str(other) in told


async def test_events_are_confirmed_together(world: Any, answers: Answers):
    events = [
        DeviceEvent(
            device=DeviceId("1"),
            name="tamper.cover_open",
            code="3.12.29.212",
            severity="warning",
            occurred_at=NOW,
            mrid=str(number),
            reason="opened",
            tracking_id="",
            source="AMS1",
        )
        for number in range(3)
    ]
    root, part = "UtilitiesSmartMeterEventERPCreateConfirmation", "utilities_smart_meter_event"
    async with world.database.begin() as tx:
        await event_store.keep(tx, events, NOW)
    messages = [
        confirmed(root, part, told, number=one.enterprise_id)
        for one, told in zip(events, (GOOD, BAD, GOOD), strict=True)
    ]
    with statements(world) as asked:
        async with world.database.begin() as tx:
            await answers.of_events(tx, messages)
    assert len(asked) == 1
    async with world.database.read() as tx:
        kept = {one["enterprise_id"]: (one["forwarding"], one["note"]) for one in await event_store.recent(tx)}
    assert [kept[one.enterprise_id] for one in events] == [
        ("confirmed", ""),
        ("refused", logs.notes(BAD)),
        ("confirmed", ""),
    ]


async def test_no_confirmation_asks_nothing(world: Any, answers: Answers):
    whole: Any = example("UtilitiesSmartMeterEventERPBulkCreateConfirmation")
    with statements(world) as asked:
        async with world.database.begin() as tx:
            await answers.of_events(tx, [replace(whole, items=())])
    assert asked == []
