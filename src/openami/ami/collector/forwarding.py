"""Tells the MDUS of collected telegrams: bundled, once, in the transaction that notes it.

Due once a day beside the regular reading, and whenever many wait. Telegrams of meters that nobody provisioned stay
where they are and are shown.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from openami.ami.collector import store
from openami.ami.headend import reports, rules
from openami.ami.headend.model import Kind
from openami.ami.headend.schedule import wait_for
from openami.ami.headend.store import change_meter
from openami.shared.contract import field
from openami.shared.service import Work

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.headend.deliveries import Sender
    from openami.shared.clock import Clock
    from openami.shared.database import Database

TIMER: Final = "forward telegrams"
BUNDLE_MAX: Final = 5_000  # readings a message
WAITING_MAX: Final = 2_000  # as many as wait before they are told without regard to the hour
COUNT_EVERY: Final = timedelta(minutes=15)


class Forwarding:
    """The loop that tells the MDUS of telegrams."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sender: Sender,
        *,
        zone_name: str,
        offset_s: int,
        arrived: asyncio.Event | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sender = sender
        self._zone_name = zone_name
        self._offset_s = offset_s
        self._arrived = arrived or asyncio.Event()
        self._counted_at: datetime | None = None
        self._due_at: datetime | None = None  # as the database has it: only this loop changes it
        self.told = 0

    async def run(self) -> None:
        """Tell what is due, for ever."""
        while True:
            self._arrived.clear()
            due = await self._due()
            if due <= self._clock.now() or await self._many_wait():
                await self.tell_all()
                continue
            await wait_for(self._clock, due, self._arrived)

    async def work(self) -> Work:
        """Whether telling is due by now, and when it will be."""
        due = await self._due()
        if due <= self._clock.now():
            return Work("telegrams", 1)
        return Work("telegrams", 0, due)

    async def tell_all(self) -> int:
        """Tell of everything that waits; returns how many telegrams."""
        told = 0
        while True:
            async with self._database.begin() as transaction:
                rows = await store.waiting(transaction, limit=BUNDLE_MAX)
                if rows:
                    await self._tell(transaction, rows)
                if len(rows) < BUNDLE_MAX:
                    now = self._clock.now()
                    due = rules.next_daily(self._zone_name, self._offset_s, now)
                    await store.set_timer(transaction, TIMER, due)
            told += len(rows)
            self.told += len(rows)
            if len(rows) < BUNDLE_MAX:
                self._due_at = None  # moved: read it again
                return told

    async def _tell(self, transaction: AsyncConnection, rows: Sequence[Row[Any]]) -> None:
        now = self._clock.now()
        found: list[field.MeterReading] = []
        for serial, group in groupby(rows, key=lambda row: str(row.serial)):
            of_meter = list(group)
            first = of_meter[0]
            readings = await self._new_readings(transaction, serial, of_meter)
            if readings:
                found.append(
                    field.MeterReading(
                        meter=reports.identity(serial, first.mrid),
                        usage_point=reports.point(first.usage_point),
                        readings=readings,
                    )
                )
            if first.discovered_at is None:
                news = reports.discovered(serial, first.mrid, amr_system=self._sender.source, at=now)
                await self._sender.event(transaction, news, now, business_key=serial)
            await change_meter(transaction, serial, discovered_at=first.discovered_at or now, last_success_at=now)
        if found:
            key = f"{len(found)} one-way meters"
            await self._sender.event(transaction, field.MeterReadings(tuple(found)), now, business_key=key)
        await store.mark_told(transaction, [row.id for row in rows], now)

    async def _new_readings(
        self, transaction: AsyncConnection, serial: str, rows: Sequence[Row[Any]]
    ) -> tuple[field.Reading, ...]:
        """The readings of one meter, each (instant, volume or energy) once, whatever telegrams carried it."""
        seen = await store.told_instants(transaction, serial, [row.measured_at for row in rows])
        new = []
        for row in rows:
            key = (row.measured_at, row.volume_litres, row.energy_wh)
            reading = reports.dial_reading(Kind(row.kind), row, source=self._sender.source)
            if key not in seen and reading is not None:
                seen.add(key)
                new.append(reading)
        return tuple(new)

    async def _due(self) -> datetime:
        """When telling is due; before the first time at the next regular hour, kept so that a restart knows it."""
        if self._due_at is None:
            async with self._database.begin() as transaction:
                due = await store.timer_due(transaction, TIMER)
                if due is None:
                    due = rules.next_daily(self._zone_name, self._offset_s, self._clock.now())
                    await store.set_timer(transaction, TIMER, due)
            self._due_at = due
        return self._due_at

    async def _many_wait(self) -> bool:
        """Whether so many wait that they should not wait longer; counted now and then only."""
        now = self._clock.now()
        if self._counted_at is not None and now - self._counted_at < COUNT_EVERY:
            return False
        self._counted_at = now
        async with self._database.engine.connect() as connection:
            return await store.waiting_count(connection) >= WAITING_MAX
