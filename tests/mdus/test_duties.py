"""Duties: due from the database, one transaction a turn, truthful about what is in hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest

from openami.mdus.duties import Duty, done_until, note_done
from openami.mdus.estimation import next_morning
from openami.mdus.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import ManualClock
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


class Bell:
    """A duty that rings every hour, its state in the database."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.clock = clock
        self.rung = 0
        self.rang = asyncio.Event()
        self.duty = Duty("bell", database, clock, self.due, self.act, after=self.rang.set)

    async def due(self, tx: AsyncConnection) -> datetime | None:
        last = await done_until(tx, "bell")
        return last + timedelta(hours=1) if last else None

    async def act(self, tx: AsyncConnection) -> int:
        self.rung += 1
        await note_done(tx, "bell", self.clock.now())
        return 1


@pytest.fixture
async def bell(database: Database, clock: ManualClock) -> Bell:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return Bell(database, clock)


async def test_a_duty_says_what_is_due_and_when(bell: Bell, database: Database):
    assert (await bell.duty.work()).pending == 1, "nobody has looked yet: that is not quiet"
    assert not await bell.duty.turn()
    assert (await bell.duty.work()).pending == 0
    async with database.begin() as tx:
        await note_done(tx, "bell", bell.clock.now(), first=True)
        await note_done(tx, "bell", bell.clock.now() - timedelta(days=9), first=True)
    bell.duty.wake.set()
    assert (await bell.duty.work()).pending == 1, "something was committed: it may be due"
    bell.duty.wake.clear()
    assert not await bell.duty.turn()
    assert (await bell.duty.work()).next_due == bell.clock.now() + timedelta(hours=1)
    bell.clock.advance(timedelta(hours=1))
    assert (await bell.duty.work()).pending == 1
    assert await bell.duty.turn()
    assert not await bell.duty.turn()
    assert bell.rung == bell.duty.acted == 1


async def test_a_running_duty_follows_the_clock(bell: Bell, database: Database):
    async with database.begin() as tx:
        await note_done(tx, "bell", bell.clock.now())
    running = asyncio.create_task(bell.duty.run())
    for hour in range(1, 4):
        bell.rang.clear()
        bell.clock.advance(timedelta(hours=1))
        await asyncio.wait_for(bell.rang.wait(), 10)
        assert bell.rung == hour
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_the_next_morning_is_local_even_when_the_clock_changes():
    six = time(6)
    before = datetime(2026, 3, 28, 20, tzinfo=UTC)
    assert next_morning(before, six, "Europe/Amsterdam") == datetime(2026, 3, 29, 4, tzinfo=UTC)
    exactly = datetime(2026, 3, 27, 5, tzinfo=UTC)
    assert next_morning(exactly, six, "Europe/Amsterdam") == datetime(2026, 3, 28, 5, tzinfo=UTC)
