"""Killed at any moment while loading: what was acknowledged is not lost, nothing is half there, the end is the same.

A process accepts deliveries and says so, line by line, while its workers load them; it and they are killed by SIGKILL
at a moment that the seed chooses. Four such runs with every change, fifty by `make test-crash`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import text

from openami.mdus.loading import store
from openami.mdus.unify import RawStore

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket, pytest.mark.timeout(900)]

LONG = os.environ.get("OPENAMI_TEST_PROFILE") == "long"
RUNS, DAYS, METERS_A_DELIVERY = (50, 6, 2) if LONG else (4, 4, 3)
SOME_S = 3.0

CHILD = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from openami.mdus.loading import Place, accept, load_waiting
from openami.mdus.loading.workers import workers
from openami.mdus.unify import RawStore
from openami.shared.database import Database
from openami.testing.fleet import Fleet

url, folder, days, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

async def main():
    database, fleet, raw = Database(url), Fleet(int(sys.argv[5])), RawStore(folder)
    with workers(processes=2) as executor:
        for number in range(days):
            for first in range(0, fleet.meters, count):
                async with database.begin() as tx:
                    digest = await accept(tx, raw, fleet.day(number, first, count).arrow(), name="x", source="AMS1",
                                          at=datetime.now(UTC))
                print(digest, flush=True)  # acknowledged
            await load_waiting(executor, Place(url, str(folder)), database)
    print("end", flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""


def killed(ground: Any, tmp_path: Path, after_s: float) -> list[str]:
    """Digests that a process acknowledged before it and its workers were killed, `after_s` from its first one on."""
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    numbers = [str(DAYS), str(METERS_A_DELIVERY), str(ground.fleet.meters)]
    command = [sys.executable, str(script), ground.place.database, ground.place.deliveries, *numbers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().strip()]
        time.sleep(after_s)  # real time: the process is real
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        said += process.stdout.read().split()
    return [one for one in said if one and one != "end"]


@pytest.mark.parametrize("seed", range(RUNS))
async def test_a_killed_load_loses_nothing_and_leaves_nothing_torn(ground: Any, tmp_path: Path, seed: int) -> None:
    after_s = float(np.random.default_rng(seed).uniform(0.0, SOME_S))
    acknowledged = await asyncio.to_thread(killed, ground, tmp_path, after_s)
    assert acknowledged
    raw = RawStore(tmp_path / "deliveries")
    async with ground.database.begin() as tx:
        known = set(await tx.scalars(text("SELECT digest FROM load")))
        counts = await store.counts(tx)
        done = set(await tx.scalars(text("SELECT digest FROM load WHERE state = 'done'")))
        rows = await tx.execute(text("SELECT delivery, count(DISTINCT (day, channel)) FROM series_day GROUP BY 1"))
        brought = {row[0]: row[1] for row in rows}
    assert set(acknowledged) <= known  # nothing acknowledged is lost
    for digest in known:
        raw.fetch(digest)  # raises if a byte of it is not what it was
    # a delivery is there as a whole, or not at all
    whole = METERS_A_DELIVERY * 2
    assert {brought.get(digest, 0) for digest in known - done} <= {0}
    assert {brought.get(digest) for digest in done} <= {whole}
    progress = await ground.load()
    assert progress.deliveries == counts.get("waiting", 0)
    crashed = await ground.fingerprint()
    # what never crashed: the same deliveries again, into the same series, change nothing
    async with ground.database.begin() as tx:
        await tx.execute(text("UPDATE load SET state = 'waiting'"))
    await ground.load()
    assert await ground.fingerprint() == crashed
    async with ground.database.begin() as tx:
        assert await store.counts(tx) == {"done": len(known)}
