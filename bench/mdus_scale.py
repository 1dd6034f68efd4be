"""What a reading costs with few and with many meters: a day of whole fleets, loaded and sealed, each ten times larger.

QUICK=1 goes from a thousand to ten thousand; the long form from ten thousand to a million (a tenth of an hour on two
cores). Deliveries have the same size in every fleet, so that only the number of meters differs. Processor time of all
processes, PostgreSQL's too, is what the load of a machine disturbs least.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bench._ground import AT, QUICK, Ground, Memory, cpu_s, ground, run, sealed_bytes
from bench._rows import row
from openami.mdus.series.lake import Lake
from openami.mdus.series.sealing import seal
from openami.testing.fleet import FIRST

if TYPE_CHECKING:
    from pathlib import Path

    from openami.shared.postgres import EmbeddedPostgres

SIZES = (1_000, 10_000) if QUICK else (10_000, 100_000, 1_000_000)
METERS_A_DELIVERY = 250 if QUICK else 4_000
WARM = 200 if QUICK else 2_000  # meters of which the first delivery opens connections and compiles loops
GIB = 1 << 30


async def measure(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    smallest: dict[str, float] = {}
    with Memory() as memory:
        for meters in SIZES:
            async with ground(postgres, folder, f"fleet_{meters}", meters) as here:
                for what, cost_us in (await costs(here)).items():
                    first = smallest.setdefault(what, cost_us)
                    name = f"{what} a reading, fleet of {meters}, processor time of all processes"
                    rows.append(row(name, cost_us, "us", beside=(f"with {SIZES[0]} meters", first)))
                size = sealed_bytes(here.place) / (meters * 2 * 96)
                rows.append(row(f"sealed size with quality, fleet of {meters}", size, "bytes/reading", goal=2))
            postgres.drop_database(f"fleet_{meters}")
    rows.append(row("memory of all processes, the most", memory.most / GIB, "GiB", goal=4))
    return rows


async def costs(here: Ground) -> dict[str, float]:
    """Microseconds to load and to seal a reading of one day of the whole fleet."""
    await here.store("arrow", [0], WARM // 2, meters=WARM)
    await here.load()
    readings = await here.store("arrow", [0], METERS_A_DELIVERY, first=WARM)
    _, load_s = await here.load_and_cpu()
    assert sum(one.refused for one in here.loaded) == 0
    lake = Lake(here.place.database, str(here.place.lake))
    await lake.run(lambda _: None)
    before = cpu_s()
    sealed = await seal(here.database, lake, FIRST + timedelta(days=1), AT)
    seal_s = cpu_s() - before
    lake.close()
    return {"loading": load_s * 1e6 / readings, "sealing": seal_s * 1e6 / (sealed * 96)}


if __name__ == "__main__":
    run(measure)
