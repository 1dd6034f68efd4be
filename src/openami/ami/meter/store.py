"""What is kept of the street: how far it has lived, the facts of each meter, the orders, and how far they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Column, DateTime, Identity, SmallInteger, Table, Text, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.ami.meter.facts import Fact, FactKind
from openami.ami.meter.happenings import Happening, HappeningKind, Stage
from openami.ami.meter.tables import metadata
from openami.ami.meter.times import instant_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

life: Final = Table(
    "fleet_life",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("genesis", DateTime(timezone=True), nullable=False),
    Column("lived_to", DateTime(timezone=True), nullable=False),
)
facts: Final = Table(
    "meter_fact",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("serial", Text, nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("register", BigInteger, nullable=False),
    Column("detail", JSONB, nullable=False),
)
happenings: Final = Table(
    "happening",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True)),
    Column("stage", Text, nullable=False),
)
_THE_LIFE: Final = 1


async def save_life(tx: AsyncConnection, genesis_s: int, lived_s: int) -> None:
    """How far the street has lived."""
    values = {"id": _THE_LIFE, "genesis": instant_of(genesis_s), "lived_to": instant_of(lived_s)}
    statement = insert(life).values(values)
    await tx.execute(statement.on_conflict_do_update(index_elements=[life.c.id], set_={"lived_to": values["lived_to"]}))


async def load_life(tx: AsyncConnection) -> tuple[int, int] | None:
    """Genesis and the last instant lived, or None before the street's first day."""
    row = (await tx.execute(select(life.c.genesis, life.c.lived_to))).one_or_none()
    return None if row is None else (seconds_of(row.genesis), seconds_of(row.lived_to))


async def save_facts(tx: AsyncConnection, new: Sequence[Fact]) -> None:
    """Append facts."""
    rows = [
        {
            "serial": fact.serial,
            "at": instant_of(fact.at_s),
            "kind": fact.kind.value,
            "register": fact.register,
            "detail": dict(fact.detail),
        }
        for fact in new
    ]
    if rows:
        await tx.execute(facts.insert(), rows)


async def load_facts(tx: AsyncConnection) -> list[Fact]:
    """All facts, in the order in which they happened."""
    rows = await tx.execute(select(facts).order_by(facts.c.id))
    return [Fact(row.serial, seconds_of(row.at), FactKind(row.kind), row.register, row.detail) for row in rows]


async def save_happenings(tx: AsyncConnection, changed: Sequence[Happening]) -> None:
    """Store orders with their present stage."""
    for each in changed:
        statement = insert(happenings).values(
            id=each.id,
            kind=each.kind.value,
            detail=dict(each.detail),
            starts_at=instant_of(each.starts_s),
            ends_at=None if each.ends_s is None else instant_of(each.ends_s),
            stage=each.stage.value,
        )
        await tx.execute(
            statement.on_conflict_do_update(index_elements=[happenings.c.id], set_={"stage": each.stage.value})
        )


async def load_happenings(tx: AsyncConnection) -> list[Happening]:
    """All orders."""
    return [
        Happening(
            row.id,
            HappeningKind(row.kind),
            row.detail,
            seconds_of(row.starts_at),
            None if row.ends_at is None else seconds_of(row.ends_at),
            Stage(row.stage),
        )
        for row in await tx.execute(select(happenings))
    ]
