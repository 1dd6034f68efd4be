"""What a reading costs with few and with many meters: the same days loaded into ever larger fleets.

QUICK=1 goes from a thousand to ten thousand; the long form from ten thousand to a million. Each size loads the same
number of meters (the smallest fleet's) out of all that are registered, so that only the size of the whole differs; the
largest fleet is also loaded whole for a day when METERS_WHOLE=1.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bench._ground import QUICK, Memory, ground, row, run

if TYPE_CHECKING:
    from pathlib import Path

    from openami.shared.postgres import EmbeddedPostgres

SIZES = (1_000, 10_000) if QUICK else (10_000, 100_000, 1_000_000)
WHOLE = os.environ.get("METERS_WHOLE") == "1"
GIB = 1 << 30


async def measure(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    smallest = 0.0
    with Memory() as memory:
        for meters in SIZES:
            async with ground(postgres, folder, f"fleet_{meters}", meters) as here:
                part = SIZES[0] if not WHOLE else meters
                await here.store("arrow", [0], part // 4, meters=part)
                await here.load()
                readings = await here.store("arrow", [1, 2], part // 4, meters=part)
                _, cpu_s = await here.load_and_cpu()
                cost_us = cpu_s * 1e6 / readings
                smallest = smallest or cost_us
                beside = (f"with {SIZES[0]} meters", smallest)
                name = f"cost of a reading with {meters} registered meters, processor time of all processes"
                rows.append(row(name, cost_us, "us", beside=beside))
            postgres.drop_database(f"fleet_{meters}")
    rows.append(row("memory of all processes, the most", memory.most / GIB, "GiB", goal=4))
    return rows


if __name__ == "__main__":
    run(measure)
