"""What the head-end keeps about its meters: who they are, how far they were told, how their sessions went."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from openami.ami.headend.model import Address, Kind, Link, Mark, Meter
from openami.ami.headend.tables import metadata
from openami.shared.database import SharedJson, columns_of, given, insert_rows, rows_given, update_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row, Update
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.headend.model import Purpose

SESSIONS_KEPT: Final = 50  # per meter: a month and a half of days, enough to see a pattern

_Instant = DateTime(timezone=True)

meter_table = Table(
    "meter",
    metadata,
    Column("serial", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("network_id", Integer, nullable=False, server_default="0"),
    Column("physical_address", LargeBinary, nullable=False),
    Column("mbus_id", Text, unique=True),
    Column("link", Text, nullable=False, server_default="tcp"),
    Column("sealed_password", LargeBinary),
    Column("sealed_keys", LargeBinary),
    Column("system_title", LargeBinary),
    Column("sealed_pending_keys", LargeBinary),
    Column("keys_changed_at", _Instant),
    Column("push_counter", BigInteger, nullable=False, server_default="-1"),
    Column("debugging", Boolean, nullable=False, server_default="false"),
    Column("communication", SharedJson, nullable=False, server_default="{}"),
    Column("channels", JSONB, nullable=False, server_default="{}"),
    Column("profile", Text, nullable=False, server_default="generic"),
    Column("lifecycle", Text),
    Column("counter_reserved", BigInteger, nullable=False, server_default="1"),
    Column("counter_received", BigInteger, nullable=False, server_default="-1"),
    Column("shipped_at", _Instant, nullable=False),
    Column("mrid", Text, unique=True),
    Column("usage_point", Text),
    Column("configured_at", _Instant),
    Column("provisioned_at", _Instant),
    Column("linked_at", _Instant),
    Column("installed_at", _Instant),
    Column("removed_at", _Instant),
    Column("discovered_at", _Instant),
    Column("offset_s", Integer),
    Column("period_s", Integer),
    Column("schedule_disabled", Boolean, nullable=False, server_default="false"),
    Column("layouts", SharedJson, nullable=False, server_default="{}"),
    Column("next_due_at", _Instant),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("last_attempt_at", _Instant),
    Column("last_success_at", _Instant),
    Column("last_error", Text),
    Column("breaker", Text),
    Column("clock_drift_s", Float),
)
Index("meter_due", meter_table.c.next_due_at, postgresql_where=meter_table.c.next_due_at.is_not(None))

point_table = Table(
    "usage_point",
    metadata,
    Column("mrid", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("stated_at", _Instant, nullable=False),
)

mark_table = Table(
    "mark",
    metadata,
    Column("serial", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("at", _Instant, nullable=False),
    Column("codes", SharedJson, nullable=False, server_default="[]"),
)

session_table = Table(
    "session",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("serial", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("started_at", _Instant, nullable=False),
    Column("wall_ms", Integer, nullable=False),
    Column("octets_sent", Integer, nullable=False),
    Column("octets_received", Integer, nullable=False),
    Column("error_class", Text),
    Column("error", Text),
    Column("trace", JSONB),
)
Index("session_of_meter", session_table.c.serial, session_table.c.id)


push_table = Table(
    "push",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("serial", Text, nullable=False),
    Column("setup", Text, nullable=False),
    Column("received_at", _Instant, nullable=False),
    Column("counter", BigInteger, nullable=False),
    Column("values", JSONB, nullable=False),
)
Index("push_of_meter", push_table.c.serial, push_table.c.id)

system_event_table = Table(
    "system_event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("serial", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", _Instant, nullable=False),
    Column("detail", JSONB, nullable=False),
)
Index("system_event_of_meter", system_event_table.c.serial, system_event_table.c.id)

image_table = Table(
    "firmware_image",
    metadata,
    Column("version", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("taken_at", _Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """How one session went, as it is kept and shown."""

    serial: str
    purpose: Purpose
    started_at: datetime
    wall_ms: int
    octets_sent: int = 0
    octets_received: int = 0
    error_class: str | None = None
    error: str | None = None
    trace: tuple[str, ...] | None = None
    """What was said, where debugging is on: `>` sent, `<` received, hexadecimal."""


def meter_of(row: Row[Any], marks: Mapping[str, Mark] | None = None, *, offset_s: int = 0) -> Meter:
    """The meter in a row of the table."""
    return Meter(
        serial=row.serial,
        address=Address(
            row.host or f"dial-in {row.serial}", row.port, row.physical_address, row.network_id, Link(row.link)
        ),
        sealed_password=row.sealed_password or b"",
        sealed_keys=row.sealed_keys or b"",
        system_title=row.system_title or b"",
        counter_received=row.counter_received,
        debugging=row.debugging,
        list_max=row.communication.get("list_max"),
        pdu_octets_max=row.communication.get("pdu_octets_max"),
        profile=row.profile,
        mrid=row.mrid,
        usage_point=row.usage_point,
        installed_at=row.installed_at,
        removed_at=row.removed_at,
        discovered_at=row.discovered_at,
        failures=row.failures,
        offset_s=offset_s if row.offset_s is None else row.offset_s,
        period_s=row.period_s,
        layouts=row.layouts,
        marks=dict(marks or {}),
    )


async def upsert_shipped(transaction: AsyncConnection, rows: Sequence[Mapping[str, object]]) -> None:
    """Add meters of a shipment; a known serial gets its new address and password, its state stays."""
    statement = insert(meter_table)
    # keys that were changed since the factory stay: its file knows only the first ones
    kept_keys = case(
        (meter_table.c.keys_changed_at.is_(None), statement.excluded.sealed_keys), else_=meter_table.c.sealed_keys
    )
    stated_profile = case(
        (statement.excluded.profile == "generic", meter_table.c.profile), else_=statement.excluded.profile
    )
    renewed = (
        *("kind", "host", "port", "network_id", "physical_address", "mbus_id", "link"),
        *("sealed_password", "system_title"),
    )
    await transaction.execute(
        statement.on_conflict_do_update(
            index_elements=["serial"],
            set_={name: statement.excluded[name] for name in renewed}
            | {"sealed_keys": kept_keys, "profile": stated_profile},
        ),
        list(rows),
    )


async def meter_row(transaction: AsyncConnection, serial: str, *, lock: bool = False) -> Row[Any] | None:
    """One meter's row, by serial; locked until the end of the transaction if it will be changed."""
    query = select(meter_table).where(meter_table.c.serial == serial)
    return (await transaction.execute(query.with_for_update() if lock else query)).one_or_none()


