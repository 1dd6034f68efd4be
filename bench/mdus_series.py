"""Reading while loading runs, hot and sealed: a meter-month, the hourly totals of a feeder; and sealing itself.

Readers read as the pages of the middle do. How soon an acknowledged delivery is seen is measured while others load, and
while all that is hot is sealed and compacted.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from bench._ground import AT, QUICK, Ground, cpu_s, ground, run, sealed_bytes
from bench._rows import row
from openami.mdus.loading import accept, worker
from openami.mdus.series import Series, upkeep
from openami.mdus.series.lake import Lake
from openami.mdus.series.sealing import seal
from openami.shared.spans import Span
from openami.testing.fleet import CALENDAR, FIRST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from openami.shared.postgres import EmbeddedPostgres

METERS, DAYS, READS = (500, 5, 20) if QUICK else (10_000, 62, 100)
NEWCOMERS, METERS_A_NEWCOMER = (5, 20) if QUICK else (20, 100)


async def measure(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    async with ground(postgres, folder, "series", METERS) as here:
        lake = Lake(here.place.database, str(here.place.lake))
        series = Series(lake)
        # in the fleet each home repeats its week; here another home has it each time, so that no file flatters itself
        readings = sum([await here.keep(day, 0, METERS, shift=day // 7 * 1009) for day in range(DAYS)])
        rows = await while_loading(here, series, "hot", DAYS + 10)
        started, before = time.perf_counter(), cpu_s()
        await seal(here.database, lake, FIRST + timedelta(days=DAYS), AT)
        rows.append(row("sealing", readings / (time.perf_counter() - started), "readings/s"))
        rows.append(row("sealing, processor time of all processes", readings / (cpu_s() - before), "readings/CPU-s"))
        await upkeep.compact(lake)
        rows.append(row("sealed size with quality", sealed_bytes(here.place) / readings, "bytes/reading", goal=2))
        rows += await while_loading(here, series, "sealed", DAYS + 11)
        rows.append(await while_sealing(here, lake, series, DAYS + 40))
        lake.close()
        await asyncio.to_thread(worker.close, here.place)
    return rows


async def while_loading(here: Ground, series: Series, where: str, first_day: int) -> list[dict[str, Any]]:
    """Both reads while the workers load other days."""
    await here.store("arrow", [first_day, first_day + 14], max(METERS // (5 if QUICK else 20), 1))
    loading = asyncio.create_task(here.load())
    days = min(DAYS, 31)
    month = Span(*(datetime.fromtimestamp(CALENDAR.start_s(FIRST.toordinal() + day), UTC) for day in (0, days)))
    everyone = (4 * np.arange(1, METERS + 1) - 3).tolist()

    async def one_month(number: int) -> None:
        async with here.database.read() as tx:
            span = await series.read(tx, 4 * (1 + number % METERS) - 3, month)
        assert len(span) == sum(CALENDAR.count(FIRST.toordinal() + day) for day in range(days))

    async def hourly_totals(number: int) -> None:
        day = FIRST.toordinal() + number % min(DAYS, 20)
        async with here.database.read() as tx:
            (found,) = await series.days(tx, everyone, range(day, day + 1))
        assert found.values.sum(axis=0).reshape(-1, 4).sum(axis=1).shape == (24,)

    rows = [
        *await reading(f"one meter-month while loading, {where}", one_month, READS, 30),
        *await reading(
            f"hourly totals of {METERS} meters while loading, {where}", hourly_totals, max(READS // 5, 5), 300
        ),
    ]
    await visible_s(here, series, first_day + 1, NEWCOMERS)  # the first one compiles loops and opens connections
    seconds = [await visible_s(here, series, first_day + 1, number) for number in range(NEWCOMERS)]
    rows.append(visible(f"while loading, {where}", seconds))
    await loading
    return rows


async def while_sealing(here: Ground, lake: Lake, series: Series, day: int) -> dict[str, Any]:
    """The same while all that is hot is sealed and compacted."""

    async def sealing() -> None:
        assert await seal(here.database, lake, FIRST + timedelta(days=day), AT)
        await upkeep.compact(lake)

    beside = asyncio.create_task(sealing())
    seconds: list[float] = []
    while not (beside.done() and seconds) and len(seconds) < METERS // METERS_A_NEWCOMER:
        seconds.append(await visible_s(here, series, day, len(seconds)))
    await beside
    return visible(f"while sealing and compacting, of {len(seconds)}", seconds)


def visible(when: str, seconds: list[float]) -> dict[str, Any]:
    """How soon deliveries were seen."""
    name = f"a delivery of {METERS_A_NEWCOMER} meters in XML, acknowledged to visible {when}, p95"
    return row(name, float(np.percentile(seconds, 95)), "s", goal=2)


async def visible_s(here: Ground, series: Series, day: int, number: int) -> float:
    """Seconds from the acknowledgement of a delivery until a reader sees the last meter of it, while others load."""
    delivered = here.fleet.day(day, number * METERS_A_NEWCOMER, METERS_A_NEWCOMER)
    async with here.database.begin() as tx:
        digest = await accept(tx, here.raw, delivered.xml(), name=f"new-{day}-{number}", source="AMS1", at=AT)
    acknowledged = time.perf_counter()
    taking = asyncio.create_task(asyncio.to_thread(worker.load, here.place, digest))
    last = [4 * int(delivered.meter[-1]) - 3]
    while True:
        async with here.database.read() as tx:
            if await series.days(tx, last, range(delivered.day, delivered.day + 1)):
                break
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - acknowledged
    await taking
    return seconds


async def reading(
    name: str, read: Callable[[int], Awaitable[object]], times: int, goal_ms: float
) -> list[dict[str, Any]]:
    """Some reads, each of another meter; the first one, which opens what is lazily opened, is not counted."""
    await read(1)
    taken = []
    for number in np.random.default_rng(7).integers(1, METERS, size=times).tolist():
        start = time.perf_counter()
        await read(number)
        taken.append(1000 * (time.perf_counter() - start))
    p95 = row(f"{name}, p95", float(np.percentile(taken, 95)), "ms", goal=goal_ms)
    return [p95, row(f"{name}, the slowest of {times}", max(taken), "ms")]


if __name__ == "__main__":
    run(measure)
