"""A small fleet, registered in a database of its own, and what loads its deliveries."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from openami.mdus.loading import Place, Progress, accept, load_waiting
from openami.mdus.loading import worker as worker_
from openami.mdus.series import Series
from openami.mdus.series.determinants import WEEKDAYS, Window
from openami.mdus.series.fingerprint import fingerprint
from openami.mdus.tables import metadata
from openami.mdus.unify.raw_objects import raw_store
from openami.testing.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import Executor
    from pathlib import Path

    from openami.mdus.loading import Loaded
    from openami.shared.database import Database

METERS = 6


@dataclass(slots=True)
class Ground:
    """A registered fleet and where it is loaded to."""

    database: Database
    fleet: Fleet
    place: Place
    loaded: list[Loaded]

    async def accept(self, data: bytes, name: str = "x") -> str:
        async with self.database.begin() as tx:
            at = datetime(2026, 3, 20, tzinfo=UTC)
            return await accept(tx, raw_store(self.place.deliveries), data, name=name, source="AMS1", at=at)

    async def load(self, executor: Callable[[], Executor] | None = None) -> Progress:
        with ThreadPoolExecutor(1) as one:
            make = executor or (lambda: one)
            return await load_waiting(make, self.place, self.database, tell=self.loaded.append)

    async def fingerprint(self) -> str:
        async with self.database.begin() as tx:
            return await fingerprint(tx, Series())


@pytest.fixture
async def ground(database: Database, tmp_path: Path) -> AsyncIterator[Ground]:
    async with database.engine.begin() as tx:
        await tx.run_sync(metadata.create_all)
    fleet = Fleet(METERS)
    async with database.begin() as tx:
        await fleet.register(tx)
    windows = (Window(1, WEEKDAYS, 7 * 3600, 23 * 3600),)
    place = Place(database.url, str(tmp_path / "deliveries"), windows=windows)
    yield Ground(database, fleet, place, [])
    with suppress(KeyError):
        await asyncio.to_thread(worker_.close, place)  # it has an event loop of its own
