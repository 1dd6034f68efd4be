"""A database with the series tables, and a few channels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from openami.mdus.series import Channel, Provenance, Series
from openami.mdus.series.lake import Lake
from openami.mdus.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openami.shared.database import Database

AMSTERDAM = "Europe/Amsterdam"


@pytest.fixture
async def mdus(database: Database) -> Database:
    async with database.engine.begin() as tx:
        await tx.run_sync(metadata.create_all)
    async with database.begin() as tx:
        await Series().declare(
            tx,
            [
                *(Channel(number, AMSTERDAM, 1800, register=number + 100) for number in range(1, 6)),
                *(Channel(number + 100, AMSTERDAM, 0) for number in range(1, 6)),
                Channel(50, AMSTERDAM, 3600, day_start_s=6 * 3600, unit="m3", scale=-3),
            ],
        )
    return database


@pytest.fixture
def lake(mdus: Database, tmp_path: Path) -> Iterator[Lake]:
    opened = Lake(mdus.url, tmp_path / "lake")
    yield opened
    opened.close()


@pytest.fixture
def series() -> Series:
    return Series()


def by(cause: str = "delivery", delivery: str = "d1", hour: int = 1) -> Provenance:
    return Provenance(datetime(2026, 3, 2, hour, tzinfo=UTC), "unify", cause, delivery)
