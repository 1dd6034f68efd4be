from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from openami.mdus.registry import profiles, store
from openami.mdus.registry.channel_store import (
    all_channels,
    channels_by_id,
    channels_of_devices,
    channels_of_tasks,
    sync_channels,
)
from openami.mdus.registry.codes import CodeTables
from openami.mdus.registry.ids import DeviceId, PointId, ProfileId, SystemId, TaskId
from openami.mdus.registry.model import (
    Address,
    Device,
    DeviceMaster,
    Location,
    LogicalLocation,
    Manufacturer,
    PointAssignment,
    Profile,
    ProfileRole,
    Register,
    SystemSlice,
)
from openami.mdus.registry.slices import OPEN_DATE, OPEN_INSTANT, Period
from openami.mdus.registry.tables import device_table, journal_table
from openami.mdus.tables import metadata
from openami.shared.spans import Span

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = Period(date(2026, 2, 28), OPEN_DATE)
WHOLE = Device(
    id=DeviceId("004711"),
    master=DeviceMaster("SN1", "METER", DAYS, "U1", Manufacturer("M", "P", "S")),
    systems=(SystemSlice(DAYS, SystemId("AMS1")),),
    registers=(
        Register(TaskId("0042"), DAYS, "1-0:1.8.0", "KWH", 8, 3, "5", "1", "", "CET", "HT", "1.5", "V1"),
        Register(TaskId("43"), DAYS, "1-0:1.29.0", "KWH", 8, 3, recurrence="15"),
    ),
    locations=(Location(DAYS, "DL1", "CO1", Address("NL", "NH", "1011", "Amsterdam", "Dam", "1", "CET"), NOW, None),),
    logical_locations=(LogicalLocation(DAYS, "LD1"),),
    points=(PointAssignment(TaskId("0042"), Span(NOW, OPEN_INSTANT), PointId("PoD1")),),
    confirmed_at=NOW,
    reported_at=NOW,
)


@pytest.fixture
async def books(database: Database) -> Database:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return database


async def test_a_device_comes_back_as_it_was_saved_under_any_spelling(books: Database):
    async with books.begin() as tx:
        await store.save_devices(tx, [WHOLE], cause="test", at=NOW)
    async with books.begin() as tx:
        assert await store.load_devices(tx, ["4711", "unknown"]) == {"4711": WHOLE}
        assert await store.owners_of(tx, ["42", "99"], lock=True) == {"42": [WHOLE]}
        assert await store.device_keys(tx) == ["4711"]
        assert await store.load_devices(tx, []) == {}


async def test_saving_replaces_the_slices_and_keeps_the_journal(books: Database):
    later = replace(WHOLE, registers=WHOLE.registers[1:], points=(), registered_at=NOW)
    async with books.begin() as tx:
        await store.save_devices(tx, [WHOLE], cause="create", at=NOW)
        await store.save_devices(tx, [later], cause="change", at=NOW)
        assert await store.load_devices(tx, ["004711"], lock=True) == {"4711": later}
        assert await store.owners_of(tx, ["42"]) == {}
        lines = list(await tx.execute(select(journal_table).order_by(journal_table.c.sequence)))
    assert [(line.object, line.cause) for line in lines] == [("device 004711", "create"), ("device 004711", "change")]
    assert lines[0].after["registers"][0]["task"] == "0042"


