"""Reading while loading runs, hot and sealed: a meter-month, the hourly totals of a feeder; and sealing itself."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench._ground import AT, QUICK, Ground, ground, row, run
from openami.mdus.series import Provenance, Series, hot
from openami.mdus.series.lake import Lake
from openami.mdus.series.model import ChannelDays
from openami.mdus.series.sealing import seal
from openami.shared.quality import EMPTY, Origin, Verdict, quality
from openami.shared.spans import Span
from openami.testing.fleet import CALENDAR, FIRST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openami.shared.postgres import EmbeddedPostgres

METERS, DAYS, READS = (500, 5, 20) if QUICK else (10_000, 31, 100)
JUDGED = quality(Origin.MEASURED, Verdict.PV)


async def measure(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    async with ground(postgres, folder, "series", METERS) as here:
        lake = Lake(here.place.database, str(here.place.lake))
        series = Series(lake)
        readings = await fill(here)
        rows = await while_loading(here, series, "hot", 40)
        started = time.perf_counter()
        await seal(here.database, lake, FIRST + timedelta(days=DAYS), AT)
        seal_s = time.perf_counter() - started
        size = sum(one.stat().st_size for one in Path(str(here.place.lake)).rglob("*.parquet"))  # noqa: ASYNC240
        rows.append(row("sealing", readings / seal_s, "readings/s"))
        rows.append(row("sealed size with quality", size / readings, "bytes/reading", goal=2))
        rows += await while_loading(here, series, "sealed", 41)
        lake.close()
    return rows


async def fill(here: Ground) -> int:
    """A month of judged days, written as the bulk path writes them."""
    by, readings = Provenance(AT, "bench", "delivery", "bench-1"), 0
    for number in range(DAYS):
        day = here.fleet.day(number)
        # in the fleet each home repeats its week; here another home has it each time, so that no file flatters itself
        moved = np.roll(np.arange(METERS), number // 7 * 1009)
        channel = (4 * day.meter[:, None] - 3 + np.arange(2)).ravel()
        packed = np.where(day.absent[moved].reshape(-1, 96), np.uint8(EMPTY), np.uint8(JUDGED))
        count = CALENDAR.count(day.day)
        values = np.resize(day.values[moved].reshape(-1, 96), (len(channel), count))
        packed = np.resize(packed, (len(channel), count))
        async with here.database.begin() as tx:
            await hot.append(tx, ChannelDays.of(channel, np.full(len(channel), day.day), values, packed), by)
        readings += values.size
    return readings


async def while_loading(here: Ground, series: Series, where: str, first_day: int) -> list[dict[str, Any]]:
    """Both reads while the workers load other days."""
    await here.store("arrow", [first_day, first_day + 14], max(METERS // (5 if QUICK else 20), 1))
    loading = asyncio.create_task(here.load())
    month = Span(*(datetime.fromtimestamp(CALENDAR.start_s(FIRST.toordinal() + days), UTC) for days in (0, DAYS)))
    everyone = (4 * np.arange(1, METERS + 1) - 3).tolist()

    async def one_month(number: int) -> None:
        async with here.database.begin() as tx:
            span = await series.read(tx, 4 * (1 + number % METERS) - 3, month)
        assert len(span) == sum(CALENDAR.count(FIRST.toordinal() + day) for day in range(DAYS))

    async def hourly_totals(number: int) -> None:
        day = FIRST.toordinal() + number % min(DAYS, 20)
        async with here.database.begin() as tx:
            (found,) = await series.days(tx, everyone, range(day, day + 1))
        assert found.values.sum(axis=0).reshape(-1, 4).sum(axis=1).shape == (24,)

    rows = [
        row(f"one meter-month while loading, {where}, p95", await p95_ms(one_month, READS), "ms", goal=30),
        row(
            f"hourly totals of {METERS} meters while loading, {where}, p95",
            await p95_ms(hourly_totals, max(READS // 5, 5)),
            "ms",
            goal=300,
        ),
    ]
    await loading
    return rows


async def p95_ms(read: Callable[[int], Awaitable[object]], times: int) -> float:
    """The 95th percentile of some reads, each of another meter; the first one opens what is lazily opened."""
    await read(1)
    taken = []
    for number in np.random.default_rng(7).integers(1, METERS, size=times).tolist():
        start = time.perf_counter()
        await read(number)
        taken.append(time.perf_counter() - start)
    return float(np.percentile(taken, 95)) * 1000


if __name__ == "__main__":
    run(measure)
