"""The status says how far each stage is: what waits, since when, how often it was tried."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest

from openami.ami.headend import command_store, stages, store
from openami.ami.headend.links import Links
from openami.ami.headend.model import Address, Mark, Purpose, Stream

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


async def test_each_stage_tells_what_waits_and_since_when(bench: Any, make_meter: Any) -> None:
    now = bench.clock.now()
    await bench.ship(make_meter("E0001"), make_meter("E0002"), make_meter("E0003"))
    await bench.provision("E0001", "E0002", "E0003")
    command = {"id": uuid.uuid4(), "kind": "read", "correlation_id": "c", "message_id": "m", "received_at": now}
    item = {"command_id": command["id"], "control_mrid": "", "kind": "read", "action": "", "detail": {}, "digest": ""}
    item |= {"state": command_store.WAITING, "deadline_at": now + timedelta(days=1)}
    items = [
        item | {"serial": "E0001", "next_due_at": now - timedelta(minutes=5)},
        item | {"serial": "E0002", "next_due_at": now + timedelta(hours=1)},
    ]
    async with bench.database.begin() as transaction:
        far = timedelta(days=1)
        changes = [
            {"serial": "E0001", "next_due_at": now - timedelta(hours=2), "failures": 2},
            {"serial": "E0002", "next_due_at": now + far, "failures": 2},
            {"serial": "E0003", "next_due_at": now + far, "failures": 0},
        ]
        await store.change_meters(transaction, changes)
        await store.move_marks(
            transaction,
            {
                "E0001": {Stream.LOAD_PROFILE.value: Mark(now - timedelta(hours=7))},
                "E0002": {Stream.LOAD_PROFILE.value: Mark(now), Stream.STANDARD_LOG.value: Mark(now, (1, 2))},
            },
        )
        await command_store.add(transaction, command | {"state": command_store.OPEN, "request": {}}, items)
        found = {row["stage"]: row for row in await stages.stages(transaction, now)}
        tried = await stages.retries(transaction)
        counters = await stages.counters(transaction)
        marks = await store.marks_of(transaction, ["E0002"])
    lags = {name: (row["waiting"], row["lag_s"]) for name, row in found.items()}
    assert lags["readings due"] == (1, 7200)
    assert lags["load profiles read until"] == (2, 7 * 3600)
    assert lags["daily profiles read until"] == (0, None)
    assert lags["orders due"] == (1, 300)
    assert lags["orders put off or for later"] == (1, 0)
    assert lags["telegrams to forward"] == (0, None)
    assert [(row["failures"], row["meters"]) for row in tried] == [(2, 2)]
    assert counters == {"ciphered_meters": 0, "highest": None, "left": None}
    assert marks["E0002"][Stream.STANDARD_LOG.value] == Mark(now, (1, 2))


async def test_a_mark_never_moves_back(bench: Any) -> None:
    now, stream = bench.clock.now(), Stream.LOAD_PROFILE.value
    async with bench.database.begin() as transaction:
        for at in (now, now - timedelta(hours=1)):
            await store.move_marks(transaction, {"E0001": {stream: Mark(at)}})
        assert (await store.marks_of(transaction, ["E0001"]))["E0001"][stream].at == now
        await store.move_marks(transaction, {})
        await store.change_meters(transaction, [])


async def test_permits_show_the_busiest_segment_first(bench: Any) -> None:
    links = Links(bench.clock, permits_per_segment=2)
    calm, busy = Address("10.0.0.1", 1), Address("10.0.0.2", 1)
    assert links.permits() == []
    async with links.permit("A", calm, Purpose.CONTROL), links.permit("B", busy, Purpose.CONTROL):
        waiting = asyncio.create_task(links.permit("C", busy, Purpose.SCHEDULE).__aenter__())
        await asyncio.sleep(0)
        assert [(row["segment"], row["open"], row["of"], row["waiting"]) for row in links.permits()] == [
            ("10.0.0.2:1", 1, 2, 1),
            ("10.0.0.1:1", 1, 2, 0),
        ]
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