# One statement whatever the number of serials, built once: a list in it would be compiled and planned for each length.
_SERIALS = bindparam("serials", type_=ARRAY(Text))
_STANDING = ("serial", "mrid", "counter_received", "failures", "removed_at", "schedule_disabled", "discovered_at")
_LOCK = (
    select(*(meter_table.c[name] for name in _STANDING))
    .where(meter_table.c.serial == func.any(_SERIALS))
    .order_by(meter_table.c.serial)
    .with_for_update()
)


async def lock_meters(transaction: AsyncConnection, serials: Sequence[str]) -> dict[str, Row[Any]]:
    """How several meters stand, their rows locked in the order of their serials until the end of the transaction."""
    return {row.serial: row for row in await transaction.execute(_LOCK, {"serials": list(serials)})}


async def meter_row_of(transaction: AsyncConnection, *, mrid: str | None, names: Iterable[str]) -> Row[Any] | None:
    """The meter that an identity at the seam means: by mRID if it is known, else by one of its names."""
    if mrid is not None:
        found = (await transaction.execute(select(meter_table).where(meter_table.c.mrid == mrid))).one_or_none()
        if found is not None:
            return found
    wanted = list(names) + ([mrid] if mrid else [])
    query = select(meter_table).where(meter_table.c.serial.in_(wanted)).limit(2)
    rows = (await transaction.execute(query)).all()
    return rows[0] if len(rows) == 1 else None


async def learn_layouts(transaction: AsyncConnection, learnt: Mapping[str, Mapping[str, Mapping[str, object]]]) -> None:
    """Keep what was learnt of the profiles and registers of meters, by serial, beside what is known of others."""
    rows = {"serial": list(learnt), "layouts": list(learnt.values())}
    await transaction.execute(_LEARN, given(rows))


async def change_meter(transaction: AsyncConnection, serial: str, **values: object) -> None:
    """Set columns of one meter."""
    await transaction.execute(update(meter_table).where(meter_table.c.serial == serial).values(**values))


