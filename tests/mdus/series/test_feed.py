from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series import ChannelDays, Provenance, Series
from openami.mdus.series.feed import pending_changes, take_changes
from openami.shared.quality import MEASURED

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

MARCH_1 = date(2026, 3, 1).toordinal()
BY = Provenance(datetime(2026, 3, 2, tzinfo=UTC), "unify", "delivery", "d1")


def one_day(channel: int, value: int, day: int = MARCH_1) -> ChannelDays:
    shape = (1, 48)
    return ChannelDays.of(
        np.array([channel]), np.array([day]), np.full(shape, value, np.int64), np.full(shape, MEASURED, np.uint8)
    )


async def taken(database: Database, limit: int = 1000) -> list[tuple[int, int, int, bool]]:
    """(channel, value before, value after, new) of every change that the consumer gets now."""
    async with database.begin() as tx:
        return [
            (int(change.after.channel[i]), int(change.before.values[i, 0]), int(change.after.values[i, 0]), bool(new))
            for change in await take_changes(tx, "upload", limit)
            for i, new in enumerate(change.is_new)
        ]


async def test_each_change_comes_once_with_what_was_known_before(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        await series.merge(tx, one_day(1, 5), BY)
    assert await taken(mdus) == [(1, 0, 5, True)]
    assert await taken(mdus) == []
    for value in (6, 7):
        async with mdus.begin() as tx:
            await series.merge(tx, one_day(1, value), BY)
    async with mdus.begin() as tx:
        assert await pending_changes(tx, "upload") == 1
    assert await taken(mdus) == [(1, 5, 7, False)]


async def test_a_transaction_that_commits_late_is_not_forgotten(mdus: Database, series: Series) -> None:
    async with mdus.begin() as slow:
        await series.merge(slow, one_day(1, 5), BY)
        async with mdus.begin() as quick:
            await series.merge(quick, one_day(2, 6), BY)
        assert await taken(mdus) == [(2, 0, 6, True)]
    assert await taken(mdus) == [(1, 0, 5, True)]


async def test_a_consumer_that_fails_gets_the_change_again(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        await series.merge(tx, one_day(1, 5), BY)
    async with mdus.engine.connect() as tx:  # never committed
        assert await take_changes(tx, "upload")
    assert await taken(mdus) == [(1, 0, 5, True)]


async def test_a_limited_consumer_gets_everything_in_the_end(mdus: Database, series: Series) -> None:
    async with mdus.begin() as slow:
        await series.merge(slow, one_day(1, 1), BY)
        for channel in (2, 3, 4):
            async with mdus.begin() as tx:
                await series.merge(tx, one_day(channel, channel), BY)
        first = await taken(mdus, limit=1)
        async with mdus.begin() as tx:
            await series.merge(tx, one_day(5, 5), BY)
    seen = list(first)
    while more := await taken(mdus, limit=1):
        assert len(more) == 1
        seen += more
    assert sorted(seen) == [(channel, 0, channel, True) for channel in (1, 2, 3, 4, 5)]
