"""Channels as columns: what was declared, asked for in as few questions as it takes, never from a stale memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from psycopg.errors import DivisionByZero
from psycopg.sql import SQL
from tests.mdus.series.conftest import AMSTERDAM

from openami.mdus.series import Channel, Series
from openami.mdus.series import channels as channels_
from openami.mdus.series.channels import Memory, UnknownChannelError

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

MANY = channels_._FEW + 1
DECLARED = [
    *(Channel(200 + at, AMSTERDAM, 900, register=900 + at, rating_w=17_250) for at in range(MANY - 3)),
    *(Channel(200 + at, "Europe/Berlin", 3600, unit="m3", scale=-3, kind="gas") for at in range(MANY - 3, MANY)),
]
IDS = np.array([one.id for one in DECLARED])
NEVER = SQL("SELECT 1 / 0 WHERE %(ids)s <> ''")


@pytest.fixture
async def declared(mdus: Database) -> Database:
    async with mdus.begin() as tx:
        await Series().declare(tx, reversed(DECLARED))
    return mdus


@pytest.mark.parametrize("count", [1, MANY - 1, MANY])
async def test_channels_come_back_as_they_were_declared_by_ascending_id(declared: Database, count: int) -> None:
    async with declared.begin() as tx:
        found = await Memory().channels(tx, IDS[-count:], lock=False)
    assert list(found) == DECLARED[-count:]


async def test_few_channels_are_one_question(declared: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_, "_REVISIONS", NEVER)
    async with declared.begin() as tx:
        assert list(await Memory().channels(tx, IDS[:2], lock=False)) == DECLARED[:2]
        with pytest.raises(UnknownChannelError, match="1 channels were never declared, the first is 7"):
            await Memory().channels(tx, np.array([7, 200]), lock=False)
        with pytest.raises(DivisionByZero):
            await Memory().channels(tx, IDS[:2], lock=True)


async def test_many_channels_are_remembered_until_one_of_them_changes(
    declared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory()
    async with declared.begin() as tx:
        first = await memory.channels(tx, IDS, lock=False)
        with monkeypatch.context() as asking:
            asking.setattr(channels_, "_COLUMNS", NEVER)
            assert await memory.channels(tx, IDS, lock=False) is first
    async with declared.begin() as tx:
        await Series().declare(tx, [replace(DECLARED[3], rating_w=9_000)])
    async with declared.begin() as tx:
        assert (await memory.channels(tx, IDS, lock=False))[3].rating_w == 9_000


async def test_what_a_transaction_has_locked_is_not_asked_for_again(
    declared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory()
    async with declared.begin() as tx:
        await memory.channels(tx, IDS, lock=True)
        monkeypatch.setattr(channels_, "_COLUMNS", NEVER)
        monkeypatch.setattr(channels_, "_REVISIONS", NEVER)
        assert list(await memory.channels(tx, IDS[5:7], lock=False)) == DECLARED[5:7]


async def test_no_more_channels_are_remembered_than_the_limit(declared: Database) -> None:
    memory = Memory(limit=MANY)
    async with declared.begin() as tx:
        for ids in (IDS, np.append(IDS, 1), np.append(IDS, 2)):
            await memory.channels(tx, np.sort(ids), lock=False)
    assert [len(one) for one in memory._recent.values()] == [MANY + 1]
