"""Reading and sealing series: a meter-month and hourly totals, hot and sealed; how fast and how small sealing is.

Prints one JSON row a measurement. The fleet is that of `mdus_ingest`: real homes, a month of days.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.mdus_ingest import AT, CALENDAR, FIRST, Fleet, fleet, fresh, plain
from openami.mdus.series import Series
from openami.mdus.series.lake import Lake
from openami.mdus.series.sealing import seal
from openami.shared.postgres import EmbeddedPostgres
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openami.shared.database import Database

QUICK = bool(os.environ.get("QUICK"))
METERS = 150 if QUICK else 1_000
DAYS = 31
READS = 20 if QUICK else 100
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


async def p95_ms(read: Callable[[int], Awaitable[object]], times: int) -> float:
    """The 95th percentile of some reads, each of another channel; the first one opens what is lazily opened."""
    await read(1)
    taken = []
    for number in np.random.default_rng(7).integers(1, 2 * METERS, size=times).tolist():
        start = time.perf_counter()
        await read(number)
        taken.append(time.perf_counter() - start)
    return float(np.percentile(taken, 95)) * 1000


async def measure(server: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    of = fleet(METERS, DAYS)
    rows: list[dict[str, Any]] = []
    async for database in fresh(server, "series", of):
        lake = Lake(database.engine.url.render_as_string(hide_password=False), folder)
        series = Series(lake)
        await plain(database, of)
        rows += await reads(database, series, of, "hot")
        started = time.perf_counter()
        await seal(database, lake, date.fromordinal(FIRST + DAYS), AT)
        seal_s = time.perf_counter() - started
        size = sum(one.stat().st_size for one in folder.rglob("*.parquet"))  # noqa: ASYNC240 - nothing else runs
        rows.append(row("sealing", of.readings / seal_s, "readings/s", None))
        rows.append(row("sealed size with quality", size / of.readings, "bytes/reading", 2))
        rows += await reads(database, series, of, "sealed")
        lake.close()
    return rows


async def reads(database: Database, series: Series, of: Fleet, where: str) -> list[dict[str, Any]]:
    """A meter's month, and the hourly totals of all channels on one day."""
    month = Span(*(datetime.fromtimestamp(CALENDAR.start_s(FIRST + days), UTC) for days in (0, DAYS)))
    everyone = [one.id for one in of.channels]

    async def one_month(channel: int) -> None:
        async with database.begin() as tx:
            span = await series.read(tx, channel, month)
        assert len(span) == sum(CALENDAR.count(FIRST + day) for day in range(DAYS))

    async def hourly_totals(number: int) -> None:
        day = FIRST + number % 20
        async with database.begin() as tx:
            (found,) = await series.days(tx, everyone, range(day, day + 1))
        assert found.values.sum(axis=0).reshape(-1, 4).sum(axis=1).shape == (24,)

    return [
        row(f"one meter-month, {where}, p95", await p95_ms(one_month, READS), "ms", 30),
        row(f"hourly totals of {len(everyone)} channels, {where}, p95", await p95_ms(hourly_totals, 10), "ms", 300),
    ]


def row(name: str, value: float, unit: str, goal: float | None) -> dict[str, Any]:
    """One figure; the goal is its baseline."""
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "baseline": "the goal" if goal else None,
        "baseline_value": goal,
        "ratio": round(value / goal, 3) if goal else None,
        "goal": goal,
        "machine": MACHINE,
    }


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="openami-bench-") as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        with EmbeddedPostgres(Path(folder) / "postgres", "bench") as server:
            for one in asyncio.run(measure(server, Path(folder) / "lake")):
                print(json.dumps(one))


if __name__ == "__main__":
    main()
