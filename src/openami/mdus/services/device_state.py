"""Whether a device is on, off or lost, from what it, its AMS and the back office have told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, union_all

from openami.mdus.commands.store import command_table
from openami.mdus.events.store import table as event_table
from openami.mdus.registry.ids import bare
from openami.mdus.registry.tables import channel_table
from openami.mdus.series.tables import day as day_table
from openami.mdus.services.upkeep_store import notice_table

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.model import Device

ON: Final = "on"
OFF: Final = "off"
LOST: Final = "lost"
UNKNOWN: Final = "unknown"
CONNECTED: Final = "switch.connected"
DISCONNECTED: Final = "switch.disconnected"


async def operational_state(
    tx: AsyncConnection, device: Device, now: datetime, silent_after: timedelta
) -> tuple[str, datetime | None]:
    """A name of the table of operational states, and since when that is known."""
    heard = await _last_heard(tx, device)
    if heard is None:
        return UNKNOWN, None
    if heard < now - silent_after:
        return LOST, heard
    switched = await _last_switch(tx, device)
    if switched is not None and not switched[0]:
        return OFF, max(heard, switched[1])
    return ON, heard


async def _last_heard(tx: AsyncConnection, device: Device) -> datetime | None:
    """When anything of the device arrived last: values, events, the position of its breaker."""
    key = bare(device.id)
    channels = select(channel_table.c.channel).where(channel_table.c.device_key == key)
    arrivals = union_all(
        select(func.max(event_table.c.received_at).label("at")).where(event_table.c.device_key == key),
        select(func.max(command_table.c.position_at)).where(command_table.c.device_key == key),
        select(func.max(day_table.c.recorded_at)).where(day_table.c.channel.in_(channels), day_table.c.delivery != ""),
    ).subquery()
    found: datetime | None = await tx.scalar(select(func.max(arrivals.c.at)))
    return found or device.reported_at


async def _last_switch(tx: AsyncConnection, device: Device) -> tuple[bool, datetime] | None:
    """Whether the breaker was closed when it was last heard of, and when that was."""
    key = bare(device.id)
    told = union_all(
        select((event_table.c.name == CONNECTED).label("closed"), event_table.c.occurred_at.label("at")).where(
            event_table.c.device_key == key, event_table.c.name.in_([CONNECTED, DISCONNECTED])
        ),
        select(command_table.c.position_closed, command_table.c.position_at).where(
            command_table.c.device_key == key, command_table.c.position_at.is_not(None)
        ),
        select(notice_table.c.closes, notice_table.c.processed_at).where(
            notice_table.c.device_key == key, notice_table.c.undone_at.is_(None)
        ),
    ).subquery()
    row = (await tx.execute(select(told).order_by(told.c.at.desc()).limit(1))).first()
    return None if row is None else (bool(row.closed), row.at)
