"""Messages in: kept before they are acknowledged, handled exactly once, parked while a predecessor is missing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import ARRAY, BigInteger, bindparam, func, select, update

from openami.shared.database import after_commit
from openami.shared.errors import OpenAmiError
from openami.shared.seam.arrivals import Arrival, Arrivals, Receipt, store_arrivals
from openami.shared.seam.model import InboundMessage, NotYet, Seam
from openami.shared.seam.outbox import back_off_s
from openami.shared.seam.store import PARKED, PROCESSED, RECEIVED, REFUSED, Claim, in_state, of_seams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import Clock
    from openami.shared.database import Database
    from openami.shared.seam.store import SeamTables

    Handle = Callable[[AsyncConnection, InboundMessage], Awaitable[None]]
    HandleMany = Callable[[AsyncConnection, Sequence[InboundMessage]], Awaitable[Sequence[OpenAmiError | None]]]
    Refuse = Callable[[AsyncConnection, InboundMessage, OpenAmiError], Awaitable[None]]

log = structlog.get_logger()

BATCH = 256
BATCH_BYTES = 32 * 1024 * 1024  # of bodies in hand at once
LOOK_AGAIN_S = 0.5
ATTEMPTS_MAX = 8  # of a handler that fails without a reason of ours: then the message is refused and shown
PARK_FOR = timedelta(hours=2)  # business time that a predecessor may take
_HANDLED = (
    "sequence",
    "id",
    "seam",
    "partner",
    "operation",
    "digest",
    "body",
    "business_key",
    "reference_id",
    "attempts",
    "park_until",
)


class HandlingFailedError(OpenAmiError):
    """A fault of ours: the message is good, and could not be handled however often it was tried."""

    number = "OAMI016"
    severity = "4"


@dataclass(frozen=True, slots=True)
class Handlers:
    """Who works on the messages of a seam.

    `many` takes messages of one operation at once and says of each why not, or None; it leaves no trace of those that
    it names a reason for. Whatever it raises is nobody's verdict: then each message is handled by itself.
    """

    one: Handle
    refuse: Refuse
    many: HandleMany | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in hand, and until when it may be parked."""

    message: InboundMessage
    park_until: datetime | None


