"""Master data of the back office: each message becomes a decision of the registry, and what follows from it.

What follows, in the same transaction: channels, their declaration to the series, the registered notification when all
is known, and the next step at the AMS.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from openami.mdus.channel_links import Judging, declared, series_channel
from openami.mdus.registry import profiles, rules, store
from openami.mdus.registry.channel_store import channels_of_devices, sync_channels
from openami.mdus.registry.errors import UnknownDeviceError, UnknownTaskError
from openami.mdus.registry.ids import DeviceId, bare
from openami.mdus.services import translate
from openami.mdus.services.desk import not_yet
from openami.shared.capabilities import Capabilities
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages.device import UtilitiesDeviceERPSmartMeterRegisteredNotification
from openami.shared.errors import OpenAmiError
from openami.shared.spans import local_date

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.provisioning import Provisioner
    from openami.mdus.registry.model import Device, Profile
    from openami.mdus.series import Channel, Series
    from openami.mdus.services.codes import EnterpriseCodes
    from openami.mdus.services.desk import Desk, Verdict
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.measurement_task import (
        SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification as PointNotification,
    )
    from openami.shared.contract.enterprise.messages.time_series import (
        UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest as ProfileRequest,
    )

    Decide = Callable[[Any, Device | None], Device]


REGISTERED_A_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class MasterData:
    """The desk for devices, registers, places, points of delivery and profiles."""

    desk: Desk
    clock: Clock
    codes: EnterpriseCodes
    zone: str
    series: Series
    provisioner: Provisioner
    assigned: Callable[[AsyncConnection, Profile | None, Profile], Awaitable[None]]
    """Told of a profile before and after an assignment: what is stored of it already has to be uploaded."""
    judging: Judging = field(default_factory=Judging)
    capabilities: Capabilities = field(default_factory=Capabilities)

    async def create(self, tx: AsyncConnection, items: Sequence[Any]) -> list[Verdict]:
        """Devices are announced and confirmed."""
        now = self.clock.now()

        def decide(item: Any, known: Device | None) -> Device:  # noqa: ANN401 - the items of one desk share their shape
            sent = item.utilities_device
            device = rules.announce(
                known, DeviceId(sent.id), translate.master_of(sent), translate.system_of(sent.smart_meter)
            )
            return translate.grouped(replace(device, confirmed_at=device.confirmed_at or now), item)

        return await self._each(tx, items, decide, "device create")

    async def change(self, tx: AsyncConnection, items: Sequence[Any]) -> list[Verdict]:
        """Device data change; another AMS counts from the start date of the message, else from today on."""
        today = local_date(self.zone, self.clock.now())

        def decide(item: Any, known: Device | None) -> Device:  # noqa: ANN401 - as above
            sent = item.utilities_device
            device = _known(known, sent.id)
            period = device.master.period
            master = translate.master_of(sent)
            master = replace(master, period=master.period if sent.start_date and sent.end_date else period)
            changed = rules.change(device, master, translate.system_of(sent.smart_meter), sent.start_date or today)
            return translate.grouped(changed, item)

        return await self._each(tx, items, decide, "device change")

    async def create_registers(self, tx: AsyncConnection, items: Sequence[Any]) -> list[Verdict]:
        """Registers of installed devices."""
        return await self._set_registers(tx, items, "register create")

    async def change_registers(self, tx: AsyncConnection, items: Sequence[Any]) -> list[Verdict]:
        """Registers change, end, or (none in the message) are reversed."""
        return await self._set_registers(tx, items, "register change")

    async def locate(self, tx: AsyncConnection, items: Sequence[Any]) -> list[Verdict]:
        """Devices hang somewhere, move, or are taken down."""

        def decide(item: Any, known: Device | None) -> Device:  # noqa: ANN401 - as above
            return self._placed(_known(known, item.utilities_device.id), item)

        return await self._each(tx, items, decide, "location")

    async def assign_points(self, tx: AsyncConnection, items: Sequence[PointNotification]) -> list[Verdict]:
        """Measurement tasks count for points of delivery."""

        def decide(item: PointNotification, known: Device | None) -> Device:
            task = item.utilities_measurement_task
            device = _known(known, task.utilities_device.utilities_device_id)
            register = next((one for one in device.registers if bare(one.task) == bare(task.id)), None)
            if register is None:
                raise not_yet(
                    UnknownTaskError(
                        f"Device {device.id} has no measurement task {task.id}.", hint="Send its registers first."
                    )
                )
            return rules.assign_points(
                device,
                register.task,
                translate.points_of(item, register.time_zone or self.zone),
                complete=task.utilities_point_of_delivery_assignment_list_complete_transmission_indicator,
            )

        return await self._each(tx, items, decide, "point of delivery", device_id=_device_of_task)

    async def assign_profiles(self, tx: AsyncConnection, items: Sequence[ProfileRequest]) -> list[Verdict]:
        """Profiles are fed by measurement tasks."""
        return [await _verdict(self._assign_profile(tx, item)) for item in items]

    async def reported(self, tx: AsyncConnection, keys: Iterable[str]) -> None:
        """The AMS has said that it has these devices; the back office is told when it may be."""
        devices = await store.load_devices(tx, keys, lock=True)
        now = self.clock.now()
        changed = [rules.report(one, now) for one in devices.values() if one.reported_at is None]
        if changed:
            await self.keep(tx, changed, "reported by the AMS", before=devices)

    async def keep(
        self, tx: AsyncConnection, devices: Sequence[Device], cause: str, *, before: Mapping[str, Device]
    ) -> None:
        """Save devices and do what follows from what is known of them now."""
        if not devices:
            return
        now = self.clock.now()
        ready = [one for one in devices if rules.may_register(one)]
        saved = [replace(one, registered_at=now) if rules.may_register(one) else one for one in devices]
        await store.save_devices(tx, saved, cause=cause, at=now, before=before)
        channels = await sync_channels(tx, saved, self.codes.registry, self.zone)
        registers = {one.id: one for one in channels if not one.interval_s}
        owner = {bare(one.id): one for one in saved}
        declared_ = [series_channel(one, owner[bare(one.device)], registers, self.judging) for one in channels]
        await self._declare(tx, declared_)
        await self._tell_registered(tx, ready)
        await self.provisioner.bring_in_line(tx, saved, channels)

    async def _declare(self, tx: AsyncConnection, channels: Sequence[Channel]) -> None:
        """Declare what changed only: deliveries need not wait for a message that changes no channel."""
        known = await declared(tx, [one.id for one in channels])
        changed = [one for one in channels if known.get(one.id) != one]
        await self.series.declare(tx, sorted(changed, key=lambda one: one.id))

    async def provision_next(self, tx: AsyncConnection, keys: Iterable[str], *, again: bool = False) -> None:
        """Send the next step of these devices to the AMS."""
        devices = await store.load_devices(tx, keys)
        channels = await channels_of_devices(tx, devices)
        await self.provisioner.bring_in_line(tx, devices.values(), channels, again=again)

    async def replicate(self, tx: AsyncConnection, items: Sequence[Any]) -> list[Verdict]:
        """Devices come whole, with registers and places: initial load, or bringing the two sides in line again."""
        now = self.clock.now()
        owners = await store.owners_of(tx, _tasks(items))

        def decide(item: Any, known: Device | None) -> Device:  # noqa: ANN401 - as above
            sent = item.utilities_device
            master, system = translate.master_of(sent), translate.system_of(sent.smart_meter)
            if known is None:
                device = rules.announce(None, DeviceId(sent.id), master, system)
            else:
                device = rules.change(known, master, system, sent.start_date)
            device = translate.grouped(replace(device, confirmed_at=device.confirmed_at or now), item)
            if sent.register:
                device = self._with_registers(device, sent, owners)
            return self._placed(device, item) if sent.location or sent.logical_location else device

        return await self._each(tx, items, decide, "replication")

    async def _set_registers(self, tx: AsyncConnection, items: Sequence[Any], cause: str) -> list[Verdict]:
        owners = await store.owners_of(tx, _tasks(items))

        def decide(item: Any, known: Device | None) -> Device:  # noqa: ANN401 - as above
            sent = item.utilities_device
            return self._with_registers(_known(known, sent.id), sent, owners)

        return await self._each(tx, items, decide, cause)

    def _with_registers(self, device: Device, sent: Any, owners: dict[str, list[Device]]) -> Device:  # noqa: ANN401
        registers = [
            one for register in sent.register for one in translate.registers_of(register, self.codes, self.zone)
        ]
        for one in registers:
            self.codes.registry.unit(one.unit_code)
            self.codes.registry.interval_s(one.recurrence)
        first = registers[0].period.first if registers else device.master.period.first
        rules.check_system(device, translate.system_of(sent.smart_meter), first)
        after = rules.set_registers(
            device,
            registers,
            complete=bool(getattr(sent, "register_list_complete_transmission_indicator", False)),
            owners={one.task: owners.get(bare(one.task), []) for one in registers},
        )
        for one in registers:  # two items of one bulk must not claim the same task
            owners.setdefault(bare(one.task), []).append(after)
        return after

    def _placed(self, device: Device, item: Any) -> Device:  # noqa: ANN401 - as above
        sent = item.utilities_device
        places, logical = translate.locations_of(item, self.codes, self.zone)
        return rules.locate(
            device,
            places,
            logical,
            complete=bool(sent.location_list_complete_transmission_indicator),
            logical_complete=bool(sent.logical_location_list_complete_transmission_indicator),
            now=self.clock.now(),
        )

    async def _assign_profile(self, tx: AsyncConnection, item: ProfileRequest) -> None:
        series = item.utilities_time_series
        tasks = [one.utilities_measurement_task_id for one in series.measurement_task_assignment_role]
        owners = await store.owners_of(tx, tasks)
        missing = [task for task in tasks if bare(task) not in owners]
        if missing:
            raise not_yet(
                UnknownTaskError(f"No device has measurement task {missing[0]}.", hint="Send its registers first.")
            )
        for device in {device.id: device for each in owners.values() for device in each}.values():
            self.capabilities.check(device.subject_on(local_date(self.zone, self.clock.now())), "intervals")
        zones = {
            register.time_zone
            for devices in owners.values()
            for device in devices
            for register in device.registers
            if bare(register.task) in owners and register.time_zone
        }
        known = (await profiles.load_profiles(tx, [series.id], lock=True)).get(bare(series.id))
        sent = translate.profile_of(item, min(zones, default=self.zone))
        after = rules.assign_profile(
            known,
            sent,
            complete=bool(series.measurement_task_assignment_role_list_complete_transmission_indicator),
            others=await profiles.profiles_of(tx, tasks),
        )
        await profiles.save_profile(tx, after, cause="profile assignment", at=self.clock.now())
        await self.assigned(tx, known, after)

    async def _each(
        self,
        tx: AsyncConnection,
        items: Sequence[Any],
        decide: Decide,
        cause: str,
        *,
        device_id: Callable[[Any], str] = lambda item: str(item.utilities_device.id),
    ) -> list[Verdict]:
        """Decide on each item in turn; what was refused leaves no trace."""
        devices = await store.load_devices(tx, [device_id(item) for item in items], lock=True)
        before = dict(devices)
        verdicts: list[Verdict] = []
        for item in items:
            key = bare(device_id(item))
            try:
                devices[key] = decide(item, devices.get(key))
            except OpenAmiError as reason:
                verdicts.append(reason)
            else:
                verdicts.append(None)
        await self.keep(tx, [one for key, one in devices.items() if before.get(key) != one], cause, before=before)
        return verdicts

    async def _tell_registered(self, tx: AsyncConnection, devices: Sequence[Device]) -> None:
        """One device in a message of its own, several in one message."""
        today = local_date(self.zone, self.clock.now())
        content = UtilitiesDeviceERPSmartMeterRegisteredNotification.UtilitiesDevice
        messages = [
            UtilitiesDeviceERPSmartMeterRegisteredNotification(
                message_header=self.desk.header(),
                utilities_device=content(
                    id=device.id,
                    smart_meter=content.SmartMeter(start_date=today, utilities_advanced_metering_system_id=system),
                ),
            )
            for device in devices
            if (system := device.system_on(today)) is not None
        ]
        for first in range(0, len(messages), REGISTERED_A_MESSAGE):
            part = messages[first : first + REGISTERED_A_MESSAGE]
            whole = part[0] if len(part) == 1 else bulk(part, self.desk.header())
            await self.desk.send(tx, whole, f"device {part[0].utilities_device.id}")


def _tasks(items: Sequence[Any]) -> list[str]:
    return [one.utilities_measurement_task_id for item in items for one in item.utilities_device.register]


def _device_of_task(item: PointNotification) -> str:
    return item.utilities_measurement_task.utilities_device.utilities_device_id


def _known(device: Device | None, number: str) -> Device:
    if device is None:
        raise not_yet(UnknownDeviceError(f"Device {number} is not known.", hint="Send its create request first."))
    return device


async def _verdict(done: Any) -> Verdict:  # noqa: ANN401 - any awaitable
    try:
        await done
    except OpenAmiError as reason:
        return reason
    return None
