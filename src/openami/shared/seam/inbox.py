"""Messages in: kept before they are acknowledged, handled exactly once, parked while a predecessor is missing."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects.postgresql import insert

from openami.shared.database import after_commit
from openami.shared.errors import OpenAmiError
from openami.shared.seam.model import InboundMessage, NotYet, Seam
from openami.shared.seam.outbox import back_off_s
from openami.shared.seam.store import PARKED, PROCESSED, RECEIVED, REFUSED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import Clock
    from openami.shared.database import Database
    from openami.shared.seam.store import SeamTables

    Handle = Callable[[AsyncConnection, InboundMessage], Awaitable[None]]
    Refuse = Callable[[AsyncConnection, InboundMessage, OpenAmiError], Awaitable[None]]

log = structlog.get_logger()

BATCH = 32
LOOK_AGAIN_S = 0.5
ATTEMPTS_MAX = 8  # of a handler that fails without a reason of ours: then the message is refused and shown
PARK_FOR = timedelta(hours=2)  # business time that a predecessor may take


class HandlingFailedError(OpenAmiError):
    """A fault of ours: the message is good, and could not be handled however often it was tried."""

    number = "OAMI016"
    severity = "4"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a received message: new, or a repeat whose stored answer can be given again."""

    new: bool
    state: str
    answer: bytes | None


class Inbox:
    """The inbox of one area."""

    def __init__(self, database: Database, clock: Clock, tables: SeamTables, *, park_for: timedelta = PARK_FOR) -> None:
        self._database = database
        self._clock = clock
        self._table = tables.inbox
        self._quarantine = tables.quarantine
        self._park_for = park_for
        self._wake = asyncio.Event()
        self._handlers: dict[Seam, tuple[Handle, Refuse]] = {}
        self.processed = 0

    def connect(self, seam: Seam, handle: Handle, refuse: Refuse) -> None:
        """Say who handles the messages of a seam, and who answers those that are refused."""
        self._handlers[seam] = (handle, refuse)

    async def keep(
        self,
        transaction: AsyncConnection,
        *,
        seam: Seam,
        partner: str,
        message_id: UUID,
        operation: str,
        body: bytes,
        business_key: str = "",
        reference_id: UUID | None = None,
        state: str = RECEIVED,
        answer: bytes | None = None,
    ) -> Receipt:
        """Store a message unless this very message (sender, id, content) is known; count the repeat if it is."""
        table = self._table
        now = self._clock.now()
        statement = (
            insert(table)
            .values(
                id=message_id,
                seam=seam,
                partner=partner,
                digest=hashlib.sha256(body).digest(),
                operation=operation,
                business_key=business_key,
                reference_id=reference_id,
                body=body,
                state=state,
                answer=answer,
                next_attempt_at=datetime.now(UTC),
                received_at=now,
                processed_at=now if state == PROCESSED else None,
            )
            .on_conflict_do_update(
                index_elements=["seam", "partner", "id", "digest"], set_={"repeats": table.c.repeats + 1}
            )
            .returning(table.c.repeats, table.c.state, table.c.answer)
        )
        row = (await transaction.execute(statement)).one()
        after_commit(transaction, self._wake)
        return Receipt(new=row.repeats == 0, state=row.state, answer=row.answer)

    async def answer(
        self, transaction: AsyncConnection, *, seam: Seam, partner: str, message_id: UUID, answer: bytes
    ) -> None:
        """Store the synchronous answer of a message that was handled in this transaction."""
        table = self._table
        await transaction.execute(
            update(table)
            .where(table.c.seam == seam, table.c.partner == partner, table.c.id == message_id)
            .values(answer=answer, state=PROCESSED, processed_at=self._clock.now())
        )
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
        table = self._table
        query = select(
            func.count().filter(table.c.state == RECEIVED),
            func.min(table.c.park_until).filter(table.c.state == PARKED),
        ).where(table.c.state.in_([RECEIVED, PARKED]))
        async with self._database.read() as connection:
            count, due = (await connection.execute(query)).one()
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
            rows = await self._claim(transaction, parked=False)
            if not rows and retry_parked:
                rows = await self._claim(transaction, parked=True)
            done = [await self._handle_one(transaction, row) for row in rows]
        self.processed += sum(done)
        return any(done)

    async def _claim(self, transaction: AsyncConnection, *, parked: bool) -> list[Row[tuple[object, ...]]]:
        table = self._table
        due = and_(table.c.state == RECEIVED, table.c.next_attempt_at <= datetime.now(UTC))
        query = (
            select(table)
            .where(table.c.state == PARKED if parked else due)
            .where(table.c.seam.in_(list(self._handlers)))
            .order_by(table.c.sequence)
            .limit(BATCH * 8 if parked else BATCH)
            .with_for_update(skip_locked=True)
        )
        return list(await transaction.execute(query))

    async def _handle_one(self, transaction: AsyncConnection, row: Row[tuple[object, ...]]) -> bool:
        """Handle one message in a savepoint; true when its state moved on (processed or refused)."""
        message = InboundMessage(
            sequence=row.sequence,
            id=row.id,
            seam=Seam(row.seam),
            partner=row.partner,
            operation=row.operation,
            body=row.body,
            business_key=row.business_key,
            reference_id=row.reference_id,
            attempts=row.attempts,
        )
        handle, refuse = self._handlers[message.seam]
        try:
            async with transaction.begin_nested():
                await handle(transaction, message)
        except NotYet as reason:
            deadline = row.park_until or self._clock.now() + self._park_for
            if self._clock.now() < deadline:
                await self._move(transaction, message, PARKED, error=str(reason), park_until=deadline)
                return False
            return await self._refuse(transaction, message, refuse, reason)
        except OpenAmiError as reason:
            return await self._refuse(transaction, message, refuse, reason)
        except Exception as error:  # our own fault: try again, then show it
            log.exception("inbox.handler_failed", operation=message.operation, attempt=message.attempts + 1)
            if message.attempts + 1 < ATTEMPTS_MAX:
                pause = timedelta(seconds=back_off_s(message.attempts + 1))
                await self._move(
                    transaction, message, RECEIVED, error=repr(error), next_attempt_at=datetime.now(UTC) + pause
                )
                return False
            fault = HandlingFailedError(f"The message could not be handled: {error!r}.", hint="See our log.")
            return await self._refuse(transaction, message, refuse, fault)
        await self._move(transaction, message, PROCESSED, error=None, processed_at=self._clock.now())
        return True

    async def _refuse(
        self, transaction: AsyncConnection, message: InboundMessage, refuse: Refuse, reason: OpenAmiError
    ) -> bool:
        log.warning("inbox.refused", operation=message.operation, partner=message.partner, reason=str(reason))
        await refuse(transaction, message, reason)
        await self._move(transaction, message, REFUSED, error=str(reason), processed_at=self._clock.now())
        return True

    async def _move(self, transaction: AsyncConnection, message: InboundMessage, state: str, **values: object) -> None:
        table = self._table
        await transaction.execute(
            update(table)
            .where(table.c.sequence == message.sequence)
            .values(state=state, attempts=table.c.attempts + 1, **values)
        )


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return
