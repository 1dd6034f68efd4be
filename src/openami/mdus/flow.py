"""The way of a delivery: kept raw, unified, merged and judged, its gaps and refusals noted; one transaction for all.

In: readings of an AMS, as the field door hands them over. Out: new versions in the series, from which the change feed
supplies the back office; register readings, from which reading orders are answered; refused parts, in quarantine.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus import unify
from openami.mdus.ams import POINT, SERIAL
from openami.mdus.registry import store
from openami.mdus.registry.channel_store import channels_of_devices
from openami.mdus.registry.ids import bare, device_mrid
from openami.mdus.series import Provenance
from openami.mdus.unify.matching import MRID, measures_a_dial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device
    from openami.mdus.series import RegisterReadings, Series
    from openami.mdus.unify.delivery import DialNeed
    from openami.mdus.vee.handlers import Vee
    from openami.shared.clock import Clock
    from openami.shared.contract import field as contract

DIAL_TOLERANCE: Final = 10
"""A dial value counts for an instant of the grid when it is stamped within a tenth of the interval of it."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a delivery."""

    digest: str
    readings: int
    refusals: tuple[contract.Refusal, ...]
    events: tuple[contract.EndDeviceEvent, ...] = ()


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
    deliveries: int = field(default=0)
    readings: int = field(default=0)

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
        """Take one delivery; what cannot be taken does not cost the rest."""
        now = self.clock.now()
        kept = await asyncio.to_thread(self.raw.keep, body)
        devices = await _devices_named(tx, unify.identities(payload))
        channels = await channels_of_devices(tx, devices)
        if new := [key for key, one in devices.items() if one.reported_at is None]:
            await self.reported(tx, new)
        directory = unify.Directory(describe(channels, devices))
        anchors = await self._anchors(tx, unify.dial_needs(payload, directory, now))
        found = unify.unify(payload, directory, received_at=now, anchors=anchors)
        provenance = Provenance(now, source, cause, kept.digest)
        await self._merge(tx, found, provenance)
        refused = (*refusals, *found.refusals)
        entry = unify.Quarantined(kept.digest, source, now, refused)
        await asyncio.to_thread(self.raw.quarantine, entry)
        self.deliveries += 1
        self.readings += found.readings
        return Delivered(kept.digest, found.readings, refused, found.events)

    async def _merge(self, tx: AsyncConnection, found: unify.Unified, provenance: Provenance) -> None:
        """Registers first: the sum check of the days looks at them. All channels are locked in one order."""
        ids = [group.channel for group in found.days] + [found.registers.channel]
        await self.series.channels(tx, np.unique(np.concatenate(ids)).tolist(), lock=True)
        registers = found.registers
        if len(registers):
            registers = await self.series.merge_registers(tx, registers, provenance)
        judged: set[tuple[int, object]] = set()
        for group in found.days:
            await self.vee.accept(tx, group, provenance)
            judged |= set(group.keys())
        if len(registers):
            await self._after_registers(tx, registers, judged, provenance)

    async def _after_registers(
        self, tx: AsyncConnection, registers: RegisterReadings, judged: set[tuple[int, object]], provenance: Provenance
    ) -> None:
        keys = [key for key in await self.vee.days_of_registers(tx, registers) if key not in judged]
        if keys:
            await self.vee.validate_days(tx, keys, provenance.recorded_at)
        await self.registers_stored(tx, np.unique(registers.channel).tolist())

    async def _anchors(self, tx: AsyncConnection, needs: Sequence[DialNeed]) -> unify.Anchors:
        rows: list[tuple[int, int, int]] = []
        for need in needs:
            kept = await self.series.registers(tx, need.home, need.span)
            rows += [(need.channel, int(at), int(value)) for at, value in zip(kept.at_s, kept.value, strict=True)]
        return unify.Anchors.of(rows)


def describe(channels: Sequence[Channel], devices: dict[str, Device]) -> list[unify.ChannelDescription]:
    """Channels of the registry as `unify` matches deliveries against them."""
    registers = {one.id: one for one in channels if not one.interval_s}
    return [_description(one, devices[bare(one.device)], registers) for one in channels]


def _description(channel: Channel, device: Device, registers: dict[int, Channel]) -> unify.ChannelDescription:
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
        span=channel.span,
        rollover=dial.rollover if dial else channel.rollover,
        differenced=differenced,
        tolerance_s=channel.interval_s // DIAL_TOLERANCE if differenced else 0,
    )


async def _devices_named(tx: AsyncConnection, names: Iterable[str]) -> dict[str, Device]:
    wanted = set(names)
    keys = set((await store.keys_by_name(tx, wanted)).values()) | set(await store.keys_by_point(tx, wanted))
    return await store.load_devices(tx, keys)
