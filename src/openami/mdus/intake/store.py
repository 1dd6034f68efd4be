"""One row a file with how far it has come, one row a refused part."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Float, Identity, Integer, Table, Text, func, select

from openami.mdus.tables import metadata
from openami.shared.contract.field import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

WAITING: Final = "waiting"
RUNNING: Final = "running"
DONE: Final = "done"
REFUSED: Final = "refused"
"""Nobody could read the file at all."""
REFUSALS_KEPT: Final = 10_000
"""Refused parts that are kept of one file; the others are counted. More have one cause, which the first ones show."""

intake_table: Final = Table(
    "intake",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("digest", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("asked_format", Text, nullable=False, server_default=""),
    Column("mapping", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("register", Boolean, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("progress", Float, nullable=False),
    Column("readings_a_part", BigInteger, nullable=False, server_default="0"),
    Column("batches", Integer, nullable=False),
    Column("readings", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("finished_at", DateTime(timezone=True)),
)
refusal_table: Final = Table(
    "intake_refusal",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("intake", BigInteger, nullable=False, index=True),
    Column("position", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("object_name", Text),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file on its way: what it is, how it is to be read, how far it has come."""

    id: int = 0
    digest: str
    name: str
    size_bytes: int
    source: str
    format: str = ""
    """Asked for, or found; empty until it was recognised."""
    asked_format: str = ""
    """Asked for; empty: each file in it is recognised by its first bytes."""
    mapping: str = ""
    """The declaration of a delimited file that is none of ours."""
    zone: str = ""
    """Of meters that are registered from it; empty: what is usual for the format."""
    register: bool = False
    """Whether meters that nobody knows are registered."""
    received_at: datetime
    state: str = WAITING
    reason: str = ""
    progress: float = 0.0
    readings_a_part: int = 0
    """How the file is cut, since it began to be read: so many readings at a time; 0: batch by batch, as they come."""
    batches: int = 0
    readings: int = 0
    events: int = 0
    refused: int = 0
    finished_at: datetime | None = None


async def add(tx: AsyncConnection, file: File) -> int:
    """Note a new file; returns its number."""
    row = {name: value for name, value in asdict(file).items() if name != "id"}
    number: int = (await tx.execute(intake_table.insert().values(row).returning(intake_table.c.id))).scalar_one()
    return number


async def save(tx: AsyncConnection, number: int, **changes: Any) -> None:  # noqa: ANN401 - columns by name
    """Note how far a file has come."""
    await tx.execute(intake_table.update().where(intake_table.c.id == number).values(**changes))


async def load(tx: AsyncConnection, number: int, *, lock: bool = False) -> File | None:
    """One file."""
    query = select(intake_table).where(intake_table.c.id == number)
    row = (await tx.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return _file(row) if row else None


async def of_digest(tx: AsyncConnection, digest: str) -> File | None:
    """The file with this content, however it was called."""
    query = select(intake_table).where(intake_table.c.digest == digest).order_by(intake_table.c.id).limit(1)
    row = (await tx.execute(query.with_for_update())).mappings().one_or_none()
    return _file(row) if row else None


async def next_file(tx: AsyncConnection) -> File | None:
    """The oldest file that is not through."""
    open_ = intake_table.c.state.in_([WAITING, RUNNING])
    query = select(intake_table).where(open_).order_by(intake_table.c.id).limit(1)
    row = (await tx.execute(query)).mappings().one_or_none()
    return _file(row) if row else None


async def recent(tx: AsyncConnection, *, limit: int = 200, refused: bool = False) -> list[File]:
    """The newest files, or the newest of which something was refused."""
    query = select(intake_table).order_by(intake_table.c.id.desc()).limit(limit)
    if refused:
        query = query.where((intake_table.c.refused > 0) | (intake_table.c.state == REFUSED))
    return [_file(row) for row in (await tx.execute(query)).mappings()]


async def add_refusals(tx: AsyncConnection, file: File, refusals: Sequence[Refusal]) -> None:
    """Keep refused parts of a file, as many as are kept of one."""
    room = max(REFUSALS_KEPT - file.refused, 0)
    rows = [{"intake": file.id, **asdict(one)} for one in refusals[:room]]
    if rows:
        await tx.execute(refusal_table.insert(), rows)


async def forget_refusals(tx: AsyncConnection, number: int) -> None:
    """Take the notes of an earlier reading away: the file is read anew."""
    await tx.execute(refusal_table.delete().where(refusal_table.c.intake == number))


async def refusals_of(tx: AsyncConnection, number: int, *, limit: int = 500) -> list[Refusal]:
    """The refused parts of a file in the order of the file."""
    query = select(refusal_table).where(refusal_table.c.intake == number).order_by(refusal_table.c.sequence)
    return [
        Refusal(row.position, row.code, row.reason, row.object_name) for row in await tx.execute(query.limit(limit))
    ]


async def counts(tx: AsyncConnection) -> dict[str, int]:
    """How many files are in each state."""
    query = select(intake_table.c.state, func.count()).group_by(intake_table.c.state)
    return {row[0]: int(row[1]) for row in await tx.execute(query)}


def _file(row: Any) -> File:  # noqa: ANN401 - a row by column names
    return File(**{one.name: row[one.name] for one in fields(File)})
