"""What a reading costs with few and with many meters: a day of the whole fleet loaded, sealed, and read again.

The number of meters is all that differs: of every fleet the registry, the channels and a judged day are there, and then
all of its meters deliver the next day, in deliveries of one size; a small fleet delivers several days, for there is
little to measure in one. QUICK=1 goes from a thousand to ten thousand meters; the long form from ten thousand to a
million: 192 million readings in one load. Processor time of all processes, PostgreSQL's too, is what the load of a
machine disturbs least. What is being done is told on standard error.
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
    from collections.abc import Iterator
    from pathlib import Path

    from openami.shared.postgres import EmbeddedPostgres

SIZES = (1_000, 10_000) if QUICK else (10_000, 100_000, 300_000, 1_000_000)
METERS_A_DELIVERY = 500 if QUICK else 2_000
METER_DAYS = 10_000 if QUICK else 50_000  # are loaded at least
KEPT_AT_ONCE = 20_000
WARM_UP = 40  # a day that touches none of those that are measured
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
    """What it costs to load a reading, to seal one (and to tidy up where it was), and to read one meter's day."""
    meters = here.fleet.meters
    days = -(-METER_DAYS // meters)
    with told(f"{meters} meters: a day that is there, deliveries that wait"):
        for first in range(0, meters, KEPT_AT_ONCE):
            await here.keep(0, first, KEPT_AT_ONCE)
        await tidied_up(here)
        await here.store("arrow", [WARM_UP], METERS_A_DELIVERY, meters=2 * METERS_A_DELIVERY)
        await here.load()  # opens connections and loads compiled loops
        readings = await here.store("arrow", range(1, 1 + days), METERS_A_DELIVERY)
    with told(f"{meters} meters: loading {readings} readings"):
        _, load_s = await here.load_and_cpu()
    assert sum(one.refused for one in here.loaded) == 0
    lake = Lake(here.place.database, str(here.place.lake))
    await lake.run(lambda _: None)
    await tidied_up(here)
    with told(f"{meters} meters: sealing"):
        before = cpu_s()
        sealed = await seal(here.database, lake, FIRST + timedelta(days=2), AT)
        await tidied_up(here, "series_day")
        seal_s = cpu_s() - before
    assert sealed >= 2 * 2 * meters, "two days of two channels"
    with told(f"{meters} meters: reading"):
        read_s = await one_by_one(here, Series(lake))
    lake.close()
    return {
        "loading a reading": (load_s * 1e6 / readings, "us"),
        "sealing a reading": (seal_s * 1e6 / (sealed * 96), "us"),
        "one meter's day, sealed": (read_s * 1e3, "ms"),
    }


async def tidied_up(here: Ground, what: str = "(ANALYZE)") -> None:
    """Have PostgreSQL do now what it would else do about the rows of before while something else is measured."""
    async with here.database.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text(f"VACUUM {what}"))
        await alone.execute(text("CHECKPOINT"))


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
