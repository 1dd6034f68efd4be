"""Router, store-and-forward and hybrid concentrators over real sockets, on segments that are slow or lose frames."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.ami.concentrator.conftest import GENESIS, Collector, running
from tests.ami.concentrator.test_router import SERIAL, HeadEnd

from openami.ami.concentrator.cache import Mode
from openami.ami.concentrator.segment import Line
from openami.ami.dlms.errors import ActionRefusedError
from openami.ami.dlms.queries import act, read, read_entries
from openami.shared.clock import ManualClock

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


def cut(hours: tuple[float, float]) -> dict[str, str]:
    from_, to = (GENESIS + timedelta(hours=each) for each in hours)
    return {"kind": "power_cut", "serial": SERIAL, "from": from_.isoformat(), "to": to.isoformat()}


async def test_a_hybrid_answers_for_a_meter_in_the_dark_and_asks_it_when_it_is_back(
    tables: Database, collector: Collector
):
    async with running(tables, ManualClock(GENESIS), collector, Mode.HYBRID) as field:
        await field.post("/api/faults", cut((3.5, 5)))
        for hour in (2, 3, 4):
            await field.advance(GENESIS + timedelta(hours=hour))
        head_end = await (await HeadEnd.connect(field)).open()
        rows = await head_end.ask(read_entries("1-0:99.1.0"))
        assert len(rows) == 6, "what was read at three"
        with pytest.raises(ActionRefusedError):
            await head_end.ask(act("0-0:96.3.10", 70, 1))
        (box,) = (await field.get("/api/status"))["concentrators"]
        known = {each["serial"]: each for each in box["meters"]}
        assert known[SERIAL]["read_at"] == (GENESIS + timedelta(hours=3)).isoformat()
        assert known[SERIAL]["failures"] == 1
        head_end.close()
        await field.advance(GENESIS + timedelta(hours=6))
        head_end = await (await HeadEnd.connect(field)).open()
        await head_end.ask(act("0-0:96.3.10", 70, 1))
        assert not (await field.get(f"/api/meters/{SERIAL}"))["breaker"]["closed"]
        head_end.close()


async def test_store_and_forward_goes_on_without_an_uplink_and_has_all_afterwards(
    tables: Database, collector: Collector
):
    async with running(tables, ManualClock(GENESIS), collector, Mode.STORE_AND_FORWARD) as field:
        span = {"from": (GENESIS + timedelta(hours=1)).isoformat(), "to": (GENESIS + timedelta(hours=4)).isoformat()}
        await field.post("/api/faults", {"kind": "link_down", "transformer": "T01", **span})
        for hour in (2, 4):
            await field.advance(GENESIS + timedelta(hours=hour))
        truth = await field.get(f"/api/meters/{SERIAL}")
        head_end = await (await HeadEnd.connect(field)).open()
        rows = await head_end.ask(read_entries("1-0:99.1.0"))
        assert rows.columns[2].values.sum() == truth["register_wh"] - truth["start_register"]
        assert (await head_end.ask(read("1-0:1.8.0", 3))).integer() == truth["register_wh"]
        with pytest.raises(ActionRefusedError):
            await head_end.ask(act("0-0:96.3.10", 70, 1))
        head_end.close()
        unknown = HeadEnd(head_end._reader, head_end._writer, "OAE0000011")  # a spare on the shelf
        with pytest.raises((TimeoutError, ConnectionError)):
            async with asyncio.timeout(0.1):
                await unknown.open()


async def test_a_segment_that_loses_every_frame_is_silent(tables: Database, collector: Collector):
    async with running(tables, ManualClock(GENESIS), collector, line=Line(loss=1.0)) as field:
        head_end = await HeadEnd.connect(field)
        asking = asyncio.create_task(head_end.open())
        while not (segment := (await field.get("/api/status"))["concentrators"][0]["segment"])["lost"]:  # noqa: ASYNC110 - another task's work
            await asyncio.sleep(0.005)
        assert segment == {"frames": 1, "repeated": 3, "lost": 1}
        assert not asking.done()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        head_end.close()


async def test_on_a_slow_segment_an_answer_takes_its_time(tables: Database, collector: Collector):
    async with running(tables, ManualClock(GENESIS), collector, line=Line(bits_per_s=100_000, loss=0.2)) as field:
        head_end = await HeadEnd.connect(field)
        begin = asyncio.get_running_loop().time()
        await head_end.open()
        assert asyncio.get_running_loop().time() - begin > 0.01, "some hundred octets at 12.5 kB/s"
        assert (await head_end.ask(read("0-0:96.1.0", 1))).text() == SERIAL
        head_end.close()


async def test_what_was_read_outlives_a_restart(tables: Database, collector: Collector):
    clock = ManualClock(GENESIS)
    async with running(tables, clock, collector, Mode.HYBRID) as field:
        for hour in (2, 3):
            await field.advance(GENESIS + timedelta(hours=hour))
        truth = await field.get(f"/api/meters/{SERIAL}")
        await field.post("/api/faults", cut((3.1, 6)))
        await field.advance(GENESIS + timedelta(hours=3.2))
        (box,) = (await field.get("/api/status"))["concentrators"]
        known = {each["serial"]: each for each in box["meters"]}
    async with running(tables, clock, collector, Mode.HYBRID) as field:
        (box,) = (await field.get("/api/status"))["concentrators"]
        again = {each["serial"]: each for each in box["meters"]}
        assert again[SERIAL]["discovered_at"] == known[SERIAL]["discovered_at"]
        assert again[SERIAL]["read_at"] == known[SERIAL]["read_at"] == (GENESIS + timedelta(hours=3)).isoformat()
        head_end = await (await HeadEnd.connect(field)).open()
        rows = await head_end.ask(read_entries("1-0:99.1.0"))
        assert len(rows) == 6, "the meter is in the dark: this was read before the restart"
        assert (await head_end.ask(read("1-0:1.8.0", 3))).integer() == truth["register_wh"]
        head_end.close()
