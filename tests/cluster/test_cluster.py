"""The same code on engines that exist: PostgreSQL, S3 object storage, Dask workers of which one is killed on the way.

`make test-cluster` loads a fleet of thousands; with every change a small one goes the same way.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from tests.cluster.servers import dask, seaweedfs

from openami.mdus.loading import Place, accept, load_waiting, store
from openami.mdus.loading import worker as worker_
from openami.mdus.loading.workers import NoClusterError, workers
from openami.mdus.series import Series
from openami.mdus.series.fingerprint import fingerprint
from openami.mdus.series.lake import Lake
from openami.mdus.series.sealing import seal
from openami.mdus.tables import metadata
from openami.mdus.unify.raw_objects import raw_store
from openami.shared.database import Database
from openami.testing.fleet import FIRST, Fleet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openami.mdus.loading import Loaded
    from openami.shared.object_store import ObjectStore
    from openami.shared.postgres import EmbeddedPostgres

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket, pytest.mark.timeout(900)]

LONG = os.environ.get("OPENAMI_TEST_PROFILE") == "long"
METERS, DAYS, METERS_A_DELIVERY = (4_000, 5, 100) if LONG else (40, 3, 10)
WORKERS = 3
AT = datetime(2026, 3, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as made, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(made).items():
            patch.setenv(name, value)
        yield made


def environment(objects: ObjectStore) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": objects.endpoint,
        "AWS_ACCESS_KEY_ID": objects.key_id,
        "AWS_SECRET_ACCESS_KEY": objects.secret,
    }


async def prepared(postgres: EmbeddedPostgres, name: str, deliveries: str) -> Database:
    """A database with a registered fleet, whose deliveries all wait."""
    database = Database(postgres.ensure_database(f"{name}_{os.getpid()}"))
    async with database.engine.begin() as tx:
        await tx.run_sync(metadata.create_all)
    fleet, raw = Fleet(METERS), raw_store(deliveries)
    async with database.begin() as tx:
        await fleet.register(tx)
    for number in range(DAYS):
        for first in range(0, METERS, METERS_A_DELIVERY):
            data = fleet.day(number, first, METERS_A_DELIVERY).arrow()
            async with database.begin() as tx:
                await accept(tx, raw, data, name=f"{number}-{first}", source="AMS1", at=AT)
    return database


async def content(database: Database, lake: Lake | None = None) -> str:
    async with database.begin() as tx:
        return await fingerprint(tx, Series(lake))


async def alone(postgres: EmbeddedPostgres, folder: Path) -> str:
    """What one process on one machine ends with."""
    database = await prepared(postgres, "alone", str(folder))
    place = Place(database.url, str(folder))
    with ThreadPoolExecutor(1) as one:
        await load_waiting(lambda: one, place, database)
    await asyncio.to_thread(worker_.close, place)
    found = await content(database)
    await database.close()
    return found


async def test_a_cluster_that_loses_a_worker_ends_with_what_one_process_ends_with(
    postgres: EmbeddedPostgres, objects: ObjectStore, tmp_path: Path
) -> None:
    expected = await alone(postgres, tmp_path / "alone")
    database = await prepared(postgres, "cluster", "s3://openami/cluster/deliveries")
    place = Place(database.url, "s3://openami/cluster/deliveries", "s3://openami/cluster/lake")
    killed: list[int] = []
    with dask(tmp_path, WORKERS, environment(objects)) as cluster, workers(cluster.scheduler) as executor:

        def tell(_: Loaded) -> None:
            if not killed:  # the first one is through, the others are at work
                killed.append(cluster.kill_a_worker())

        progress = await load_waiting(executor, place, database, tell=tell)
    assert killed
    assert progress.readings >= METERS * 2 * 96 * DAYS * 95 // 100
    async with database.begin() as tx:
        assert await store.counts(tx) == {"done": METERS // METERS_A_DELIVERY * DAYS}
    assert await content(database) == expected
    lake = Lake(database.url, "s3://openami/cluster/lake")
    moved = await seal(database, lake, FIRST + timedelta(days=DAYS), AT)
    assert moved >= METERS * 2 * DAYS
    async with database.begin() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM series_day")) == 0
    assert await content(database, lake) == expected
    lake.close()
    await database.close()


async def test_a_scheduler_that_does_not_answer_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("distributed.Client", refuse)
    with pytest.raises(NoClusterError, match="does not answer"), workers("tcp://127.0.0.1:1"):
        pass
