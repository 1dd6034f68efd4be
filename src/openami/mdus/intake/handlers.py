"""What happens to a file: kept, read batch by batch, its readings taken, what is refused noted; replayed when asked.

A batch and the note that it was taken are one transaction: a killed process goes on with the next batch. Reading a
file twice changes nothing, since the series know a repeat.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy.exc import DBAPIError

from openami.mdus.intake import registering, store
from openami.mdus.intake.reader import READINGS_A_PART, Reader
from openami.mdus.intake.store import DONE, REFUSED, RUNNING, WAITING, File
from openami.mdus.registry import store as devices
from openami.mdus.registry.ids import bare
from openami.mdus.tables import audit
from openami.mdus.unify.adapters import Batch
from openami.mdus.unify.errors import UnifyError
from openami.mdus.unify.raw import not_kept
from openami.mdus.unify.refusals import BAD_VALUE, UNKNOWN_TYPE
from openami.shared.audit import AuditRecord, append
from openami.shared.contract.field import Refusal
from openami.shared.database import is_lost, is_passing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.field_side import FieldSide
    from openami.mdus.services.master_data import MasterData
    from openami.mdus.unify.adapters.model import SourceSeries
    from openami.mdus.unify.parts import Part
    from openami.mdus.unify.raw import RawStore
    from openami.shared.clock import Clock

log = structlog.get_logger()

PAUSES_S: Final = (0.1, 0.4, 1.6)
"""Wall time between attempts at a batch that failed for a reason that passes."""
_SHARE_MOST: Final = 0.99
"""The share of a file that is shown as done while it is still being read."""


@dataclass(slots=True)
class Files:
    """Takes files in, one after the other."""

    clock: Clock
    raw: RawStore
    field_side: FieldSide
    master_data: MasterData
    _reader: Reader | None = field(default=None)

    async def receive(self, tx: AsyncConnection, incoming: Path, wanted: File) -> tuple[File, bool]:
        """Keep a file that lies at `incoming` and note it to be read; whether it is the first time that it comes.

        The same bytes again are the same file. What was not through with it is then read anew, as is now asked for.
        """
        kept = await asyncio.to_thread(self.raw.keep_file, incoming)
        wanted = replace(wanted, digest=kept.digest, size_bytes=kept.size)
        known = await store.of_digest(tx, kept.digest)
        if known is None:
            return replace(wanted, id=await store.add(tx, wanted)), True
        clean = known.state == DONE and not known.refused
        if clean or known.state in {WAITING, RUNNING}:
            return known, False
        options = {name: getattr(wanted, name) for name in ("asked_format", "mapping", "zone", "register")}
        return await self._anew(tx, known, options), False

    async def replay(
        self, tx: AsyncConnection, number: int, person: str, *, register: bool | None = None
    ) -> File | None:
        """Read a file once more, because the cause of its refusals was mended; None if there is no such file.

        Raises:
            UnknownDeliveryError: its bytes are no longer kept.
        """
        known = await store.load(tx, number, lock=True)
        if known is None or known.state in {WAITING, RUNNING}:
            return known
        if not await asyncio.to_thread(self.raw.keeps, known.digest):
            raise not_kept(known.digest)
        options: dict[str, Any] = {} if register is None else {"register": register}
        record = AuditRecord(
            self.clock.now(), person, "file replayed", f"file {number} {known.name}", known.reason, known.refused, None
        )
        await append(tx, audit, record)
        return await self._anew(tx, known, options)

    async def due(self, tx: AsyncConnection) -> datetime | None:
        """At once while a file waits."""
        return self.clock.now() if await store.next_file(tx) else None

    async def act(self, tx: AsyncConnection) -> int:
        """Take one batch of the oldest file."""
        file = await store.next_file(tx)
        if file is None:
            return 0
        if not file.batches:  # by columns, unless its meters may have to be registered first
            file = replace(file, readings_a_part=0 if file.register else READINGS_A_PART)
        reader = await self._reader_of(file)
        try:
            found = await reader.batch(file.batches)
        except UnifyError as error:
            self.close()
            reason = f"{error.found} {error.hint}".strip()
            await store.save(tx, file.id, state=REFUSED, reason=reason, finished_at=self.clock.now())
            return 1
        if found is None:
            self.close()
            await store.save(tx, file.id, state=DONE, progress=1.0, finished_at=self.clock.now())
            return 1
        format_name, batch = found
        await self._take(tx, replace(file, format=format_name), batch)
        return 1

    def close(self) -> None:
        """Let the file go that is being read."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    async def _anew(self, tx: AsyncConnection, known: File, options: dict[str, Any]) -> File:
        self.close()
        changes = options | {
            "state": WAITING, "format": options.get("asked_format", known.asked_format), "reason": "", "progress": 0.0,
            "batches": 0, "readings": 0, "events": 0, "refused": 0, "finished_at": None,
        }  # fmt: skip
        await store.forget_refusals(tx, known.id)
        await store.save(tx, known.id, **changes)
        return replace(known, **changes)

    async def _reader_of(self, file: File) -> Reader:
        if self._reader is None or self._reader.file.id != file.id or file.batches == 0:
            self.close()
            self._reader = Reader(file, await asyncio.to_thread(self.raw.path_of, file.digest))
        return self._reader

    async def _take(self, tx: AsyncConnection, file: File, batch: Part | Batch) -> None:
        """One batch into the series; what our own code trips over is refused as a whole, and the file goes on."""
        try:
            readings, refusals = await self._delivered(tx, file, batch)
        except Exception as error:  # a batch that nobody foresaw must not hold up those behind it
            if is_lost(error):
                raise  # nothing of this batch is kept: whoever goes on with the file begins with it
            log.exception("intake.batch_failed", file=file.name, batch=file.batches + 1)
            reason = f"the batch could not be taken: {type(error).__name__}: {error}"[:500]
            readings, refusals = 0, [Refusal(f"batch {file.batches + 1}", BAD_VALUE, reason)]
        await store.add_refusals(tx, file, refusals)
        await store.save(
            tx,
            file.id,
            state=RUNNING,
            format=file.format,
            readings_a_part=file.readings_a_part,
            batches=file.batches + 1,
            readings=file.readings + readings,
            events=file.events + len(batch.events),
            refused=file.refused + len(refusals),
            progress=self._progress(),
        )

    async def _delivered(self, tx: AsyncConnection, file: File, batch: Part | Batch) -> tuple[int, list[Refusal]]:
        """Deliver a batch, and once more some time later if the database gave way to somebody else's transaction."""
        pauses_s = iter(PAUSES_S)
        while True:
            try:
                async with tx.begin_nested():
                    return await self._deliver(tx, file, batch)
            except DBAPIError as error:
                pause_s = next(pauses_s, None) if is_passing(error) else None
                if pause_s is None:
                    raise
                log.warning("intake.batch_again", file=file.name, batch=file.batches + 1, found=str(error.orig))
            await asyncio.sleep(pause_s)

    async def _deliver(self, tx: AsyncConnection, file: File, batch: Part | Batch) -> tuple[int, list[Refusal]]:
        refusals = list(batch.refusals)
        source, flow = file.source, self.field_side.flow
        told: Any = {"digest": file.digest, "source": source, "cause": f"file {file.name}"}
        if isinstance(batch, Batch):
            if file.register and batch.series:
                refusals += await self._register(tx, file, batch)
            taken = await flow.take(tx, batch.payload, **told)
            said = {one.reason for one in refusals}  # what nobody could register is refused once
            refusals += [one for one in _placed(taken.refusals, batch.series) if one.reason not in said]
        else:
            batch.begin()
            taken = await flow.take_columns(tx, batch.columns, batch.left, **told)
            refusals += (*batch.refusals_of_left, *_placed(taken.refusals, batch.series_of_left))
        events = (*taken.events, *batch.events)
        errors = await self.field_side.take_events(tx, events, source) if events else []
        refusals += [Refusal("EndDeviceEvents", one.code, one.reason or "", one.object_name) for one in errors]
        return taken.readings, refusals

    async def _register(self, tx: AsyncConnection, file: File, batch: Batch) -> list[Refusal]:
        """Make the meters known that a file brings, where nobody has; those of the back office are left alone."""
        zone_name = file.zone or registering.ZONES.get(file.format, self.master_data.zone)
        wanted, refusals = registering.wishes(batch.series, self.master_data.codes.registry, zone_name)
        keys = await devices.keys_by_name(tx, wanted)
        points = await self.field_side.flow.memory.named(tx, wanted)
        known = await devices.load_devices(tx, {keys.get(name, name) for name in wanted}, lock=True)
        changed = []
        now = self.clock.now()
        for name, registers in wanted.items():
            device = known.get(keys.get(name, bare(name)))
            if device is None and any(name in {one.point for one in each.device.points} for each in points.values()):
                continue  # a point of delivery that the back office has told of
            after = registering.registered(device, name, registers)
            if after is not None and after != device:
                changed.append(replace(after, reported_at=after.reported_at or now))
        await self.master_data.keep(tx, changed, f"registered from file {file.name}", before=known)
        return refusals

    def _progress(self) -> float:
        return min(self._reader.share, _SHARE_MOST) if self._reader else 0.0


def _placed(refusals: Sequence[Refusal], series: Sequence[SourceSeries]) -> list[Refusal]:
    """Refusals with the channel as the file calls it: `MeterReading[3]` is of no use to whoever has the file."""
    found = []
    for one in refusals:
        number = one.position.removeprefix("MeterReading[").partition("]")[0]
        place = int(number) - 1 if number.isdecimal() else len(series)
        if place >= len(series):
            found.append(one)
            continue
        position = f"{series[place].position} {one.position.partition('/')[2]}".strip()
        reason = one.code == UNKNOWN_TYPE and series[place].gridless
        found.append(replace(one, position=position, reason=reason or one.reason))
    return found


def wanted_file(
    name: str,
    *,
    source: str,
    at: datetime,
    format_name: str = "",
    mapping: str = "",
    zone_name: str = "",
    register: bool = False,
) -> File:
    """A file as it is asked to be taken, before its content is known."""
    return File(
        digest="",
        name=name,
        size_bytes=0,
        source=source,
        format=format_name,
        asked_format=format_name,
        mapping=mapping,
        zone=zone_name,
        register=register,
        received_at=at,
    )
