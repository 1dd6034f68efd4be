"""The weekly sealing: days that ordinary work no longer looks at move from PostgreSQL into the lake.

Ordinary work looks 35 days back for like days, so that what is older than `keep_hot` is read by bills, corrections and
people only. One read covers both parts; a late delivery for a sealed day is a new version in the hot part.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from openami.mdus.duties import done_until, note_done
from openami.mdus.retention import forget_deliveries
from openami.mdus.series import upkeep
from openami.mdus.series.sealing import seal
from openami.mdus.tables import audit
from openami.shared.audit import AuditRecord, append
from openami.shared.spans import local_date

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.lake import Lake
    from openami.mdus.unify.raw import RawStore
    from openami.shared.clock import Clock
    from openami.shared.database import Database

NAME: Final = "sealing"


@dataclass(frozen=True, slots=True)
class Sealing:
    """The duty of the week; without a lake there is nothing to do."""

    clock: Clock
    database: Database
    lake: Lake | None
    raw: RawStore
    zone: str
    every: timedelta = timedelta(days=7)
    keep_hot: timedelta = timedelta(days=45)
    keep: timedelta | None = None
    """How long values are kept at all; None: for ever."""
    keep_deliveries: timedelta | None = None
    """How long the bytes of raw deliveries are kept; None: for ever."""

    async def start(self, tx: AsyncConnection) -> None:
        """Begin a week after the first start."""
        await note_done(tx, NAME, self.clock.now(), first=True)

    async def due(self, tx: AsyncConnection) -> datetime | None:
        """A week after the last sealing; None without a lake."""
        done = await done_until(tx, NAME) if self.lake is not None else None
        return None if done is None else done + self.every

    async def act(self, tx: AsyncConnection) -> int:
        """Seal all days that are over for longer than they are kept hot; safe to be killed anywhere."""
        now = self.clock.now()
        assert self.lake is not None
        moved = await seal(self.database, self.lake, local_date(self.zone, now - self.keep_hot), now)
        if moved:
            await upkeep.compact(self.lake)
        if self.keep_deliveries is not None:  # before anything is appended to the audit here: it has one writer
            await forget_deliveries(self.database, self.raw, now, self.keep_deliveries)
        if self.keep is not None:
            await self._forget(tx, local_date(self.zone, now - self.keep), now)
        await note_done(tx, NAME, now)
        return moved + 1

    async def _forget(self, tx: AsyncConnection, before: date, now: datetime) -> None:
        """Delete by policy what is older than the installation wants to keep; the audit says what and why."""
        deleted = await upkeep.forget(tx, self.lake, before)
        if deleted:
            assert self.keep is not None
            reason = f"the policy keeps {self.keep.days} days"
            after = {"versions": deleted}
            await append(tx, audit, AuditRecord(now, NAME, "values deleted", f"before {before}", reason, None, after))
