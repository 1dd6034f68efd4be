"""The way of a delivery: kept raw, unified, merged and judged, its gaps and refusals noted; one transaction for all.

In: readings of an AMS, as the field door hands them over. Out: new versions in the series, from which the change feed
supplies the back office; register readings, from which reading orders are answered; refused parts, in quarantine.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import text

from openami.mdus import unify
from openami.mdus.ams import POINT
from openami.mdus.channel_links import Judging, judged_by
from openami.mdus.registry import bulk as bulk_registry
from openami.mdus.registry.ids import bare, device_mrid
from openami.mdus.registry.memory import Known, Memory
from openami.mdus.series import Provenance
from openami.mdus.series.calendar import seconds
from openami.mdus.unify import bulk
from openami.mdus.unify.matching import MRID, SERIAL, measures_a_dial
from openami.mdus.vee.handlers import NOTHING_DONE, Judged
from openami.mdus.vee.ruleset import load
from openami.shared.contract import field as contract

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device
    from openami.mdus.series import ChannelDays, RegisterReadings, Series
    from openami.mdus.unify.columns import Columns
    from openami.mdus.unify.delivery import DialNeed
    from openami.mdus.vee.handlers import Vee
    from openami.shared.clock import Clock

    Steps: TypeAlias = Callable[[str], AbstractContextManager[None]]

DIAL_TOLERANCE: Final = 10
"""A dial value counts for an instant of the grid when it is stamped within a tenth of the interval of it."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a delivery."""

    digest: str
    readings: int
    refusals: tuple[contract.Refusal, ...]
    events: tuple[contract.EndDeviceEvent, ...] = ()
    judged: Judged = NOTHING_DONE


def no_steps(_: str) -> AbstractContextManager[None]:
    """Nobody wants to know how long each step takes."""
    return nullcontext()


@dataclass(slots=True)
class Flow:
    """Takes deliveries; `registers_stored` hears of the register channels that got new readings.

    `reported` hears of devices that an AMS delivers for the first time, before their channels are locked: everybody
    locks devices first and channels then.
    """

    clock: Clock
    series: Series
    vee: Vee
    raw: unify.RawStore
    registers_stored: Callable[[AsyncConnection, Iterable[int]], Awaitable[None]]
    reported: Callable[[AsyncConnection, Iterable[str]], Awaitable[None]]
    judging: Judging = field(default_factory=Judging)
    memory: Memory = field(default_factory=Memory)
    deliveries: int = field(default=0)
    readings: int = field(default=0)
    _descriptions: dict[str, tuple[Known, tuple[unify.ChannelDescription, ...]]] = field(default_factory=dict)

    async def deliver(
        self,
        tx: AsyncConnection,
        payload: contract.MeterReadings,
        *,
        body: bytes,
        source: str,
        cause: str,
        refusals: Sequence[contract.Refusal] = (),
    ) -> Delivered:
        """Keep one delivery raw and take it; what cannot be taken does not cost the rest."""
        kept = await asyncio.to_thread(self.raw.keep, body)
        taken = await self.take(tx, payload, digest=kept.digest, source=source, cause=cause)
        taken = replace(taken, refusals=(*refusals, *taken.refusals))
        entry = unify.Quarantined(kept.digest, source, self.clock.now(), taken.refusals)
        await asyncio.to_thread(self.raw.quarantine, entry)
        return taken

    async def take(
        self, tx: AsyncConnection, payload: contract.MeterReadings, *, digest: str, source: str, cause: str
    ) -> Delivered:
        """Take what a delivery that is kept under `digest` brings, or a part of it."""
        now = self.clock.now()
        known = await self.memory.named(tx, unify.identities(payload))
        if new := [key for key, one in known.items() if one.device.reported_at is None]:
            await self.reported(tx, new)
        directory = unify.Directory(each for one in known.values() for each in self._described_as(one))
        anchors = await self._anchors(tx, unify.dial_needs(payload, directory, now))
        found = unify.unify(payload, directory, received_at=now, anchors=anchors)
        judged = await self._merge(tx, found, Provenance(now, source, cause, digest))
        self.deliveries += 1
        self.readings += found.readings
        return Delivered(digest, found.readings, found.refusals, found.events, judged)

    async def take_columns(
        self,
        tx: AsyncConnection,
        columns: Columns,
        left: Callable[[NDArray[np.intp]], Iterable[contract.MeterReading]],
        *,
        digest: str,
        source: str,
        cause: str,
        steps: Steps = no_steps,
    ) -> Delivered:
        """Take a part of a bulk delivery: by columns what is beyond doubt, the rest like every other delivery.

        `left` gives the readings of those rows that are to go the other way.
        """
        now = self.clock.now()
        with steps("unify"):
            found = await bulk_registry.find(tx, columns.identities)
            if found.new:
                await self.reported(tx, found.new)
            taken = bulk.take(columns, found.device, found.channels, seconds(now))
        whole = unify.Unified(taken.days, taken.registers)
        with steps("merge and judge"):
            judged = await self._merge(tx, whole, Provenance(now, source, cause, digest))
        self.readings += whole.readings
        if not len(taken.left):
            return Delivered(digest, whole.readings, (), (), judged)
        with steps("in doubt"):
            payload = contract.MeterReadings(tuple(left(taken.left)))
            rest = await self.take(tx, payload, digest=digest, source=source, cause=cause)
        return replace(rest, readings=whole.readings + rest.readings, judged=judged + rest.judged)

    async def _merge(self, tx: AsyncConnection, found: unify.Unified, provenance: Provenance) -> Judged:
        """Registers first: the sum check of the days looks at them. All channels are locked in one order."""
        ids = [group.channel for group in found.days] + [found.registers.channel]
        ids += [np.array([one.channel for one in found.oddities], np.int64)]
        await self.series.channels(tx, np.unique(np.concatenate(ids)), lock=True)
        registers = found.registers
        if len(registers):
            registers = await self.series.merge_registers(tx, registers, provenance)
        judged = NOTHING_DONE
        await self.vee.note_refused(tx, found.oddities, provenance.recorded_at)
        for group in found.days:
            judged += await self.vee.accept(tx, group, provenance, found.oddities)
        if len(registers):
            judged += await self._after_registers(tx, registers, found.days, provenance)
        return judged

    async def _after_registers(
        self,
        tx: AsyncConnection,
        registers: RegisterReadings,
        already: Sequence[ChannelDays],
        provenance: Provenance,
    ) -> Judged:
        """Judge the days again that new register readings bear on, but for those of this very delivery."""
        judged = await self.vee.validate_around(tx, registers, already, provenance.recorded_at)
        await self.registers_stored(tx, np.unique(registers.channel).tolist())
        return judged

    def _described_as(self, known: Known) -> tuple[unify.ChannelDescription, ...]:
        """The descriptions of a device, made anew only when the registry has a new version of it."""
        key = bare(known.device.id)
        made = self._descriptions.get(key)
        if made is None or made[0] is not known:
            made = known, describe(known.channels, known.device, self.judging)
            self._descriptions[key] = made
        return made[1]

    async def _anchors(self, tx: AsyncConnection, needs: Sequence[DialNeed]) -> unify.Anchors:
        """Kept dial values around those that arrive: one question for all registers, cut to each need."""
        if not needs:
            return unify.Anchors.of([])
        homes = sorted({need.home for need in needs})
        window = {"start": min(need.span.start for need in needs), "end": max(need.span.end for need in needs)}
        rows: dict[int, list[tuple[int, int]]] = {}
        for row in await tx.execute(_DIALS, {"channels": homes, **window}):
            rows.setdefault(row[0], []).append((int(row[1]), int(row[2])))
        return unify.Anchors.of(
            (need.channel, at_s, value)
            for need in needs
            for at_s, value in rows.get(need.home, ())
            if need.span.start.timestamp() <= at_s < need.span.end.timestamp()
        )


