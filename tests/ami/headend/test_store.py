"""What the head-end keeps of its sessions, and that nobody who is stopped while keeping spoils the pool."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select
from tests.shared.test_database import TURNS, cancelled_after

from openami.ami.headend import store
from openami.ami.headend.model import Mark, Purpose, Stream
from openami.ami.headend.shipment import rows_of
from openami.ami.headend.store import SESSIONS_KEPT, SessionRecord, session_table
from openami.ami.headend.tables import metadata
from openami.shared.database import Database
from openami.shared.secrets import Sealer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.postgres

START = datetime(2026, 3, 1, tzinfo=UTC)


def record(serial: str, number: int = 0, **more: object) -> SessionRecord:
    at = START + timedelta(minutes=number)
    return SessionRecord(serial, Purpose.SCHEDULE, at, wall_ms=number, **more)  # type: ignore[arg-type]


@pytest.fixture
async def narrow(database: Database) -> AsyncIterator[Database]:
    """The tables of a head-end, and one connection for everybody."""
    made = Database(database.url, pool_size=1)
    async with made.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
    yield made
    await made.close()


async def test_a_head_end_that_stops_while_it_keeps_sessions_leaves_its_connection_usable(narrow: Database) -> None:
    records = [record(f"E{number:04d}", number) for number in range(500)]

    async def keep() -> None:
        async with narrow.begin() as transaction:
            await store.keep_sessions(transaction, records)

    stopped = [await cancelled_after(number, asyncio.create_task(keep())) for number in TURNS]
    assert stopped[0]
    await keep()
    async with narrow.read() as connection:
        counts = (
            await connection.execute(select(func.count()).select_from(session_table).group_by(session_table.c.serial))
        ).scalars()
        assert len(set(counts)) == 1, "all of a transaction or nothing"


async def test_of_each_meter_the_last_sessions_are_kept_as_they_went(narrow: Database) -> None:
    many = [record("E1", number) for number in range(SESSIONS_KEPT + 7)]
    failed = record("E2", 1, error_class="NoAnswerError", error="No answer.", trace=(">00", "<01"))
    for records in (many[:3], [], [*many[3:], failed]):
        async with narrow.begin() as transaction:
            await store.keep_sessions(transaction, records)
    async with narrow.read() as connection:
        rows = (await connection.execute(select(session_table).order_by(session_table.c.id))).all()
    kept = [row.wall_ms for row in rows if row.serial == "E1"]
    assert kept == list(range(7, SESSIONS_KEPT + 7))
    (other,) = (row for row in rows if row.serial == "E2")
    assert (other.error_class, other.error, other.trace) == ("NoAnswerError", "No answer.", [">00", "<01"])
    assert other.started_at == START + timedelta(minutes=1)


async def shipped(database: Database, *serials: str) -> None:
    device = {"kind": "electricity", "concentrator_host": "127.0.0.1", "concentrator_port": 1, "lls_password": "x"}
    rows = rows_of([device | {"serial": serial} for serial in serials], Sealer(bytes(32)), START)
    async with database.begin() as transaction:
        await store.upsert_shipped(transaction, rows)
        for number, serial in enumerate(serials):
            await store.change_meter(transaction, serial, next_due_at=START - timedelta(minutes=number))


async def test_who_is_due_comes_in_the_order_of_its_waiting_without_those_in_flight(narrow: Database) -> None:
    await shipped(narrow, "E1", "E2", "E3", "E4")
    async with narrow.read() as connection:
        for limit, without, expected in ((9, (), "4321"), (2, (), "43"), (9, ("E4", "E1"), "32"), (1, ("E4",), "3")):
            due = await store.due_meters(connection, START, limit=limit, offset_s=0, without=without)
            assert [meter.serial for meter in due] == [f"E{number}" for number in expected]
        early = await store.due_meters(connection, START - timedelta(minutes=2), limit=9, offset_s=0)
        assert [meter.serial for meter in early] == ["E4", "E3"]


async def test_what_is_learnt_of_several_meters_stands_beside_what_each_knew(narrow: Database) -> None:
    await shipped(narrow, "E1", "E2", "E3")
    async with narrow.begin() as transaction:
        await store.learn_layouts(transaction, {"E1": {"load": {"width": 3}, "log": {"absent": True}}})
        await store.learn_layouts(transaction, {"E1": {"load": {"width": 4}}, "E2": {"daily": {"values": [1, 2]}}})
        known = [await store.load_meter(transaction, f"E{number}", offset_s=0) for number in (1, 2, 3)]
    assert [meter.layouts if meter else None for meter in known] == [
        {"load": {"width": 4}, "log": {"absent": True}},
        {"daily": {"values": [1, 2]}},
        {},
    ]


async def test_locked_meters_tell_how_they_stand(narrow: Database) -> None:
    await shipped(narrow, "E2", "E1")
    async with narrow.begin() as transaction:
        rows = await store.lock_meters(transaction, ["E2", "E1", "nobody"])
    assert list(rows) == ["E1", "E2"]
    assert (rows["E1"].failures, rows["E1"].counter_received, rows["E1"].removed_at) == (0, -1, None)


async def test_a_mark_keeps_its_codes_and_never_moves_back(narrow: Database) -> None:
    await shipped(narrow, "E1", "E2")
    log, load = Stream.STANDARD_LOG.value, Stream.LOAD_PROFILE.value
    later = START + timedelta(hours=1)
    async with narrow.begin() as transaction:
        await store.move_marks(transaction, {"E1": {log: Mark(later, (3, 3, 7)), load: Mark(START)}})
        await store.move_marks(
            transaction, {"E1": {log: Mark(START, (1,)), load: Mark(later)}, "E2": {load: Mark(START)}}
        )
        found = await store.marks_of(transaction, ["E1", "E2", "nobody"])
        known = await store.due_meters(transaction, later, limit=9, offset_s=0)
    assert found == {"E1": {log: Mark(later, (3, 3, 7)), load: Mark(later)}, "E2": {load: Mark(START)}}
    assert {meter.serial: meter.marks for meter in known} == found


async def test_who_is_due_is_known_as_well_as_one_who_is_asked_for(narrow: Database) -> None:
    await shipped(narrow, "E1")
    learnt = {"load": {"width": 3}}
    async with narrow.begin() as transaction:
        wishes = {"list_max": 7, "pdu_octets_max": 512}
        await store.change_meter(
            transaction, "E1", communication=wishes, mrid="4711", usage_point="8716", period_s=3600
        )
        await store.learn_layouts(transaction, {"E1": learnt})
        (due,) = await store.due_meters(transaction, START, limit=9, offset_s=5)
        known = await store.load_meter(transaction, "E1", offset_s=5)
    assert due == known
    assert (due.list_max, due.pdu_octets_max, due.period_s, due.offset_s, due.layouts) == (7, 512, 3600, 5, learnt)
