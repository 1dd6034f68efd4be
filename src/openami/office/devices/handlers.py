"""Devices come, are installed, replaced and registered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from openami.office.commands import BadFieldError, Command, record
from openami.office.devices.messages import device_create
from openami.office.devices.model import (
    DEVICE_ID_WIDTH,
    KINDS,
    Address,
    Category,
    Device,
    DeviceConflictError,
    Direction,
    Installation,
    Kind,
    Point,
    Register,
    Stage,
)
from openami.office.devices.placing import announce_placement, announce_removal
from openami.office.devices.store import (
    add_devices,
    add_installation,
    change_device,
    device_by_id,
    devices_by_serial,
    end_installation,
    find_device,
    occupant,
    open_installation,
    points_by_id,
    put_point,
    registers_of,
)
from openami.office.readings.model import Reason, RegisterReading
from openami.office.readings.orders import Wish, make_orders
from openami.office.readings.results import milli, pass_on
from openami.office.services.items import take_each
from openami.office.services.letters import request_many
from openami.office.services.store import settle
from openami.office.supply.handlers import begin_supply
from openami.office.tables import device_numbers, draw_many, profile_numbers, register_numbers

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.shared.contract.enterprise.messages.common import Log, MessageHeader
    from openami.shared.contract.enterprise.messages.device import (
        UtilitiesDeviceERPSmartMeterRegisteredBulkNotification as RegisteredBulk,
    )
    from openami.shared.contract.enterprise.messages.device import (
        UtilitiesDeviceERPSmartMeterRegisteredNotification as Registered,
    )


# Which fields of a command bring what the fitter read off each register.
_START: Final[Mapping[Direction, str]] = {Direction.DRAWN: "start_reading", Direction.FED_IN: "start_feed_in"}
_FINAL: Final[Mapping[Direction, str]] = {Direction.DRAWN: "final_reading", Direction.FED_IN: "final_feed_in"}


async def receive(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Goods receipt: number the devices and announce them to the middle.

    Raises:
        BadFieldError: a kind or interval length is not known, or a serial number comes twice.
        DeviceConflictError: a serial number is known already.
    """
    parts = command.parts("devices")
    serials = [part.text("serial") for part in parts]
    if twice := [serial for serial, count in Counter(serials).items() if count > 1]:
        raise BadFieldError(f"The serial numbers {twice} come twice.", hint="List each device once.")
    if known := await devices_by_serial(transaction, serials):
        raise DeviceConflictError(f"Already received: {', '.join(sorted(known))}.", hint="List new devices only.")
    numbers = await draw_many(transaction, device_numbers, DEVICE_ID_WIDTH, len(parts))
    received = [_device(office, part, number) for part, number in zip(parts, numbers, strict=True)]
    both_ways = {number for part, number in zip(parts, numbers, strict=True) if _counts_feed_in(part)}
    await add_devices(transaction, received, await _tasks(transaction, received, both_ways))
    named = {device.id: device.serial for device in received}
    await record(office, transaction, command, f"{len(received)} devices", after=named)
    today = office.today()
    await request_many(
        office,
        transaction,
        [(device_create(office.door.header(), device, today), device.id) for device in received],
    )
    return {"devices": [{"id": device.id, "serial": device.serial} for device in received]}


