"""Messages out: stored with what they announce, delivered until acknowledged.

The rows in hand stay locked by the delivering transaction, so a killed process frees them at once; a message that was
sent but not yet marked is then sent again under the same id, and the receiver knows it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import bindparam, func, select, update

from openami.shared.database import after_commit, columns_of, given, insert_rows, update_rows
from openami.shared.errors import OpenAmiError
from openami.shared.seam.model import Envelope, Seam
from openami.shared.seam.store import DEAD, DELIVERED, PENDING, Claim, in_state, of_seams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.clock import Clock
    from openami.shared.database import Database
    from openami.shared.seam.store import SeamTables

    Deliver = Callable[[Envelope], Awaitable[bytes]]
    OnAnswer = Callable[[AsyncConnection, Envelope, bytes], Awaitable[None]]

log = structlog.get_logger()

BATCH = 128  # messages in flight at once in a lane: they are repeated after a crash
BATCH_BYTES = 32 * 1024 * 1024
LOOK_AGAIN_S = 0.5
BACK_OFF_FIRST_S = 0.2
BACK_OFF_LAST_S = 60.0
ATTEMPTS_MAX = 2000  # more than a day at the longest pause: then a person has to look


_GIVEN = ("id", "seam", "partner", "operation", "path", "business_key", "reference_id", "body")
_MARKED = ("id", "state", "attempts", "next_attempt_at", "delivered_at", "answer", "error")


class Unreachable(OpenAmiError):  # noqa: N818 - a state of the partner
    """The partner did not take the message now (no connection, time-out, 429, 5xx): it is tried again."""


class Refused(OpenAmiError):  # noqa: N818 - an answer of the partner
    """The partner will never take this message as it is: it goes to the dead letters."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one attempt ended."""

    envelope: Envelope
    attempts: int
    answer: bytes | None
    error: OpenAmiError | None


