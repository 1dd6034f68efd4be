"""What VEE asks its tables: the right days, and never all that is kept."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import text
from tests.mdus.series.conftest import by

from openami.mdus.series import ChannelDays, hot, tables
from openami.mdus.vee import store

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

FIRST = date(2026, 3, 2).toordinal()
PLENTY = 5_000  # channels: far more rows than it pays to read whole for one that is wanted


async def keep(tx: AsyncConnection, *numbers: int, channels: int = PLENTY) -> None:
    """The same day of many channels, some times."""
    for number in numbers:
        channel = np.arange(1, channels + 1)
        quality = np.full((channels, 1), 64, np.uint8)
        days = ChannelDays.of(channel, np.full(channels, FIRST + number), np.zeros((channels, 1), np.int64), quality)
        await hot.append(tx, days, by())


async def rows_read_in_passing(tx: AsyncConnection, table: str) -> int:
    """Rows of a table that this transaction has read because it went through all of it."""
    query = text("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = :table")
    return int((await tx.execute(query, {"table": table})).scalar_one())


async def test_days_with_values_are_those_that_have_any_or_were_sealed(mdus: Database) -> None:
    async with mdus.begin() as tx:
        await keep(tx, 7, 9, channels=2)
        asked = FIRST + np.array([6, 7, 8, 9, 10])
        assert (await store.days_with_values(tx, asked) - FIRST).tolist() == [7, 9]
        sealed = {"before_day": date.fromordinal(FIRST + 7), "state": "sealed", "rows": 1}
        await tx.execute(tables.seal.insert().values(sealed | {"started_at": datetime(2026, 4, 1, tzinfo=UTC)}))
        assert (await store.days_with_values(tx, asked) - FIRST).tolist() == [6, 7, 9]


async def test_a_day_that_has_no_values_is_not_looked_for_in_all_that_is_kept(mdus: Database) -> None:
    """Every delivery asks for the day after its own, which has yet to come: that was half of a load."""
    async with mdus.begin() as tx:
        await keep(tx, 0, 1, 2)
    async with mdus.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM (ANALYZE) series_day"))
    async with mdus.begin() as tx:
        assert not len(await store.days_with_values(tx, np.array([FIRST - 1, FIRST + 3])))
        assert len(await store.days_with_values(tx, np.array([FIRST + 1]))) == 1
        assert await rows_read_in_passing(tx, "series_day") == 0


async def test_open_days_are_remembered_forgotten_and_cut_into_shards(mdus: Database) -> None:
    """Rows that have open slots stand open, those that have none any more do not, and a day that was tried rests."""
    channel, day = np.arange(1, 7), np.full(6, FIRST)
    days = ChannelDays.empty(channel, day, 2)
    some = np.zeros((6, 2), np.bool_)
    some[:5, 1] = True
    on = date.fromordinal(FIRST)
    async with mdus.begin() as tx:
        await store.keep_open(tx, days, some, tried=False)
        assert await store.open_days(tx, on, 10) == [(one, on) for one in range(1, 6)]
        assert await store.open_days(tx, on, 10, channels=range(2, 4)) == [(2, on), (3, on)]
        assert await store.open_days(tx, date.fromordinal(FIRST - 1), 10) == []
        assert await store.open_shards(tx, on, 2) == [(1, 1), (2, 3), (4, 5)]
        some[1] = False
        await store.keep_open(tx, days.rows(np.array([1, 2])), some[1:3], tried=True)
        assert await store.open_days(tx, on, 10) == [(1, on), (4, on), (5, on)]
