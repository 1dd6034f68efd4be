"""Two head-ends on one database: one works, the other takes over when it is gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from openami.ami.headend.lease import Lease
from openami.ami.headend.tables import metadata

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = pytest.mark.postgres


@pytest.fixture
async def tables(database: Database) -> Database:
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
    return database


async def test_only_one_holds_it_until_it_gives_it_up(tables: Database) -> None:
    first, second = Lease(tables), Lease(tables)
    assert await first.claim()
    assert not await second.claim()
    assert await first.claim(), "its own it may renew"
    assert await second.who() == first.holder
    await first.give_up()
    assert await second.claim()
    assert not await first.claim()


async def test_one_that_is_not_renewed_ends(tables: Database) -> None:
    dead, heir = Lease(tables, lasts_s=0.0), Lease(tables)
    assert await dead.claim()
    assert await heir.claim()


async def test_the_work_is_done_by_the_holder_alone_and_goes_over_to_the_other(tables: Database) -> None:
    working: list[str] = []
    begun = {name: asyncio.Event() for name in ("first", "second")}
    leases = {name: Lease(tables, lasts_s=30.0, every_s=0.01) for name in begun}

    def work_of(name: str) -> object:
        async def work() -> None:
            working.append(name)
            begun[name].set()
            try:
                await asyncio.Event().wait()
            finally:
                working.remove(name)

        return work

    runs = {}
    for name, lease in leases.items():
        runs[name] = asyncio.create_task(lease.run([work_of(name)]))  # type: ignore[list-item]
        if name == "first":
            await begun["first"].wait()
    assert working == ["first"]
    runs["first"].cancel()  # it is killed
    await asyncio.gather(runs["first"], return_exceptions=True)
    await leases["first"].give_up()  # what time would do
    await begun["second"].wait()
    assert working == ["second"]
    runs["second"].cancel()
    await asyncio.gather(runs["second"], return_exceptions=True)
    assert working == []
