"""Stored deliveries become series, whole and once, whatever their form and whatever happens to the workers."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from psycopg import OperationalError
from psycopg.errors import DeadlockDetected
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from openami.mdus.flow import Flow
from openami.mdus.loading import load_waiting, store
from openami.mdus.loading.handlers import IN_VAIN_MAX, LoadingStoppedError
from openami.mdus.loading.worker import load
from openami.mdus.series import Provenance, Series
from openami.mdus.unify import RawStore
from openami.mdus.unify.errors import DamagedDeliveryError
from openami.shared.quality import Origin, Verdict, is_estimated, origins, verdicts

if TYPE_CHECKING:
    from openami.mdus.series import ChannelDays

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


async def days(ground: Any, number: int) -> ChannelDays:
    day = ground.fleet.day(number).day
    channels = [4 * meter + channel for meter in range(ground.fleet.meters) for channel in (1, 2)]
    async with ground.database.begin() as tx:
        (found,) = await Series().days(tx, channels, range(day, day + 1))
    found = found.rows(np.argsort(found.channel))
    assert found.channel.tolist() == channels
    return found


@pytest.mark.parametrize("form", ["arrow", "xml"])
async def test_a_delivery_becomes_validated_estimated_series(ground: Any, form: str) -> None:
    delivered = ground.fleet.day(0)
    await ground.accept(getattr(delivered, form)())
    progress = await ground.load()
    assert (progress.deliveries, progress.refused) == (1, 0)
    found = await days(ground, 0)
    absent, values = delivered.absent.reshape(-1, 96), delivered.values.reshape(-1, 96)
    measured = ~is_estimated(found.quality)
    assert (found.values[measured] == values[measured]).all()
    assert is_estimated(found.quality)[absent].all()
    assert (verdicts(found.quality) != Verdict.NV).all()
    advance = (delivered.after - delivered.before).ravel()
    estimated = is_estimated(found.quality).any(axis=1)
    assert estimated.any()
    assert (found.values.sum(axis=1)[estimated] == advance[estimated]).all()


async def test_totals_come_by_bucket(ground: Any) -> None:
    await ground.accept(ground.fleet.day(0).arrow())
    await ground.load()
    found = await days(ground, 0)
    peak = found.values[:, 28:92].sum(axis=1)  # a Monday, from seven to eleven in the evening
    told = [(loaded.totals.channel.tolist(), loaded.totals.energy.tolist()) for loaded in ground.loaded]
    totals = {
        channel: energy for channels, energies in told for channel, energy in zip(channels, energies, strict=True)
    }
    assert [totals[channel][1] for channel in found.channel.tolist()] == peak.tolist()
    assert [sum(totals[channel]) for channel in found.channel.tolist()] == found.values.sum(axis=1).tolist()
    assert len(ground.loaded) == 2  # the delivery, and its gaps


async def test_a_delivery_is_seen_whole_when_it_is_through_and_no_reader_or_writer_waits(ground: Any) -> None:
    day = ground.fleet.day(0).day
    channels = [4 * meter + channel for meter in range(ground.fleet.meters) for channel in (1, 2)]
    await ground.accept(ground.fleet.day(0).arrow())  # acknowledged
    async with ground.database.begin() as reader:
        assert await Series().days(reader, channels, range(day, day + 1)) == [], "kept, not yet taken"
        await ground.load()  # a reader in the middle of its transaction is in nobody's way
        (found,) = await Series().days(reader, channels, range(day, day + 1))
        assert sorted(found.channel.tolist()) == channels
        async with ground.database.begin() as writer:
            await Series().current_for(writer, found)  # locks every channel
            changed = found.with_results(found.values + 1, found.quality)
            await Series().revise(writer, changed, Provenance(datetime.now(UTC), "somebody", "an edit"))
            (still,) = await Series().days(reader, channels, range(day, day + 1))
            assert np.array_equal(still.values, found.values), "what is not committed is not seen, nor waited for"
        (then,) = await Series().days(reader, channels, range(day, day + 1))
        assert np.array_equal(then.values, found.values + 1)


async def test_every_form_of_a_delivery_gives_the_same_series(ground: Any) -> None:
    for number in range(2):
        await ground.accept(ground.fleet.day(number).arrow())
    await ground.load()
    first = await ground.fingerprint()
    for number in range(2):
        await ground.accept(ground.fleet.day(number).xml())
    progress = await ground.load()
    assert progress.deliveries == 2
    assert await ground.fingerprint() == first  # not one new version: the series know a repeat


async def test_mscons_brings_the_same_intervals(ground: Any) -> None:
    await ground.accept(ground.fleet.day(0).mscons())
    progress = await ground.load()
    assert progress.refused == 0
    found = await days(ground, 0)
    expected = ground.fleet.day(0)
    measured = origins(found.quality) == Origin.MEASURED
    assert (found.values[measured] == expected.values.reshape(-1, 96)[measured]).all()


async def test_the_same_bytes_are_loaded_once(ground: Any) -> None:
    data = ground.fleet.day(0).arrow()
    assert await ground.accept(data) == await ground.accept(data, "again")
    await ground.load()
    assert await ground.accept(data) == hashlib.sha256(data).hexdigest()
    assert (await ground.load()).deliveries == 0


async def test_what_is_of_no_known_form_is_refused_and_said(ground: Any) -> None:
    await ground.accept(b"not a delivery")
    await ground.load()
    async with ground.database.begin() as tx:
        row = (await tx.execute(select(store.table.c.state, store.table.c.reason))).one()
        assert await store.counts(tx) == {"refused": 1}
    assert row.state == "refused"
    assert "not a delivery" in row.reason


@pytest.mark.parametrize("found", ["other", "nothing"])
async def test_of_a_delivery_that_is_damaged_nothing_is_taken(ground: Any, found: str) -> None:
    raw = RawStore(Path(ground.place.deliveries))
    digest = await ground.accept(ground.fleet.day(0).xml())
    other = raw.keep({"other": ground.fleet.day(1).xml(), "nothing": b"not a delivery"}[found]).digest
    whole = raw.path_of(digest).read_bytes()
    raw.path_of(digest).write_bytes(raw.path_of(other).read_bytes())
    with pytest.raises(DamagedDeliveryError, match="other bytes"):
        await ground.load()
    async with ground.database.begin() as tx:
        assert await store.counts(tx) == {"waiting": 1}
        assert await tx.scalar(text("SELECT count(*) FROM series_day")) == 0
    raw.path_of(digest).write_bytes(whole)
    async with ground.database.begin() as tx:
        assert await tx.scalar(select(store.table.c.packed)) == hashlib.sha256(whole).hexdigest()
    assert (await ground.load()).deliveries == 1


async def test_strangers_are_refused_and_the_rest_taken(ground: Any) -> None:
    xml = ground.fleet.day(0).xml()
    await ground.accept(xml.replace(b"SN00000003", b"SN99999999"))
    progress = await ground.load()
    assert progress.refused == 4  # two channels, two registers
    async with ground.database.begin() as tx:
        assert await tx.scalar(text("SELECT count(DISTINCT channel) FROM series_day")) == 2 * (ground.fleet.meters - 1)


async def test_a_delivery_that_somebody_else_loads_is_left_to_him(ground: Any) -> None:
    digest = await ground.accept(ground.fleet.day(0).arrow())
    async with ground.database.begin() as tx:
        assert await store.claim(tx, digest) is not None
        with ThreadPoolExecutor(1) as one:
            assert not one.submit(load, ground.place, digest).result().taken
    assert (await ground.load()).deliveries == 1


class Counting(ThreadPoolExecutor):
    """Knows how often it was asked."""

    asked = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.asked += 1
        return super().submit(fn, *args, **kwargs)


async def test_what_somebody_else_takes_long_for_is_waited_for(ground: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.mdus.loading.handlers.PAUSE_S", 0.0)
    digest = await ground.accept(ground.fleet.day(0).arrow())
    with Counting(1) as one:
        async with ground.database.begin() as other:
            assert await store.claim(other, digest) is not None
            loading = asyncio.create_task(ground.load(lambda: one))
            while one.asked < 2 * IN_VAIN_MAX:
                await asyncio.sleep(0)
                assert not loading.done()
        assert (await loading).deliveries == 1


class Dying(ThreadPoolExecutor):
    """Loses its workers at the first task."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("killed"))
        return future


