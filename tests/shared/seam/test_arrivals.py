"""Messages that arrive together share a transaction, and none hurts another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import MetaData, func, select

from openami.shared.seam import Arrival, Inbox, Receipt, Seam, seam_tables
from openami.shared.seam import arrivals as module
from openami.shared.seam.arrivals import Arrivals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openami.shared.clock import ManualClock
    from openami.shared.database import Database


def arrival(body: bytes = b"<x/>", message_id: UUID | None = None, partner: str = "sap") -> Arrival:
    return Arrival(Seam.ENTERPRISE, partner, message_id or uuid4(), "Ask", body)


@dataclass
class Shelf:
    """Stores in memory, one group at a time; does not take what is named bad."""

    groups: list[list[bytes]] = field(default_factory=list)
    known: set[tuple[str, str, UUID, bytes]] = field(default_factory=set)

    async def store(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        await asyncio.sleep(0)
        self.groups.append([one.body for one in arrivals])
        if any(one.body == b"bad" for one in arrivals):
            raise ValueError("no room for that")
        receipts = [Receipt(one.key not in self.known, "received", None) for one in arrivals]
        self.known |= {one.key for one in arrivals}
        return receipts


async def test_what_comes_while_a_group_is_stored_shares_the_next() -> None:
    shelf = Shelf()
    arrivals = Arrivals(shelf.store)
    receipts = await asyncio.gather(*(arrivals.receive(arrival()) for _ in range(50)))
    assert all(one.new for one in receipts)
    assert [len(one) for one in shelf.groups] == [50]
    assert (await arrivals.receive(arrival())).new
    assert len(shelf.groups) == 2


async def test_a_repeat_beside_the_first_is_known_as_one() -> None:
    shelf, same = Shelf(), arrival()
    arrivals = Arrivals(shelf.store)
    receipts = await asyncio.gather(*(arrivals.receive(one) for one in (same, arrival(b"other"), same, same)))
    assert [one.new for one in receipts] == [True, True, False, False]


async def test_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_MAX", 4)
    monkeypatch.setattr(module, "GROUP_BYTES_MAX", 10)
    shelf = Shelf()
    arrivals = Arrivals(shelf.store)
    bodies = [b"1"] * 6 + [b"x" * 20] * 2
    await asyncio.gather(*(arrivals.receive(arrival(body)) for body in bodies))
    assert [len(one) for one in shelf.groups] == [4, 3, 1]


async def test_a_message_that_cannot_be_stored_hurts_nobody_else() -> None:
    arrivals = Arrivals(Shelf().store)
    outcomes = await asyncio.gather(
        *(arrivals.receive(arrival(body)) for body in (b"a", b"bad", b"b")), return_exceptions=True
    )
    assert [isinstance(one, Receipt) for one in outcomes] == [True, False, True]
    assert isinstance(outcomes[1], ValueError)


async def test_who_has_gone_away_is_not_waited_for() -> None:
    shelf = Shelf()
    arrivals = Arrivals(shelf.store)
    gone = asyncio.create_task(arrivals.receive(arrival(b"gone")))
    stays = asyncio.create_task(arrivals.receive(arrival(b"stays")))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).new
    assert shelf.groups == [[b"gone", b"stays"]], "its message was stored all the same"


@pytest.mark.postgres
async def test_a_group_is_durable_and_repeats_are_counted(database: Database, clock: ManualClock) -> None:
    metadata = MetaData()
    tables = seam_tables(metadata)
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
    inbox = Inbox(database, clock, tables)
    same = arrival(b"\x00\xff")
    others = [arrival(f"<x n='{number}'/>".encode(), partner=f"P{number % 2}") for number in range(20)]
    first = await asyncio.gather(*(inbox.receive(one) for one in [same, *others]))
    again = await asyncio.gather(*(inbox.receive(one) for one in [*others, same, same]))
    assert {one.new for one in first} == {True}
    assert {(one.new, one.state) for one in again} == {(False, "received")}
    table = tables.inbox
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(table)) == 21
        row = (await connection.execute(select(table).where(table.c.id == same.id))).one()
        bodies = list(await connection.scalars(select(table.c.body).order_by(table.c.sequence)))
    assert (row.repeats, row.body, row.received_at, row.reference_id) == (2, b"\x00\xff", clock.now(), None)
    assert bodies == [one.body for one in [same, *others]], "in the order of their arrival"
