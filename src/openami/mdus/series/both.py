"""Hot and sealed read as one: first the hot rows, then the lake, each version once, the newest wins.

The order matters: a row that is no longer hot when the hot part is read was in the lake before (see `sealing`). What
the lake has is asked in the same statement as the hot rows, so that days that were never sealed cost nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.series import hot, packing

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray
    from psycopg.sql import SQL
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.lake import Lake
    from openami.mdus.series.model import ChannelDays, Version


class Both:
    """The hot rows and, where there is one, the lake."""

    def __init__(self, lake: Lake | None) -> None:
        """Take the lake; without one all days are hot."""
        self._sealed = lake.sealed if lake else None

    @property
    def _beside(self) -> SQL:
        return self._sealed.question if self._sealed else hot.NOTHING

    async def days_between(
        self, tx: AsyncConnection, channels: NDArray[np.int64], days: range, as_of: AsOf = None
    ) -> list[ChannelDays]:
        """All kept channel-days of some channels and days (ordinals), one batch per day length."""
        found, answer = await hot.days_between(tx, channels, days, as_of, beside=self._beside)
        if self._sealed and len(channels) and len(days):
            found = newest(found, await self._sealed.days_between(tx, channels, days, as_of, answer=answer))
        return found

    async def latest_of(
        self, tx: AsyncConnection, channel: NDArray[np.int64], day: NDArray[np.int64], as_of: AsOf = None
    ) -> list[ChannelDays]:
        """The last versions of exactly these channel-days, as far as they are kept."""
        found, answer = await hot.latest_of(tx, channel, day, as_of, beside=self._beside)
        if self._sealed and len(day):
            found = newest(found, await self._sealed.latest_of(tx, channel, day, as_of, answer=answer))
        return found

    async def versions_of(self, tx: AsyncConnection, channel: int, day: date) -> list[Version]:
        """Every version of one channel-day, oldest first."""
        found = {one.version: one for one in await hot.versions_of(tx, channel, day)}
        if self._sealed:
            for one in await self._sealed.versions_of(tx, channel, day.toordinal()):
                found.setdefault(one.version, one)
        return [found[version] for version in sorted(found)]


def newest(*parts: list[ChannelDays]) -> list[ChannelDays]:
    """Batches of several places as one set: of each channel-day the highest version, once."""
    by_count: dict[int, list[ChannelDays]] = {}
    for batch in (batch for part in parts for batch in part if len(batch)):
        by_count.setdefault(batch.count, []).append(batch)
    return [_newest(packing.concatenate(batches)) for _, batches in sorted(by_count.items())]


def _newest(batch: ChannelDays) -> ChannelDays:
    order = np.lexsort((batch.version, batch.day, batch.channel))
    channel, day = batch.channel[order], batch.day[order]
    last = np.append((channel[1:] != channel[:-1]) | (day[1:] != day[:-1]), np.True_)
    return batch.rows(order[last])
