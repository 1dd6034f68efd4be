"""Background duties over business time: each asks the database when it is next due, acts in one transaction, repeats.

Nothing is kept in memory but the wish to look again soon (`wake`): a killed process finds its duties where they were.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

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

LOOK_AGAIN_S: Final = 0.5
"""Wall time after which a duty looks again even if nobody woke it."""

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
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    acted: int = 0

    async def run(self) -> None:
        """Act for ever."""
        while True:
            self.wake.clear()
            if not await self.turn():
                await self._rest()

    async def turn(self) -> bool:
        """Act once if something is due; whether anything was done."""
        async with self.database.read() as connection:
            due = await self.due(connection)
        if due is None or due > self.clock.now():
            return False
        async with self.database.begin() as transaction:
            done = await self.act(transaction)
        self.acted += done
        return done > 0

    async def work(self) -> Work:
        """What is due now, and the next instant at which something will be."""
        async with self.database.read() as connection:
            due = await self.due(connection)
        if due is not None and due <= self.clock.now():
            return Work(self.name, 1)
        return Work(self.name, 0, due)

    async def _rest(self) -> None:
        """Until somebody wakes us, the next due instant comes, or half a second has passed."""
        try:
            await asyncio.wait_for(self.wake.wait(), LOOK_AGAIN_S)
        except TimeoutError:
            return


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
