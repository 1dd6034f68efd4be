"""Old days move into the lake by themselves; what one reads of them stays the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select
from tests.mdus.test_flow import AFTER_MARCH_1, delivery, reading

from openami.mdus.middle import MdusSettings
from openami.mdus.series.lake import Lake
from openami.mdus.series.tables import day as hot_days
from openami.mdus.tables import audit
from openami.shared.audit import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
SPAN = {"from": "2026-02-28T23:00:00+00:00", "to": "2026-03-01T23:00:00+00:00"}


@pytest.fixture
def mdus_lake(database: Database, tmp_path: Path) -> Iterator[Lake]:
    lake = Lake(database.url, tmp_path / "lake")
    yield lake
    lake.close()


async def test_days_are_sealed_when_they_are_old_and_read_the_same(world: Any, home: Any, tmp_path: Path) -> None:
    await world.office(*home.initialization())
    world.clock.advance_to(AFTER_MARCH_1)
    await world.ams(delivery(world, reading(home, register=5_000_000)))
    before = await world.api("/api/reconciliation", **SPAN)
    assert before["points"][0]["measured"] > 0
    assert await hot(world) > 0

    await world.until(AFTER_MARCH_1 + timedelta(days=8))
    assert await hot(world) > 0, "a week later they are still looked at every day"
    await world.until(datetime(2026, 5, 1, tzinfo=UTC))
    sealed = [file for file in (tmp_path / "lake").rglob("*.parquet") if file.stat().st_size]
    assert sealed
    assert await world.api("/api/reconciliation", **SPAN) == before


async def test_a_correction_of_a_sealed_day_is_a_new_version_of_it(world: Any, home: Any) -> None:
    await world.office(*home.initialization())
    world.clock.advance_to(AFTER_MARCH_1)
    await world.ams(delivery(world, reading(home, part=slice(0, 20))))
    partly = (await world.api("/api/reconciliation", **SPAN))["points"][0]["measured"]
    await world.until(datetime(2026, 5, 1, tzinfo=UTC))
    await world.ams(delivery(world, reading(home)))
    wholly = (await world.api("/api/reconciliation", **SPAN))["points"][0]
    assert wholly["measured"] > partly
    assert wholly["estimated"] == 0


class TestPolicy:
    """An installation that keeps values for sixty days."""

    @pytest.fixture
    def mdus_settings(self) -> MdusSettings:
        return MdusSettings(upload_every=timedelta(), keep=timedelta(days=60))

    async def test_what_is_older_than_the_policy_is_deleted_and_the_audit_says_so(self, world: Any, home: Any) -> None:
        await world.office(*home.initialization())
        world.clock.advance_to(AFTER_MARCH_1)
        await world.ams(delivery(world, reading(home, register=5_000_000)))
        await world.until(datetime(2026, 4, 25, tzinfo=UTC))
        assert (await world.api("/api/reconciliation", **SPAN))["points"][0]["measured"] > 0
        await world.until(datetime(2026, 5, 12, tzinfo=UTC))
        assert (await world.api("/api/reconciliation", **SPAN))["points"][0]["measured"] == 0
        async with world.database.read() as tx:
            rows = list(await tx.execute(select(audit.c.action, audit.c.subject, audit.c.reason)))
            assert await verify(tx, audit) == len(rows)
        assert ("values deleted", "the policy keeps 60 days") in {(row.action, row.reason) for row in rows}


async def hot(world: Any) -> int:
    async with world.database.read() as tx:
        return int(await tx.scalar(select(func.count()).select_from(hot_days)))
