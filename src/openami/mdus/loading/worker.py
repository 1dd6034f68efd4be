"""What a worker does with one delivery: from the raw bytes to series and totals, in one transaction.

A worker opens its connections once and keeps them: it is a process of a pool or a Dask worker, one task at a time.
"""

from __future__ import annotations

import asyncio
import gc
import io
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np
import structlog
from sqlalchemy.exc import DBAPIError

from openami.mdus.loading import store
from openami.mdus.loading.model import NO_TOTALS, REFUSED, Loaded, Totals
from openami.mdus.middle import MdusSettings, Middle
from openami.mdus.series.both import newest
from openami.mdus.series.determinants import bucket_slots, bucket_totals
from openami.mdus.series.lake import Lake
from openami.mdus.tables import seam
from openami.mdus.unify.adapters import UnknownFormatError
from openami.mdus.unify.adapters.files import recognised
from openami.mdus.unify.adapters.packed import Packed
from openami.mdus.unify.parts import parts
from openami.mdus.unify.raw import Quarantined
from openami.mdus.vee.store import open_days
from openami.shared.clock import RealClock, SharedClock
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.database import Database, is_lost, is_passing
from openami.shared.seam import Inbox, Outbox
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.seam.field import FieldDoor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.loading.model import Place
    from openami.mdus.series import ChannelDays
    from openami.mdus.unify.parts import Part
    from openami.shared.clock import Clock
    from openami.shared.contract.field import Refusal


log = structlog.get_logger()


def load(place: Place, digest: str) -> Loaded:
    """Load one waiting delivery; what any executor calls.

    It still waits when the database gave way to somebody else's transaction, or was gone for a moment.
    """
    try:
        return _here(place, lambda here: here.load(digest))
    except DBAPIError as error:
        if not (is_passing(error) or is_lost(error)):
            raise
        log.warning("loading.again", digest=digest, found=str(error.orig))
        return Loaded(digest, taken=False)


def estimate(place: Place, low: int, high: int) -> Loaded:
    """Estimate what is due in the channels from `low` to `high`: when all is loaded, so that no order matters."""
    return _here(place, lambda here: here.estimate(low, high))


def _here(place: Place, work: Callable[[_Here], Coroutine[Any, Any, Loaded]]) -> Loaded:
    with _lock:
        here = _open.get(place)
        if here is None:
            here = _open[place] = _Here(place)
        # a delivery makes a million objects and no cycles: looking for some over and over costs half of the time
        gc.disable()
        try:
            return here.runner.run(work(here))
        finally:
            gc.enable()


def clock_of(place: Place) -> Clock:
    """The clock of the landscape: real, or simulated and shared."""
    return RealClock() if place.clock is None else SharedClock(place.clock)


def close(place: Place) -> None:
    """Let go of what this process holds open for a place."""
    with _lock:
        here = _open.pop(place)
        here.runner.run(here.database.close())
        here.runner.close()
        here.close()


DAYS_AT_ONCE: Final = 4_000
_lock: Final = threading.Lock()


