"""Brings the AMS in line with the registry, step by step: the next step leaves when the one before was answered.

What an AMS has to know of a device follows from the registry alone (`wanted_steps`); each step has a key made of its
content, so that an unchanged device causes no message and a repeated answer moves nothing twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, DateTime, Integer, Table, Text, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.mdus import ams
from openami.mdus.registry.ids import SystemId, bare
from openami.mdus.registry.tables import among
from openami.mdus.tables import metadata
from openami.shared.contract import field

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device, PointAssignment
    from openami.shared.clock import Clock

PREFIX: Final = "provision:"
RETRY_AFTER: Final = timedelta(hours=1)
ATTEMPTS_MAX: Final = 12

table: Final = Table(
    "provisioning",
    metadata,
    Column("device_key", Text, primary_key=True),
    Column("done", JSONB, nullable=False),
    Column("waiting_for", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("retry_at", DateTime(timezone=True)),
    Column("error", Text),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One message to the AMS; `key` follows from what it says."""

    system: SystemId
    verb: field.Verb
    payload: field.Noun

    @property
    def key(self) -> str:
        """A short name that changes with the content."""
        content = f"{self.system} {self.verb} {self.payload!r}"
        return f"{self.verb.value}-{self.payload.NOUN}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def wanted_steps(device: Device, channels: Sequence[Channel], offset_s: int) -> list[Step]:
    """Everything that the AMS of a device has to be told, in order; empty while the registry knows too little."""
    system = device.system_on(device.locations[-1].period.first) if device.locations else None
    if not (device.confirmed_at and device.registers and device.points and system):
        return []
    own = [one for one in channels if one.span.duration_s]
    steps = [
        Step(system, field.Verb.CREATE, ams.usage_point_config(point, own))
        for point in dict.fromkeys(one.point for one in device.points)
    ]
    removed = device.removed_at()
    steps.append(Step(system, field.Verb.CREATE, ams.meter_config(_as_installed(device), system)))
    for first in _links(device):
        steps.append(Step(system, field.Verb.CREATE, ams.linkage(device, first.point, first.span.start)))
        end = ams.effective_end(first.span)
        if end is not None:
            steps.append(Step(system, field.Verb.CLOSE, ams.linkage(device, first.point, end)))
    if removed is None:
        steps.append(Step(system, field.Verb.CREATE, ams.read_schedule(device, own, offset_s)))
    else:
        steps.append(Step(system, field.Verb.CHANGE, ams.meter_config(device, system)))
    return steps


class Provisioner:
    """Sends what is missing at the AMS and takes its answers."""

    def __init__(self, sender: ams.Ams, clock: Clock, *, offset_s: int) -> None:
        self._ams = sender
        self._clock = clock
        self._offset_s = offset_s

    async def bring_in_line(
        self, tx: AsyncConnection, devices: Iterable[Device], channels: Sequence[Channel], *, again: bool = False
    ) -> None:
        """Send the first missing step of each device that has none under way."""
        by_device: dict[str, list[Channel]] = {}
        for channel in channels:
            by_device.setdefault(bare(channel.device), []).append(channel)
        wanted = {bare(one.id): wanted_steps(one, by_device.get(bare(one.id), []), self._offset_s) for one in devices}
        wanted = {key: [step for step in steps if self._ams.serves(step.system)] for key, steps in wanted.items()}
        known = await _load(tx, [key for key, steps in wanted.items() if steps])
        for key, steps in wanted.items():
            row = known.get(key, _NOTHING)
            if steps and (again or row["waiting_for"] is None):
                await self._send_next(tx, key, steps, row)

    async def answered(self, tx: AsyncConnection, key: str, reply: field.Reply) -> str | None:
        """Take the answer to a step; the bare id of the device whose next step may leave, or None."""
        device_key, _, step = key.removeprefix(PREFIX).partition(":")
        row = (await _load(tx, [device_key])).get(device_key)
        if row is None or row["waiting_for"] != step:
            return None
        if reply.result is field.Result.OK:
            done = [*row["done"], step]
            await _save(
                tx, device_key, {"done": done, "waiting_for": None, "attempts": 0, "retry_at": None, "error": None}
            )
            return device_key
        found = "; ".join(error.reason or error.code for error in reply.errors if error.is_error) or reply.result.value
        again = self._clock.now() + RETRY_AFTER if row["attempts"] < ATTEMPTS_MAX else None
        await _save(tx, device_key, row | {"retry_at": again, "error": found})
        return None

    async def due(self, tx: AsyncConnection) -> datetime | None:
        """When the next refused step is tried again."""
        found: datetime | None = (await tx.execute(select(func.min(table.c.retry_at)))).scalar_one()
        return found

    async def due_devices(self, tx: AsyncConnection) -> list[str]:
        """The devices whose refused step is to be tried again now; their time is taken off."""
        query = select(table.c.device_key).where(table.c.retry_at <= self._clock.now()).with_for_update()
        keys = [row.device_key for row in await tx.execute(query)]
        for key in keys:
            await tx.execute(table.update().where(table.c.device_key == key).values(retry_at=None))
        return keys

    async def _send_next(self, tx: AsyncConnection, device_key: str, steps: list[Step], row: dict[str, Any]) -> None:
        step = next((one for one in steps if one.key not in row["done"]), None)
        if step is None:
            return
        await self._ams.tell(tx, step.system, step.verb, step.payload, key=f"{PREFIX}{device_key}:{step.key}")
        values = {"done": row["done"], "waiting_for": step.key, "attempts": row["attempts"] + 1}
        await _save(tx, device_key, values | {"retry_at": None, "error": row["error"]})


_NOTHING: Final[dict[str, Any]] = {"done": [], "waiting_for": None, "attempts": 0, "retry_at": None, "error": None}


async def states(tx: AsyncConnection, devices: Iterable[str]) -> dict[str, dict[str, Any]]:
    """How far the provisioning of some devices is, for views."""
    return await _load(tx, sorted({bare(one) for one in devices}), lock=False)


def _as_installed(device: Device) -> Device:
    """The device as it hung before a removal: its creation at the AMS stays the same message for ever."""
    return replace(device, locations=tuple(replace(one, removed_at=None) for one in device.locations))


def _links(device: Device) -> list[PointAssignment]:
    """One assignment per point and start: the registers of a meter count for the same point."""
    found: dict[tuple[str, datetime], PointAssignment] = {}
    for one in device.points:
        found.setdefault((one.point, one.span.start), one)
    return sorted(found.values(), key=lambda one: one.span)


async def _load(tx: AsyncConnection, keys: Sequence[str], *, lock: bool = True) -> dict[str, dict[str, Any]]:
    if not keys:
        return {}
    query = select(table).where(among(table.c.device_key, list(keys))).order_by(table.c.device_key)
    rows = (await tx.execute(query.with_for_update() if lock else query)).mappings()
    return {row["device_key"]: {name: row[name] for name in _NOTHING} for row in rows}


async def _save(tx: AsyncConnection, key: str, values: dict[str, Any]) -> None:
    statement = insert(table).values(device_key=key, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=["device_key"], set_=values))
