"""One bulk order, answers at different times: exactly one bulk confirmation, when the last is there."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text
from tests.mdus.processes.conftest import played_field

from openami.mdus.services.gather import Gather, table
from openami.shared.contract.enterprise import confirm, logs
from openami.shared.contract.enterprise.headers import message_key
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPBulkCreateConfirmation as Answers,
)
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation as Answer,
)
from openami.testing import requests

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


def order_of(homes: list[Any]) -> tuple[Any, list[Any]]:
    """A bulk order that disconnects some homes, and its items."""
    items = [requests.switch(home, requests.DISCONNECT) for home in homes]
    return confirm.bulk(items, homes[0].head()), items


def answer_to(world: Any, item: Any, log: Any = None) -> Any:
    return confirm.confirmation_for(item, log or logs.success(), created=world.clock.now())


async def take(world: Any, item: Any, log: Any = None) -> bool:
    async with world.database.begin() as tx:
        gather = Gather(world.middle.desk)
        return await gather.take(tx, message_key(item.message_header), answer_to(world, item, log), "connection 7")


async def blocked(world: Any) -> int:
    """How many sessions of the database wait for a lock."""
    async with world.database.read() as tx:
        ours = "FROM pg_stat_activity WHERE datname = current_database()"
        return int(await tx.scalar(text(f"SELECT count(*) {ours} AND wait_event_type = 'Lock'")))


async def expect(world: Any, bulk: Any) -> None:
    async with world.database.begin() as tx:
        await Gather(world.middle.desk).expect(tx, bulk)


async def test_a_bulk_is_answered_when_its_last_device_has_moved(world: Any, homes: Callable[..., Any]):
    first, known, second = homes(1), homes(2), homes(3)
    for home in (first, known, second):
        await world.office(*home.initialization())
    world.clock.advance_to(datetime(2026, 3, 11, 9, tzinfo=UTC))
    await world.settle()
    await world.office(requests.switch(known, requests.DISCONNECT, number="77"))
    _, items = order_of([first, known, second])
    items[1] = requests.switch(known, requests.DISCONNECT, number="77")
    bulk = confirm.bulk(items, first.head())
    await world.office(bulk)
    field = played_field(world)
    await field.switched(second, closed=False)
    await world.settle()
    assert world.heard(Answers) == [], "the first one has not moved yet"
    await field.switched(first, closed=False)
    await world.settle()
    (answers,) = world.heard(Answers)
    assert answers.message_header.reference_uuid == bulk.message_header.uuid
    assert [one.message_header.reference_uuid for one in answers.items] == [one.message_header.uuid for one in items], (
        "in the order of the request"
    )
    assert [logs.is_success(one.log) for one in answers.items] == [True, False, True]
    assert answers.log.business_document_processing_result_code == "4"
    assert answers.items[1].log.item[0].type_id == "2002"
    assert not [one for one in world.office_heard if isinstance(one, Answer)], "no item is confirmed by itself, too"


async def test_an_answer_that_no_bulk_waits_for_is_left_to_its_sender(world: Any, homes: Callable[..., Any]):
    bulk, (known, other) = order_of([homes(1), homes(2)])
    assert not await take(world, known), "nothing is expected yet"
    await expect(world, bulk)
    assert await take(world, known)
    assert not await take(world, known), "its place is taken"
    await world.settle()
    assert world.heard(Answers) == []
    assert await take(world, other)
    await world.settle()
    assert len(world.heard(Answers)) == 1


@pytest.mark.parametrize(("refused", "code"), [((), "3"), ((0,), "4"), ((0, 1), "5")])
async def test_the_log_of_all_says_how_much_was_done(
    world: Any, homes: Callable[..., Any], refused: tuple[int, ...], code: str
):
    bulk, items = order_of([homes(1), homes(2)])
    await expect(world, bulk)
    await expect(world, bulk)  # the order is tried again: it is expected once
    for place, item in enumerate(items):
        assert await take(world, item, logs.failed("no") if place in refused else None)
    await world.settle()
    (answers,) = world.heard(Answers)
    assert answers.log.business_document_processing_result_code == code
    assert len(answers.items) == 2


async def test_two_answers_to_one_item_at_the_same_time_are_one(world: Any, homes: Callable[..., Any]):
    bulk, items = order_of([homes(1), homes(2)])
    await expect(world, bulk)
    assert await take(world, items[0])
    async with world.database.begin() as tx:  # both have seen that the item waits, and wait for its bulk
        await tx.execute(select(table).with_for_update())
        both = asyncio.gather(take(world, items[1]), take(world, items[1]))
        while not both.done() and await blocked(world) < 2:
            pass
    assert sorted(await both) == [False, True]
    await world.settle()
    assert len(world.heard(Answers)) == 1


async def test_answers_at_the_same_time_do_not_wait_for_each_other(world: Any, homes: Callable[..., Any]):
    bulk, items = order_of([homes(number) for number in range(1, 7)])
    await expect(world, bulk)
    assert await asyncio.gather(*(take(world, one) for one in items)) == [True] * len(items)
    await world.settle()
    (answers,) = world.heard(Answers)
    assert [one.message_header.reference_uuid for one in answers.items] == [one.message_header.uuid for one in items]
    async with world.database.begin() as tx:
        assert len(list(await tx.execute(select(table).where(table.c.body.is_(None))))) == 0
