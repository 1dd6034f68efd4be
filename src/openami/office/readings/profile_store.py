"""Where interval days are kept: every version of every day; the highest is current, older ones answer "as of"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Date, Integer, LargeBinary, PrimaryKeyConstraint, Table, func, select, text
from sqlalchemy.dialects.postgresql import distinct_on

from openami.office.readings.series import DayBlock
from openami.office.tables import instant, metadata
from openami.office.tables import text as text_column
from openami.shared.database import columns_of, given, insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

profile_days = Table(
    "profile_days",
    metadata,
    text_column("profile_id"),
    Column("day", Date, nullable=False),
    Column("version", Integer, nullable=False),
    Column("interval_s", Integer, nullable=False),
    Column("values", LargeBinary, nullable=False),
    Column("status", LargeBinary, nullable=False),
    Column("stamps", LargeBinary, nullable=False),
    text_column("message_id"),
    instant("recorded_at", nullable=False),
    PrimaryKeyConstraint("profile_id", "day", "version"),
)


_KEY: Final = ("profile_id", "day", "version")
_INSERT: Final = insert_rows(
    profile_days, (*_KEY, "interval_s", "values", "status", "stamps", "message_id"), for_all=("recorded_at",)
)
_ADD: Final = _INSERT.on_conflict_do_update(index_elements=_KEY, set_={"stamps": _INSERT.excluded.stamps})


@dataclass(frozen=True, slots=True, eq=False)
class NewDay:
    """A version of a day that is to be kept, and the message that it comes from."""

    profile_id: str
    block: DayBlock
    message_id: str


async def lock_profiles(transaction: AsyncConnection, profile_ids: Iterable[str]) -> None:
    """Let no other upload change these profiles before this transaction ends; always taken in one order."""
    ordered = "SELECT pg_advisory_xact_lock(hashtextextended(each, 0)) FROM unnest(CAST(:profiles AS text[])) AS each"
    await transaction.execute(text(ordered), {"profiles": sorted(set(profile_ids))})


async def current_days(
    transaction: AsyncConnection,
    profile_id: str,
    first: date,
    past_last: date,
    *,
    versions: Mapping[str, int] | None = None,
) -> list[DayBlock]:
    """The newest version of each day in a period, by day; or the versions that are named by day (ISO)."""
    table = profile_days
    query = (
        select(table)
        .where(table.c.profile_id == profile_id, table.c.day >= first, table.c.day < past_last)
        .order_by(table.c.day, table.c.version.desc())
    )
    if versions is None:
        query = query.ext(distinct_on(table.c.day))
    blocks = await _blocks(transaction, query)
    if versions is None:
        return blocks
    return [block for block in blocks if versions.get(block.day.isoformat()) == block.version]


async def newest_days(
    transaction: AsyncConnection, profile_ids: Iterable[str], first: date, past_last: date
) -> dict[tuple[str, date], DayBlock]:
    """The newest version of each day of many profiles in a period, in one query."""
    table = profile_days
    query = (
        select(table)
        .ext(distinct_on(table.c.profile_id, table.c.day))
        .where(table.c.profile_id.in_(sorted(set(profile_ids))), table.c.day >= first, table.c.day < past_last)
        .order_by(table.c.profile_id, table.c.day, table.c.version.desc())
    )
    return {(row.profile_id, row.day): _block(row) for row in await transaction.execute(query)}


async def add_days(transaction: AsyncConnection, rows: Sequence[NewDay], *, recorded_at: datetime) -> None:
    """Keep new versions of days; of a version that is known only the stamps move."""
    if not rows:
        return
    blocks = [row.block for row in rows]
    packed = [block.packed() for block in blocks]
    columns = columns_of(rows, ("profile_id", "message_id")) | columns_of(blocks, ("day", "version", "interval_s"))
    columns |= {name: [one[name] for one in packed] for name in ("values", "status", "stamps")}
    await transaction.execute(_ADD, given(columns | {"recorded_at": recorded_at}))


async def days_kept(transaction: AsyncConnection) -> int:
    """How many versions of days there are."""
    return int((await transaction.execute(select(func.count()).select_from(profile_days))).scalar_one())


async def _blocks(transaction: AsyncConnection, query: Select[Any]) -> list[DayBlock]:
    return [_block(row) for row in await transaction.execute(query)]


def _block(row: Row[Any]) -> DayBlock:
    return DayBlock.unpacked(
        row.day, row.interval_s, values=row.values, status=row.status, stamps=row.stamps, version=row.version
    )
