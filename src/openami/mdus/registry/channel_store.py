"""Where channels are kept; they follow the registers of their device in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from openami.mdus.registry.channels import UNSAVED, Channel, merged, wanted_channels, with_registers
from openami.mdus.registry.ids import DeviceId, TaskId, bare
from openami.mdus.registry.tables import among, channel_table
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.codes import CodeTables
    from openami.mdus.registry.model import Device


async def channels_of_devices(transaction: AsyncConnection, devices: Iterable[str]) -> list[Channel]:
    """The channels of these devices (ids in any spelling), in the order of their numbers."""
    return await _where(transaction, among(channel_table.c.device_key, sorted({bare(one) for one in devices})))


async def channels_of_tasks(transaction: AsyncConnection, tasks: Iterable[str]) -> list[Channel]:
    """The channels of these measurement tasks (ids in any spelling), in the order of their numbers."""
    return await _where(transaction, among(channel_table.c.task_key, sorted({bare(one) for one in tasks})))


async def channels_by_id(transaction: AsyncConnection, ids: Iterable[int]) -> dict[int, Channel]:
    """The channels of these numbers."""
    wanted = sorted({int(one) for one in ids})
    found = await _where(transaction, among(channel_table.c.channel, wanted)) if wanted else []
    return {one.id: one for one in found}


async def all_channels(transaction: AsyncConnection) -> list[Channel]:
    """Every channel there is."""
    return await _where(transaction, None)


async def sync_channels(
    transaction: AsyncConnection, devices: Sequence[Device], codes: CodeTables, default_zone: str
) -> list[Channel]:
    """Bring the kept channels of devices in line with their registers; return all channels of these devices.

    Raises:
        UnknownCodeError: a register has a unit or recurrence that the tables do not know.
    """
    by_device: dict[str, list[Channel]] = {}
    for channel in await channels_of_devices(transaction, [one.id for one in devices]):
        by_device.setdefault(bare(channel.device), []).append(channel)
    result: list[Channel] = []
    for device in devices:
        saved = by_device.get(bare(device.id), [])
        kept = merged(saved, wanted_channels(device, codes, default_zone))
        new = [one for one in kept if one.id == UNSAVED]
        if new:
            rows = await transaction.execute(
                channel_table.insert().returning(channel_table, sort_by_parameter_order=True),
                [_row(one) for one in new],
            )
            kept = tuple(one for one in kept if one.id != UNSAVED) + tuple(_channel(row) for row in rows)
        paired = with_registers(kept)
        before = {one.id: one for one in saved}
        await _update(transaction, [one for one in paired if before.get(one.id) != one])
        result += paired
    return result


async def _update(transaction: AsyncConnection, changed: Sequence[Channel]) -> None:
    if not changed:
        return
    statement = (
        update(channel_table)
        .where(channel_table.c.channel == bindparam("key"))
        .values(
            start_at=bindparam("new_start"),
            end_at=bindparam("new_end"),
            rollover=bindparam("new_rollover"),
            step=bindparam("new_step"),
            register_channel=bindparam("new_register"),
        )
    )
    rows = [
        {
            "key": one.id,
            "new_start": one.span.start,
            "new_end": one.span.end,
            "new_rollover": one.rollover,
            "new_step": one.step,
            "new_register": one.register,
        }
        for one in changed
    ]
    await transaction.execute(statement, rows)


async def _where(transaction: AsyncConnection, condition: ColumnElement[bool] | None) -> list[Channel]:
    query = select(channel_table).order_by(channel_table.c.channel)
    return [_channel(row) for row in await transaction.execute(query if condition is None else query.where(condition))]


def _row(channel: Channel) -> dict[str, object]:
    return {
        "device_key": bare(channel.device),
        "device": channel.device,
        "task": channel.task,
        "task_key": bare(channel.task),
        "obis": channel.obis,
        "unit": channel.unit,
        "scale": channel.scale,
        "interval_s": channel.interval_s,
        "zone": channel.zone,
        "start_at": channel.span.start,
        "end_at": channel.span.end,
        "rollover": channel.rollover,
        "step": channel.step,
        "register_channel": channel.register,
        "day_start_s": channel.day_start_s,
    }


def _channel(row: Row[Any]) -> Channel:
    return Channel(
        id=row.channel,
        device=DeviceId(row.device),
        task=TaskId(row.task),
        obis=row.obis,
        unit=row.unit,
        scale=row.scale,
        interval_s=row.interval_s,
        zone=row.zone,
        span=Span(row.start_at, row.end_at),
        rollover=row.rollover,
        step=row.step,
        register=row.register_channel,
        day_start_s=row.day_start_s,
    )
