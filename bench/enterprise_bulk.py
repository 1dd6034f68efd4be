"""Bulk over the enterprise seam, end to end: reading results, and intervals both ways.

Each figure is from the first byte posted to the last confirmation handled, over both doors, both databases and all
checks, in one process: the two areas of a landscape would share the work between two. The process has loaded its
compiled loops, as an area has since its first large message. LONG=1 takes a million intervals
each way instead of 100,000; QUICK=1 takes a tenth of it all.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from sqlalchemy import func, select, text

from bench._ground import AT, QUICK, WORKERS, Ground, cpu_s, ground, run
from bench._rows import row
from openami.mdus import area as mdus_area
from openami.mdus.middle import MdusSettings
from openami.mdus.series.lake import Lake
from openami.mdus.services.upload import upload_table
from openami.mdus.tables import seam as mdus_seam
from openami.office import area as office_area
from openami.office.readings.store import readings
from openami.office.tables import metadata as office_metadata
from openami.office.tables import seam as office_seam
from openami.shared.clock import ManualClock
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.contract.enterprise.codec import encode
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.interval_columns import IntervalColumns
from openami.shared.contract.enterprise.intervals import decode_intervals, encode_intervals
from openami.shared.database import Database
from openami.shared.seam import Envelope, Inbox, Outbox, Seam
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.seam.field import FieldDoor
from openami.shared.service import create_app
from openami.testing.fleet import FIRST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from sqlalchemy import Select

    from openami.shared.postgres import EmbeddedPostgres
    from openami.shared.seam import SeamTables
    from openami.shared.service import Area

SHARE = 10 if QUICK else 1
RESULTS = 100_000 // SHARE
METERS = (522 if os.environ.get("LONG") == "1" else 53) // SHARE
DAYS = 10
INTERVALS = METERS * 2 * 96 * DAYS
PROFILES_A_MESSAGE = 50

_DEVICES = (
    "INSERT INTO devices (id, serial, material, kind, ams_id, interval_s, received_at)"
    " SELECT lpad(i::text, 18, '0'), 'SN' || i, 'METER-E', 'electricity', 'AMS1', 900, now()"
    " FROM generate_series(1, :count) AS i"
)
_REGISTERS = (
    "INSERT INTO registers"
    " (id, device_id, category, obis, unit, total_digits, fraction_digits, interval_s, profile_id)"
    " SELECT lpad(i::text, 18, '0'), lpad('1', 18, '0'), CASE WHEN :interval_s > 0 THEN '4' ELSE '5' END,"
    " '1-0:1.8.0', 'KWH', 9, 3, :interval_s, CASE WHEN :interval_s > 0 THEN lpad(i::text, 18, '0') END"
    " FROM generate_series(1, :count) AS i"
)
_ORDERS = (
    "INSERT INTO reading_orders"
    " (id, register_id, device_id, reason, scheduled_date, source, wanted_at, state, created_at)"
    " SELECT lpad(i::text, 20, '0'), lpad(i::text, 18, '0'), lpad('1', 18, '0'), '01', DATE '2026-03-19', '0',"
    " TIMESTAMPTZ '2026-03-19T23:00Z', 'accepted', now() FROM generate_series(1, :count) AS i"
)
_PROFILES = (
    "INSERT INTO profile (profile_key, profile, unit_code, recurrence, remotely_stored)"
    " SELECT channel::text, lpad(channel::text, 18, '0'), 'KWH', '', false FROM channel WHERE interval_s > 0"
)
_ROLES = (
    "INSERT INTO profile_role (profile_key, task, task_key, start_at, end_at, role)"
    " SELECT channel::text, task, task_key, start_at, end_at, '' FROM channel WHERE interval_s > 0"
)


@dataclass
class Party:
    """One side: its area with doors and loops, at work."""

    database: Database
    inbox: Inbox
    outbox: Outbox
    door: EnterpriseDoor
    area: Area
    client: httpx.AsyncClient = field(init=False)
    confirmed: int = 0

    async def post(self, body: bytes, path: str = "/services/Any") -> None:
        """A message for this side."""
        answer = await self.client.post(path, content=body, auth=("PARTNER", "secret"), timeout=None)
        assert answer.status_code == 202, answer.text

    @asynccontextmanager
    async def working(self, deliver: Callable[[Envelope], Awaitable[bytes]]) -> AsyncIterator[Party]:
        """With its loops running."""
        self.outbox.connect(Seam.ENTERPRISE, deliver)
        self.area.routes = [*self.door.routes(), *self.area.routes]
        transport = httpx.ASGITransport(create_app(self.area, token="token"))
        loops = [*self.area.loops, self.inbox.run, self.outbox.run]
        async with httpx.AsyncClient(transport=transport, base_url="http://side") as self.client:
            tasks = [asyncio.ensure_future(loop()) for loop in loops]
            yield self
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def stores(database: Database, clock: ManualClock, tables: SeamTables) -> dict[str, Any]:
    inbox, outbox = Inbox(database, clock, tables), Outbox(database, clock, tables)
    return {"database": database, "clock": clock, "inbox": inbox, "outbox": outbox}


async def office(url: str, registers: int, interval_s: int) -> Party:
    """An office with so many registers (each with an order) or interval channels."""
    database, clock = Database(url), ManualClock(AT)
    async with database.begin() as tx:
        await tx.run_sync(office_metadata.create_all)
        await tx.execute(text(_DEVICES), {"count": 1})
        await tx.execute(text(_REGISTERS), {"count": registers, "interval_s": interval_s})
        if not interval_s:
            await tx.execute(text(_ORDERS), {"count": registers})
    parts = stores(database, clock, office_seam)
    door = EnterpriseDoor(**parts, side=Side.OFFICE, partner="mdus", passwords={"PARTNER": "secret"})
    made = office_area.build(database=database, clock=clock, door=door)
    return Party(database, parts["inbox"], parts["outbox"], door, made)


async def mdus(place: Ground, folder: Path) -> Party:
    """A middle with a fleet whose interval channels feed a profile each."""
    assert place.place.lake is not None
    clock = ManualClock(AT)
    async with place.database.begin() as tx:
        for statement in (_PROFILES, _ROLES):
            await tx.execute(text(statement))
    parts = stores(place.database, clock, mdus_seam)
    door = EnterpriseDoor(**parts, side=Side.MDUS, partner="office", passwords={"PARTNER": "secret"})
    made = mdus_area.build(
        database=place.database,
        clock=clock,
        settings=MdusSettings(),
        enterprise_door=door,
        field_door=FieldDoor(**parts, source="MDUS", passwords={}),
        folder=folder / "raw",
        lake=Lake(place.database.url, place.place.lake),
    )
    return Party(place.database, parts["inbox"], parts["outbox"], door, made)


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again, for ten minutes at most."""
    async with asyncio.timeout(600):
        while not await done():  # noqa: ASYNC110 - the areas tell it by their tables only
            await asyncio.sleep(0.02)


