"""When the supply of a channel was certainly off: the evidence for E17 (breaker read back, confirmed outage)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from openami.mdus.series.calendar import seconds
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.series.tables import any_of
from openami.mdus.vee import tables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf

_FOREVER_S = 1 << 40


async def supply_went_off(tx: AsyncConnection, channels: Iterable[int], at: datetime, cause: str) -> None:
    """Note that channels are without supply from an instant on; telling it twice changes nothing."""
    wanted = sorted(set(channels))
    table = tables.supply
    among = any_of(wanted)
    query = select(table.c.channel).where(table.c.channel == among, table.c.on_at.is_(None), table.c.off_at <= at)
    already = set(await tx.scalars(query))
    own = (await Knowledge.here(tx)).own
    rows = [
        {"channel": one, "off_at": at, "on_at": None, "cause": cause, "off_transaction": own}
        for one in wanted
        if one not in already
    ]
    if rows:
        await tx.execute(insert(table).on_conflict_do_nothing(), rows)


async def supply_came_back(tx: AsyncConnection, channels: Iterable[int], at: datetime) -> None:
    """Note that channels have supply again from an instant on."""
    table = tables.supply
    among = any_of(sorted(set(channels)))
    statement = update(table).where(table.c.channel == among, table.c.on_at.is_(None), table.c.off_at <= at)
    await tx.execute(statement.values(on_at=at, on_transaction=(await Knowledge.here(tx)).own))


async def dead_slots(
    tx: AsyncConnection,
    channel: NDArray[np.int64],
    start_s: NDArray[np.int64],
    count: int,
    interval_s: int,
    as_of: AsOf = None,
) -> NDArray[np.bool_]:
    """The slots of days (starting at `start_s`) that lie wholly in a time without supply."""
    dead = np.zeros((len(channel), count), np.bool_)
    table = tables.supply
    among = any_of(np.unique(channel).tolist())
    begins = start_s[:, None] + np.arange(count) * interval_s
    for row in await tx.execute(select(table).where(table.c.channel == among)):
        if not _knew(as_of, row.off_transaction):
            continue
        off_s = -(-row.off_at.timestamp() // 1)
        on_s = seconds(row.on_at) if row.on_at and _knew(as_of, row.on_transaction) else _FOREVER_S
        own = (channel == row.channel)[:, None]
        dead |= own & (begins >= off_s) & (begins + interval_s <= on_s)
    return dead


def _knew(as_of: AsOf, transaction: int) -> bool:
    """Whether a fact of a transaction was known; instants do not tell, so they know all."""
    return as_of.saw(transaction) if isinstance(as_of, Knowledge) else True
