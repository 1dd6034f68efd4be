"""Invocation counters: reserved before use, never used twice, whatever restarts or takes over."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from openami.ami.dlms.security import Keys
from openami.ami.headend import store
from openami.ami.headend.model import Address, Meter
from openami.ami.headend.protections import (
    JUMP_MAX,
    RUNNING_LOW,
    STEP,
    CounterJumpError,
    Protections,
    keys_of,
    plain_keys,
)
from openami.ami.headend.shipment import rows_of
from openami.ami.headend.tables import metadata
from openami.shared.secrets import Sealer

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = pytest.mark.postgres
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SEALER = Sealer(bytes(32))
KEYS = Keys(bytes(range(16)), bytes(16), key_encryption=bytes(16))


@pytest.fixture
async def meters(database: Database) -> list[Meter]:
    device = {
        "kind": "electricity",
        "concentrator_host": "127.0.0.1",
        "concentrator_port": 1,
        "encryption_key": KEYS.encryption.hex(),
        "authentication_key": KEYS.authentication.hex(),
        "system_title": "4f41450000000001",
    }
    rows = rows_of([device | {"serial": f"E{number}"} for number in range(3)], SEALER, NOW)
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
        await store.upsert_shipped(transaction, rows)
        loaded = [await store.load_meter(transaction, f"E{number}", offset_s=0) for number in range(3)]
    return [meter for meter in loaded if meter is not None]


def protections(database: Database) -> Protections:
    return Protections(database, SEALER, title=b"OAM00001")


def test_keys_survive_being_sealed() -> None:
    assert keys_of(plain_keys(KEYS)) == KEYS
    assert keys_of(plain_keys(Keys(bytes(32), suite=2))) == Keys(bytes(32), suite=2)


async def test_each_process_gets_counters_of_its_own(database: Database, meters: list[Meter]) -> None:
    used: list[int] = []
    for _ in range(3):  # two restarts, or two others that take over
        process = protections(database)
        found = await process.of(meters[0])
        assert found is not None
        assert found.keys == replace(KEYS, key_encryption=b"")
        used += [found.sent.take() for _ in range(5)]
    assert len(set(used)) == 15
    assert used == sorted(used)


async def test_steps_that_are_taken_at_once_never_lead_back(database: Database, meters: list[Meter]) -> None:
    ours = protections(database)
    await asyncio.gather(*(ours.prepare(meters) for _ in range(3)))
    used: list[int] = []
    for _ in range(3):
        found = await ours.of(meters[0])
        assert found is not None
        used += [found.sent.take() for _ in range(found.sent.remaining)]
        await asyncio.gather(*(ours.prepare(meters) for _ in range(2)))
    assert used == sorted(set(used))
    async with database.read() as connection:
        row = await store.meter_row(connection, "E0")
    assert row is not None
    assert used[-1] < row.counter_reserved


async def test_a_step_that_a_later_one_overtook_is_left_unused(database: Database, meters: list[Meter]) -> None:
    ours = protections(database)
    found = await ours.of(meters[0])
    assert found is not None
    until = found.sent.reserved_until
    Protections._extend(found, until + 2 * STEP)
    assert found.sent.next_value == until + STEP
    Protections._extend(found, until + STEP)
    assert (found.sent.next_value, found.sent.reserved_until) == (until + STEP, until + 2 * STEP)


async def test_steps_go_on_without_a_gap_unless_another_took_one(database: Database, meters: list[Meter]) -> None:
    ours, theirs = protections(database), protections(database)
    found = await ours.of(meters[0])
    assert found is not None
    used = [found.sent.take() for _ in range(STEP - RUNNING_LOW + 1)]
    assert found.low
    await ours.prepare(meters)
    used += [found.sent.take() for _ in range(STEP)]
    assert used == list(range(used[0], used[0] + len(used)))
    other = await theirs.of(meters[0])
    assert other is not None
    foreign = [other.sent.take() for _ in range(10)]
    await ours.prepare(meters)
    used += [found.sent.take() for _ in range(10)]
    assert not set(used) & set(foreign)


async def test_a_counter_is_only_raised_and_not_without_measure(database: Database, meters: list[Meter]) -> None:
    process = protections(database)
    found = await process.of(meters[0])
    assert found is not None
    before = found.sent.next_value
    await process.raise_to(meters[0], before - 1)
    assert found.sent.next_value == before
    await process.raise_to(meters[0], 500_000)
    assert found.sent.take() >= 500_000
    with pytest.raises(CounterJumpError):
        await process.raise_to(meters[0], 500_000 + 2 * JUMP_MAX)
    again = await protections(database).of(meters[0])
    assert again is not None
    assert again.sent.next_value > found.sent.reserved_until - STEP


async def test_keys_that_were_changed_survive_the_factorys_file(database: Database, meters: list[Meter]) -> None:
    changed = SEALER.seal(plain_keys(Keys(bytes(16))), context="E0")
    device = {"serial": "E0", "kind": "electricity", "concentrator_host": "h", "concentrator_port": 1}
    rows = rows_of([device | {"encryption_key": KEYS.encryption.hex()}], SEALER, NOW)
    async with database.begin() as transaction:
        await store.change_meter(transaction, "E0", sealed_keys=changed, keys_changed_at=NOW)
        await store.upsert_shipped(transaction, rows)
        meter = await store.load_meter(transaction, "E0", offset_s=0)
    assert meter is not None
    assert meter.sealed_keys == changed
    assert meter.address == Address("h", 1)