async def count_of(database: Database, query: Select[Any]) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(query) or 0)


def results() -> bytes:
    message: Any = example("MeterReadingDocumentERPResultBulkCreateRequest")
    one = message.items[0]
    document = one.meter_reading_document
    task, result = document.utilties_measurement_task, document.result
    now = datetime(2026, 3, 20, tzinfo=UTC)
    items = [
        dataclasses.replace(
            one,
            message_header=header(now, sender="MDUS"),
            meter_reading_document=dataclasses.replace(
                document,
                id=f"{number:020}",
                meter_reading_reason_code="01",
                utilties_measurement_task=dataclasses.replace(task, utilities_measurement_task_id=f"{number:018}"),
                result=dataclasses.replace(
                    result,
                    actual_meter_reading_date=now.date().replace(day=19),
                    actual_meter_reading_time=now.time().replace(hour=23, minute=59, second=59),
                    meter_reading_result_value=result.meter_reading_result_value.__class__(number % 1000),
                ),
            ),
        )
        for number in range(1, RESULTS + 1)
    ]
    return encode(dataclasses.replace(message, message_header=header(now, sender="MDUS"), items=tuple(items)))


async def of_results(postgres: EmbeddedPostgres) -> list[dict[str, Any]]:
    side = await office(postgres.ensure_database("results"), RESULTS, 0)
    confirmations: list[bytes] = []

    async def deliver(envelope: Envelope) -> bytes:
        confirmations.append(envelope.body)
        return b""

    async def confirmed() -> bool:
        return bool(confirmations)

    body = results()
    async with side.working(deliver):
        start, cpu = time.perf_counter(), cpu_s()
        await side.post(body)
        await until(confirmed)
        wall, used = time.perf_counter() - start, cpu_s() - cpu
    kept = await count_of(side.database, select(func.count()).select_from(readings).where(readings.c.plausible))
    assert kept == RESULTS, kept
    await side.database.close()
    return figures(f"a bulk of {RESULTS:,} reading results, confirmed", RESULTS, wall, used, 100_000)


