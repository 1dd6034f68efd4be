"""Marks and messages move together: what sessions brought home is told to the MDUS in the transaction that notes it.

Results wait in a bounded queue; several meters travel in one message. A kill before the commit costs a session, which
is done again; after the commit nothing is read or told twice.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from openami.ami.headend import command_store, reports, rules, store
from openami.shared.contract import field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.ami.headend.model import Collected, LoggedEvent, Mark, Meter
    from openami.ami.headend.store import SessionRecord
    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

METERS_MAX: Final = 50  # per message: some tens of kilobytes a day of half hours
READINGS_MAX: Final = 20_000  # well below the 50,000 a message that the HTTP profile allows
QUEUE_MAX: Final = 200  # results held in memory; sessions wait when the database is slower than the meters
LINGER_S: Final = 0.25  # how long a message waits for company, in wall time
AFTER_REMOVAL: Final = timedelta(days=1)  # how long a removed meter is still tried for what it has not told yet

REMOTE_SWITCHING: Final = {62, 63}  # disconnector log: remote disconnection, remote connection
OWN_ORDER_WITHIN: Final = timedelta(minutes=10)  # between our order and the meter's stamp, its clock's drift included
REMOVED_TRIES: Final = 3  # and how often: it is most likely in a van


class Door(Protocol):
    """What sends over the field seam (`openami.shared.seam.field.FieldDoor`)."""

    async def send(
        self, transaction: AsyncConnection, message: field.Envelope, *, partner: str, business_key: str = ""
    ) -> None:
        """Put a message into the outbox, in the caller's transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Sender:
    """How we speak to the MDUS: through which door, to whom, under which name."""

    door: Door
    partner: str
    source: str

    async def event(
        self,
        transaction: AsyncConnection,
        payload: field.Noun,
        at: datetime,
        *,
        cause: field.Header | None = None,
        business_key: str = "",
    ) -> None:
        """Tell that something happened."""
        message = field.event(field.Verb.CREATED, payload, source=self.source, at=at, cause=cause)
        await self.door.send(transaction, message, partner=self.partner, business_key=business_key)

    async def reply(self, transaction: AsyncConnection, message: field.Envelope, *, business_key: str = "") -> None:
        """Send the real answer to an asynchronous request."""
        await self.door.send(transaction, message, partner=self.partner, business_key=business_key)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the regular reading of one meter ended: with what was collected, or not."""

    meter: Meter
    record: SessionRecord
    collected: Collected | None = None
    retry_helps: bool = True


class Deliveries:
    """The one writer of results of regular readings."""

    def __init__(self, database: Database, clock: Clock, sender: Sender, *, zone_name: str) -> None:
        self._database = database
        self._clock = clock
        self._sender = sender
        self._zone_name = zone_name
        self._queue: asyncio.Queue[tuple[Outcome, asyncio.Future[None]]] = asyncio.Queue(QUEUE_MAX)
        self._expected = 0

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Announce one result that is on its way, so that a message waits for company only while there is some."""
        self._expected += 1
        try:
            yield
        finally:
            self._expected -= 1

    async def put(self, outcome: Outcome) -> None:
        """Hand over one result; returns when it is durable."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put((outcome, kept))
        await kept

    async def run(self) -> None:
        """Write results for ever, several meters at a time."""
        while True:
            batch = await self._next_batch()
            try:
                await self.write([outcome for outcome, _ in batch])
            except Exception as error:
                log.exception("deliveries.not_written", meters=len(batch))
                for _, kept in batch:
                    if not kept.done():
                        kept.set_exception(error)
            else:
                for _, kept in batch:
                    if not kept.done():
                        kept.set_result(None)

    async def _next_batch(self) -> list[tuple[Outcome, asyncio.Future[None]]]:
        batch = [await self._queue.get()]
        size = _size(batch[0][0])
        try:
            async with asyncio.timeout(LINGER_S):
                while len(batch) < min(METERS_MAX, self._expected) and size < READINGS_MAX:
                    batch.append(await self._queue.get())
                    size += _size(batch[-1][0])
        except TimeoutError:
            pass
        return batch

    async def write(self, outcomes: Sequence[Outcome]) -> None:
        """Marks, due times, sessions and messages of these results, in one transaction."""
        async with self._database.begin() as transaction:
            serials = [each.meter.serial for each in outcomes]
            rows = await store.lock_meters(transaction, serials)
            marks = await store.marks_of(transaction, serials)
            told = [each for each in outcomes if await self._settle(transaction, each, rows, marks)]
            sizes = [_size(each) for each in told]
            for cut in rules.bundles(sizes, meters_max=METERS_MAX, readings_max=READINGS_MAX):
                await self._tell(transaction, [told[index] for index in cut])
            await store.keep_sessions(transaction, [each.record for each in outcomes])

    async def _settle(
        self,
        transaction: AsyncConnection,
        outcome: Outcome,
        rows: Mapping[str, Row[Any]],
        marks: dict[str, dict[str, Mark]],
    ) -> bool:
        """Note one result in its meter's row; true if there is something to tell."""
        serial = outcome.meter.serial
        row = rows.get(serial)
        if row is None:
            return False
        if outcome.collected is None:
            await self._note_failure(transaction, outcome, row)
            return False
        known = marks.get(serial, {})
        if known != outcome.meter.marks:
            log.warning("deliveries.marks_moved", serial=serial)  # somebody else told it meanwhile: read again
            return False
        await store.move_marks(transaction, serial, outcome.collected.marks)
        marks[serial] = known | outcome.collected.marks
        await self._note_success(transaction, outcome.meter, outcome.collected, row)
        return True

    async def _note_success(
        self, transaction: AsyncConnection, meter: Meter, collected: Collected, row: Row[Any]
    ) -> None:
        now = self._clock.now()
        # counted from the reading, not from now: a session that outlasts the next hour does not swallow it
        regular = rules.next_daily(self._zone_name, meter.offset_s, collected.read_at)
        scheduled = row.removed_at is None and not row.schedule_disabled
        counter = collected.counter_received
        await store.change_meter(
            transaction,
            meter.serial,
            counter_received=row.counter_received if counter is None else max(counter, row.counter_received),
            failures=0,
            last_attempt_at=collected.read_at,
            last_success_at=collected.read_at,
            last_error=None,
            next_due_at=regular if scheduled else None,
            discovered_at=row.discovered_at or collected.read_at,
            layouts={**row.layouts, **collected.layouts},
            clock_drift_s=collected.clock_drift_s,
            breaker=collected.breaker.state.value if collected.breaker else None,
        )
        if row.discovered_at is None:
            news = reports.discovered(meter.serial, row.mrid, amr_system=self._sender.source, at=collected.read_at)
            await self._sender.event(transaction, news, now, business_key=meter.serial)

    async def _note_failure(self, transaction: AsyncConnection, outcome: Outcome, row: Row[Any]) -> None:
        now = self._clock.now()
        failures = row.failures + 1
        regular = rules.next_daily(self._zone_name, outcome.meter.offset_s, now)
        due: datetime | None = rules.next_attempt(now, regular, failures, retry_helps=outcome.retry_helps)
        overdue = row.removed_at is not None and now > row.removed_at + AFTER_REMOVAL
        gone = overdue or (row.removed_at is not None and failures >= REMOVED_TRIES)
        if gone or row.schedule_disabled:
            due = None
        await store.change_meter(
            transaction,
            outcome.meter.serial,
            failures=failures,
            last_attempt_at=outcome.record.started_at,
            last_error=outcome.record.error,
            next_due_at=due,
        )

    async def _tell(self, transaction: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
        now = self._clock.now()
        readings: list[field.MeterReading] = []
        events: list[field.EndDeviceEvent] = []
        for outcome in outcomes:
            assert outcome.collected is not None
            reading = reports.meter_reading(outcome.meter, outcome.collected, source=self._sender.source)
            readings += [reading] if reading else []
            rows = [each for each in outcome.collected.events if not await self._ours(transaction, outcome.meter, each)]
            events += reports.logged(outcome.meter, rows, outcome.collected.read_at)
        key = outcomes[0].meter.serial if len(outcomes) == 1 else f"{len(outcomes)} meters"
        if readings:
            await self._sender.event(transaction, field.MeterReadings(tuple(readings)), now, business_key=key)
        if events:
            await self._sender.event(transaction, field.EndDeviceEvents(tuple(events)), now, business_key=key)

    async def _ours(self, transaction: AsyncConnection, meter: Meter, event: LoggedEvent) -> bool:
        """Whether a meter's log only repeats what we ordered: its proof was told already, with the order's id."""
        if event.code not in REMOTE_SWITCHING:
            return False
        around = event.at - OWN_ORDER_WITHIN, event.at + OWN_ORDER_WITHIN
        return await command_store.switched_near(transaction, meter.serial, *around)


def _size(outcome: Outcome) -> int:
    return outcome.collected.reading_count if outcome.collected else 0
