"""Carries out accepted orders: each device in a session of its own, proven, answered once.

An item stays due until its result is durable. Before a breaker is told to move, that is written down (`sent_at`): a
killed process knows afterwards that it may have moved, reads it first, and a cancel comes too late.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.headend import answers, command_store, store
from openami.ami.headend.answers import ExpiredError, NotProvenError
from openami.ami.headend.command_store import CONTROL, Item
from openami.ami.headend.model import Kind, Purpose, Switch, SwitchResult
from openami.ami.headend.schedule import AFTER_FAULT_S, wait_for
from openami.shared.errors import OpenAmiError
from openami.shared.service import Work

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.headend.answers import Answers, ReadResult
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.model import Meter
    from openami.ami.headend.reader import MeterReader, Visit
    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

IN_FLIGHT_MAX: Final = 64
RETRY_FIRST: Final = timedelta(minutes=1)
RETRY_LAST: Final = timedelta(minutes=30)


class WithdrawnError(OpenAmiError):
    """The order was cancelled before the device was told."""


def retry_at(now: datetime, attempts: int, deadline: datetime) -> datetime:
    """When to try an order again: after a minute, doubling up to half an hour, a last time at its deadline."""
    pause: timedelta = min(RETRY_FIRST * 2 ** min(attempts, 10), RETRY_LAST)
    return min(now + pause, deadline)


class Commands:
    """The loop that carries out what is due."""

    def __init__(
        self, database: Database, clock: Clock, reader: MeterReader, writer: Answers, *, offset_s: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._reader = reader
        self._answers = writer
        self._offset_s = offset_s
        self._in_flight: dict[tuple[UUID, str, str], asyncio.Task[None]] = {}
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Carry out whatever is due, for ever."""
        try:
            while True:
                self.wake.clear()
                next_due = await self._start_due()
                await wait_for(self._clock, next_due, self.wake)
        finally:
            for task in self._in_flight.values():
                task.cancel()

    async def work(self) -> Work:
        """Items due by now, in flight included, and when the next one will be."""
        async with self._database.engine.connect() as connection:
            count, next_due = await command_store.due_count(connection, self._clock.now())
        return Work("commands", count, next_due)

    async def _start_due(self) -> datetime | None:
        async with self._database.engine.connect() as connection:
            items = await command_store.due_items(connection, self._clock.now(), limit=2 * IN_FLIGHT_MAX)
            _, next_due = await command_store.due_count(connection, self._clock.now())
        for item in items:
            if item.key not in self._in_flight and len(self._in_flight) < IN_FLIGHT_MAX:
                self._in_flight[item.key] = asyncio.create_task(self._carry_out(item))
        return next_due

    async def _carry_out(self, item: Item) -> None:
        try:
            async with self._database.begin() as transaction:
                row = await store.meter_row(transaction, item.serial)
                meter = await store.load_meter(transaction, item.serial, offset_s=self._offset_s)
            assert row is not None
            if item.kind == CONTROL:
                assert meter is not None
                await self._control(item, meter)
            elif row.kind == Kind.ELECTRICITY and meter is not None:
                await self._read(item, meter)
            else:
                await self._answers.from_telegrams(item)
        except Exception:  # nothing durable happened: the item stays due
            log.exception("commands.not_kept", serial=item.serial)
            await asyncio.sleep(AFTER_FAULT_S)
        finally:
            del self._in_flight[item.key]
            self.wake.set()

    async def _read(self, item: Item, meter: Meter) -> None:
        async def talk(dialogue: Dialogue) -> ReadResult:
            return await answers.read_wanted(dialogue, item.detail, self._clock.now())

        visit = await self._reader.visit(meter, Purpose.ON_DEMAND, talk)
        async with self._database.begin() as transaction:
            await store.keep_sessions(transaction, [visit.record])
            if visit.result is not None:
                await self._answers.read_done(transaction, item, meter, visit.result)
            else:
                await self._failed(transaction, item, meter, visit)

    async def _control(self, item: Item, meter: Meter) -> None:
        visit = await self._try_to_switch(item, meter)
        async with self._database.begin() as transaction:
            if visit is None:
                expired = ExpiredError(f"The order for {item.serial} could not be carried out before its deadline.")
                await self._answers.failed(transaction, item, meter, expired)
                return
            await store.keep_sessions(transaction, [visit.record])
            if visit.result is not None and visit.result.proven:
                await self._answers.switched(transaction, item, meter, visit.result)
            elif visit.result is not None:
                found = f"The breaker of {item.serial} is {visit.result.after.state.value} after the order."
                await self._answers.failed(transaction, item, meter, NotProvenError(found, hint="Send somebody."))
            elif not isinstance(visit.error, WithdrawnError):
                await self._failed(transaction, item, meter, visit)

    async def _try_to_switch(self, item: Item, meter: Meter) -> Visit[SwitchResult] | None:
        if self._clock.now() > item.deadline_at:
            return None  # too late to begin: what was right then may be wrong now

        async def talk(dialogue: Dialogue) -> SwitchResult:
            return await dialogue.switch(Switch(item.action), lambda: self._write_ahead(item))

        return await self._reader.visit(meter, Purpose.CONTROL, talk)

    async def _write_ahead(self, item: Item) -> None:
        """Note that the device is about to be told.

        Raises:
            WithdrawnError: the order was cancelled meanwhile.
        """
        async with self._database.begin() as transaction:
            if not await command_store.change_item(transaction, item, sent_at=self._clock.now()):
                raise WithdrawnError(f"The order for {item.serial} was cancelled.")

    async def _failed(
        self, transaction: AsyncConnection, item: Item, meter: Meter, visit: Visit[ReadResult] | Visit[SwitchResult]
    ) -> None:
        """Try again later if that may help and there is time, else answer that it failed."""
        assert visit.error is not None
        now = self._clock.now()
        if visit.retry_helps and now < item.deadline_at:
            due = retry_at(now, item.attempts, item.deadline_at)
            error = str(visit.error)
            await command_store.change_item(transaction, item, attempts=item.attempts + 1, next_due_at=due, error=error)
            return
        await self._answers.failed(transaction, item, meter, visit.error)
