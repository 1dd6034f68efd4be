"""A database with the tables of the middle, and three homes: interval channels 1 to 3, registers 101 to 103."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from openami.mdus.series import Channel, Series
from openami.mdus.tables import metadata
from openami.mdus.vee import tables as _  # noqa: F401 - hangs its tables on the metadata
from openami.mdus.vee.handlers import Vee

if TYPE_CHECKING:
    from openami.shared.database import Database

ZONE = "Europe/Amsterdam"
SINCE = datetime(2026, 2, 28, 23, tzinfo=UTC)


@pytest.fixture
async def mdus(database: Database) -> Database:
    async with database.engine.begin() as tx:
        await tx.run_sync(metadata.create_all)
    async with database.begin() as tx:
        await Series().declare(
            tx,
            [
                *(Channel(one, ZONE, 1800, register=one + 100, rating_w=17_250, since=SINCE) for one in (1, 2, 3)),
                *(Channel(one + 100, ZONE, 0) for one in (1, 2, 3)),
            ],
        )
    return database


@pytest.fixture
def series() -> Series:
    return Series()


@pytest.fixture
def vee(series: Series) -> Vee:
    return Vee(series)
