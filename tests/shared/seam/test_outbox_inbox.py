from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import MetaData, select, text

from openami.shared.errors import OpenAmiError
from openami.shared.seam import (
    Arrival,
    Envelope,
    InboundMessage,
    Inbox,
    NotYet,
    Outbox,
    Refused,
    Seam,
    SeamTables,
    Unreachable,
    seam_tables,
)
from openami.shared.seam import inbox as inbox_module
from openami.shared.seam.outbox import BACK_OFF_LAST_S, back_off_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import ManualClock
    from openami.shared.database import Database

pytestmark = pytest.mark.postgres


@pytest.fixture
async def tables(database: Database) -> SeamTables:
    metadata = MetaData()
    made = seam_tables(metadata)
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
    return made


def envelope(body: bytes = b"<x/>", reference: UUID | None = None, operation: str = "Ask") -> Envelope:
    return Envelope(uuid4(), Seam.ENTERPRISE, "office", operation, "/services/Ask", body, "key", reference)


@dataclass
class Wire:
    """A partner that fails as often as it is told to."""

    failures: list[Exception] = field(default_factory=list)
    taken: list[Envelope] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, sent: Envelope) -> bytes:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(sent)
        self.enough.set()
        return b"thanks"


async def states(database: Database, table_name: str, tables: SeamTables) -> list[str]:
    table = getattr(tables, table_name)
    async with database.begin() as transaction:
        return [row.state for row in await transaction.execute(select(table.c.state).order_by(table.c.sequence))]


async def run_until(outbox: Outbox | Inbox, event: asyncio.Event) -> None:
    task = asyncio.create_task(outbox.run())
    await asyncio.wait_for(event.wait(), 10)
    for _ in range(200):
        pending = await outbox.pending()
        if pending in {0, (0, None)}:
            break
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _put_and_fail(database: Database, outbox: Outbox) -> None:
    async with database.begin() as transaction:
        await outbox.put(transaction, envelope(b"never"))
        raise ValueError("changed my mind")