_RESERVED = func.greatest(meter_table.c.counter_reserved, bindparam("at_least", type_=BigInteger))
_RESERVE = (
    update(meter_table)
    .where(meter_table.c.serial == func.any(_SERIALS))
    .values(counter_reserved=_RESERVED + bindparam("step", type_=BigInteger))
    .returning(meter_table.c.serial, meter_table.c.counter_reserved)
)


async def reserve_counters(
    transaction: AsyncConnection, serials: Sequence[str], step: int, *, at_least: int = 0
) -> dict[str, int]:
    """Reserve the next invocation counters of meters for this process alone; where each one's step ends."""
    wanted = {"serials": list(serials), "step": step, "at_least": at_least}
    rows = await transaction.execute(_RESERVE, wanted)
    return {row.serial: row.counter_reserved for row in rows}


async def system_event(
    transaction: AsyncConnection, serial: str, kind: str, detail: Mapping[str, object], at: datetime
) -> None:
    """Note what the head-end noticed by itself."""
    await transaction.execute(insert(system_event_table).values(serial=serial, kind=kind, detail=detail, at=at))


async def keep_image(transaction: AsyncConnection, version: str, content: bytes, at: datetime) -> None:
    """Keep a firmware image under its version."""
    statement = insert(image_table).values(version=version, content=content, taken_at=at)
    await transaction.execute(
        statement.on_conflict_do_update(index_elements=["version"], set_={"content": content, "taken_at": at})
    )


async def image(transaction: AsyncConnection, version: str) -> bytes | None:
    """The firmware image of a version."""
    return (await transaction.execute(select(image_table.c.content).where(image_table.c.version == version))).scalar()


async def keep_point(transaction: AsyncConnection, mrid: str, name: str, stated_at: datetime) -> None:
    """Keep a usage point; an older word does not replace a newer one."""
    statement = insert(point_table).values(mrid=mrid, name=name, stated_at=stated_at)
    await transaction.execute(
        statement.on_conflict_do_update(
            index_elements=["mrid"],
            set_={"name": name, "stated_at": stated_at},
            where=point_table.c.stated_at <= stated_at,
        )
    )


_GIVEN_LAYOUTS = rows_given(meter_table, ("serial", "layouts"))
_LEARN = (
    update(meter_table)
    .where(meter_table.c.serial == _GIVEN_LAYOUTS.c.serial)
    .values(layouts=meter_table.c.layouts.concat(_GIVEN_LAYOUTS.c.layouts))
)
_SPOKEN_WITH = (
    *("serial", "host", "port", "physical_address", "network_id", "link", "sealed_password", "sealed_keys"),
    *("system_title", "counter_received", "debugging", "communication", "profile", "mrid", "usage_point"),
    *("installed_at", "removed_at", "discovered_at", "failures", "offset_s", "period_s", "layouts"),
)
"""What `meter_of` needs of a row."""
_DUE_METERS = (
    select(*(meter_table.c[name] for name in _SPOKEN_WITH))
    .where(meter_table.c.next_due_at <= bindparam("now"), meter_table.c.serial != func.all(_SERIALS))
    .order_by(meter_table.c.next_due_at, meter_table.c.serial)
    .limit(bindparam("most", type_=Integer))
)


async def due_meters(
    transaction: AsyncConnection, now: datetime, *, limit: int, offset_s: int, without: Iterable[str] = ()
) -> list[Meter]:
    """Electricity meters whose reading is due, those that waited longest first, with their marks."""
    wanted = {"now": now, "serials": list(without), "most": limit}
    rows = (await transaction.execute(_DUE_METERS, wanted)).all()
    marks = await marks_of(transaction, [row.serial for row in rows])
    return [meter_of(row, marks.get(row.serial), offset_s=offset_s) for row in rows]


async def load_meter(transaction: AsyncConnection, serial: str, *, offset_s: int) -> Meter | None:
    """One electricity meter with its marks, None if there is none of that serial."""
    row = await meter_row(transaction, serial)
    return None if row is None else await loaded(transaction, row, offset_s=offset_s)


async def loaded(transaction: AsyncConnection, row: Row[Any], *, offset_s: int) -> Meter | None:
    """The electricity meter of a row with its marks, None if the row is of another kind."""
    if row.kind != Kind.ELECTRICITY:
        return None
    marks = await marks_of(transaction, [row.serial])
    return meter_of(row, marks.get(row.serial), offset_s=offset_s)


_MARKS = select(mark_table).where(mark_table.c.serial == func.any(_SERIALS))


