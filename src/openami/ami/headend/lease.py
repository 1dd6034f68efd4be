"""Which of several head-ends works: a lease in PostgreSQL, held by one, renewed in time, taken over when it ends.

The one that holds the lease runs the loops; another on the same database waits. Whoever loses it stops at once: its
loops are cancelled, so that nothing of it is finished later. What both could touch in the moment between (counters,
marks, messages) is safe by itself: counters are reserved by one process only, marks and messages move in one
transaction.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import Column, DateTime, Table, Text, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from openami.ami.headend.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from openami.shared.database import Database

log = structlog.get_logger()

LASTS_S: Final = 15.0
RENEWED_EVERY_S: Final = 4.0
NAME: Final = "head-end"

lease_table = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
)


class Lease:
    """One process's claim on the work; the clock of the database says when it ends, no other need be right."""

    def __init__(
        self, database: Database, *, holder: str = "", lasts_s: float = LASTS_S, every_s: float = RENEWED_EVERY_S
    ) -> None:
        self._database = database
        self._lasts_s = lasts_s
        self._every_s = every_s
        self.holder = holder or uuid.uuid4().hex
        self.held = False

    async def claim(self) -> bool:
        """Take the lease if it is free or ours, and say whether it is ours now."""
        until = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, self._lasts_s)
        statement = insert(lease_table).values(name=NAME, holder=self.holder, until=until)
        statement = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": self.holder, "until": until},
            where=or_(lease_table.c.holder == self.holder, lease_table.c.until < func.clock_timestamp()),
        )
        async with self._database.begin() as transaction:
            taken = await transaction.execute(statement.returning(lease_table.c.holder))
            return bool(taken.scalar_one_or_none() == self.holder)

    async def give_up(self) -> None:
        """Let another take over at once."""
        async with self._database.begin() as transaction:
            await transaction.execute(lease_table.delete().where(lease_table.c.holder == self.holder))

    async def who(self) -> str | None:
        """Who holds it, if anybody does."""
        async with self._database.begin() as transaction:
            query = select(lease_table.c.holder).where(lease_table.c.until >= func.clock_timestamp())
            return (await transaction.execute(query)).scalar_one_or_none()

    async def run(self, loops: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """A loop: wait for the lease, work while it is ours, stop when it is not."""
        while True:
            while not await self._renewed():  # noqa: ASYNC110 - another process cannot set our event
                await asyncio.sleep(self._every_s)
            log.info("lease.taken", holder=self.holder)
            tasks = [asyncio.ensure_future(loop()) for loop in loops]
            try:
                await self._work(tasks)
            finally:
                self.held = False
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, tasks: Sequence[asyncio.Future[None]]) -> None:
        """Renew until the lease is lost; a loop that fails ends the work, so that its fault is seen."""
        while True:
            done, _ = await asyncio.wait(tasks, timeout=self._every_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
            if not await self._renewed():
                log.warning("lease.lost", holder=self.holder)
                return

    async def _renewed(self) -> bool:
        """Whether it is ours; a database that does not answer in time counts as lost."""
        try:
            async with asyncio.timeout(self._lasts_s - self._every_s):
                self.held = await self.claim()
        except (OSError, TimeoutError):
            self.held = False
        return self.held