async def test_a_message_leaves_only_if_what_it_announces_was_committed(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    outbox, wire = Outbox(database, clock, tables), Wire()
    outbox.connect(Seam.ENTERPRISE, wire)
    with pytest.raises(ValueError, match="changed my mind"):
        await _put_and_fail(database, outbox)
    async with database.begin() as transaction:
        await outbox.put(transaction, envelope(b"once"))
    await run_until(outbox, wire.enough)
    assert [sent.body for sent in wire.taken] == [b"once"]
    assert await states(database, "outbox", tables) == ["delivered"]


async def test_an_unreachable_partner_is_tried_again(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    outbox, wire = Outbox(database, clock, tables), Wire(failures=[Unreachable("asleep"), Unreachable("still")])
    outbox.connect(Seam.ENTERPRISE, wire)
    async with database.begin() as transaction:
        await outbox.put(transaction, envelope())
    await run_until(outbox, wire.enough)
    async with database.begin() as transaction:
        row = (await transaction.execute(select(tables.outbox))).one()
    assert (row.state, row.attempts, row.answer, row.error) == ("delivered", 3, b"thanks", None)


async def test_a_refused_message_is_a_dead_letter_with_its_reason(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    outbox, wire = Outbox(database, clock, tables), Wire(failures=[Refused("no such service")])
    outbox.connect(Seam.ENTERPRISE, wire)
    async with database.begin() as transaction:
        await outbox.put(transaction, envelope(b"bad"))
        await outbox.put(transaction, envelope(b"good"))
    await run_until(outbox, wire.enough)
    assert await states(database, "outbox", tables) == ["dead", "delivered"]


async def test_the_same_id_is_stored_once(database: Database, clock: ManualClock, tables: SeamTables) -> None:
    outbox, same = Outbox(database, clock, tables), envelope()
    for _ in range(2):
        async with database.begin() as transaction:
            await outbox.put(transaction, same)
    assert await outbox.pending() == 1


async def test_the_stored_answer_is_sent_again_under_its_old_id(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    outbox, wire, asked = Outbox(database, clock, tables), Wire(), uuid4()
    outbox.connect(Seam.ENTERPRISE, wire)
    async with database.begin() as transaction:
        await outbox.put(transaction, envelope(b"yes", asked, "AskConfirmation_In"))
    await run_until(outbox, wire.enough)
    wire.enough.clear()
    async with database.begin() as transaction:
        assert await outbox.send_again(transaction, asked, operation_like="%Confirmation%") == 1
    await run_until(outbox, wire.enough)
    assert wire.taken[0].id == wire.taken[1].id


def test_back_off_doubles_up_to_a_minute() -> None:
    pauses = [back_off_s(attempt) for attempt in range(1, 20)]
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert pauses == sorted(pauses)
    assert pauses[-1] == BACK_OFF_LAST_S


@dataclass
class Book:
    """Handlers that write down what reached them."""

    handled: list[bytes] = field(default_factory=list)
    refused: list[tuple[bytes, str]] = field(default_factory=list)
    known: set[bytes] = field(default_factory=set)
    trouble: list[Exception] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    want: int = 1

    async def handle(self, _transaction: AsyncConnection, message: InboundMessage) -> None:
        if message.body.startswith(b"needs:") and message.body[6:] not in self.known:
            raise NotYet(f"{message.body[6:].decode()} has not arrived")
        if message.body == b"impossible":
            raise OpenAmiError("that cannot be")
        if self.trouble:
            raise self.trouble.pop()
        self.known.add(message.body)
        self.handled.append(message.body)
        self._look()

    async def refuse(self, _transaction: AsyncConnection, message: InboundMessage, reason: OpenAmiError) -> None:
        self.refused.append((message.body, reason.found))
        self._look()

    def _look(self) -> None:
        if len(self.handled) + len(self.refused) >= self.want:
            self.enough.set()


async def keep(inbox: Inbox, database: Database, *bodies: bytes, message_id: UUID | None = None) -> list[bool]:
    news = []
    for body in bodies:
        async with database.begin() as transaction:
            arrival = Arrival(Seam.ENTERPRISE, "sap", message_id or uuid4(), "Ask", body)
            receipt = await inbox.keep(transaction, arrival)
            news.append(receipt.new)
    return news


async def test_a_repeat_is_known_and_handled_once(database: Database, clock: ManualClock, tables: SeamTables) -> None:
    inbox, book, same = Inbox(database, clock, tables), Book(), uuid4()
    inbox.connect(Seam.ENTERPRISE, book.handle, book.refuse)
    assert await keep(inbox, database, b"a", b"a", b"a", message_id=same) == [True, False, False]
    await run_until(inbox, book.enough)
    assert book.handled == [b"a"]


async def test_the_same_id_with_another_content_is_another_message(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    inbox = Inbox(database, clock, tables)
    assert await keep(inbox, database, b"a", b"b", message_id=uuid4()) == [True, True]


async def test_a_message_waits_for_its_predecessor(database: Database, clock: ManualClock, tables: SeamTables) -> None:
    inbox, book = Inbox(database, clock, tables), Book(want=2)
    inbox.connect(Seam.ENTERPRISE, book.handle, book.refuse)
    await keep(inbox, database, b"needs:device", b"device")
    await run_until(inbox, book.enough)
    assert book.handled == [b"device", b"needs:device"]


async def test_a_predecessor_that_never_comes_ends_in_a_refusal(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    inbox, book = Inbox(database, clock, tables, park_for=timedelta(hours=1)), Book()
    inbox.connect(Seam.ENTERPRISE, book.handle, book.refuse)
    await keep(inbox, database, b"needs:device")
    task = asyncio.create_task(inbox.run())
    while "parked" not in await states(database, "inbox", tables):  # noqa: ASYNC110 - it is in the database
        await asyncio.sleep(0.01)
    assert book.refused == []
    clock.advance(timedelta(hours=1))
    await asyncio.wait_for(book.enough.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert book.refused == [(b"needs:device", "device has not arrived")]


async def test_a_refusal_does_not_stop_the_others(database: Database, clock: ManualClock, tables: SeamTables) -> None:
    inbox, book = Inbox(database, clock, tables), Book(want=3)
    inbox.connect(Seam.ENTERPRISE, book.handle, book.refuse)
    await keep(inbox, database, b"one", b"impossible", b"two")
    await run_until(inbox, book.enough)
    assert book.handled == [b"one", b"two"]
    assert book.refused == [(b"impossible", "that cannot be")]
    assert await states(database, "inbox", tables) == ["processed", "refused", "processed"]


async def test_a_fault_of_ours_is_tried_again(database: Database, clock: ManualClock, tables: SeamTables) -> None:
    inbox, book = Inbox(database, clock, tables), Book(trouble=[RuntimeError("bug"), RuntimeError("bug")])
    inbox.connect(Seam.ENTERPRISE, book.handle, book.refuse)
    await keep(inbox, database, b"one")
    await run_until(inbox, book.enough)
    assert book.handled == [b"one"]


@dataclass
class Crowd(Book):
    """Takes many at once; trips over what is poisoned, and then each is asked for by itself."""

    sizes: list[int] = field(default_factory=list)

    async def many(
        self, transaction: AsyncConnection, messages: Sequence[InboundMessage]
    ) -> Sequence[OpenAmiError | None]:
        self.sizes.append(len(messages))
        await transaction.execute(text("INSERT INTO trace SELECT :n"), {"n": len(messages)})
        if any(one.body == b"poison" for one in messages):
            raise RuntimeError("tripped")
        reasons: list[OpenAmiError | None] = []
        for one in messages:
            try:
                await self.handle(transaction, one)
            except OpenAmiError as reason:
                reasons.append(reason)
            else:
                reasons.append(None)
        return reasons


async def traces(database: Database) -> list[int]:
    async with database.read() as connection:
        return list(await connection.scalars(text("SELECT n FROM trace")))


@pytest.fixture
async def crowd(database: Database) -> Crowd:
    async with database.begin() as transaction:
        await transaction.execute(text("CREATE TABLE trace (n integer)"))
    return Crowd()


async def test_messages_of_one_operation_are_handled_together(
    database: Database, clock: ManualClock, tables: SeamTables, crowd: Crowd
) -> None:
    inbox = Inbox(database, clock, tables)
    inbox.connect(Seam.ENTERPRISE, crowd.handle, crowd.refuse, crowd.many)
    crowd.want = 5
    await keep(inbox, database, b"a", b"b", b"impossible", b"needs:c", b"c")
    await run_until(inbox, crowd.enough)
    assert crowd.sizes[0] == 5
    assert crowd.handled == [b"a", b"b", b"c", b"needs:c"]
    assert crowd.refused == [(b"impossible", "that cannot be")]
    assert await states(database, "inbox", tables) == ["processed", "processed", "refused", "processed", "processed"]
    assert inbox.processed == 5


async def test_one_that_trips_the_crowd_is_found_alone_and_the_others_are_done_once(
    database: Database, clock: ManualClock, tables: SeamTables, crowd: Crowd
) -> None:
    inbox = Inbox(database, clock, tables)
    inbox.connect(Seam.ENTERPRISE, crowd.handle, crowd.refuse, crowd.many)
    crowd.want = 3
    await keep(inbox, database, b"a", b"poison", b"b")
    await run_until(inbox, crowd.enough)
    assert crowd.handled == [b"a", b"poison", b"b"]
    assert await traces(database) == [], "what the crowd had written was undone"


async def test_other_operations_in_between_keep_the_order(
    database: Database, clock: ManualClock, tables: SeamTables, crowd: Crowd
) -> None:
    inbox = Inbox(database, clock, tables)
    inbox.connect(Seam.ENTERPRISE, crowd.handle, crowd.refuse, crowd.many)
    crowd.want = 6
    async with database.begin() as transaction:
        for number, operation in enumerate(("Ask", "Ask", "Tell", "Ask", "Ask", "Ask")):
            await inbox.keep(
                transaction, Arrival(Seam.ENTERPRISE, "sap", uuid4(), operation, f"{operation}{number}".encode())
            )
    await run_until(inbox, crowd.enough)
    assert crowd.handled == [b"Ask0", b"Ask1", b"Tell2", b"Ask3", b"Ask4", b"Ask5"]
    assert crowd.sizes == [2, 3]


async def test_a_refusal_that_cannot_be_told_holds_up_nobody(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    inbox, book = Inbox(database, clock, tables), Book(want=2)

    async def mute(transaction: AsyncConnection, _message: InboundMessage, _reason: OpenAmiError) -> None:
        await transaction.execute(text("SELECT 1/0"))

    inbox.connect(Seam.ENTERPRISE, book.handle, mute)
    await keep(inbox, database, b"one", b"impossible", b"two")
    await run_until(inbox, book.enough)
    assert await states(database, "inbox", tables) == ["processed", "refused", "processed"]
    async with database.read() as connection:
        error = await connection.scalar(select(tables.inbox.c.error).where(tables.inbox.c.state == "refused"))
    assert str(error).startswith("that cannot be This could not be told")


async def test_large_messages_are_not_heaped_up_in_memory(
    database: Database, clock: ManualClock, tables: SeamTables, monkeypatch: pytest.MonkeyPatch, crowd: Crowd
) -> None:
    monkeypatch.setattr(inbox_module, "BATCH_BYTES", 250)
    inbox = Inbox(database, clock, tables)
    inbox.connect(Seam.ENTERPRISE, crowd.handle, crowd.refuse, crowd.many)
    crowd.want = 5
    await keep(inbox, database, *(bytes([number]) * 100 for number in range(4)), b"x" * 1000)
    await run_until(inbox, crowd.enough)
    assert crowd.sizes == [2, 2], "and the large one by itself"
    assert len(crowd.handled) == 5


async def test_a_batch_of_deliveries_ends_each_in_its_own_way(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    outbox, wire = Outbox(database, clock, tables), Wire()
    failures = {b"dead": Refused("never"), b"late": Unreachable("not now")}

    async def carry(sent: Envelope) -> bytes:
        if sent.body in failures:
            raise failures[sent.body]
        return await wire(sent)

    outbox.connect(Seam.ENTERPRISE, carry)
    sent = [envelope(body) for body in (b"a", b"dead", b"late", b"b")]
    async with database.begin() as transaction:
        await outbox.put(transaction, *sent, sent[0])
    task = asyncio.create_task(outbox.run())
    while (await states(database, "outbox", tables)).count("pending") > 1:  # noqa: ASYNC110 - in the database
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with database.read() as connection:
        rows = list(await connection.execute(select(tables.outbox).order_by(tables.outbox.c.sequence)))
    assert [(row.body, row.state, row.answer, row.error) for row in rows] == [
        (b"a", "delivered", b"thanks", None),
        (b"dead", "dead", None, "never"),
        (b"late", "pending", None, "not now"),
        (b"b", "delivered", b"thanks", None),
    ]
    assert [row.delivered_at is not None for row in rows] == [True, False, False, True]


async def _delivered(outbox: Outbox, database: Database, tables: SeamTables) -> list[tuple[bytes, str, int, str]]:
    """One round of deliveries: body, state, attempts and error of each message."""
    await outbox._deliver_batch()
    async with database.read() as connection:
        rows = list(await connection.execute(select(tables.outbox).order_by(tables.outbox.c.sequence)))
    return [(row.body, row.state, row.attempts, row.error or "") for row in rows]


async def test_a_message_that_trips_the_transport_holds_up_nobody(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    outbox, wire = Outbox(database, clock, tables), Wire(failures=[KeyError("a fault of ours")])
    outbox.connect(Seam.ENTERPRISE, wire)
    async with database.begin() as transaction:
        await outbox.put(transaction, envelope(b"poison"))
        await outbox.put(transaction, envelope(b"good"))
    poison, good = await _delivered(outbox, database, tables)
    assert poison[:3] == (b"poison", "pending", 1)
    assert "a fault of ours" in poison[3]
    assert good == (b"good", "delivered", 1, "")
    assert outbox.delivered == 1


async def test_an_answer_that_cannot_be_handled_is_asked_for_again_and_the_others_stand(
    database: Database, clock: ManualClock, tables: SeamTables
) -> None:
    outbox, wire = Outbox(database, clock, tables), Wire()
    handled: list[bytes] = []

    async def read(transaction: AsyncConnection, sent: Envelope, answer: bytes) -> None:
        handled.append(sent.body)
        if sent.body == b"poison":
            await transaction.execute(text("SELECT 1 / 0"))
        assert answer == b"thanks"

    outbox.connect(Seam.ENTERPRISE, wire, read)
    async with database.begin() as transaction:
        await outbox.put(transaction, envelope(b"first"))
        await outbox.put(transaction, envelope(b"poison"))
        await outbox.put(transaction, envelope(b"last"))
    first, poison, last = await _delivered(outbox, database, tables)
    assert (first[1], poison[1], last[1]) == ("delivered", "pending", "delivered")
    assert "division by zero" in poison[3]
    assert handled == [b"first", b"poison", b"first", b"poison", b"last"], "at once, then each alone"
    assert len(wire.taken) == 3
    assert outbox.delivered == 2


async def test_what_cannot_be_read_is_set_aside(database: Database, clock: ManualClock, tables: SeamTables) -> None:
    await Inbox(database, clock, tables).set_aside(seam=Seam.FIELD, partner="AMS1", body=b"\x00junk", reason="not XML")
    async with database.begin() as transaction:
        row = (await transaction.execute(select(tables.quarantine))).one()
    assert (row.partner, row.body, row.reason, row.received_at) == ("AMS1", b"\x00junk", "not XML", clock.now())
