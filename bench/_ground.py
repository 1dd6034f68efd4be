"""What the benchmarks of the middle share: a server, a registered fleet, stored deliveries, workers, rows to print."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import psycopg
from sqlalchemy.engine import make_url

from bench._rows import print_rows
from openami.mdus.area import build as _all_tables  # noqa: F401 - imports every store
from openami.mdus.loading import Place, accept, load_waiting
from openami.mdus.loading.workers import workers
from openami.mdus.series import ChannelDays, Provenance, hot
from openami.mdus.series.determinants import WEEKDAYS, Window
from openami.mdus.tables import metadata
from openami.mdus.unify import RawStore
from openami.shared.database import Database
from openami.shared.postgres import EmbeddedPostgres
from openami.shared.quality import EMPTY, Origin, Verdict, quality
from openami.testing.fleet import CALENDAR, Fleet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from openami.mdus.loading import Loaded

QUICK = os.environ.get("QUICK") == "1"
WORKERS = 2
WINDOWS = (Window(1, WEEKDAYS, 7 * 3600, 23 * 3600),)
_SIZE = "SELECT sum(file_size_bytes) FROM lake.ducklake_data_file WHERE end_snapshot IS NULL"
AT = datetime(2026, 3, 20, tzinfo=UTC)
JUDGED = quality(Origin.MEASURED, Verdict.PV)


@dataclass(slots=True)
class Ground:
    """One database with a fleet, and what was loaded into it so far."""

    database: Database
    fleet: Fleet
    place: Place
    raw: RawStore
    workers: Executor
    loaded: list[Loaded] = field(default_factory=list)

    async def store(
        self, form: str, days: Iterable[int], meters_a_delivery: int, *, first: int = 0, meters: int | None = None
    ) -> int:
        """Accept the deliveries of some days; how many interval readings they hold."""
        readings = 0
        for number in days:
            for begin in range(first, meters or self.fleet.meters, meters_a_delivery):
                day = self.fleet.day(number, begin, meters_a_delivery)
                readings += day.readings
                async with self.database.begin() as tx:
                    name = f"{form}-{number}-{begin}"
                    await accept(tx, self.raw, getattr(day, form)(), name=name, source="AMS1", at=AT)
        return readings

    async def keep(self, number: int, first: int, count: int, *, shift: int = 0) -> int:
        """A judged day of some meters, as the bulk path writes it; how many readings. `shift` changes homes."""
        day = self.fleet.day(number, first, count)
        homes = np.roll(np.arange(len(day.meter)), shift)
        channel = (4 * day.meter[:, None] - 3 + np.arange(2)).ravel()
        shape = (len(channel), CALENDAR.count(day.day))
        packed = np.where(day.absent[homes].reshape(-1, 96), np.uint8(EMPTY), np.uint8(JUDGED))
        values = np.resize(day.values[homes].reshape(-1, 96), shape)
        days = ChannelDays.of(channel, np.full(len(channel), day.day), values, np.resize(packed, shape))
        async with self.database.begin() as tx:
            await hot.append(tx, days, Provenance(AT, "bench", "delivery", f"kept-{number}"))
        return values.size

    async def load(self) -> float:
        """Load all that waits on the workers; seconds of wall time."""
        start = time.perf_counter()
        await load_waiting(lambda: self.workers, self.place, self.database, tell=self.loaded.append)
        return time.perf_counter() - start

    async def load_and_cpu(self) -> tuple[float, float]:
        """Load all that waits; seconds of wall time, and of processor time of all processes, PostgreSQL's too."""
        before = cpu_s()
        wall_s = await self.load()
        return wall_s, cpu_s() - before


def sealed_bytes(place: Place) -> int:
    """What the files of the lake take that are no older than its last compaction: each once, as a reader sees them."""
    with psycopg.connect(make_url(place.database).set(drivername="postgresql").render_as_string(False)) as connection:
        row = connection.execute(_SIZE).fetchone()
    return int(row[0] or 0) if row else 0


@contextmanager
def server() -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """A PostgreSQL of its own, and a folder."""
    with tempfile.TemporaryDirectory(prefix="openami-bench-") as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        with EmbeddedPostgres(Path(folder) / "postgres", "bench") as postgres:
            yield postgres, Path(folder)


@asynccontextmanager
async def ground(postgres: EmbeddedPostgres, folder: Path, name: str, meters: int) -> AsyncIterator[Ground]:
    """A fresh database with a registered fleet, and workers that have not begun."""
    database = Database(postgres.ensure_database(name))
    async with database.engine.begin() as tx:
        await tx.run_sync(metadata.create_all)
    fleet = Fleet(meters)
    async with database.begin() as tx:
        await fleet.register(tx)
    home = folder / name
    place = Place(database.url, str(home / "deliveries"), str(home / "lake"), windows=WINDOWS)
    with workers(processes=WORKERS) as make:
        yield Ground(database, fleet, place, RawStore(home / "deliveries"), make())
    await database.close()


def run(measure: Callable[[EmbeddedPostgres, Path], Any]) -> None:
    """Measure on a server of its own and print the rows."""
    with server() as (postgres, folder):
        print_rows(asyncio.run(measure(postgres, folder)))


class Memory:
    """The most memory that this process and all its children had together, sampled; shared pages counted once."""

    def __init__(self, *also: int) -> None:
        """Take the ids of other processes to count, with their children."""
        self.most = 0
        self._roots = [os.getpid(), *also]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.5):
            self.most = max(self.most, sum(map(_proportional_bytes, _family(self._roots))))


def cpu_s() -> float:
    """Processor time of this process and all its children so far."""
    ticks = 0
    for process in _family([os.getpid()]):
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(one) for one in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(roots: list[int]) -> set[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parents.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found: set[int] = set()
    todo = [*roots]
    while todo:
        one = todo.pop()
        found.add(one)
        todo += [child for child in parents.get(one, ()) if child not in found]
    return found


def _proportional_bytes(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
