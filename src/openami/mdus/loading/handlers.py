"""Accepting deliveries, and handing those that wait to the workers until none is left."""

from __future__ import annotations

import asyncio
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from openami.mdus.loading import store
from openami.mdus.loading.model import Progress
from openami.mdus.loading.worker import clock_of, estimate, load
from openami.mdus.vee.store import open_shards
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.loading.model import Loaded, Place
    from openami.mdus.unify.raw import RawStore
    from openami.shared.database import Database

AT_ONCE: Final = 4_096  # deliveries handed out before the list of waiting ones is looked at again
IN_VAIN_MAX: Final = 5
DAYS_A_SHARD: Final = 2_000
PAUSE_S: Final = 0.2


Task: TypeAlias = tuple[Any, ...]


class LoadingStoppedError(OpenAmiError):
    """Workers fail again and again."""


async def accept(
    tx: AsyncConnection, raw: RawStore, data: bytes, *, name: str, source: str, at: datetime, format_name: str = ""
) -> str:
    """Keep a delivery and note that it waits; when the transaction has committed it is acknowledged.

    Returns its digest. The same bytes again are the same delivery.
    """
    kept = await asyncio.to_thread(raw.keep, data)
    await store.note(tx, kept.digest, store.Claimed(name, source, format_name, kept.packed), at)
    return kept.digest


async def load_waiting(
    executor: Callable[[], Executor],
    place: Place,
    database: Database,
    *,
    tell: Callable[[Loaded], None] = lambda _: None,
) -> Progress:
    """Load all that waits, then estimate what is due, on the workers of an executor.

    Estimates come last: so the result is the same in whatever order the workers took the deliveries.

    Args:
        executor: makes the executor; called again when the workers of the last one died.
        place: where the workers find everything.
        database: the area's database, to see what waits.
        tell: hears of every delivery that is through, and of estimates (without a digest).

    Raises:
        LoadingStoppedError: the workers died again and again.
    """
    run = _Run(executor, tell)

    async def loads() -> list[Task]:
        async with database.read() as connection:
            return [(load, place, digest) for digest in await store.waiting(connection, AT_ONCE)]

    async def estimates() -> list[Task]:
        async with database.read() as connection:
            last = place.last_due(clock_of(place).now())
            return [(estimate, place, *shard) for shard in await open_shards(connection, last, DAYS_A_SHARD)]

    await run.until_none(loads)
    await run.until_none(estimates)
    return run.progress


class _Run:
    """Hands tasks to workers until there are none, whatever happens to the workers."""

    def __init__(self, executor: Callable[[], Executor], tell: Callable[[Loaded], None]) -> None:
        self._make, self._tell = executor, tell
        self._workers = executor()
        self.progress = Progress()

    async def until_none(self, wanted: Callable[[], Awaitable[list[Task]]]) -> None:
        """Ask what is to be done, have it done, and ask again."""
        in_vain = 0
        while tasks := await wanted():
            done, died = await self._once(tasks)
            in_vain = 0 if done else in_vain + died
            if in_vain > IN_VAIN_MAX:
                raise LoadingStoppedError(
                    f"{len(tasks)} tasks wait, and workers failed {in_vain} times without finishing one.",
                    hint="Look at the logs of the workers; lack of memory is the usual cause.",
                )
            if not done:  # somebody else is at them, or the server still has to notice that a worker is gone
                await asyncio.sleep(PAUSE_S * max(in_vain, 1))

    async def _once(self, tasks: list[Task]) -> tuple[bool, bool]:
        """Every task once; whether any got anything done, and whether workers died."""
        # in a thread: the first task starts the workers, which takes seconds in which the loop has others to answer
        handed = await asyncio.to_thread(lambda: [self._workers.submit(*task) for task in tasks])
        results = [asyncio.wrap_future(one) for one in handed]
        done = broken = False
        for result in asyncio.as_completed(results):
            try:
                loaded = await result
            except BrokenProcessPool:
                broken = True
                continue
            if loaded.taken or not loaded.digest:
                done = True
                self.progress += loaded
                self._tell(loaded)
        if broken:
            self._workers = self._make()
        return done, broken