class Outbox:
    """The outbox of one area; `deliver` does the transport for each seam, `on_answer` sees synchronous answers."""

    def __init__(self, database: Database, clock: Clock, tables: SeamTables) -> None:
        self._database = database
        self._clock = clock
        self._insert = insert_rows(
            tables.outbox, _GIVEN, for_all=("next_attempt_at", "created_at")
        ).on_conflict_do_nothing(index_elements=["id"])
        self._update = update_rows(tables.outbox, _MARKED, key="id")
        self._again = (
            update(tables.outbox)
            .where(
                tables.outbox.c.reference_id == bindparam("reference"),
                tables.outbox.c.operation.like(bindparam("operation_like")),
                tables.outbox.c.state == DELIVERED,
            )
            .values(state=PENDING, next_attempt_at=bindparam("next_attempt_at"))
        )
        self._in_hand = select(func.count()).where(in_state(tables.outbox, PENDING))
        self._claim = Claim(
            tables.outbox,
            (*_GIVEN, "attempts"),
            in_state(tables.outbox, PENDING),
            tables.outbox.c.next_attempt_at <= bindparam("now"),
            of_seams(tables.outbox),
            order_by=[
                tables.outbox.c.next_attempt_at,
                tables.outbox.c.sequence,
            ],  # as the index of the pending has them
            rows_max=BATCH,
            bytes_max=BATCH_BYTES,
        )
        self._wake = asyncio.Event()
        self._crowded = asyncio.Event()
        self._deliver: dict[Seam, Deliver] = {}
        self._on_answer: dict[Seam, OnAnswer] = {}
        self.delivered = 0

    def connect(self, seam: Seam, deliver: Deliver, on_answer: OnAnswer | None = None) -> None:
        """Say how messages of a seam are carried, and who reads what the partner answers at once."""
        self._deliver[seam] = deliver
        if on_answer is not None:
            self._on_answer[seam] = on_answer

    async def put(self, transaction: AsyncConnection, *envelopes: Envelope) -> None:
        """Store messages in the caller's transaction; they leave after its commit. A known id is not stored twice."""
        if not envelopes:
            return
        await transaction.execute(
            self._insert,
            given(
                columns_of(envelopes, _GIVEN) | {"next_attempt_at": datetime.now(UTC), "created_at": self._clock.now()}
            ),
        )
        after_commit(transaction, self._wake)

    async def send_again(self, transaction: AsyncConnection, reference_id: object, *, operation_like: str) -> int:
        """Deliver the stored answers to a repeated request once more, under their old ids."""
        answers = {"reference": reference_id, "operation_like": operation_like}
        result = await transaction.execute(self._again, answers | {"next_attempt_at": datetime.now(UTC)})
        after_commit(transaction, self._wake)
        return result.rowcount

    async def pending(self) -> int:
        """How many messages have not been acknowledged yet."""
        async with self._database.read() as connection:
            return int((await connection.execute(self._in_hand)).scalar_one())

    async def run(self) -> None:
        """Deliver for ever: at once after a commit that put something, else by looking again."""
        await asyncio.gather(self._run_alone(), self._help())

    async def _run_alone(self) -> None:
        while True:
            self._wake.clear()
            if not await self._try_batch():
                await _wait(self._wake, LOOK_AGAIN_S)

    async def _help(self) -> None:
        """A second lane: while one waits for its partner and marks what it said, the next messages leave."""
        while True:
            await self._crowded.wait()
            self._crowded.clear()
            while await self._try_batch():
                pass

    async def _try_batch(self) -> bool:
        try:
            return await self._deliver_batch()
        except Exception:  # the loop outlives whatever a batch meets (a database restart, say)
            log.exception("outbox.batch_failed")
            await asyncio.sleep(LOOK_AGAIN_S)
            return False

    async def _deliver_batch(self) -> bool:
        async with self._database.begin() as transaction:
            rows = await self._claim(transaction, now=datetime.now(UTC), seams=list(self._deliver))
            if len(rows) == BATCH:
                self._crowded.set()
            attempts = await asyncio.gather(*(self._attempt(_envelope(row), row.attempts) for row in rows))
            deliveries = await self._hand_answers_over(transaction, attempts)
            await self._mark(transaction, deliveries)
        self.delivered += sum(delivery.error is None for delivery in deliveries)
        return bool(rows)

    async def _attempt(self, envelope: Envelope, attempts: int) -> Delivery:
        try:
            return Delivery(envelope, attempts + 1, await self._deliver[envelope.seam](envelope), None)
        except (Unreachable, Refused) as error:
            return Delivery(envelope, attempts + 1, None, error)
        except Exception as error:  # a fault of ours in one message must not hold up the others of its batch
            log.exception("outbox.attempt_failed", operation=envelope.operation, partner=envelope.partner)
            return Delivery(envelope, attempts + 1, None, Unreachable(f"It could not be sent: {error!r}."))

    async def _hand_answers_over(
        self, transaction: AsyncConnection, deliveries: Sequence[Delivery]
    ) -> Sequence[Delivery]:
        """Give synchronous answers to who reads them; one that cannot be read makes its message go out once more."""
        answered = [one for one in deliveries if one.answer is not None and one.envelope.seam in self._on_answer]
        if not answered:
            return deliveries
        try:
            async with transaction.begin_nested():
                for one in answered:
                    await self._hand_over(transaction, one)
        except Exception as error:  # noqa: BLE001 - alone, each of them shows what it has to do with it
            log.info("outbox.answers_apart", count=len(deliveries), reason=repr(error))
        else:
            return deliveries
        return [await self._handed_over_alone(transaction, one) for one in deliveries]

    async def _handed_over_alone(self, transaction: AsyncConnection, delivery: Delivery) -> Delivery:
        try:
            async with transaction.begin_nested():
                await self._hand_over(transaction, delivery)
        except Exception as error:  # the partner gives the same answer again, perhaps to a program that was mended
            log.exception("outbox.answer_failed", operation=delivery.envelope.operation)
            return replace(delivery, error=Unreachable(f"The answer could not be handled: {error!r}."))
        return delivery

    async def _hand_over(self, transaction: AsyncConnection, delivery: Delivery) -> None:
        on_answer = self._on_answer.get(delivery.envelope.seam)
        if on_answer is not None and delivery.answer is not None:
            await on_answer(transaction, delivery.envelope, delivery.answer)

    async def _mark(self, transaction: AsyncConnection, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        outcomes = [self._outcome(delivery) for delivery in deliveries]
        columns = {name: [one[name] for one in outcomes] for name in _MARKED}
        await transaction.execute(self._update, given(columns))

    def _outcome(self, delivery: Delivery) -> dict[str, object]:
        error = delivery.error
        dead = isinstance(error, Refused) or (error is not None and delivery.attempts >= ATTEMPTS_MAX)
        if error is not None:
            log.warning(
                "outbox.not_delivered",
                operation=delivery.envelope.operation,
                partner=delivery.envelope.partner,
                attempt=delivery.attempts,
                dead=dead,
                reason=str(error),
            )
        return {
            "id": delivery.envelope.id,
            "state": DEAD if dead else PENDING if error else DELIVERED,
            "attempts": delivery.attempts,
            "next_attempt_at": datetime.now(UTC) + timedelta(seconds=back_off_s(delivery.attempts)),
            "delivered_at": None if error else self._clock.now(),
            "answer": delivery.answer,
            "error": str(error) if error else None,
        }


def _envelope(row: Row[Any]) -> Envelope:
    return Envelope(
        id=row.id,
        seam=Seam(row.seam),
        partner=row.partner,
        operation=row.operation,
        path=row.path,
        body=row.body,
        business_key=row.business_key,
        reference_id=row.reference_id,
    )


def back_off_s(attempts: int) -> float:
    """Wall seconds until the next attempt: doubling from 0.2 s, at most a minute."""
    return min(BACK_OFF_FIRST_S * 2.0 ** min(attempts - 1, 12), BACK_OFF_LAST_S)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return
