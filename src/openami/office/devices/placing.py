"""What the middle is told when a device comes to a point of delivery, and when it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.office.devices.messages import located, point_assigned, register_create, register_end, series_assigned
from openami.office.devices.model import Category
from openami.office.devices.store import installations_of_device, points_by_id
from openami.office.services.letters import notify, request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Device, Installation, Register


async def announce_placement(
    office: Office, transaction: AsyncConnection, device: Device, tasks: Sequence[Register]
) -> None:
    """Registers, location, points of delivery and profiles of a device that was just installed (UC1, steps 4 to 7)."""
    places = await installations_of_device(transaction, device.id)
    start = office.local_date(places[-1].start)
    message = register_create(office.door.header(), device, tasks, start, office)
    await request(office, transaction, message, device.id)
    await _announce_places(office, transaction, device, tasks, places)


async def announce_removal(
    office: Office,
    transaction: AsyncConnection,
    device: Device,
    tasks: Sequence[Register],
    ended: Installation,
) -> None:
    """The ends of all that (UC13)."""
    places = await installations_of_device(transaction, device.id)
    await _announce_places(office, transaction, device, tasks, places)
    message = register_end(office.door.header(), device, tasks, ended, office)
    await request(office, transaction, message, device.id)


async def _announce_places(
    office: Office,
    transaction: AsyncConnection,
    device: Device,
    tasks: Sequence[Register],
    places: Sequence[Installation],
) -> None:
    points = await points_by_id(transaction, {place.point_id for place in places})
    where = [(place, points[place.point_id]) for place in places]
    await notify(office, transaction, located(office.door.header(), device, where, office), device.id)
    for task in tasks:
        message = point_assigned(office.door.header(), device, task, places, office)
        await notify(office, transaction, message, device.id)
        if task.category is Category.INTERVAL:
            assignment = series_assigned(office.door.header(), device, task, places, office)
            await request(office, transaction, assignment, device.id)
