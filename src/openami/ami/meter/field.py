"""The field as one living thing: the fleet, its database, and the lock that makes every step whole.

A step is: change the fleet in memory, store what changed in one transaction, only then let anybody see it. A step that
cannot be stored did not happen: the fleet is loaded again as it was.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from openami.ami.meter import store
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.times import instant_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.meter.happenings import Happening
    from openami.ami.meter.slave import SlaveTelegram
    from openami.ami.meter.street import Street
    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

LIVE_EVERY_S = 5


class Listener(Protocol):
    """A concentrator, as far as the field knows it: it stores what its slaves said, and hears of changed links."""

    async def keep(self, tx: AsyncConnection, heard: Mapping[str, Sequence[SlaveTelegram]]) -> None:
        """Store telegrams, given by transformer, in the transaction of the time in which they were heard."""
        ...

    def notice(self) -> None:
        """Time has passed: links may have changed, telegrams may wait."""
        ...


@dataclass(slots=True)
class Counters:
    """What the field has done since it started."""

    steps: int = 0
    frames: int = 0
    telegrams_heard: int = 0
    telegrams_acknowledged: int = 0

    @property
    def activity(self) -> int:
        """Grows whenever anything was done."""
        return self.steps + self.frames + self.telegrams_heard + self.telegrams_acknowledged


class Field:
    """The living street."""

    def __init__(self, database: Database, clock: Clock, street: Street, zone_name: str) -> None:
        self.database = database
        self.clock = clock
        self.street = street
        self.zone_name = zone_name
        self.counters = Counters()
        self.listeners: list[Listener] = []
        self.pushes_due = asyncio.Event()
        self._lock = asyncio.Lock()
        self._fleet: Fleet | None = None
        self._stale = False

    @property
    def fleet(self) -> Fleet:
        """The fleet as it was stored last; look at it only while nobody holds a step open."""
        assert self._fleet is not None, "start() comes first"
        return self._fleet

    def now_s(self) -> int:
        """How far the street has lived, in seconds since 1970 UTC."""
        return self.fleet.lived_s

    async def start(self) -> None:
        """Load the street; if it was alive before, the time since then was a power cut."""
        async with self._lock:
            if await self._load():
                to_s = max(seconds_of(self.clock.now()), self.fleet.lived_s)
                log.warning("field.power_cut", since=instant_of(self.fleet.lived_s), until=instant_of(to_s))
                self.fleet.power_cut(to_s)
            await self._save([])

    async def advance(self, to: datetime) -> None:
        """Live through time up to an instant; an instant already lived through changes nothing."""
        async with self._lock:
            await self._refresh()
            await self._advance(seconds_of(to))

    async def order(self, happening: Happening) -> Happening:
        """Accept a fault or a swap; one whose instant is now takes effect before this returns."""
        async with self.step() as fleet:
            fleet.order(happening)
            heard = fleet.live_through(fleet.lived_s)
            assert not heard, "no time has passed"
        return self.fleet.happenings[happening.id]

    @asynccontextmanager
    async def step(self, *, advance: bool = True) -> AsyncIterator[Fleet]:
        """Look at the fleet or change it; what changed is durable when the block has ended."""
        async with self._lock:
            await self._refresh()
            if advance:
                await self._advance(seconds_of(self.clock.now()))
            try:
                yield self.fleet
            except BaseException:
                self._stale = self.fleet.changed
                raise
            await self._save([])

    async def live(self) -> None:
        """A loop: against a real clock, time passes by itself."""
        while True:
            now = self.clock.now()
            await self.advance(now)
            await self.clock.sleep_until(instant_of(seconds_of(now) + LIVE_EVERY_S))

    async def _advance(self, to_s: int) -> None:
        if to_s > self.fleet.lived_s:
            self._stale = True  # until it is stored
            heard = self.fleet.live_through(to_s)
            await self._save(heard, lived=True)
            self._stale = False
            self.counters.steps += 1

    async def _save(self, heard: Sequence[SlaveTelegram], *, lived: bool = False) -> None:
        fleet = self.fleet
        facts, happenings = fleet.take_changes()
        if not (facts or happenings or heard or lived):
            return
        by_transformer: dict[str, list[SlaveTelegram]] = {}
        for telegram in heard:
            by_transformer.setdefault(telegram.transformer, []).append(telegram)
        try:
            async with self.database.begin() as tx:
                await store.save_facts(tx, facts)
                await store.save_happenings(tx, happenings)
                for listener in self.listeners:
                    await listener.keep(tx, by_transformer)
                await store.save_life(tx, fleet.genesis_s, fleet.lived_s)
        except BaseException:
            self._stale = True
            raise
        self.counters.telegrams_heard += len(heard)
        for listener in self.listeners:
            listener.notice()
        if fleet.wants_to_push:
            self.pushes_due.set()

    async def _refresh(self) -> None:
        """Forget what could not be stored, before anybody builds on it."""
        if self._stale:
            await self._load()

    async def _load(self) -> bool:
        """The fleet as it was stored, or a new one; whether there was one."""
        self._stale = True
        async with self.database.begin() as tx:
            life = await store.load_life(tx)
            if life is None:
                self._fleet = Fleet(self.street, self.zone_name, seconds_of(self.clock.now()))
                self._fleet.begin()
                self._stale = False
                return False
            genesis_s, lived_s = life
            fleet = Fleet(self.street, self.zone_name, genesis_s)
            fleet.replay(await store.load_facts(tx), await store.load_happenings(tx), lived_s)
            self._fleet, self._stale = fleet, False
            return True