async def install(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Install devices at points of delivery; an installation may bring its customer and contract.

    Raises:
        DeviceConflictError: a device is refused, removed or installed, or a point is occupied or of another kind.
    """
    placed = []
    for part in command.parts("installations"):
        device = await find_device(transaction, part.text("device"), lock=True)
        at = part.instant("installed_at", office.clock.now())
        point = await _point(office, transaction, part, device)
        await _place(office, transaction, part, device, point, at)
        contract = await begin_supply(office, transaction, part, point, office.local_date(at))
        await record(office, transaction, command, device.id, after={"point": point.id, "at": at})
        placed.append(
            {"device": device.id, "point_of_delivery": point.id, "contract": contract.id if contract else None}
        )
    return {"installations": placed}


async def swap(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Replace a device: the old one is removed with its final reading, the new one begins where it stood.

    Raises:
        DeviceConflictError: the old one is not installed, or the new one cannot be, or measures something else, or
            only one direction of two.
    """
    old = await find_device(transaction, command.text("old"), lock=True)
    new = await find_device(transaction, command.text("new"), lock=True)
    at = command.instant("at", office.clock.now())
    place = await open_installation(transaction, old.id)
    if place is None or place.start >= at:
        raise DeviceConflictError(f"Device {old.serial} is not installed at {at}.", hint="See GET /api/devices.")
    if new.id == old.id:
        raise DeviceConflictError(f"Device {old.serial} cannot replace itself.", hint="Name another one as `new`.")
    point = (await points_by_id(transaction, [place.point_id]))[place.point_id]
    _check_kind(point, new)
    await _check_directions(transaction, command, old, new)
    await _take_down(office, transaction, command, old, replace(place, end=at))
    await _place(office, transaction, command, new, point, at)
    await record(office, transaction, command, point.id, before=old.id, after=new.id)
    return {"point_of_delivery": point.id, "old": old.id, "new": new.id, "at": at.isoformat()}


async def on_device_confirmed(office: Office, transaction: AsyncConnection, header: MessageHeader, log: Log) -> None:
    """The middle has taken a device, or refuses it."""
    settled = await settle(office, transaction, header, log)
    if not settled.first:
        return
    if settled.ok:
        await change_device(transaction, settled.subject, confirmed_at=office.clock.now())
    else:
        await change_device(transaction, settled.subject, refusal=settled.note or "refused without a reason")


async def on_registered(office: Office, transaction: AsyncConnection, message: Registered) -> None:
    """A device has been reached in its AMS; repeats are harmless, the order is free."""
    told = message.utilities_device
    device = await device_by_id(transaction, told.id, lock=True)
    if device.registered_at is None:
        await change_device(
            transaction,
            device.id,
            registered_at=office.clock.now(),
            ams_id=told.smart_meter.utilities_advanced_metering_system_id,
        )


async def on_registered_bulk(office: Office, transaction: AsyncConnection, message: RegisteredBulk) -> None:
    """Many devices have been reached."""
    await take_each(transaction, message.items, lambda item: on_registered(office, transaction, item))


def _device(office: Office, part: Command, device_id: str) -> Device:
    try:
        kind = Kind(part.text("kind", Kind.ELECTRICITY))
    except ValueError as error:
        raise BadFieldError(str(error), hint=f"Kinds: {', '.join(Kind)}.") from error
    allowed = KINDS[kind].intervals_s
    interval = part.text("interval_s", str(allowed[0]))
    if interval not in {str(length) for length in allowed}:
        raise BadFieldError(
            f"{kind} has no channel of {interval} s.", hint=f"Use one of {', '.join(map(str, allowed))}."
        )
    return Device(
        id=device_id,
        serial=part.text("serial"),
        material=part.text("material", f"SM-{kind.upper()}"),
        kind=kind,
        ams_id=part.text("ams", office.settings.ams_id),
        interval_s=int(interval),
        received_at=office.clock.now(),
        activation_group=str(part.body.get("activation_group", "")),
    )


def _counts_feed_in(part: Command) -> bool:
    counts = part.flag("exports")
    kind = Kind(part.text("kind", Kind.ELECTRICITY))
    if counts and not KINDS[kind].feed_in:
        raise BadFieldError(f"A device for {kind} counts one direction only.", hint="Leave 'exports' out.")
    return counts


async def _tasks(transaction: AsyncConnection, devices: Sequence[Device], both_ways: Container[str]) -> list[Register]:
    wanted = [
        (device, spec)
        for device in devices
        for spec in KINDS[device.kind].tasks + (KINDS[device.kind].feed_in if device.id in both_ways else ())
    ]
    channels = [pair for pair in wanted if pair[1].category is Category.INTERVAL]
    numbers = await draw_many(transaction, register_numbers, DEVICE_ID_WIDTH, len(wanted))
    profiles = iter(await draw_many(transaction, profile_numbers, DEVICE_ID_WIDTH, len(channels)))
    return [
        Register(
            id=number,
            device_id=device.id,
            category=spec.category,
            obis=spec.obis,
            unit=spec.unit,
            total_digits=spec.total_digits,
            fraction_digits=spec.fraction_digits,
            interval_s=device.interval_s if spec.category is Category.INTERVAL else 0,
            profile_id=next(profiles) if spec.category is Category.INTERVAL else None,
        )
        for number, (device, spec) in zip(numbers, wanted, strict=True)
    ]


async def _point(office: Office, transaction: AsyncConnection, part: Command, device: Device) -> Point:
    point_id = part.text("point_of_delivery")
    known = (await points_by_id(transaction, [point_id])).get(point_id)
    where = part.part(part.body.get("address", {}))
    old = known.address if known else Address("", "", "", "", office.settings.country)
    point = Point(
        id=point_id,
        kind=device.kind,
        connection_object=part.text("connection_object", known.connection_object if known else f"CO-{point_id}"[:40]),
        feeder=part.text("feeder", (known.feeder if known else "") or "-"),
        address=Address(
            street=str(where.body.get("street", old.street)),
            house=str(where.body.get("house", old.house)),
            postal_code=str(where.body.get("postal_code", old.postal_code)),
            city=str(where.body.get("city", old.city)),
            country=str(where.body.get("country", old.country)),
        ),
    )
    if known is not None:
        _check_kind(known, device)
    await put_point(transaction, point)
    return point


def _check_kind(point: Point, device: Device) -> None:
    if point.kind is not device.kind:
        raise DeviceConflictError(
            f"{point.id} delivers {point.kind}, {device.serial} measures {device.kind}.",
            hint="Choose a device of the same kind.",
        )


async def _check_directions(transaction: AsyncConnection, command: Command, old: Device, new: Device) -> None:
    """Feed-in ends only where somebody says so: a bill without it looks like one of a home without a roof."""
    if command.flag("ends_feed_in"):
        return
    counted, counts = [
        {task.direction for task in await registers_of(transaction, [device.id])} for device in (old, new)
    ]
    if Direction.FED_IN in counted - counts:
        raise DeviceConflictError(
            f"{old.serial} counts what is fed in, {new.serial} does not.",
            hint="Choose a device of both directions, or add `ends_feed_in`: true where nothing is fed in any more.",
        )


async def _place(
    office: Office, transaction: AsyncConnection, part: Command, device: Device, point: Point, at: datetime
) -> None:
    if device.stage in (Stage.REFUSED, Stage.REMOVED):
        raise DeviceConflictError(
            f"Device {device.serial} is {device.stage}. {device.refusal}".strip(),
            hint="Install a device that the MDUS has confirmed; see GET /api/devices.",
        )
    if (other := await open_installation(transaction, device.id)) is not None:
        raise DeviceConflictError(f"Device {device.serial} is installed at {other.point_id}.", hint="Remove it first.")
    if (other := await occupant(transaction, point.id)) is not None:
        raise DeviceConflictError(f"At {point.id} device {other.device_id} is installed.", hint="Replace it instead.")
    location = part.text("location", f"DL-{point.id}"[:40])
    installation = Installation(0, device.id, point.id, location, at)
    await add_installation(transaction, installation)
    await change_device(transaction, device.id, installed_at=device.installed_at or at)
    tasks = await registers_of(transaction, [device.id])
    await announce_placement(office, transaction, device, tasks)
    for register in _registers(tasks):
        if (value := part.amount(_START[register.direction])) is not None:
            reading = RegisterReading(at, milli(value), reason=Reason.BILLING_INSTALLATION)
            await pass_on(office, transaction, register, reading)


async def _take_down(
    office: Office, transaction: AsyncConnection, command: Command, device: Device, ended: Installation
) -> None:
    assert ended.end is not None
    await end_installation(transaction, ended)
    await change_device(transaction, device.id, removed_at=ended.end)
    tasks = await registers_of(transaction, [device.id])
    await announce_removal(office, transaction, device, tasks, ended)
    wishes = []
    for register in _registers(tasks):
        if (value := command.amount(_FINAL[register.direction])) is not None:
            reading = RegisterReading(ended.end, milli(value), reason=Reason.BILLING_REMOVAL)
            await pass_on(office, transaction, register, reading)
        else:
            day = office.local_date(ended.end)
            wishes.append(Wish(register, ended.point_id, Reason.BILLING_REMOVAL, day, ended.end))
    if wishes:
        await make_orders(office, transaction, wishes)


def _registers(tasks: Sequence[Register]) -> list[Register]:
    return [task for task in tasks if task.category is Category.REGISTER]
