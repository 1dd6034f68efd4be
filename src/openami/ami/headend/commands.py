"""Carries out accepted orders: each device in a session of its own, proven, answered once.

An item stays due until its result is durable. Before a breaker is told to move, that is written down (`sent_at`): a
killed process knows afterwards that it may have moved, reads it first, and a cancel comes too late.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from openami.ami.headend import answers, command_store, store
from openami.ami.headend.answers import ExpiredError, NotProvenError
from openami.ami.headend.command_store import CONTROL, FUNCTION, Item
from openami.ami.headend.functions.catalogue import function_of
from openami.ami.headend.functions.house import HOUSE_RUNS, Desk
from openami.ami.headend.functions.keys import KEY_FUNCTIONS
from openami.ami.headend.functions.model import BadParametersError
from openami.ami.headend.model import Kind, Purpose, Switch, SwitchResult
from openami.ami.headend.reader import Visit
from openami.ami.headend.schedule import AFTER_FAULT_S, wait_for
from openami.ami.headend.store import SessionRecord
from openami.shared.errors import OpenAmiError
from openami.shared.service import Work

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.headend.answers import Answers, ReadResult
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.functions.keys import KeyChange
    from openami.ami.headend.functions.model import Found, Function
    from openami.ami.headend.model import Meter
    from openami.ami.headend.reader import MeterReader
    from openami.ami.headend.shipment import Seals
    from openami.ami.headend.turns import Turns
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
        self,
        database: Database,
        clock: Clock,
        reader: MeterReader,
        writer: Answers,
        *,
        keys: KeyChange,
        sealer: Seals,
        turns: Turns,
        offset_s: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._reader = reader
        self._answers = writer
        self._keys = keys
        self._sealer = sealer
        self._turns = turns
        self._offset_s = offset_s
        self._in_flight: dict[tuple[UUID, str, str], asyncio.Task[None]] = {}
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Carry out whatever is due, for ever."""
        try:
            while True:
                self.wake.clear()
                with self._turns.urgent():
                    next_due = await self._start_due()
                await wait_for(self._clock, next_due, self.wake)
        finally:
            for task in self._in_flight.values():
                task.cancel()

    async def work(self) -> Work:
        """Items due by now, in flight included, and when the next one will be."""
        async with self._database.read() as connection:
            count, next_due = await command_store.due_count(connection, self._clock.now())
        return Work("commands", count, next_due)

    async def settled(self, serial: str) -> None:
        """Return when no order of a meter is in flight."""
        tasks = [task for (_, _, at), task in self._in_flight.items() if at == serial]
        if tasks:
            await asyncio.wait(tasks)

    async def _start_due(self) -> datetime | None:
        async with self._database.read() as connection:
            items = await command_store.due_items(connection, self._clock.now(), limit=2 * IN_FLIGHT_MAX)
            _, next_due = await command_store.due_count(connection, self._clock.now())
        for item in items:
            if item.key not in self._in_flight and len(self._in_flight) < IN_FLIGHT_MAX:
                self._in_flight[item.key] = asyncio.create_task(self._carry_out(item))
        return next_due

    async def _carry_out(self, item: Item) -> None:
        with self._turns.urgent():
            await self._kept(item)

    async def _kept(self, item: Item) -> None:
        try:
            async with self._database.read() as connection:
                row = await store.meter_row(connection, item.serial)
                assert row is not None
                meter = await store.loaded(connection, row, offset_s=self._offset_s)
            if item.kind == FUNCTION:
                await self._function(item, meter, row)
            elif item.kind == CONTROL:
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

    async def _function(self, item: Item, meter: Meter | None, row: Row[Any]) -> None:
        function = function_of(item.action)
        wanted = dict(item.detail["parameters"])
        if self._clock.now() > item.deadline_at:
            async with self._database.begin() as transaction:
                late = ExpiredError(f"{item.action} could not be carried out at {item.serial} before its deadline.")
                await self._answers.failed(transaction, item, row, late)
            return
        if function.where == "head-end":
            await self._in_house(item, row, wanted)
            return
        visit = await self._at_meter(item, meter, function, wanted)
        async with self._database.begin() as transaction:
            await store.keep_sessions(transaction, [visit.record])
            if visit.result is not None and visit.error is None:
                await self._answers.function_done(transaction, item, row, visit.result)
            elif not isinstance(visit.error, WithdrawnError):
                await self._failed(transaction, item, row, visit)

    async def _at_meter(
        self, item: Item, meter: Meter | None, function: Function, wanted: dict[str, Any]
    ) -> Visit[Found]:
        """Carry out a function in a session of its own, or in several where keys change."""
        try:
            if meter is None:
                raise BadParametersError(f"{item.serial} has no sessions.", hint="Only electricity meters have.")
            if function.name in KEY_FUNCTIONS:
                await self._write_ahead(item)
                return await self._keys.carry_out(meter, wanted)
            if function.name == "update_firmware":
                wanted |= await self._image(item, str(wanted["image"]))
        except OpenAmiError as error:
            return Visit(SessionRecord(item.serial, Purpose.ON_DEMAND, self._clock.now(), 0), error=error)

        async def talk(dialogue: Dialogue) -> Found:
            await dialogue.check_identity()
            await self._write_ahead(item)
            assert function.run is not None
            return await function.run(dialogue, wanted)

        return await self._reader.visit(meter, Purpose.ON_DEMAND, talk)

    async def _image(self, item: Item, version: str) -> dict[str, Any]:
        """The image of a version, and whether its transfer was begun before."""
        async with self._database.begin() as transaction:
            content = await store.image(transaction, version)
        if content is None:
            raise BadParametersError(f"There is no image {version!r}.", hint="POST /api/images brings one.")
        return {"content": content, "resume": item.told or item.attempts > 0}

    async def _in_house(self, item: Item, row: Row[Any], wanted: dict[str, Any]) -> None:
        async with self._database.begin() as transaction:
            desk = Desk(transaction, row, self._sealer, self._clock.now())
            try:
                found = await HOUSE_RUNS[item.action](desk, wanted)
            except OpenAmiError as error:
                await self._answers.failed(transaction, item, row, error)
            else:
                await self._answers.function_done(transaction, item, row, found)

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
        self, transaction: AsyncConnection, item: Item, meter: Meter | Row[Any], visit: Visit[Any]
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
