"""The change feed: what changed since a consumer last looked, each change exactly once.

A cursor is the knowledge of its consumer, moved in the transaction that acts on the changes (an outbox message, say):
both happen or neither. Transactions commit in any order; a snapshot forgets none, an instant or a counter would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from openami.mdus.series import tables
from openami.mdus.series.both import Both
from openami.mdus.series.knowledge import NOTHING, Knowledge
from openami.mdus.series.model import ChannelDays
from openami.shared.quality import has_value

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.lake import Lake

DEFAULT_LIMIT: Final = 20_000

_SINCE: Final = (
    " FROM series_day WHERE transaction >= pg_snapshot_xmin(CAST(:old AS pg_snapshot))::text::bigint"
    " AND NOT pg_visible_in_snapshot(transaction::text::xid8, CAST(:old AS pg_snapshot))"
    " AND pg_visible_in_snapshot(transaction::text::xid8, CAST(:now AS pg_snapshot))"
)
_TRANSACTIONS: Final = text("SELECT transaction, count(*)" + _SINCE + " GROUP BY transaction ORDER BY transaction")
_KEYS: Final = text("SELECT DISTINCT intervals, channel, day - DATE '0001-01-01' + 1" + _SINCE + " ORDER BY 1, 2, 3")
_DAYS: Final = text(
    "SELECT DISTINCT channel, day - DATE '0001-01-01' + 1"
    + _SINCE
    + " AND (:but_for = '' OR position(:but_for in cause) = 0) ORDER BY 2, 1"
)
_PENDING: Final = text("SELECT count(DISTINCT (channel, day))" + _SINCE)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Channel-days as the consumer knew them and as they are now, row for row; version 0 before: all new."""

    before: ChannelDays
    after: ChannelDays

    @property
    def cells(self) -> NDArray[np.bool_]:
        """Where a value or whether there is one changed; a mere change of verdict is no news to a customer."""
        differs = (self.before.values != self.after.values) | (
            has_value(self.before.quality) != has_value(self.after.quality)
        )
        return np.asarray(differs, np.bool_)

    @property
    def is_new(self) -> NDArray[np.bool_]:
        """The rows that the consumer has never seen."""
        return np.asarray(self.before.version == 0, np.bool_)


async def take_changes(
    tx: AsyncConnection, consumer: str, limit: int = DEFAULT_LIMIT, *, lake: Lake | None = None
) -> list[Change]:
    """What changed since the consumer's last call, and move its cursor; one `Change` per day length.

    About `limit` versions at most; call again until the list is empty. A second caller waits for the first's commit.
    """
    changes, seen = await look_at_changes(tx, consumer, limit, lake=lake)
    if changes:
        await confirm_changes(tx, consumer, seen)
    return changes


async def look_at_changes(
    tx: AsyncConnection, consumer: str, limit: int = DEFAULT_LIMIT, *, lake: Lake | None = None
) -> tuple[list[Change], Knowledge]:
    """What changed since the consumer last confirmed, and what it is to confirm when it has kept them."""
    old = await _cursor(tx, consumer, lock=True)
    now = await _next(tx, old, await Knowledge.now(tx), limit)
    if now == old:
        return [], old
    window = {"old": old.snapshot, "now": now.snapshot}
    keys = np.array([tuple(row) for row in await tx.execute(_KEYS, window)], np.int64).reshape(-1, 3)
    return [await _change(Both(lake), tx, keys[keys[:, 0] == n], old, now) for n in np.unique(keys[:, 0])], now


async def take_changed_days(
    tx: AsyncConnection, consumer: str, limit: int, *, but_for: str = ""
) -> tuple[NDArray[np.int64], bool]:
    """Channel and day of what changed since the consumer's last call, and move its cursor; whether there was anything.

    Versions whose cause contains `but_for` do not count.
    """
    old = await _cursor(tx, consumer, lock=True)
    now = await _next(tx, old, await Knowledge.now(tx), limit)
    if now == old:
        return np.zeros((0, 2), np.int64), False
    window = {"old": old.snapshot, "now": now.snapshot, "but_for": but_for}
    keys = np.array([tuple(row) for row in await tx.execute(_DAYS, window)], np.int64).reshape(-1, 2)
    await confirm_changes(tx, consumer, now)
    return keys, True


