"""From packed delivery matrices to durable, validated series, beside writing the same rows with no processing at all.

A synthetic fleet from the shipped recordings of real homes, quarter-hourly, two channels a meter, with real defects:
gaps, odd peaks, repeats, negative values, days that contradict their register. Prints one JSON row a measurement.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import text

from openami.ami.meter.recordings import library
from openami.mdus.series import Calendar, Channel, ChannelDays, Provenance, RegisterReadings, Series, hot
from openami.mdus.tables import metadata
from openami.mdus.vee.handlers import Vee
from openami.shared.database import Database
from openami.shared.postgres import EmbeddedPostgres
from openami.shared.quality import EMPTY, MEASURED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from numpy.typing import NDArray

QUICK = bool(os.environ.get("QUICK"))
METERS = 1_000 if QUICK else 10_000
DAYS = 2 if QUICK else 4
GOAL_READINGS_S = 2_000_000
CALENDAR = Calendar("Europe/Amsterdam", 900)
FIRST = date(2026, 3, 2).toordinal()
AT = datetime(2026, 3, 20, tzinfo=UTC)
BY = Provenance(AT, "bench", "delivery", "bench-1")
REGISTER_OFFSET = 10_000_000


@dataclass(frozen=True, slots=True)
class Fleet:
    """A day's delivery for all channels, per day; and all registers at the midnights."""

    channels: list[Channel]
    deliveries: list[ChannelDays]
    registers: list[RegisterReadings]

    @property
    def readings(self) -> int:
        """Cells of all deliveries."""
        return sum(one.readings for one in self.deliveries)


def fleet(meters: int, days: int) -> Fleet:
    """Consumption and feed-in channels; every value comes from a recording of a home, defects are seeded."""
    random = np.random.default_rng(20260302)
    true = _profiles(2 * meters, days, random)
    ids = np.arange(1, 2 * meters + 1, dtype=np.int64)
    channels = [
        Channel(one, CALENDAR.zone, 900, register=REGISTER_OFFSET + one, rating_w=17_250) for one in ids.tolist()
    ]
    deliveries, registers = [], []
    midnight = np.zeros(len(ids), np.int64)
    for number in range(days):
        day = np.full(len(ids), FIRST + number, np.int64)
        deliveries.append(_with_defects(ids, day, true[:, number].copy(), random))
        at_s = np.full(len(ids), CALENDAR.start_s(FIRST + number), np.int64)
        registers.append(_reading(ids, at_s, midnight))
        midnight = midnight + true[:, number].sum(axis=1)
    registers.append(_reading(ids, np.full(len(ids), CALENDAR.start_s(FIRST + days), np.int64), midnight))
    return Fleet(channels, deliveries, registers)


def _profiles(rows: int, days: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Quarter-hours of real homes: half-hours halved (an odd Wh to the second), homes and weeks drawn at random."""
    halves = [one.values for one in library().values() if one.medium == "electricity" and one.slot_s == 1800]
    homes = random.integers(len(halves), size=rows)
    result = np.empty((rows, days, 96), np.int64)
    for home, values in enumerate(halves):
        mine = np.flatnonzero(homes == home)
        start = random.integers(len(values) // 48 - days, size=len(mine)) * 48
        pieces = values[start[:, None] + np.arange(days * 48)]
        result[mine] = np.stack((pieces // 2, pieces - pieces // 2), axis=2).reshape(len(mine), days, 96)
    return result


def _with_defects(
    ids: NDArray[np.int64], day: NDArray[np.int64], values: NDArray[np.int64], random: np.random.Generator
) -> ChannelDays:
    packed = np.full(values.shape, MEASURED, np.uint8)
    rows = len(values)
    gap = random.choice(rows, rows // 100, replace=False)  # one day in a hundred has a gap of up to six hours
    start, length = random.integers(90, size=len(gap)), random.integers(1, 24, size=len(gap))
    slot = np.arange(96)
    packed[gap] = np.where((slot >= start[:, None]) & (slot < (start + length)[:, None]), EMPTY, MEASURED)
    odd = random.choice(rows, rows // 1000, replace=False)  # one in a thousand an odd peak that no register confirms
    values[odd, random.integers(96, size=len(odd))] += 20_000
    values[packed == EMPTY] = 0
    return ChannelDays.of(ids, day, values, packed)


def _reading(ids: NDArray[np.int64], at_s: NDArray[np.int64], value: NDArray[np.int64]) -> RegisterReadings:
    return RegisterReadings(ids + REGISTER_OFFSET, at_s, value, np.full(len(ids), MEASURED, np.uint8))


async def fresh(server: EmbeddedPostgres, name: str, of: Fleet) -> AsyncIterator[Database]:
    database = Database(server.ensure_database(name))
    async with database.engine.begin() as tx:
        await tx.run_sync(metadata.create_all)
    registers = [Channel(one.id + REGISTER_OFFSET, CALENDAR.zone, 0) for one in of.channels]
    async with database.begin() as tx:
        await Series().declare(tx, [*of.channels, *registers])
        await tx.execute(text("ANALYZE"))
    yield database
    await database.close()
    server.drop_database(name)


async def plain(database: Database, of: Fleet) -> None:
    """The same rows written, and nothing else done."""
    for delivery in of.deliveries:
        async with database.begin() as tx:
            await hot.append(tx, delivery, BY)


async def processed(database: Database, of: Fleet) -> None:
    """Registers merged, deliveries merged and judged by the full default rule set, findings and versions kept."""
    series = Series()
    vee = Vee(series)
    async with database.begin() as tx:
        await series.merge_registers(tx, of.registers[0], BY)
    for delivery, registers in zip(of.deliveries, of.registers[1:], strict=True):
        async with database.begin() as tx:
            await series.merge_registers(tx, registers, BY)
            await vee.accept(tx, delivery, BY)


async def estimated(database: Database, of: Fleet) -> None:
    """Everything still open is estimated and scaled to its registers."""
    vee = Vee(Series())
    async with database.begin() as tx:
        await vee.estimate_due(tx, date.fromordinal(FIRST + len(of.deliveries) - 1), AT, limit=1_000_000)


async def timed(work: Callable[[Database, Fleet], Awaitable[None]], database: Database, of: Fleet) -> float:
    start = time.perf_counter()
    await work(database, of)
    return time.perf_counter() - start


async def measure(server: EmbeddedPostgres) -> list[dict[str, Any]]:
    of = fleet(METERS, DAYS)
    async for database in fresh(server, "plain", of):
        plain_s = await timed(plain, database, of)
    async for database in fresh(server, "processed", of):
        processed_s = await timed(processed, database, of)
        estimated_s = await timed(estimated, database, of)
    return [
        row("ingest: packed deliveries to durable validated series", of.readings / processed_s, of.readings / plain_s),
        row("ingest and estimate every gap", of.readings / (processed_s + estimated_s), of.readings / plain_s),
    ]


def row(name: str, value: float, baseline_value: float) -> dict[str, Any]:
    return {
        "name": f"{name}, {METERS} meters x 2 channels x {DAYS} days",
        "value": round(value),
        "unit": "readings/s",
        "baseline": "the same rows written with no processing",
        "baseline_value": round(baseline_value),
        "ratio": round(value / baseline_value, 3),
        "goal": GOAL_READINGS_S,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    }


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="openami-bench-") as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        with EmbeddedPostgres(Path(folder) / "postgres", "bench") as server:
            for one in asyncio.run(measure(server)):
                print(json.dumps(one))


if __name__ == "__main__":
    main()
