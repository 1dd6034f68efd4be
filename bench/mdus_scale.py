"""What a reading costs with few and with many meters: loaded into a fleet, sealed with all of it, and read again.

The number of meters is all that differs: of every fleet the registry, the channels and a judged day are there, and then
the same number of meters, spread over the fleet, deliver the days that follow, in deliveries of one size. QUICK=1 goes
from a thousand to ten thousand meters; the long form from ten thousand to a million. Processor time of all processes,
PostgreSQL's too, is what the load of a machine disturbs least. What is being done is told on standard error.
"""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import text

from bench._ground import AT, QUICK, Ground, Memory, cpu_s, ground, run
from bench._rows import row
from openami.mdus.series import Series
from openami.mdus.series.lake import Lake
from openami.mdus.series.sealing import seal
from openami.testing.fleet import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from openami.shared.postgres import EmbeddedPostgres

SIZES = (1_000, 10_000) if QUICK else (10_000, 100_000, 300_000, 1_000_000)
LOADED, METERS_A_DELIVERY, DAYS = (1_000, 100, 2) if QUICK else (10_000, 2_000, 3)
KEPT_AT_ONCE = 20_000
READS = 100
FLAT = 1.5  # times the cost with the fewest meters, at most
GIB = 1 << 30


async def measure(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    smallest: dict[str, float] = {}
    for meters in SIZES:
        name = f"fleet_{meters}"
        with Memory() as memory:
            async with ground(postgres, folder, name, meters) as here:
                for what, (cost, unit) in (await costs(here)).items():
                    first = smallest.setdefault(what, cost)
                    title = f"{what}, fleet of {meters}, processor time of all processes"
                    beside = (f"with {SIZES[0]} meters", first)
                    rows.append(row(title, cost, unit, goal=FLAT * first, beside=beside))
        rows.append(row(f"memory of all processes, fleet of {meters}, the most", memory.most / GIB, "GiB", goal=4))
        postgres.drop_database(name)
        shutil.rmtree(folder / name)
    return rows


async def costs(here: Ground) -> dict[str, tuple[float, str]]:
    """What it costs to load a reading, to seal one, and to read one meter's day."""
    meters = here.fleet.meters
    with told(f"{meters} meters: a day that is there, deliveries that wait"):
        for first in range(0, meters, KEPT_AT_ONCE):
            await here.keep(0, first, KEPT_AT_ONCE)
        async with here.database.begin() as tx:
            await tx.execute(text("ANALYZE"))
        await deliver(here, [1])  # opens connections and loads compiled loops
        await here.load()
        readings = await deliver(here, range(2, 2 + DAYS))
    with told(f"{meters} meters: loading {readings} readings"):
        _, load_s = await here.load_and_cpu()
    assert sum(one.refused for one in here.loaded) == 0
    lake = Lake(here.place.database, str(here.place.lake))
    await lake.run(lambda _: None)
    with told(f"{meters} meters: sealing"):
        before = cpu_s()
        sealed = await seal(here.database, lake, FIRST + timedelta(days=2 + DAYS), AT)
        seal_s = cpu_s() - before
    assert sealed >= 2 * meters + 2 * LOADED * (1 + DAYS)
    with told(f"{meters} meters: reading"):
        read_s = await one_by_one(here, Series(lake))
    lake.close()
    return {
        "loading a reading": (load_s * 1e6 / readings, "us"),
        "sealing a reading": (seal_s * 1e6 / (sealed * 96), "us"),
        "one meter's day, sealed": (read_s * 1e3, "ms"),
    }


async def deliver(here: Ground, days: Iterable[int]) -> int:
    """Deliveries of as many meters in every fleet, spread over it; how many readings they hold."""
    readings = 0
    for first in range(0, here.fleet.meters, METERS_A_DELIVERY * here.fleet.meters // LOADED):
        readings += await here.store("arrow", days, METERS_A_DELIVERY, first=first, meters=first + METERS_A_DELIVERY)
    return readings


async def one_by_one(here: Ground, series: Series) -> float:
    """Processor time of a read of one meter, of some all over the fleet; a first round, which sees footers, is free."""
    chosen = np.linspace(1, here.fleet.meters, READS).astype(np.int64)

    async def read_all() -> None:
        for meter in chosen.tolist():
            async with here.database.read() as tx:
                (found,) = await series.days(tx, [4 * meter - 3], range(FIRST.toordinal(), FIRST.toordinal() + 1))
            assert len(found) == 1

    await read_all()
    before = cpu_s()
    await read_all()
    return (cpu_s() - before) / READS


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say on standard error what is being done, and how long it took."""
    print(f"  {what} ...", end="", file=sys.stderr, flush=True)
    began = time.perf_counter()
    yield
    print(f" {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(measure)
