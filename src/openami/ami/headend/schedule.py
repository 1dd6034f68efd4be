"""The regular reading: every provisioned meter in its due time, late ones again, all by the same path.

Who is due stands in the database (`meter.next_due_at`); here is only what is in flight. A meter stays due until its
result is durable, so a restart reads again what was not told.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from openami.ami.headend import store
from openami.ami.headend.model import Purpose
from openami.ami.headend.regular import read_all
from openami.shared.service import Work

if TYPE_CHECKING:
    from datetime import datetime

    from openami.ami.headend.deliveries import Deliveries
    from openami.ami.headend.model import Meter
    from openami.ami.headend.protections import Protections
    from openami.ami.headend.reader import MeterReader
    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

IN_FLIGHT_MAX: Final = 256  # sessions begun and not yet durable: bounds memory; permits bound each segment
REFILLED_AT: Final = 192  # who is due is asked for many at a time, not for each that ends
LOOK_AGAIN_S: Final = 5.0  # wall seconds, in case a wake-up was lost with a connection
AFTER_FAULT_S: Final = 1.0


class Schedule:
    """Reads the meters that are due."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        reader: MeterReader,
        deliveries: Deliveries,
        protections: Protections,
        *,
        offset_s: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._reader = reader
        self._deliveries = deliveries
        self._protections = protections
        self._offset_s = offset_s
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Read whoever is due, for ever."""
        try:
            while True:
                self.wake.clear()
                if len(self._in_flight) > REFILLED_AT:
                    await self.wake.wait()  # one that ends wakes us
                elif not await self._start_due():
                    await wait_for(self._clock, await self._next_due(), self.wake)
        finally:
            for task in self._in_flight.values():
                task.cancel()

    async def work(self) -> Work:
        """Meters due by now (in flight included: they stay due until durable), and when the next one will be."""
        async with self._database.read() as connection:
            count, next_due = await store.due_count(connection, self._clock.now())
        return Work("readings", count, next_due)

    async def settled(self, serial: str) -> None:
        """Return when no reading of a meter is in flight."""
        if (task := self._in_flight.get(serial)) is not None:
            await asyncio.wait([task])

    async def _start_due(self) -> bool:
        """Begin to read meters that are due, as many as fit; true if something was begun."""
        room = IN_FLIGHT_MAX - len(self._in_flight)
        async with self._database.read() as connection:
            meters = await store.due_meters(
                connection, self._clock.now(), limit=room, offset_s=self._offset_s, without=self._in_flight
            )
        await self._protections.prepare(meters)
        for meter in meters:
            self._in_flight[meter.serial] = asyncio.create_task(self._read(meter))
        return bool(meters)

    async def _next_due(self) -> datetime | None:
        async with self._database.read() as connection:
            _, next_due = await store.due_count(connection, self._clock.now())
        return next_due

    async def _read(self, meter: Meter) -> None:
        try:
            with self._deliveries.expected():
                visit = await self._reader.visit(meter, Purpose.SCHEDULE, read_all)
                await self._deliveries.put(self._deliveries.outcome(meter, visit))
        except Exception:  # not durable: the meter stays due and is read again
            log.exception("schedule.not_kept", serial=meter.serial)
            await asyncio.sleep(AFTER_FAULT_S)
        finally:
            del self._in_flight[meter.serial]
            self.wake.set()


async def wait_for(clock: Clock, due: datetime | None, wake: asyncio.Event) -> None:
    """Return when the business instant has come, when somebody wakes us, or after a while to look again."""
    waits = [asyncio.create_task(wake.wait())]
    if due is not None:
        waits.append(asyncio.create_task(clock.sleep_until(due)))  # type: ignore[arg-type]  # a coroutine of None
    try:
        await asyncio.wait(waits, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