async def to_office(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    async with ground(postgres, folder, "upload", METERS) as place:
        await place.store("arrow", range(DAYS), METERS)
        await place.load()
        middle = await mdus(place, folder)
        other = await office(postgres.ensure_database("upload_office"), METERS * 4, 900)

        async def to_the_middle(envelope: Envelope) -> bytes:
            await middle.post(envelope.body)
            return b""

        async def to_the_office(envelope: Envelope) -> bytes:
            await other.post(envelope.body)
            return b""

        async def confirmed() -> bool:
            sent = select(func.coalesce(func.sum(upload_table.c["items"]), 0))
            done = await count_of(place.database, sent.where(upload_table.c.state == "confirmed"))
            return done >= await count_of(place.database, sent) > INTERVALS * 0.9

        async with other.working(to_the_middle):
            start, cpu = time.perf_counter(), cpu_s()
            async with middle.working(to_the_office):
                await until(confirmed)
                wall, used = time.perf_counter() - start, cpu_s() - cpu
        await other.database.close()
    return figures(f"upload of {INTERVALS:,} intervals to the office, confirmed", INTERVALS, wall, used, 1_000_000)


def bundles() -> list[bytes]:
    message: Any = example("UtilitiesTimeSeriesBundleItemCreateRequest")
    one, now = message.items[0], datetime(2026, 3, 20, tzinfo=UTC)
    first = np.datetime64(FIRST, "s") - np.timedelta64(3600, "s")
    starts = first + np.arange(96 * DAYS) * np.timedelta64(900, "s")
    numbers = [4 * meter + channel for meter in range(METERS) for channel in (1, 2)]
    bodies = []
    for place in range(0, len(numbers), PROFILES_A_MESSAGE):
        part = numbers[place : place + PROFILES_A_MESSAGE]
        items = [
            dataclasses.replace(
                one,
                message_header=header(now, sender="OFFICE"),
                utilities_time_series=dataclasses.replace(one.utilities_time_series, id=f"{number:018}", item=()),
            )
            for number in part
        ]
        columns = [
            IntervalColumns.regular(starts, 900, 100 + (np.arange(starts.size) * number) % 400, 3, status="01")
            for number in part
        ]
        whole = dataclasses.replace(message, message_header=header(now, sender="OFFICE"), items=tuple(items))
        bodies.append(encode_intervals(whole, columns))
    return bodies


async def to_mdus(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    async with ground(postgres, folder, "intake", METERS) as place:
        middle = await mdus(place, folder / "intake")
        confirmations: list[bytes] = []

        async def deliver(envelope: Envelope) -> bytes:
            if "BundleItem" in envelope.operation:
                confirmations.append(envelope.body)
            return b""

        bodies = bundles()

        async def confirmed() -> bool:
            return len(confirmations) == len(bodies)

        async with middle.working(deliver):
            start, cpu = time.perf_counter(), cpu_s()
            for body in bodies:
                await middle.post(body)
            await until(confirmed)
            wall, used = time.perf_counter() - start, cpu_s() - cpu
        assert not any(b">5</BusinessDocumentProcessingResultCode>" in one for one in confirmations), confirmations[0]
    return figures(f"{INTERVALS:,} intervals of the office to the middle, confirmed", INTERVALS, wall, used, 1_000_000)


def figures(name: str, count: int, wall_s: float, used_s: float, whole: int) -> list[dict[str, Any]]:
    """Wall time and processor time of all processes, for the whole of what the goal names."""
    goal = 20.0
    return [
        row(name, wall_s * whole / count, f"s per {whole:,}", goal=goal),
        row(f"{name}: processor time", used_s * whole / count, f"s per {whole:,}", goal=goal * WORKERS),
    ]


def load_loops() -> None:
    """Read an upload that is large enough for them, once."""
    message: Any = example("UtilitiesTimeSeriesBundleItemCreateRequest")
    starts = np.datetime64(FIRST, "s") + np.arange(2_000) * np.timedelta64(900, "s")
    column = IntervalColumns.regular(starts, 900, np.arange(2_000), 3, status="01")
    body = encode_intervals(dataclasses.replace(message, items=message.items[:1]), [column])
    assert len(decode_intervals(body)[1][0]) == len(starts)


async def measured(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    load_loops()
    return [
        *await of_results(postgres),
        *await to_office(postgres, folder),
        *await to_mdus(postgres, folder),
    ]


if __name__ == "__main__":
    run(measured)