class _Here:
    """The middle as a worker has it: its stores and rules; its doors only write to the outbox."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.runner = asyncio.Runner()
        self.clock = clock_of(place)
        self.database = Database(place.database, pool_size=2)
        self.lake = Lake(place.database, place.lake) if place.lake else None
        self.middle = _middle(place, self.database, self.clock, self.lake)
        self.steps = _Steps()

    def close(self) -> None:
        """Let go of the lake."""
        if self.lake is not None:
            self.lake.close()

    async def load(self, digest: str) -> Loaded:
        """One delivery in one transaction."""
        self.steps.clear()
        async with self.database.begin() as tx:
            claimed = await store.claim(tx, digest)
            if claimed is None:
                return Loaded(digest, taken=False)
            try:
                loaded, refusals = await self._take(tx, digest, claimed)
            except UnknownFormatError as error:
                self.middle.raw.fetch(digest)  # or is it damaged?
                await store.finish(tx, Loaded(digest), state=REFUSED, reason=error.found)
                return Loaded(digest)
            entry = Quarantined(digest, claimed.source, self.clock.now(), tuple(refusals))
            await asyncio.to_thread(self.middle.raw.quarantine, entry)
            await store.finish(tx, loaded)
            began = time.perf_counter()
        self.steps.add("commit", time.perf_counter() - began)
        return replace(loaded, seconds=dict(self.steps.seconds))

    async def _take(self, tx: AsyncConnection, digest: str, claimed: store.Claimed) -> tuple[Loaded, list[Refusal]]:
        loaded = Loaded(digest)
        refusals: list[Refusal] = []
        for part in self._parts(digest, claimed):
            refusals += part.refusals
            taken = await self.middle.flow.take_columns(
                tx,
                part.columns,
                part.left,
                digest=digest,
                source=claimed.source,
                cause=f"file {claimed.name}",
                steps=self.steps,
            )
            refusals += (*part.refusals_of_left, *taken.refusals)
            if part.events:
                await self.middle.field_side.take_events(tx, part.events, claimed.source)
            with self.steps("totals"):
                totals = await self._totals(tx, newest(*([group] for group in taken.judged.written)))
            loaded = replace(
                loaded,
                readings=loaded.readings + taken.readings,
                findings=loaded.findings + taken.judged.findings,
                totals=_joined(loaded.totals, totals),
            )
        return replace(loaded, refused=len(refusals)), refusals

    def _parts(self, digest: str, claimed: store.Claimed) -> Iterator[Part]:
        """The delivery in pieces that are merged together; damage at its end undoes them all."""
        with self.steps("read"):
            delivery = self.middle.raw.open(digest, claimed.packed)
            adapter, stream = recognised(cast("BinaryIO", delivery), claimed.format)
            if adapter.name == Packed.name:  # files of columns begin at their end
                stream = io.BytesIO(stream.read())
        pieces = parts(adapter, stream)
        while True:
            with self.steps("read"):
                piece = next(pieces, None)
            if piece is None:
                break
            yield piece
        delivery.finish()

    async def estimate(self, low: int, high: int) -> Loaded:
        """Estimate what is open in the channels from `low` to `high`, in days that are over for long enough."""
        self.steps.clear()
        now = self.clock.now()
        async with self.database.begin() as tx:
            with self.steps("estimate"):
                due = await open_days(tx, self.place.last_due(now), DAYS_AT_ONCE, channels=range(low, high + 1))
                judged = await self.middle.vee.estimate_days(tx, due, now)
            with self.steps("totals"):
                totals = await self._totals(tx, judged.written)
        seconds = dict(self.steps.seconds)
        return Loaded("", taken=False, findings=judged.findings, totals=totals, seconds=seconds)

    async def _totals(self, tx: AsyncConnection, groups: Sequence[ChannelDays]) -> Totals:
        """Time-of-use totals of the days that changed."""
        windows = self.place.windows
        if not windows:
            return NO_TOTALS
        number = 1 + max(window.bucket for window in windows)
        total = NO_TOTALS
        for group in groups:
            known = await self.middle.series.channels(tx, group.channel)
            place = known.places(group.channel)
            for calendar, members in known.calendars():
                own = group.rows(np.flatnonzero(members[place]))
                buckets = bucket_slots(calendar, own.day, own.count, windows)
                total = _joined(total, Totals(own.channel, own.day, bucket_totals(own, buckets, number)))
        return total


class _Steps:
    """How long the steps of a load took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def clear(self) -> None:
        """Begin anew."""
        self.seconds = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add the time of a block to a step."""
        began = time.perf_counter()
        yield
        self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        """Add time to a step."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def _joined(first: Totals, second: Totals) -> Totals:
    if not len(first.channel):
        return second
    if not len(second.channel):
        return first
    return Totals(*(np.concatenate((getattr(first, name), getattr(second, name))) for name in Totals.__slots__))


def _middle(place: Place, database: Database, clock: Clock, lake: Lake | None) -> Middle:
    """The middle without its loops: what it wants to send waits in the outbox for the area's own process."""
    inbox, outbox = Inbox(database, clock, seam), Outbox(database, clock, seam)
    return Middle(
        database=database,
        clock=clock,
        settings=MdusSettings(zone=place.zone, systems=dict(place.systems)),
        enterprise_door=EnterpriseDoor(
            database=database,
            clock=clock,
            outbox=outbox,
            inbox=inbox,
            side=Side.MDUS,
            partner="office",
            passwords={},
            bulk_bytes_max=place.bulk_bytes_max,
        ),
        field_door=FieldDoor(database=database, clock=clock, outbox=outbox, inbox=inbox, source="MDUS", passwords={}),
        folder=place.deliveries,
        lake=lake,
    )


_open: Final[dict[Place, _Here]] = {}