async def test_new_workers_take_over_when_the_first_ones_die(ground: Any) -> None:
    for number in range(2):
        await ground.accept(ground.fleet.day(number).arrow())
    with Dying(1) as dead, ThreadPoolExecutor(1) as alive:
        pools = iter([dead, alive])
        progress = await ground.load(lambda: next(pools))
    assert progress.deliveries == 2


async def test_workers_that_take_long_to_start_keep_nobody_waiting(ground: Any) -> None:
    """The first task that a pool is handed starts its processes: the loop goes on meanwhile."""
    await ground.accept(ground.fleet.day(0).arrow())
    starting, answered = threading.Event(), threading.Event()

    class Slow(ThreadPoolExecutor):
        def submit(self, *task: Any, **more: Any) -> Future[Any]:
            starting.set()
            assert answered.wait(5), "the loop stood still"
            return super().submit(*task, **more)

    with Slow(1) as slow:
        loading = asyncio.create_task(ground.load(lambda: slow))
        while not loading.done():
            await asyncio.sleep(0)
            if starting.is_set():
                answered.set()
    assert (await loading).deliveries == 1


async def test_workers_that_always_die_are_given_up(ground: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.mdus.loading.handlers.PAUSE_S", 0.0)
    await ground.accept(ground.fleet.day(0).arrow())
    with Dying(1) as dead, pytest.raises(LoadingStoppedError, match="1 tasks wait"):
        await load_waiting(lambda: dead, ground.place, ground.database)


async def test_a_delivery_whose_transaction_gave_way_waits_for_its_next_turn(
    ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [
        DBAPIError("UPDATE", {}, DeadlockDetected("deadlock detected")),
        DBAPIError("UPDATE", {}, OperationalError("gone"), connection_invalidated=True),
    ]
    take = Flow.take_columns

    async def unlucky(self: Flow, *args: Any, **asked: Any) -> Any:
        if failures:
            raise failures.pop()
        return await take(self, *args, **asked)

    monkeypatch.setattr(Flow, "take_columns", unlucky)
    monkeypatch.setattr("openami.mdus.loading.handlers.PAUSE_S", 0.0)
    await ground.accept(ground.fleet.day(0).arrow())
    progress = await ground.load()
    assert (progress.deliveries, progress.refused, failures) == (1, 0, [])
