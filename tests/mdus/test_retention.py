"""The bytes of deliveries go by policy: what is needed stays, the audit names what goes before it goes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from openami.mdus.intake import store as intake
from openami.mdus.loading import Loaded, accept
from openami.mdus.loading import store as loading
from openami.mdus.retention import forget_deliveries
from openami.mdus.tables import audit, metadata
from openami.mdus.unify.raw import RawStore
from openami.shared.audit import verify

if TYPE_CHECKING:
    from pathlib import Path

    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEEP = timedelta(days=30)


@pytest.fixture
async def mdus(database: Database) -> Database:
    async with database.engine.begin() as tx:
        await tx.run_sync(metadata.create_all)
    return database


def aged(raw: RawStore, digest: str) -> str:
    at = (NOW - 2 * KEEP).timestamp()
    os.utime(raw.path_of(digest), (at, at))
    return digest


async def loaded(mdus: Database, raw: RawStore, data: bytes, *, done: bool) -> str:
    async with mdus.begin() as tx:
        digest = await accept(tx, raw, data, name="x", source="AMS1", at=NOW - 2 * KEEP)
        if done:
            await loading.finish(tx, Loaded(digest))
    return aged(raw, digest)


async def taken_in(mdus: Database, raw: RawStore, data: bytes, **state: object) -> str:
    digest = raw.keep(data).digest
    async with mdus.begin() as tx:
        file = intake.File(digest=digest, name="y", size_bytes=len(data), source="AMS1", received_at=NOW)
        number = await intake.add(tx, file)
        await intake.save(tx, number, **state)
    return aged(raw, digest)


async def test_what_is_done_goes_and_what_is_needed_stays(mdus: Database, tmp_path: Path) -> None:
    raw = RawStore(tmp_path)
    gone = [
        await loaded(mdus, raw, b"loaded", done=True),
        await taken_in(mdus, raw, b"file", state="done"),
        aged(raw, raw.keep(b"of the field seam").digest),
    ]
    needed = [
        await loaded(mdus, raw, b"waits", done=False),
        await taken_in(mdus, raw, b"running", state="running"),
        await taken_in(mdus, raw, b"refused", state="refused"),
        await taken_in(mdus, raw, b"partly refused", state="done", refused=3),
        raw.keep(b"new").digest,
    ]
    assert await forget_deliveries(mdus, raw, NOW, KEEP) == 3
    assert [raw.keeps(one) for one in gone] == [False] * 3
    assert [raw.keeps(one) for one in needed] == [True] * 5
    async with mdus.read() as tx:
        row = (await tx.execute(select(audit.c.action, audit.c.reason, audit.c.after))).one()
        assert await verify(tx, audit) == 1
    assert (row.action, row.reason) == ("deliveries deleted", "the policy keeps deliveries 30 days")
    assert row.after == {"digests": sorted(gone)}


async def test_a_crash_before_the_bytes_go_leaves_them_for_the_next_turn(
    mdus: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = RawStore(tmp_path)
    digest = await loaded(mdus, raw, b"loaded", done=True)

    def die(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as crash:
        crash.setattr(RawStore, "forget", die)
        with pytest.raises(InterruptedError):
            await forget_deliveries(mdus, raw, NOW, KEEP)
    assert raw.keeps(digest)
    assert await forget_deliveries(mdus, raw, NOW, KEEP) == 1
    assert not raw.keeps(digest)
    async with mdus.read() as tx:
        named = [after["digests"] for after in await tx.scalars(select(audit.c.after))]
    assert named == [[digest], [digest]]


async def test_many_deliveries_are_named_in_several_records(
    mdus: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openami.mdus.retention.A_RECORD", 2)
    raw = RawStore(tmp_path)
    digests = sorted(aged(raw, raw.keep(bytes([number])).digest) for number in range(5))
    assert await forget_deliveries(mdus, raw, NOW, KEEP) == 5
    async with mdus.read() as tx:
        named = [after["digests"] for after in await tx.scalars(select(audit.c.after).order_by(audit.c.at))]
    assert sorted(chain.from_iterable(named)) == digests
    assert [len(one) for one in named] == [2, 2, 1]


async def test_nothing_old_is_no_record(mdus: Database, tmp_path: Path) -> None:
    assert await forget_deliveries(mdus, RawStore(tmp_path), NOW, KEEP) == 0
    async with mdus.read() as tx:
        assert await verify(tx, audit) == 0
