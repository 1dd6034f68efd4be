"""What happens to devices besides coming and going: changed, withdrawn, told a text, sent again, put back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from openami.office.billing.store import bills_of_contract
from openami.office.commands import BadFieldError, Command, record
from openami.office.devices.model import Category, Device, DeviceConflictError, Stage
from openami.office.devices.store import (
    all_devices,
    change_device,
    devices_by_serial,
    end_installation,
    find_device,
    installations_of_device,
    open_installation,
    points_by_id,
    registers_of,
)
from openami.office.devices.upkeep_messages import (
    device_change,
    device_replica,
    device_text,
    device_withdrawn,
    location_reversed,
    registers_reversed,
    series_replica,
)
from openami.office.services.letters import notify, request, request_many
from openami.office.services.store import settle
from openami.office.supply.store import contracts_of_point
from openami.shared.contract.enterprise.messages.inferred_device import DeviceText

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.shared.contract.enterprise.messages.common import Log, MessageHeader
    from openami.shared.contract.enterprise.model import HeadedMessage

TEXT_LENGTH_MAX = 1024


async def change(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Correct the material, serial number, AMS or activation group of a device, from today on.

    Raises:
        BadFieldError: nothing changes.
        DeviceConflictError: the serial number is that of another device.
    """
    device = await find_device(transaction, command.text("device"), lock=True)
    changed = replace(
        device,
        serial=command.text("serial", device.serial),
        material=command.text("material", device.material),
        ams_id=command.text("ams", device.ams_id),
        activation_group=str(command.body.get("activation_group", device.activation_group)),
    )
    if changed == device:
        raise BadFieldError(
            f"Nothing of device {device.serial} changes.", hint="Give serial, material, ams or activation_group."
        )
    if changed.serial != device.serial and await devices_by_serial(transaction, [changed.serial]):
        raise DeviceConflictError(f"A device {changed.serial} is known already.", hint="See GET /api/devices.")
    fields = {"serial": "serial", "material": "material", "ams": "ams_id", "activation_group": "activation_group"}
    before, after = ({name: getattr(one, field) for name, field in fields.items()} for one in (device, changed))
    await change_device(transaction, device.id, **{fields[name]: value for name, value in after.items()})
    await request(office, transaction, device_change(office.door.header(), changed, office.today()), device.id)
    await record(office, transaction, command, device.id, before=before, after=after)
    return {"device": device.id} | after


async def withdraw(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Take back the announcement of devices that were received by mistake.

    Raises:
        DeviceConflictError: one of them has been installed.
    """
    devices = await _named(transaction, command)
    for device in devices:
        if device.installed_at is not None or device.stage is Stage.REMOVED:
            raise DeviceConflictError(
                f"Device {device.serial} is {device.stage}.", hint="Withdraw unused devices only."
            )
    messages: list[tuple[HeadedMessage, str]] = [
        (device_withdrawn(office.door.header(), device), device.id) for device in devices
    ]
    await request_many(office, transaction, messages)
    await record(office, transaction, command, f"{len(devices)} devices", before=[each.id for each in devices])
    return {"devices": [device.id for device in devices]}


async def send_text(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Send a text to the displays of devices.

    Raises:
        BadFieldError: the text is too long.
        NotCapableError: a device has no display that its AMS can write to.
    """
    words = command.text("text")
    if len(words) > TEXT_LENGTH_MAX:
        raise BadFieldError(f"The text has {len(words)} characters.", hint=f"At most {TEXT_LENGTH_MAX} are shown.")
    text = DeviceText(value=words, language_code=command.text("language", "EN"))
    until = command.instant("until", office.clock.now() + timedelta(days=7))
    devices = await _named(transaction, command)
    for device in devices:
        office.check_capability(device, "text")
    messages: list[tuple[HeadedMessage, str]] = [
        (device_text(office.door.header(), device, text, until), device.id) for device in devices
    ]
    await request_many(office, transaction, messages, confirmed_later=False)
    await record(office, transaction, command, f"{len(devices)} devices", after=words)
    return {"devices": [device.id for device in devices]}


async def replicate(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Send all that is known of devices (those named, or all), for an initial load or after a loss in the middle."""
    devices = await _named(transaction, command) if "devices" in command.body else await all_devices(transaction)
    masters: list[tuple[HeadedMessage, str]] = []
    series: list[tuple[HeadedMessage, str]] = []
    for device in devices:
        places = await installations_of_device(transaction, device.id)
        points = await points_by_id(transaction, {place.point_id for place in places})
        tasks = await registers_of(transaction, [device.id])
        where = [(place, points[place.point_id]) for place in places]
        masters.append((device_replica(office.door.header(), device, tasks, where, office), device.id))
        channels = [task for task in tasks if task.category is Category.INTERVAL] if places else []
        series += [(series_replica(office.door.header(), device, each, places, office), device.id) for each in channels]
    await request_many(office, transaction, masters)
    await request_many(office, transaction, series)
    await record(office, transaction, command, f"{len(devices)} devices", after=[device.id for device in devices])
    return {"devices": len(masters), "profiles": len(series)}


async def reverse(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Put back an installation that never happened (UC13); the device is free again.

    Raises:
        DeviceConflictError: the device is not installed, or what it measured there has been billed.
    """
    device = await find_device(transaction, command.text("device"), lock=True)
    place = await open_installation(transaction, device.id)
    if place is None:
        raise DeviceConflictError(f"Device {device.serial} is not installed.", hint="See GET /api/devices.")
    for contract in await contracts_of_point(transaction, place.point_id):
        for bill in await bills_of_contract(transaction, contract.id):
            if device.serial in {meter["serial"] for meter in bill.document["meters"]}:
                raise DeviceConflictError(
                    f"Device {device.serial} is on bill {bill.id}.", hint="Void the bill first, or replace the device."
                )
    await end_installation(transaction, replace(place, end=place.start))
    await change_device(transaction, device.id, installed_at=None)
    await notify(office, transaction, location_reversed(office.door.header(), device), device.id)
    await request(office, transaction, registers_reversed(office.door.header(), device), device.id)
    await record(office, transaction, command, device.id, before=place.point_id)
    return {"device": device.id, "point_of_delivery": place.point_id}


async def on_withdrawn(office: Office, transaction: AsyncConnection, header: MessageHeader, log: Log) -> None:
    """The middle has forgotten a device, or refuses to."""
    settled = await settle(office, transaction, header, log)
    if settled.first and settled.ok:
        await change_device(transaction, settled.subject, removed_at=office.clock.now())


async def _named(transaction: AsyncConnection, command: Command) -> list[Device]:
    names = command.body.get("devices", [command.body.get("device")])
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadFieldError(f"The field 'devices' is {names!r}.", hint="Give a list of ids or serial numbers.")
    found = {device.id: device for device in [await find_device(transaction, name, lock=True) for name in names]}
    return list(found.values())  # one that is named twice, by its id and its serial number perhaps, is meant once
