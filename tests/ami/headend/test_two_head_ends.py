"""Two whole head-ends on one database: one is killed in the middle of its work, the other goes on where it stopped."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.ami.headend import test_lossy_field as lossy
from tests.ami.headend.test_street import START, street_of

from openami.ami.headend.lease import Lease

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
LASTS_S, EVERY_S = 2.0, 0.1


@pytest.fixture
async def two(make_bench: Any, clock: Any, postgres: Any) -> Any:
    clock.advance_to(START)
    benches = [make_bench(instance=name) for name in ("first", "second")]
    for bench in benches:
        lease = Lease(bench.database, holder=bench.head_end.settings.instance, lasts_s=LASTS_S, every_s=EVERY_S)
        bench.head_end.lease = lease
    async with street_of(benches[0], postgres) as street:
        yield *benches, street


async def until(condition: Any) -> None:
    while not condition():  # noqa: ASYNC110 - two processes share no event
        await asyncio.sleep(0.01)


async def test_the_second_goes_on_where_the_first_was_killed(two: Any, monkeypatch: Any) -> None:
    first, second, street = two
    monkeypatch.setattr(lossy, "LOSS", 0.0)
    monkeypatch.setattr(lossy, "DOUBLING", 0.0)
    line = lossy.LossyLine((await street.get("/api/street"))["transformers"][0]["port"], 1)
    await line.start()
    serials, _ = await lossy.ship_through(first, street, line)
    await first.provision(*serials)
    one = asyncio.create_task(first.head_end.work_while_leased())
    await until(lambda: first.head_end.lease.held)
    other = asyncio.create_task(second.head_end.work_while_leased())
    await street.live_until(START + timedelta(hours=6))
    assert second.head_end.reader.visits == 0, "only the holder works"
    assert await second.head_end.lease.who() == "first"
    before = first.head_end.reader.visits

    due = START + timedelta(days=1, minutes=20)
    await street.http.post("/api/advance", json={"to": due.isoformat()})
    frames = line.counts["frames"]
    first.clock.advance_to(due)
    await until(lambda: line.counts["frames"] > frames + 4)
    one.cancel()  # it is killed while it reads: nothing is finished, no lease given up
    await asyncio.gather(one, return_exceptions=True)
    assert first.head_end.reader.visits < before + len(serials), "it was not through"

    await until(lambda: second.head_end.lease.held)
    await street.live_until(START + timedelta(days=1, hours=2))
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    await line.stop()
    assert second.head_end.reader.visits >= 1
    for serial in serials:
        span = {"from": START.isoformat(), "to": (START + timedelta(days=1)).isoformat()}
        detail = await street.get(f"/api/meters/{serial}", **span)
        told = await second.told_wh(serial)  # asserts that nothing was told twice
        instants = [START + timedelta(seconds=detail["interval_s"] * at) for at in range(len(detail["intervals"]))]
        assert [told[instant] for instant in instants] == detail["intervals"]
    events = await lossy.events_told(second)
    assert set(events.values()) <= {1}
    assert line.counters
    assert max(line.counters.values()) == 1, "no invocation counter is used by both"