async def test_devices_are_saved_together_in_their_order_and_keep_their_transformer(books: Database):
    """Each has its own slices, also when some have none and texts hold what an array is written with."""
    odd = replace(WHOLE, id=DeviceId('D"{,}\\'), registers=(), systems=(SystemSlice(DAYS, SystemId("NULL")),))
    bare = replace(WHOLE, id=DeviceId("007"), locations=(), logical_locations=(), points=(), confirmed_at=None)
    async with books.begin() as tx:
        await store.save_devices(tx, [WHOLE, odd, bare], cause="create", at=NOW)
        await store.set_transformer(tx, "4711", "T1")
        before = await store.load_devices(tx, [WHOLE.id, odd.id, bare.id])
        moved = replace(WHOLE, systems=(SystemSlice(DAYS, SystemId("AMS2")),))
        await store.save_devices(tx, [moved, odd], cause="change", at=NOW, before=before)
        found = await store.load_devices(tx, [WHOLE.id, odd.id, bare.id])
        kept = (await tx.execute(select(device_table.c.device_key, device_table.c.transformer))).all()
        lines = (await tx.execute(select(journal_table).order_by(journal_table.c.sequence))).all()
    assert before == {"4711": WHOLE, odd.id: odd, "7": bare}
    assert found == {"4711": moved, odd.id: odd, "7": bare}
    assert dict(map(tuple, kept)) == {"4711": "T1", odd.id: "", "7": ""}
    assert [(one.object, one.cause, one.recorded_at) for one in lines] == [
        ("device 004711", "create", NOW),
        (f"device {odd.id}", "create", NOW),
        ("device 007", "create", NOW),
        ("device 004711", "change", NOW),
        (f"device {odd.id}", "change", NOW),
    ]
    assert lines[3].after["systems"] == [
        {"period": {"first": "2026-02-28", "past_last": str(OPEN_DATE)}, "system": "AMS2"}
    ]


async def test_a_profile_comes_back_as_it_was_saved(books: Database):
    profile = Profile(
        ProfileId("0900"), "KWH", "15", 10, 3, True, (ProfileRole(TaskId("43"), Span(NOW, OPEN_INSTANT), "1"),)
    )
    async with books.begin() as tx:
        await profiles.save_profile(tx, profile, cause="test", at=NOW)
        await profiles.save_profile(tx, profile, cause="again", at=NOW)
        assert await profiles.load_profiles(tx, ["900"], lock=True) == {"900": profile}
        assert await profiles.profiles_of(tx, ["0043"]) == [profile]
        assert await profiles.profiles_of(tx, ["44"]) == []
        assert await profiles.load_profiles(tx, []) == {}


async def test_channels_follow_the_registers_and_keep_their_numbers(books: Database):
    async with books.begin() as tx:
        first = await sync_channels(tx, [WHOLE], CodeTables(), "Europe/Amsterdam")
        again = await sync_channels(tx, [WHOLE], CodeTables(), "Europe/Amsterdam")
    assert again == first
    assert [(one.interval_s, one.register) for one in first] == [(0, None), (900, first[0].id)]
    ended = replace(WHOLE, registers=(WHOLE.registers[0],))
    async with books.begin() as tx:
        changed = await sync_channels(tx, [ended], CodeTables(), "Europe/Amsterdam")
    async with books.begin() as tx:
        assert await all_channels(tx) == changed == await channels_of_devices(tx, ["4711"])
        assert await channels_of_tasks(tx, ["043"]) == changed[1:]
        assert await channels_by_id(tx, [first[1].id, 999]) == {first[1].id: changed[1]}
        assert await channels_by_id(tx, []) == {}
    assert changed[1].span.duration_s == 0


async def test_many_devices_are_one_round_trip_each_way(books: Database):
    many = [replace(WHOLE, id=DeviceId(f"D{number}"), registers=(), points=()) for number in range(70_000 // 100)]
    async with books.begin() as tx:
        await store.save_devices(tx, many, cause="bulk", at=NOW)
        assert len(await store.load_devices(tx, [one.id for one in many])) == len(many)
        assert await tx.scalar(select(func.count()).select_from(journal_table)) == len(many)


async def test_slices_that_nobody_looked_at_are_replaced_also_when_the_device_was_thought_new(books: Database):
    """Another transaction may have been first: `before` does not have the device, but the database has."""
    mine = replace(WHOLE, systems=(SystemSlice(DAYS, SystemId("AMS2")),), registers=())
    async with books.begin() as tx:
        await store.save_devices(tx, [WHOLE], cause="first", at=NOW, before={})
    async with books.begin() as tx:
        await store.save_devices(tx, [mine], cause="second", at=NOW, before={})
        assert await store.load_devices(tx, ["4711"]) == {"4711": mine}