async def begin_at_first(tx: AsyncConnection, consumer: str) -> None:
    """Let a consumer that never asked begin with the first value there is."""
    first = insert(tables.cursor).values(consumer=consumer, snapshot=NOTHING.snapshot)
    await tx.execute(first.on_conflict_do_nothing())


async def is_consumer(tx: AsyncConnection, consumer: str) -> bool:
    """Whether a consumer began and was not let go since."""
    query = select(tables.cursor.c.consumer).where(tables.cursor.c.consumer == consumer)
    return (await tx.execute(query)).first() is not None


async def begin_now(tx: AsyncConnection, consumer: str) -> None:
    """Let a consumer that never asked begin with what changes from now on."""
    first = insert(tables.cursor).values(consumer=consumer, snapshot=(await Knowledge.now(tx)).snapshot)
    await tx.execute(first.on_conflict_do_nothing())


async def confirm_changes(tx: AsyncConnection, consumer: str, seen: Knowledge) -> bool:
    """Move a consumer's cursor to what it has kept. Whether there was one."""
    table = tables.cursor
    moved = await tx.execute(table.update().where(table.c.consumer == consumer).values(snapshot=seen.snapshot))
    return bool(moved.rowcount)


async def forget_consumer(tx: AsyncConnection, consumer: str) -> bool:
    """Let a consumer go: what it has not seen no longer waits for it. Whether there was one."""
    gone = await tx.execute(tables.cursor.delete().where(tables.cursor.c.consumer == consumer))
    return bool(gone.rowcount)


async def pending_changes(tx: AsyncConnection, consumer: str) -> int:
    """How many channel-days have changed since the consumer's last call."""
    window = {"old": (await _cursor(tx, consumer, lock=False)).snapshot, "now": (await Knowledge.now(tx)).snapshot}
    return int((await tx.execute(_PENDING, window)).scalar_one())


async def _cursor(tx: AsyncConnection, consumer: str, *, lock: bool) -> Knowledge:
    query = select(tables.cursor.c.snapshot).where(tables.cursor.c.consumer == consumer)
    if lock:
        await begin_at_first(tx, consumer)
        query = query.with_for_update()
    return Knowledge((await tx.execute(query)).scalar_one_or_none() or NOTHING.snapshot)


async def _next(tx: AsyncConnection, old: Knowledge, now: Knowledge, limit: int) -> Knowledge:
    """How far to go: to now, or to the transaction with which the limit is reached."""
    rows = (await tx.execute(_TRANSACTIONS, {"old": old.snapshot, "now": now.snapshot})).all()
    if not rows:
        return old
    totals = np.cumsum([row[1] for row in rows])
    if totals[-1] <= limit:
        return now
    taken = max(1, int(np.searchsorted(totals, limit, side="right")))
    if taken == len(rows):
        return now
    last = rows[taken - 1][0]
    _, old_xmax, _ = old.parts
    _, _, running = now.parts
    xmax = max(last + 1, old_xmax)
    hidden = sorted({x for x in running if x < xmax} | {row[0] for row in rows[taken:] if row[0] < xmax})
    return Knowledge(f"{min([*hidden, xmax])}:{xmax}:{','.join(str(x) for x in hidden)}")


async def _change(kept: Both, tx: AsyncConnection, keys: NDArray[np.int64], old: Knowledge, now: Knowledge) -> Change:
    channel, day, count = keys[:, 1], keys[:, 2], int(keys[0, 0])
    before, after = (ChannelDays.empty(channel, day, count) for _ in range(2))
    for target, as_of in ((before, old), (after, now)):
        for found in await kept.latest_of(tx, channel, day, as_of):
            target.put(found)
    return Change(before, after)
