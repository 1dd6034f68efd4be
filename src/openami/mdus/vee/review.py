"""The review: every day once more, when it is over, against the weeks before it (V17, V20, V27, V36).

Validation on arrival looks at a day alone, so that loading costs the same whatever is kept. What only history can tell
is asked once a morning, in pages of channels; a page is one transaction. The change feed tells which days have changed
since their review (late data, edits, estimates, replays): they are reviewed again, until a review changes nothing; and
with them the days that look at them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import select

from openami.mdus.duties import done_until, note_done
from openami.mdus.series import tables
from openami.mdus.series.feed import begin_now, take_changed_days
from openami.mdus.unify.columns import spread
from openami.mdus.vee import store
from openami.mdus.vee.context import A_YEAR_BEFORE, AHEAD_DAYS, NEAR_DAYS
from openami.mdus.vee.handlers import BY_REVIEW
from openami.mdus.vee.surroundings import alongside
from openami.mdus.virtual import store as virtual

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.vee.handlers import Vee

NAME: Final = "review"
CATCH_UP: Final = timedelta(days=7)
"""How far back a review goes that was not done in time."""


@dataclass(slots=True)
class Review:
    """Goes through the channels of each day that is over."""

    vee: Vee
    channels_a_turn: int = 2_000
    _after: dict[date, int] = field(default_factory=dict)

    async def start(self, tx: AsyncConnection, now: datetime) -> None:
        """Begin with the days after the first start, and with what changes from now on."""
        await note_done(tx, NAME, now - CATCH_UP, first=True)
        await begin_now(tx, NAME)

    async def act(self, tx: AsyncConnection, last_day: date, now: datetime) -> int:
        """Review one page of what is due up to `last_day`; returns 0 when all is done."""
        done = await done_until(tx, NAME)
        reviewed = done.date() if done else last_day - timedelta(days=1)
        # never between the pages of a day: what changes then, behind us, is to be found when the day is done
        if not self._after and (again := await self._again(tx, reviewed, now)):
            return again
        day = max(reviewed + timedelta(days=1), last_day - CATCH_UP)
        if day > last_day:
            return 0
        table = tables.day
        query = select(table.c.channel).where(table.c.day == day, table.c.channel > self._after.get(day, -1)).distinct()
        page = list(await tx.scalars(query.order_by(table.c.channel).limit(self.channels_a_turn)))
        if page:
            await self.vee.review_days(tx, [(channel, day) for channel in page], now)
            self._after = {day: page[-1]}
        else:
            self._after = {}
            await note_done(tx, NAME, datetime(day.year, day.month, day.day, tzinfo=UTC))
        return len(page) + 1

    async def _again(self, tx: AsyncConnection, reviewed: date, now: datetime) -> int:
        """Review once more a part of what has changed since its review, but for what reviews themselves changed.

        First all changes are gathered, so that a day that looks at many of them is reviewed once. Days after `reviewed`
        have their turn anyhow.
        """
        some = True
        while some:
            changed, some = await take_changed_days(tx, NAME, self.channels_a_turn, but_for=BY_REVIEW)
            due = changed[changed[:, 1] <= reviewed.toordinal()]
            if len(due):
                near = await _looking_at(tx, due)
                await store.review_later(tx, near[near[:, 1] <= reviewed.toordinal()])
                return len(due)
        page = await store.take_to_review(tx, self.channels_a_turn)
        if page:
            await self.vee.review_days(tx, page, now)
        return len(page)


async def _looking_at(tx: AsyncConnection, keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Channel-days and those that look at them.

    Rules and methods look at the weeks around a day (V17, V20, V27, V36, E03), so the weeks around look at it, and a
    week of the year after (V17). On the same day channels of one device look at each other (V28, V30, V32), and meters
    at their check meters and children (V31, V34).
    """
    others = await alongside(tx, keys[:, 0])
    others = others.where(others.interval_s > 0)
    order = np.argsort(others.own, kind="stable")
    first = np.searchsorted(others.own[order], keys[:, 0])
    number = np.searchsorted(others.own[order], keys[:, 0], side="right") - first
    same_day = np.repeat(keys, number, axis=0)
    same_day[:, 0] = others.other[order[spread(first, number)]]
    steps = [*range(-AHEAD_DAYS, NEAR_DAYS + 1), *(-step for step in A_YEAR_BEFORE)]
    around = [keys + np.array([0, step]) for step in steps]
    compared = np.array((await virtual.load(tx)).comparing(keys.tolist()), np.int64).reshape(-1, 2)
    return np.unique(np.concatenate([*around, same_day, compared]), axis=0)
