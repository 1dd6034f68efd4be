"""One hash of all that a series holds: two databases that were loaded in different ways hold the same if it is equal.

It covers channel, day, values, qualities and flags of every current channel-day, and every register reading; not who
recorded what when and in how many versions, which follows from the order in which deliveries came.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.store import Series

_CHANNELS: Final = text("SELECT id FROM series_channel WHERE interval_s > 0 ORDER BY id")
_SPAN: Final = text(
    "SELECT least((SELECT min(day) FROM series_day), (SELECT min(since)::date FROM series_channel)),"
    " greatest((SELECT max(day) FROM series_day), (SELECT max(before_day) FROM series_seal))"
)
_REGISTERS: Final = text(
    "SELECT coalesce(md5(string_agg(concat_ws(',', channel, date_part('epoch', at), version, value, quality), ';'"
    " ORDER BY channel, at, version)), '') FROM series_register"
)


async def fingerprint(tx: AsyncConnection, series: Series) -> str:
    """The hash of everything that is current, hot and sealed; day by day, so that memory stays bounded."""
    digest = hashlib.sha256()
    channels = list(await tx.scalars(_CHANNELS))
    first, last = (await tx.execute(_SPAN)).one()
    if first is not None and last is not None and channels:
        for day in range(first.toordinal(), last.toordinal() + 1):
            for group in await series.days(tx, channels, range(day, day + 1)):
                order = np.argsort(group.channel, kind="stable")
                for column in (group.channel, group.day, group.values, group.quality, group.flags):
                    digest.update(np.ascontiguousarray(column[order]).tobytes())
    digest.update(str(await tx.scalar(_REGISTERS)).encode())
    return digest.hexdigest()