_DIALS: Final = text(
    "SELECT DISTINCT ON (channel, at) channel, date_part('epoch', at), value FROM series_register"
    " WHERE channel = ANY(:channels) AND at >= :start AND at < :end AND quality >= 16"
    " ORDER BY channel, at, version DESC"
)
"""Quality 16 and above has a value (`shared.quality`: neither EMPTY nor MISSING)."""


def describe(channels: Sequence[Channel], device: Device, judging: Judging) -> tuple[unify.ChannelDescription, ...]:
    """The channels of a device as `unify` matches deliveries against them."""
    registers = {one.id: one for one in channels if not one.interval_s}
    return tuple(_description(one, device, registers, judging) for one in channels)


def _clock_limits(channel: Channel, device: Device, judging: Judging) -> tuple[int, int]:
    """Up to where a wrong clock does not matter, and up to where its energy is prorated; 0 where nobody asks (V03)."""
    rule_set, kind = judged_by(channel, device, judging)
    rules = load(rule_set, judging.folder).for_class(kind)
    if "V03" not in rules.checks:
        return 0, 0
    limits = rules.parameters["V03"]
    return limits["tolerance_s"], limits["prorate_max_s"]


def _description(
    channel: Channel, device: Device, registers: dict[int, Channel], judging: Judging
) -> unify.ChannelDescription:
    clock_tolerance_s, prorate_max_s = _clock_limits(channel, device, judging)
    points = dict.fromkeys(one.point for one in device.points)
    dial = registers.get(channel.register) if channel.register else None
    differenced = bool(channel.interval_s) and measures_a_dial(channel.obis)
    return unify.ChannelDescription(
        channel=channel.id,
        device=bare(device.id),
        names=(
            (MRID, device_mrid(device.id)),
            (SERIAL, device.master.serial_id),
            ("DeviceID", device.id),
            *((POINT, point) for point in points),
        ),
        patterns=unify.patterns_of(channel.obis, channel.interval_s),
        unit=channel.unit,
        scale=channel.scale,
        interval_s=channel.interval_s,
        zone=channel.zone,
        day_start_s=channel.day_start_s,
        span=channel.span,
        rollover=dial.rollover if dial else channel.rollover,
        differenced=differenced,
        serial="" if device.master.serial_id == device.id else device.master.serial_id,
        tolerance_s=channel.interval_s // DIAL_TOLERANCE if differenced else 0,
        clock_tolerance_s=clock_tolerance_s,
        prorate_max_s=prorate_max_s,
    )
