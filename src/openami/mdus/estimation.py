"""The daily estimation: every morning what is still open in days that are over long enough gets a value.

Long enough means that data may be late: a link that was down is first waited for, then estimated, and the actual values
replace the estimates when they come after all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from openami.mdus.duties import done_until, note_done
from openami.mdus.vee.review import Review
from openami.shared.spans import local_date, zone

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.vee.handlers import Vee
    from openami.shared.clock import Clock

NAME: Final = "estimation"


@dataclass(frozen=True, slots=True)
class Estimation:
    """The duty of the morning."""

    clock: Clock
    vee: Vee
    zone: str
    at: time = time(6)
    patience: timedelta = timedelta(hours=30)
    """How long a day must be over."""
    days_a_turn: int = 10_000
    review: Review = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "review", Review(self.vee))

    async def start(self, tx: AsyncConnection) -> None:
        """Begin with the morning after the first start."""
        await note_done(tx, NAME, self.clock.now(), first=True)
        await self.review.start(tx, self.clock.now())

    async def due(self, tx: AsyncConnection) -> datetime | None:
        """The next morning, None before the first start."""
        done = await done_until(tx, NAME)
        return None if done is None else next_morning(done, self.at, self.zone)

    async def act(self, tx: AsyncConnection) -> int:
        """Estimate a part of what is due, then review it; the morning counts as done when nothing is left."""
        now = self.clock.now()
        judged = await self.vee.estimate_due(tx, self.last_day(now), now, limit=self.days_a_turn)
        if judged.days:
            return judged.days
        reviewed = await self.review.act(tx, self.last_day(now), now)
        if not reviewed:
            await note_done(tx, NAME, now)
        return reviewed + 1

    def last_day(self, now: datetime) -> date:
        """The last local day that is over for as long as it takes."""
        return local_date(self.zone, now - self.patience) - timedelta(days=1)


def next_morning(after: datetime, at: time, zone_name: str) -> datetime:
    """The first instant after `after` at which local clocks show `at`."""
    here = zone(zone_name)
    day = after.astimezone(here).date()
    mornings = (datetime.combine(day + timedelta(days=n), at, tzinfo=here).astimezone(UTC) for n in range(3))
    return next(morning for morning in mornings if morning > after)
