"""What the back office tells besides master data: texts, transformers of a task, switching done by other means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Identity, Numeric, Table, Text, Uuid, delete, select
from sqlalchemy.dialects.postgresql import insert

from openami.mdus.registry.ids import bare
from openami.mdus.registry.tables import among
from openami.mdus.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _instant(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


text_table: Final = Table(
    "device_text",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("device_key", Text, nullable=False, index=True),
    _text("text"),
    _text("language"),
    _text("priority"),
    _instant("start_at", nullable=False),
    _instant("end_at"),
    _instant("received_at", nullable=False),
    _text("state"),
    _text("note"),
)
transformer_table: Final = Table(
    "task_transformer",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("task_key", Text, nullable=False, index=True),
    Column("first", Date, nullable=False),
    Column("past_last", Date, nullable=False),
    _text("kind"),
    Column("factor", Numeric(12, 5)),
    _text("transformer"),
)
notice_table: Final = Table(
    "connection_notice",
    metadata,
    Column("request_key", Text, primary_key=True),
    Column("device_key", Text, primary_key=True),
    Column("closes", Boolean, nullable=False),
    _text("reason"),
    _instant("processed_at", nullable=False),
    _instant("undone_at"),
)


async def keep_texts(tx: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep texts for displays; a known one (the UUID of its message) stays as it is."""
    if rows:
        await tx.execute(insert(text_table).on_conflict_do_nothing(index_elements=["id"]), list(rows))


async def text_answered(tx: AsyncConnection, identifier: object, *, state: str, note: str) -> None:
    """The AMS has taken a text, or refuses it."""
    await tx.execute(text_table.update().where(text_table.c.id == identifier).values(state=state, note=note))


async def texts_of(tx: AsyncConnection, devices: Iterable[str], *, limit: int = 100) -> list[dict[str, Any]]:
    """The newest texts of some devices, for views."""
    query = select(text_table).where(among(text_table.c.device_key, sorted({bare(one) for one in devices})))
    rows = await tx.execute(query.order_by(text_table.c.received_at.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]


async def set_transformers(tx: AsyncConnection, task: str, rows: Sequence[dict[str, Any]], *, complete: bool) -> None:
    """The transformers of a measurement task: all of them, or those that begin on the same days."""
    table = transformer_table
    old = delete(table).where(table.c.task_key == bare(task))
    if not complete:
        old = old.where(table.c.first.in_([row["first"] for row in rows]))
    await tx.execute(old)
    if rows:
        await tx.execute(table.insert(), [row | {"task_key": bare(task)} for row in rows])


async def transformers_of_tasks(tx: AsyncConnection, tasks: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The transformers of measurement tasks, by bare task id, in order of time."""
    query = select(transformer_table).where(among(transformer_table.c.task_key, sorted({bare(one) for one in tasks})))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in (await tx.execute(query.order_by(transformer_table.c.first))).mappings():
        found.setdefault(row["task_key"], []).append(
            {name: row[name] for name in ("first", "past_last", "kind", "factor", "transformer")}
        )
    return found


async def keep_notices(tx: AsyncConnection, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Keep what was switched by other means; returns the devices (bare ids) of which it is new."""
    if not rows:
        return []
    statement = insert(notice_table).on_conflict_do_nothing().returning(notice_table.c.device_key)
    return list((await tx.execute(statement, list(rows))).scalars())


async def undo_notices(tx: AsyncConnection, request: str, at: datetime) -> list[dict[str, Any]] | None:
    """Mark that a notice does not hold any more; the notices that still did, or None when the number is not known."""
    table = notice_table
    known = list((await tx.execute(select(table).where(table.c.request_key == bare(request)))).mappings())
    if not known:
        return None
    await tx.execute(
        table.update().where(table.c.request_key == bare(request), table.c.undone_at.is_(None)).values(undone_at=at)
    )
    return [dict(row) for row in known if row["undone_at"] is None]