class Inbox:
    """The inbox of one area."""

    def __init__(self, database: Database, clock: Clock, tables: SeamTables, *, park_for: timedelta = PARK_FOR) -> None:
        self._database = database
        self._clock = clock
        self._table = tables.inbox
        self._quarantine = tables.quarantine
        self._park_for = park_for
        self._wake = asyncio.Event()
        self._handlers: dict[Seam, Handlers] = {}
        self._arrivals = Arrivals(self._store)
        table = tables.inbox
        self._in_hand = select(
            func.count().filter(in_state(table, RECEIVED)),
            func.min(table.c.park_until).filter(in_state(table, PARKED)),
        ).where(in_state(table, RECEIVED, PARKED))
        self._claim_due = self._claim(in_state(table, RECEIVED), table.c.next_attempt_at <= bindparam("now"))
        self._claim_parked = self._claim(in_state(table, PARKED))
        self._moved = (
            update(table)
            .where(table.c.sequence == func.any(bindparam("moved", type_=ARRAY(BigInteger))))
            .values(attempts=table.c.attempts + 1)
        )
        self._answered = update(table).where(
            table.c.seam == bindparam("from_seam"),
            table.c.partner == bindparam("from_partner"),
            table.c.id == bindparam("message"),
        )
        self.processed = 0

    def connect(self, seam: Seam, handle: Handle, refuse: Refuse, many: HandleMany | None = None) -> None:
        """Say who handles the messages of a seam, one or many at once, and who answers those that are refused."""
        self._handlers[seam] = Handlers(handle, refuse, many)

    async def receive(self, arrival: Arrival) -> Receipt:
        """Store a message by itself, in one transaction with all that arrive meanwhile; durable when this returns."""
        return await self._arrivals.receive(arrival)

    async def keep(self, transaction: AsyncConnection, arrival: Arrival) -> Receipt:
        """Store a message unless this very message (sender, id, content) is known; count the repeat if it is."""
        (receipt,) = await store_arrivals(transaction, self._table, [arrival], now=self._clock.now())
        after_commit(transaction, self._wake)
        return receipt

    async def _store(self, arrivals: Sequence[Arrival]) -> Sequence[Receipt]:
        async with self._database.begin() as transaction:
            receipts = await store_arrivals(transaction, self._table, arrivals, now=self._clock.now())
            after_commit(transaction, self._wake)
        return receipts

    async def answer(
        self, transaction: AsyncConnection, *, seam: Seam, partner: str, message_id: UUID, answer: bytes
    ) -> None:
        """Store the synchronous answer of a message that was handled in this transaction."""
        named = {"from_seam": seam, "from_partner": partner, "message": message_id}
        answered = {"answer": answer, "state": PROCESSED, "processed_at": self._clock.now()}
        await transaction.execute(self._answered, named | answered)
        self.processed += 1

    async def set_aside(self, *, seam: Seam, partner: str, body: bytes, reason: str) -> None:
        """Keep what could not even be read, with the reason, for a person to look at."""
        async with self._database.begin() as transaction:
            await transaction.execute(
                self._quarantine.insert().values(
                    seam=seam, partner=partner, body=body, reason=reason, received_at=self._clock.now()
                )
            )
        log.warning("inbox.set_aside", seam=seam, partner=partner, reason=reason, size_bytes=len(body))

    async def pending(self) -> tuple[int, datetime | None]:
        """How many messages wait to be handled, and the business deadline of the first parked one."""
        async with self._database.read() as connection:
            count, due = (await connection.execute(self._in_hand)).one()
        return int(count), due

    async def run(self) -> None:
        """Handle for ever: at once after a commit that kept something, else by looking again."""
        progress = True
        while True:
            self._wake.clear()
            try:
                progress = await self._handle_batch(retry_parked=progress)
            except Exception:  # the loop outlives whatever a batch meets (a database restart, say)
                log.exception("inbox.batch_failed")
                progress = False
                await asyncio.sleep(LOOK_AGAIN_S)
            if not progress:
                await _wait(self._wake, LOOK_AGAIN_S)
                progress = True  # something may have changed outside the inbox that a parked message waits for

    async def _handle_batch(self, *, retry_parked: bool) -> bool:
        async with self._database.begin() as transaction:
            seams = list(self._handlers)
            rows = await self._claim_due(transaction, now=datetime.now(UTC), seams=seams)
            if not rows and retry_parked:
                rows = await self._claim_parked(transaction, seams=seams)
            done = sum([await self._handle_run(transaction, run) for run in _runs(rows)])
        self.processed += done
        return done > 0

    def _claim(self, *conditions: ColumnElement[bool]) -> Claim:
        return Claim(
            self._table,
            _HANDLED,
            *conditions,
            of_seams(self._table),
            order_by=[self._table.c.sequence],
            rows_max=BATCH,
            bytes_max=BATCH_BYTES,
        )

    async def _handle_run(self, transaction: AsyncConnection, run: Sequence[Waiting]) -> int:
        """Handle messages of one operation together if that goes, else one after the other; how many moved on."""
        handlers = self._handlers[run[0].message.seam]
        if handlers.many is not None and len(run) > 1:
            try:
                async with transaction.begin_nested():
                    reasons = await handlers.many(transaction, [one.message for one in run])
            except Exception as error:  # noqa: BLE001 - alone, each of them shows what it has to do with it
                log.info("inbox.handled_apart", operation=run[0].message.operation, count=len(run), reason=repr(error))
            else:
                return await self._conclude(transaction, run, reasons)
        return sum([await self._handle_one(transaction, one) for one in run])

    async def _conclude(
        self, transaction: AsyncConnection, run: Sequence[Waiting], reasons: Sequence[OpenAmiError | None]
    ) -> int:
        good = [one.message for one, reason in zip(run, reasons, strict=True) if reason is None]
        await self._move(transaction, good, PROCESSED, error=None, processed_at=self._clock.now())
        moved = [
            await self._put_off_or_refuse(transaction, one, reason)
            for one, reason in zip(run, reasons, strict=True)
            if reason is not None
        ]
        return len(good) + sum(moved)

    async def _handle_one(self, transaction: AsyncConnection, waiting: Waiting) -> bool:
        """Handle one message in a savepoint; true when its state moved on (processed or refused)."""
        message = waiting.message
        try:
            async with transaction.begin_nested():
                await self._handlers[message.seam].one(transaction, message)
        except OpenAmiError as reason:
            return await self._put_off_or_refuse(transaction, waiting, reason)
        except Exception as error:  # our own fault: try again, then show it
            log.exception("inbox.handler_failed", operation=message.operation, attempt=message.attempts + 1)
            if message.attempts + 1 < ATTEMPTS_MAX:
                pause = timedelta(seconds=back_off_s(message.attempts + 1))
                await self._move(
                    transaction, [message], RECEIVED, error=repr(error), next_attempt_at=datetime.now(UTC) + pause
                )
                return False
            fault = HandlingFailedError(f"The message could not be handled: {error!r}.", hint="See our log.")
            return await self._refuse(transaction, message, fault)
        await self._move(transaction, [message], PROCESSED, error=None, processed_at=self._clock.now())
        return True

    async def _put_off_or_refuse(self, transaction: AsyncConnection, waiting: Waiting, reason: OpenAmiError) -> bool:
        """Park a message whose predecessor may still come; refuse all others. True when its state moved on."""
        if isinstance(reason, NotYet):
            deadline = waiting.park_until or self._clock.now() + self._park_for
            if self._clock.now() < deadline:
                await self._move(transaction, [waiting.message], PARKED, error=str(reason), park_until=deadline)
                return False
        return await self._refuse(transaction, waiting.message, reason)

    async def _refuse(self, transaction: AsyncConnection, message: InboundMessage, reason: OpenAmiError) -> bool:
        log.warning("inbox.refused", operation=message.operation, partner=message.partner, reason=str(reason))
        found = str(reason)
        try:
            async with transaction.begin_nested():
                await self._handlers[message.seam].refuse(transaction, message, reason)
        except Exception as error:  # a refusal that cannot be told must not hold up the others
            log.exception("inbox.refusal_not_told", operation=message.operation, partner=message.partner)
            found = f"{found} This could not be told to the sender: {error!r}."
        await self._move(transaction, [message], REFUSED, error=found, processed_at=self._clock.now())
        return True

    async def _move(
        self, transaction: AsyncConnection, messages: Sequence[InboundMessage], state: str, **values: object
    ) -> None:
        if messages:
            moved = [one.sequence for one in messages]
            await transaction.execute(self._moved, {"moved": moved, "state": state, **values})


def _runs(rows: Sequence[Row[Any]]) -> list[list[Waiting]]:
    """Messages of one operation that lie next to each other; their order stays as it is."""
    waiting = [
        Waiting(
            InboundMessage(
                sequence=row.sequence,
                id=row.id,
                seam=Seam(row.seam),
                partner=row.partner,
                operation=row.operation,
                digest=row.digest,
                body=row.body,
                business_key=row.business_key,
                reference_id=row.reference_id,
                attempts=row.attempts,
            ),
            row.park_until,
        )
        for row in rows
    ]
    return [list(run) for _, run in groupby(waiting, key=lambda one: (one.message.seam, one.message.operation))]


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return
