"""Where commands are kept: one row a request, one row a command, one row for every step it took."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Index, Table, Text, Uuid, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.mdus.commands.model import FINAL, Command, Kind, State
from openami.mdus.registry.ids import DeviceId, bare
from openami.mdus.tables import metadata
from openami.shared.database import columns_of, given, insert_rows, upsert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_FINAL: Final = sorted(FINAL)


def _instant(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


request_table: Final = Table(
    "connection_request",
    metadata,
    Column("request_key", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("origin", JSONB, nullable=False),
    _instant("received_at", nullable=False),
    _instant("confirmed_at"),
)
command_table: Final = Table(
    "command",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("request_key", Text, nullable=False, index=True),
    Column("request", Text, nullable=False),
    Column("device_key", Text, nullable=False, index=True),
    Column("device", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ordered_by", Text, nullable=False),
    _instant("created_at", nullable=False),
    _instant("planned_at", nullable=False),
    _instant("deadline", nullable=False),
    Column("transformer", Text, nullable=False),
    Column("state", Text, nullable=False),
    _instant("sent_at"),
    _instant("event_at"),
    Column("position_closed", Boolean),
    _instant("position_at"),
    _instant("finished_at"),
    Column("released_by", Text, nullable=False),
    Column("note", Text, nullable=False),
)
Index("ix_command_open", command_table.c.planned_at, postgresql_where=command_table.c.state.not_in(_FINAL))
step_table: Final = Table(
    "command_step",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("command", Uuid, nullable=False, index=True),
    _instant("at", nullable=False),
    Column("state", Text, nullable=False),
    Column("note", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class ConnectionRequest:
    """One request of the back office; `origin` is what its confirmation has to refer to."""

    request: str
    category: str
    origin: dict[str, Any]
    received_at: datetime
    confirmed_at: datetime | None = None


async def add_request(tx: AsyncConnection, request: ConnectionRequest) -> bool:
    """Keep a request; false when its number is known already."""
    statement = insert(request_table).values(request_key=bare(request.request), **asdict(request))
    result = await tx.execute(statement.on_conflict_do_nothing().returning(request_table.c.request_key))
    return result.first() is not None


async def find_request(tx: AsyncConnection, number: str, *, lock: bool = False) -> ConnectionRequest | None:
    """The request of a number in any spelling."""
    query = select(request_table).where(request_table.c.request_key == bare(number))
    row = (await tx.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        return None
    return ConnectionRequest(row.request, row.category, row.origin, row.received_at, row.confirmed_at)


async def confirm_request(tx: AsyncConnection, number: str, at: datetime) -> bool:
    """Mark that a request was confirmed; false when it already was."""
    statement = (
        update(request_table)
        .where(request_table.c.request_key == bare(number), request_table.c.confirmed_at.is_(None))
        .values(confirmed_at=at)
        .returning(request_table.c.request_key)
    )
    return (await tx.execute(statement)).first() is not None


_FIELDS: Final = tuple(one.name for one in fields(Command))
_SAVE: Final = upsert_rows(command_table, ("request_key", "device_key", *_FIELDS))
_ADD_STEPS: Final = insert_rows(step_table, ("command", "state", "note"), for_all=("at",))


async def save(tx: AsyncConnection, commands: Sequence[Command], at: datetime) -> None:
    """Write commands as they are now, each given once, and a step for each."""
    if not commands:
        return
    own = {
        "request_key": [bare(one.request) for one in commands],
        "device_key": [bare(one.device) for one in commands],
    }
    columns = columns_of(commands, _FIELDS)
    await tx.execute(_SAVE, given(columns | own))
    steps = {"command": columns["id"], "state": columns["state"], "note": columns["note"], "at": at}
    await tx.execute(_ADD_STEPS, given(steps))


async def find(tx: AsyncConnection, command: UUID, *, lock: bool = False) -> Command | None:
    """One command by its id."""
    found = await _where(tx, command_table.c.id == command, lock=lock)
    return found[0] if found else None


async def of_request(tx: AsyncConnection, number: str, *, lock: bool = False) -> list[Command]:
    """The commands of one request."""
    return await _where(tx, command_table.c.request_key == bare(number), lock=lock)


async def in_work_of(tx: AsyncConnection, devices: Iterable[str]) -> list[Command]:
    """The commands that have left for the AMS and are not over, of some devices; locked."""
    keys = sorted({bare(one) for one in devices})
    condition = command_table.c.device_key.in_(keys) & command_table.c.state.in_([State.SENT, State.EXECUTING])
    return await _where(tx, condition, lock=True)


async def due(tx: AsyncConnection, now: datetime, *, batch: int = 200) -> list[Command]:
    """Commands whose time has come: to be sent, or past their deadline; locked."""
    waiting = (command_table.c.state == State.ACCEPTED) & (command_table.c.planned_at <= now)
    late = command_table.c.state.not_in(_FINAL) & (command_table.c.deadline <= now)
    return await _where(tx, waiting | late, lock=True, limit=batch)


async def next_due(tx: AsyncConnection) -> datetime | None:
    """The next instant at which a command has to be looked at."""
    table = command_table
    planned = select(func.min(table.c.planned_at)).where(table.c.state == State.ACCEPTED).scalar_subquery()
    deadline = select(func.min(table.c.deadline)).where(table.c.state.not_in(_FINAL)).scalar_subquery()
    found: datetime | None = (await tx.execute(select(func.least(planned, deadline)))).scalar_one()
    return found


async def disconnects_since(tx: AsyncConnection, since: datetime) -> dict[str, int]:
    """How many disconnects were sent since an instant, by transformer."""
    table = command_table
    query = (
        select(table.c.transformer, func.count())
        .where(table.c.kind == Kind.DISCONNECT, table.c.sent_at > since)
        .group_by(table.c.transformer)
    )
    return {row[0]: int(row[1]) for row in await tx.execute(query)}


async def recent(tx: AsyncConnection, *, limit: int = 500) -> list[Command]:
    """The newest commands, for views."""
    query = select(command_table).order_by(command_table.c.created_at.desc(), command_table.c.id).limit(limit)
    return [_command(row) for row in await tx.execute(query)]


async def steps_of(tx: AsyncConnection, command: UUID) -> list[dict[str, object]]:
    """Every step of one command, for views."""
    query = select(step_table).where(step_table.c.command == command).order_by(step_table.c.sequence)
    return [{"at": row.at, "state": row.state, "note": row.note} for row in await tx.execute(query)]


async def counts(tx: AsyncConnection) -> dict[str, int]:
    """How many commands there are in each state."""
    query = select(command_table.c.state, func.count()).group_by(command_table.c.state)
    return {row[0]: int(row[1]) for row in await tx.execute(query)}


async def _where(
    tx: AsyncConnection, condition: ColumnElement[bool], *, lock: bool = False, limit: int | None = None
) -> list[Command]:
    query = select(command_table).where(condition).order_by(command_table.c.created_at, command_table.c.id)
    if limit:
        query = query.limit(limit)
    return [_command(row) for row in await tx.execute(query.with_for_update() if lock else query)]


def _command(row: Row[Any]) -> Command:
    return Command(
        id=row.id,
        request=row.request,
        device=DeviceId(row.device),
        kind=Kind(row.kind),
        reason=row.reason,
        ordered_by=row.ordered_by,
        created_at=row.created_at,
        planned_at=row.planned_at,
        deadline=row.deadline,
        transformer=row.transformer,
        state=State(row.state),
        sent_at=row.sent_at,
        event_at=row.event_at,
        position_closed=row.position_closed,
        position_at=row.position_at,
        finished_at=row.finished_at,
        released_by=row.released_by,
        note=row.note,
    )