async def marks_of(transaction: AsyncConnection, serials: Sequence[str]) -> dict[str, dict[str, Mark]]:
    """The high-water marks of several meters, by serial and stream."""
    found: dict[str, dict[str, Mark]] = {}
    if not serials:
        return found
    for row in await transaction.execute(_MARKS, {"serials": list(serials)}):
        found.setdefault(row.serial, {})[row.stream] = Mark(row.at, tuple(row.codes))
    return found


_MOVE = insert_rows(mark_table, ("serial", "stream", "at", "codes"))
_MOVE_MARKS = _MOVE.on_conflict_do_update(
    index_elements=["serial", "stream"],
    set_={"at": _MOVE.excluded.at, "codes": _MOVE.excluded.codes},
    where=mark_table.c.at <= _MOVE.excluded.at,
)


async def move_marks(transaction: AsyncConnection, marks: Mapping[str, Mapping[str, Mark]]) -> None:
    """Move high-water marks, by serial and stream; a mark never moves back."""
    moved = [(serial, stream, mark) for serial, streams in marks.items() for stream, mark in streams.items()]
    if not moved:
        return
    rows = {
        "serial": [serial for serial, _, _ in moved],
        "stream": [stream for _, stream, _ in moved],
        "at": [mark.at for _, _, mark in moved],
        "codes": [mark.codes for _, _, mark in moved],
    }
    await transaction.execute(_MOVE_MARKS, given(rows))


async def change_meters(transaction: AsyncConnection, changes: Sequence[Mapping[str, object]]) -> None:
    """Set the same columns of several meters, each with values of its own; `serial` says which."""
    if not changes:
        return
    names = tuple(changes[0])
    rows = {name: [each[name] for each in changes] for name in names}
    await transaction.execute(_change_meters(names), given(rows))


@lru_cache(maxsize=32)
def _change_meters(names: tuple[str, ...]) -> Update:
    return update_rows(meter_table, names, key="serial")


async def hurry(transaction: AsyncConnection, serial: str, now: datetime) -> None:
    """Make a reading due now that has failed, because its meter can be reached now."""
    table = meter_table
    late = and_(table.c.serial == serial, table.c.failures > 0, table.c.next_due_at > now)
    await transaction.execute(update(table).where(late).values(next_due_at=now))


_DUE, _NOW = meter_table.c.next_due_at, bindparam("now", type_=DateTime(timezone=True))
_DUE_COUNT = select(func.count().filter(_DUE <= _NOW), func.min(_DUE).filter(_DUE > _NOW))


async def due_count(transaction: AsyncConnection, now: datetime) -> tuple[int, datetime | None]:
    """How many readings are due by now, and the next instant at which one will be."""
    count, next_due = (await transaction.execute(_DUE_COUNT, {"now": now})).one()
    return int(count), next_due


_SESSION = (
    *("serial", "purpose", "started_at", "wall_ms", "octets_sent", "octets_received"),
    *("error_class", "error", "trace"),
)
_KEEP_SESSIONS = insert_rows(session_table, _SESSION)
_AGED = (
    select(
        session_table.c.id,
        func.row_number().over(partition_by=session_table.c.serial, order_by=session_table.c.id.desc()).label("age"),
    )
    .where(session_table.c.serial == func.any(_SERIALS))
    .subquery()
)
_FORGET_SESSIONS = delete(session_table).where(
    session_table.c.id.in_(select(_AGED.c.id).where(_AGED.c.age > bindparam("kept")))
)


async def keep_sessions(transaction: AsyncConnection, records: Sequence[SessionRecord]) -> None:
    """Keep how sessions went; of each meter only the last ones."""
    if not records:
        return
    rows = columns_of(records, _SESSION) | {"purpose": [record.purpose.value for record in records]}
    await transaction.execute(_KEEP_SESSIONS, given(rows))
    those = {"serials": list({record.serial for record in records}), "kept": SESSIONS_KEPT}
    await transaction.execute(_FORGET_SESSIONS, those)


async def one_way_meters(transaction: AsyncConnection) -> dict[str, Row[Any]]:
    """Gas and water meters by their M-Bus identification, provisioned or not."""
    query = select(meter_table).where(and_(meter_table.c.mbus_id.is_not(None), meter_table.c.kind != Kind.ELECTRICITY))
    return {row.mbus_id: row for row in await transaction.execute(query)}
