"""Telegrams of gas and water meters, from the segment to the collector."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.ami.concentrator.conftest import GENESIS, Collector, RunningField, running

from openami.shared.clock import ManualClock

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
SLAVES = 4


async def test_each_hour_of_each_slave_arrives_once(field: RunningField, collector: Collector):
    await field.advance(GENESIS + timedelta(days=1))
    await field.quiet()
    assert len(collector.readings) == len(collector.distinct()) == SLAVES * 24
    meters = await field.client.get("/api/meters")
    truth = {each["serial"]: each["register"] for each in meters.json() if each["kind"] != "electricity"}
    last = {
        each.manufacturer + each.identification[1:]: each.volume_litres
        for each in collector.readings
        if each.instant == GENESIS + timedelta(days=1)
    }
    assert last == truth
    status = await field.get("/api/status")
    assert status["telegrams_acknowledged"] == status["telegrams_heard"] == SLAVES * 24


async def test_what_was_not_acknowledged_is_sent_again(field: RunningField, collector: Collector):
    collector.acknowledge_next = 7
    await field.advance(GENESIS + timedelta(hours=5))
    await collector.heard(7)
    collector.acknowledge_next = None
    await field.quiet()
    assert len(collector.distinct()) == SLAVES * 5
    assert len(collector.readings) <= SLAVES * 5 + 7


async def test_an_answer_that_is_no_acknowledgement_does_not_count(field: RunningField, collector: Collector):
    collector.answer = b"\x15"
    await field.advance(GENESIS + timedelta(hours=2))
    await collector.heard(1)
    collector.answer = b"\xe5"
    await field.quiet()
    assert len(collector.distinct()) == SLAVES * 2
    assert (await field.get("/api/status"))["telegrams_acknowledged"] == SLAVES * 2


async def test_a_link_that_is_down_keeps_telegrams_until_it_is_up(field: RunningField, collector: Collector):
    body = {"kind": "link_down", "transformer": "T01"}
    span = {"from": (GENESIS + timedelta(hours=1)).isoformat(), "to": (GENESIS + timedelta(hours=49)).isoformat()}
    await field.post("/api/faults", body | span)
    await field.advance(GENESIS + timedelta(hours=48))
    assert (await field.work()).pending == 0
    status = await field.get("/api/status")
    assert status["concentrators"][0]["telegrams_waiting"] == SLAVES * 48
    assert not collector.readings
    await field.advance(GENESIS + timedelta(hours=49))
    await field.quiet()
    assert len(collector.distinct()) == SLAVES * 49


async def test_telegrams_survive_the_process_and_the_collector(tables: Database, collector: Collector):
    clock = ManualClock(GENESIS)
    await collector.stop()
    async with running(tables, clock, collector) as field:
        await field.advance(GENESIS + timedelta(hours=6))
        assert (await field.work()).pending == SLAVES * 6
    await collector.start()
    async with running(tables, clock, collector) as field:
        await collector.heard(1)
        await field.quiet()
        assert len(collector.distinct()) == len(collector.readings) == SLAVES * 6
