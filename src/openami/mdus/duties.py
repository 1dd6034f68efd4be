"""Background duties over business time: each asks the database when it is next due, acts in one transaction, repeats.

Nothing is kept in memory but the wish to look again soon (`wake`): a killed process finds its duties where they were.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import Column, DateTime, Table, Text, select
from sqlalchemy.dialects.postgresql import insert

from openami.mdus.tables import metadata
from openami.shared.service import Work

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

LOOK_AGAIN_S: Final = 5.0
"""Wall time after which a duty looks again even if nobody woke it (somebody may have changed the database)."""

table: Final = Table(
    "duty",
    metadata,
    Column("name", Text, primary_key=True),
    Column("done_until", DateTime(timezone=True), nullable=False),
)


@dataclass(slots=True)
class Duty:
    """One duty: `due` says when (in the past or now: at once), `act` does what is due and returns how much it did."""

    name: str
    database: Database
    clock: Clock
    due: Callable[[AsyncConnection], Awaitable[datetime | None]]
    act: Callable[[AsyncConnection], Awaitable[int]]
    after: Callable[[], None] | None = None
    """Called when it has acted: the other duties may have got something to do."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    acted: int = 0
    _due: datetime | None = None
    _known: bool = False

    async def run(self) -> None:
        """Act for ever: when something was committed, when time has come, and now and then in any case."""
        while True:
            self.wake.clear()
            if not await self.turn():
                await self._rest()

    async def turn(self) -> bool:
        """Act once if something is due; whether anything was done."""
        async with self.database.read() as connection:
            self._due = await self.due(connection)
        due = self._due
        if due is None or due > self.clock.now():
            self._known = True
            return False
        self._known = False
        async with self.database.begin() as transaction:
            done = await self.act(transaction)
        self.acted += done
        if self.after is not None:
            self.after()
        return done > 0

    async def work(self) -> Work:
        """What is due now, and the next instant at which something will be; not known yet counts as due."""
        due = self._due
        if self.wake.is_set() or not self._known or (due is not None and due <= self.clock.now()):
            return Work(self.name, 1)
        return Work(self.name, 0, due)

    async def _rest(self) -> None:
        """Until somebody wakes us, the next due instant comes, or it is time to look again."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self.wake.wait())]
        if self._due is not None:
            waits.append(asyncio.create_task(self.clock.sleep_until(self._due)))
        try:
            await asyncio.wait(waits, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


async def done_until(tx: AsyncConnection, name: str) -> datetime | None:
    """The instant up to which a periodic duty was done, None before its first time."""
    found: datetime | None = await tx.scalar(select(table.c.done_until).where(table.c.name == name))
    return found


async def note_done(tx: AsyncConnection, name: str, until: datetime, *, first: bool = False) -> None:
    """Remember up to when a periodic duty was done; `first` only if nothing is remembered yet."""
    statement = insert(table).values(name=name, done_until=until)
    if first:
        await tx.execute(statement.on_conflict_do_nothing())
    else:
        await tx.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"done_until": statement.excluded.done_until})
        )
