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
    from openami.ami.headend.reader import Visit
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
    reading: field.MeterReading | None = None
    """What it says to the MDUS, written already: many meters are then told without holding up the loop."""


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

    def outcome(self, meter: Meter, visit: Visit[Collected]) -> Outcome:
        """How a regular reading ended, in the words of the seam."""
        reading = None
        if visit.result is not None:
            reading = reports.meter_reading(meter, visit.result, source=self._sender.source)
        written = None if reading is None else field.write_ahead(reading)
        return Outcome(meter, visit.record, visit.result, visit.retry_helps, written)

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
            told = self._tellable(outcomes, rows, marks)
            failed = [each for each in outcomes if each.collected is None and each.meter.serial in rows]
            await self._note_successes(transaction, told, rows)
            await store.change_meters(transaction, [self._failure(each, rows[each.meter.serial]) for each in failed])
            sizes = [_size(each) for each in told]
            for cut in rules.bundles(sizes, meters_max=METERS_MAX, readings_max=READINGS_MAX):
                await self._tell(transaction, [told[index] for index in cut])
            await store.keep_sessions(transaction, [each.record for each in outcomes])

    @staticmethod
    def _tellable(
        outcomes: Sequence[Outcome], rows: Mapping[str, Row[Any]], marks: Mapping[str, Mapping[str, Mark]]
    ) -> list[Outcome]:
        """What was collected and is not told yet: from the marks that hold, of each meter once."""
        told: dict[str, Outcome] = {}
        for outcome in outcomes:
            serial = outcome.meter.serial
            if outcome.collected is None or serial not in rows:
                continue
            if serial in told or marks.get(serial, {}) != outcome.meter.marks:
                log.warning("deliveries.marks_moved", serial=serial)  # somebody else told it meanwhile: read again
                continue
            told[serial] = outcome
        return list(told.values())

    async def _note_successes(
        self, transaction: AsyncConnection, outcomes: Sequence[Outcome], rows: Mapping[str, Row[Any]]
    ) -> None:
        found = [(each.meter, each.collected, rows[each.meter.serial]) for each in outcomes if each.collected]
        await store.move_marks(transaction, {meter.serial: collected.marks for meter, collected, _ in found})
        await store.change_meters(transaction, [self._success(*each) for each in found])
        if learnt := {meter.serial: collected.layouts for meter, collected, _ in found if collected.layouts}:
            await store.learn_layouts(transaction, learnt)
        for meter, collected, row in found:
            if row.discovered_at is None:
                at = collected.read_at
                news = reports.discovered(meter.serial, row.mrid, amr_system=self._sender.source, at=at)
                await self._sender.event(transaction, news, self._clock.now(), business_key=meter.serial)

    def _success(self, meter: Meter, collected: Collected, row: Row[Any]) -> dict[str, object]:
        """What a reading changes in its meter's row."""
        # counted from the reading, not from now: a session that outlasts the next hour does not swallow it
        regular = rules.next_regular(self._zone_name, meter.offset_s, meter.period_s, collected.read_at)
        scheduled = row.removed_at is None and not row.schedule_disabled
        counter = collected.counter_received
        return {
            "serial": meter.serial,
            "counter_received": row.counter_received if counter is None else max(counter, row.counter_received),
            "failures": 0,
            "last_attempt_at": collected.read_at,
            "last_success_at": collected.read_at,
            "last_error": None,
            "next_due_at": regular if scheduled else None,
            "discovered_at": row.discovered_at or collected.read_at,
            "clock_drift_s": collected.clock_drift_s,
            "breaker": collected.breaker.state.value if collected.breaker else None,
        }

    def _failure(self, outcome: Outcome, row: Row[Any]) -> dict[str, object]:
        """What a reading that failed changes in its meter's row."""
        now = self._clock.now()
        failures = row.failures + 1
        meter = outcome.meter
        regular = rules.next_regular(self._zone_name, meter.offset_s, meter.period_s, now)
        due: datetime | None = rules.next_attempt(now, regular, failures, retry_helps=outcome.retry_helps)
        overdue = row.removed_at is not None and now > row.removed_at + AFTER_REMOVAL
        gone = overdue or (row.removed_at is not None and failures >= REMOVED_TRIES)
        if gone or row.schedule_disabled:
            due = None
        return {
            "serial": outcome.meter.serial,
            "failures": failures,
            "last_attempt_at": outcome.record.started_at,
            "last_error": outcome.record.error,
            "next_due_at": due,
        }

    async def _tell(self, transaction: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
        now = self._clock.now()
        readings: list[field.MeterReading] = []
        events: list[field.EndDeviceEvent] = []
        for outcome in outcomes:
            assert outcome.collected is not None
            readings += [outcome.reading] if outcome.reading else []
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
