"""What was known: by instant of recording, or exactly, by the transactions that a reader could see.

Two transactions may record at the same business instant and commit in any order; an instant alone cannot tell them
apart. A `Knowledge` can: it is PostgreSQL's own snapshot, kept as text. A bill stores one, to look again bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from psycopg.sql import SQL
from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The transactions that were visible at one moment (`pg_current_snapshot()` as text), and one's own."""

    snapshot: str
    own: int = 0

    @staticmethod
    async def now(tx: AsyncConnection) -> Knowledge:
        """All that is committed now; what this transaction itself wrote is not part of it."""
        return Knowledge(str((await tx.execute(text("SELECT pg_current_snapshot()::text"))).scalar_one()))

    @staticmethod
    async def here(tx: AsyncConnection) -> Knowledge:
        """All that is committed now and what this transaction itself wrote or will write."""
        query = text("SELECT pg_current_snapshot()::text, pg_current_xact_id()::text::bigint")
        row = (await tx.execute(query)).one()
        return Knowledge(str(row[0]), int(row[1]))

    @property
    def parts(self) -> tuple[int, int, list[int]]:
        """The first transaction still running, the first not yet begun, and those between that were running."""
        xmin, xmax, running = self.snapshot.split(":")
        return int(xmin), int(xmax), [int(one) for one in running.split(",") if one]

    def saw(self, transaction: int) -> bool:
        """Whether what a transaction wrote was known."""
        xmin, xmax, running = self.parts
        return transaction == self.own or transaction < xmin or (transaction < xmax and transaction not in running)


NOTHING: Final = Knowledge("3:3:")
"""Before the first transaction of any database."""

AsOf: TypeAlias = datetime | Knowledge | None
"""An instant of recording, the knowledge that a reader stored, or None for what is current."""

# most rows are older than the oldest transaction that was running: a comparison is far cheaper than the function
_BY_SNAPSHOT: Final = SQL(
    "AND (d.transaction < %(xmin)s OR d.transaction = %(own)s"
    " OR pg_visible_in_snapshot(d.transaction::text::xid8, %(snapshot)s::pg_snapshot))"
)
_BY_INSTANT: Final = SQL("AND d.recorded_at <= %(as_of)s")


def knowledge_clause(as_of: AsOf) -> tuple[SQL, dict[str, Any]]:
    """The SQL condition on rows `d` (starting with AND, or empty) and its parameters."""
    if as_of is None:
        return SQL(""), {}
    if isinstance(as_of, Knowledge):
        return _BY_SNAPSHOT, {"snapshot": as_of.snapshot, "own": as_of.own, "xmin": as_of.parts[0]}
    return _BY_INSTANT, {"as_of": as_of}
