"""From stored deliveries to durable, validated, estimated series and time-of-use totals, with the full default rules.

Packed Arrow, IEC 61968-9 XML and MSCONS on two workers; beside them what the parser alone and the plain writing of the
same rows cost on the same machine in the same minute.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from lxml import etree
from sqlalchemy import text

from bench._ground import QUICK, WORKERS, Ground, Memory, ground, run
from bench._rows import row
from openami.mdus.series.lake import Lake
from openami.mdus.series.sealing import binaries, week_of
from openami.mdus.unify.adapters.cim import Cim
from openami.mdus.unify.adapters.mscons import Mscons
from openami.shared.contract.field.scan import scan_readings
from openami.shared.quality import MEASURED
from openami.testing.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from openami.shared.postgres import EmbeddedPostgres

METERS, DAYS = (1_000, 2) if QUICK else (40_000, 4)
MARKUP_METERS, MARKUP_DAYS = (200, 1) if QUICK else (8_000, 3)
GOAL, MARKUP_GOAL, MSCONS_GOAL = 2_000_000, 1_000_000, 500_000
GIB = 1 << 30
ANCHOR = ("published, per core (IBM/AMT-SYBEX 2011)", 13_900.0)


async def measure(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    with Memory() as memory:
        rows = await packed(postgres, folder)
        rows += await markup(postgres, folder)
    rows.append(row("memory of all processes, the most", memory.most / GIB, "GiB", goal=4))
    return [*rows, *parsers()]


async def packed(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    what = f"{METERS} meters x 2 channels x {DAYS} days"
    async with ground(postgres, folder, "packed", METERS) as here:
        await warm(here, "arrow")
        readings = await here.store("arrow", range(1, DAYS + 1), min(METERS // WORKERS, 10_000))
        plain_s = await plain_lake(here, readings)
        wall_s, cpu_s = await here.load_and_cpu()
        rate = readings / wall_s
        beside = ("the same rows written to the lake, nothing else", readings / plain_s)
        rows = [row(f"load packed Arrow, {WORKERS} workers, {what}", rate, "readings/s", goal=GOAL, beside=beside)]
        rows.append(
            row("load packed Arrow, processor time of all processes", readings / cpu_s, "readings/CPU-s", beside=ANCHOR)
        )
        rows.append(await late_day(here, rate))
    return rows


async def warm(here: Ground, form: str) -> None:
    """The first day: connections, channels, compiled loops; it is not measured."""
    await here.store(form, [0], max(here.fleet.meters // WORKERS, 1))
    await here.load()
    async with here.database.begin() as tx:
        await tx.execute(text("ANALYZE"))


async def plain_lake(here: Ground, readings: int) -> float:
    """Seconds to write as many rows to a lake with no processing at all, in batches of a day."""
    day = here.fleet.day(1, 0, min(here.fleet.meters, 20_000))
    values = day.values.reshape(-1, 96)
    count = len(values)
    table = pa.table(
        {
            "week": np.full(count, week_of(day.day), np.int32),
            "channel": np.arange(count),
            "day": np.full(count, day.day, np.int32),
            "values": binaries(values.astype("<i2").tobytes(), count),
            "quality": binaries(bytes([MEASURED]) * count, count),
        }
    )
    lake = Lake(here.place.database, f"{here.place.lake}-plain")

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.register("plain_rows", table)
        cursor.execute('INSERT INTO lake.series_day (week, channel, day, "values", quality) SELECT * FROM plain_rows')

    await lake.run(lambda _: None)
    start = time.perf_counter()
    for _ in range(-(-readings // values.size)):
        await lake.run(write)
    seconds = time.perf_counter() - start
    lake.close()
    return seconds * readings / (-(-readings // values.size) * values.size)


async def late_day(here: Ground, first_rate: float) -> dict[str, Any]:
    """A day comes after all: half of its channels are merged, judged and totalled anew, half are found unchanged."""
    async with here.database.begin() as tx:
        # the deliveries of a day come again and one channel of each meter has lost it; the other's values are unchanged
        await tx.execute(text("UPDATE load SET state = 'waiting' WHERE name LIKE 'arrow-1-%'"))
        await tx.execute(text("DELETE FROM series_day WHERE day = DATE '2026-03-03' AND channel % 2 = 1"))
    readings = here.fleet.day(1).readings
    rate = readings / await here.load()
    return row("load and judge a late day again", rate, "readings/s", beside=("the first load", first_rate))


async def markup(postgres: EmbeddedPostgres, folder: Path) -> list[dict[str, Any]]:
    rows = []
    what = f"{MARKUP_METERS} meters x 2 channels x {MARKUP_DAYS} days"
    for form, name, goal in (("xml", "IEC 61968-9 XML", MARKUP_GOAL), ("mscons", "MSCONS", MSCONS_GOAL)):
        async with ground(postgres, folder, form, MARKUP_METERS) as here:
            await warm(here, form)
            readings = await here.store(form, range(1, MARKUP_DAYS + 1), min(MARKUP_METERS // WORKERS, 2_000))
            wall_s, cpu_s = await here.load_and_cpu()
            assert sum(one.refused for one in here.loaded) == 0
            rows.append(row(f"load {name}, {WORKERS} workers, {what}", readings / wall_s, "readings/s", goal=goal))
            rows.append(row(f"load {name}, processor time of all processes", readings / cpu_s, "readings/CPU-s"))
    return rows


def parsers() -> list[dict[str, Any]]:
    """What reading alone costs on one core, beside lxml building a tree of the same bytes."""
    day = Fleet(200 if QUICK else 500).day(1)
    xml, mscons = day.xml(), day.mscons()
    tree = best(lambda: etree.fromstring(xml, etree.XMLParser(huge_tree=True)), day.readings)
    beside = ("lxml building the tree", tree)
    cim, edifact = Cim(), Mscons()
    found = {
        "IEC 61968-9: values and times out of the bytes": best(lambda: scan_readings(xml), day.readings),
        "IEC 61968-9: the whole adapter, by columns": best(lambda: [*cim.columns(io.BytesIO(xml))], day.readings),
        "IEC 61968-9: the whole adapter, meter by meter": best(lambda: [*cim.read(io.BytesIO(xml))], day.readings),
    }
    rows = [row(f"{name}, one core", rate, "readings/s", beside=beside) for name, rate in found.items()]
    rate = best(lambda: [*edifact.columns(io.BytesIO(mscons))], day.readings)
    slow = best(lambda: [*edifact.read(io.BytesIO(mscons))], day.readings)
    rows.append(row("MSCONS: the whole adapter, by columns, one core", rate, "readings/s", goal=MSCONS_GOAL))
    return [*rows, row("MSCONS: the whole adapter, line by line, one core", slow, "readings/s")]


def best(work: Callable[[], object], readings: int) -> float:
    """Readings a second of this core's time, the best of three."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return readings / min(seconds)


if __name__ == "__main__":
    run(measure)
