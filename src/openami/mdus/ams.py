"""What the middle says to an AMS over the field seam: master data, orders to switch, questions for readings.

Pure builders: values in, nouns out. `Ams` sends them, in the caller's transaction. A device is named by its serial
number and by an mRID that follows from its number in the back office, so that a repeat is the same object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from openami.mdus.registry.ids import PointId, SystemId, device_mrid, point_mrid
from openami.mdus.registry.slices import OPEN_INSTANT
from openami.mdus.unify.matching import SERIAL
from openami.shared.contract import field
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.commands.model import Command
    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device
    from openami.shared.clock import Clock
    from openami.shared.spans import Span

SOURCE: Final = "MDUS"
POINT: Final = "UsagePoint"
_SERVICES: Final = {"1": "electricity", "7": "gas", "8": "water", "9": "water", "6": "heat"}
"""Medium of an OBIS code (value group A) -> service category."""


class UnknownSystemError(OpenAmiError):
    """An AMS that no partner stands for."""


class Sender(Protocol):
    """The part of the field door that is needed here."""

    async def send(
        self, transaction: AsyncConnection, message: field.Envelope, *, partner: str, business_key: str = ""
    ) -> None:
        """Put a message into the outbox."""
        ...


def identity_of(device: Device) -> field.Identity:
    """How a device is named on the field seam."""
    return field.Identity.named(device.master.serial_id, SERIAL, mrid=device_mrid(device.id))


def point_identity(point: PointId) -> field.Identity:
    """How a point of delivery is named on the field seam."""
    return field.Identity.named(point, POINT, mrid=point_mrid(point))


def service_of(obis: str) -> str:
    """The service category of a measured quantity."""
    return _SERVICES.get(obis.partition("-")[0], "other")


def reading_types(channel: Channel) -> tuple[field.ReadingTypeCode, ...]:
    """Every reading type in which an AMS may deliver a channel; value group B (the line) does not matter."""
    found = []
    for row in field.reading_type_table().values():
        code = field.ReadingTypeCode.parse(row.code)
        if row.obis and _quantity(row.obis) == _quantity(channel.obis) and (code.interval_s or 0) == channel.interval_s:
            found.append(code)
    return tuple(found)


def usage_point_config(point: PointId, channels: Iterable[Channel]) -> field.UsagePointConfig:
    """A point of delivery, its service and what it has to deliver."""
    own = list(channels)
    types = tuple(dict.fromkeys(code for channel in own for code in reading_types(channel)))
    requirement = field.MetrologyRequirement(reason="billing", reading_types=types)
    return field.UsagePointConfig(
        (
            field.UsagePoint(
                mrid=point_mrid(point),
                is_sdp=True,
                connection_state="connected",
                requirements=(requirement,) if types else (),
                names=(field.Name.of(point, POINT),),
                service_category=field.ServiceCategory(kind=service_of(own[0].obis) if own else "other"),
            ),
        )
    )


def meter_config(device: Device, system: SystemId) -> field.MeterConfig:
    """A meter with its serial number, model and the dates of its life."""
    installed = min((one.installed_at for one in device.locations if one.installed_at), default=None)
    removed = device.removed_at()
    first = min((one.period.first for one in device.locations), default=None)
    return field.MeterConfig(
        meters=(
            field.Meter(
                mrid=device_mrid(device.id),
                amr_system=system,
                serial_number=device.master.serial_id,
                info=field.EndDeviceInfo(model=field.AssetModel(model_number=device.master.material_id)),
                lifecycle=field.Lifecycle(
                    installation=installed.date() if installed else first, removal=removed.date() if removed else None
                ),
                names=(field.Name.of(device.master.serial_id, SERIAL), field.Name.of(device.id, "DeviceID")),
            ),
        )
    )


def linkage(device: Device, point: PointId, effective: datetime) -> field.MasterDataLinkageConfig:
    """A meter belongs (or no longer belongs) to a point of delivery from an instant on."""
    return field.MasterDataLinkageConfig(
        configuration=field.ConfigurationEvent(effective=effective),
        meters=(identity_of(device),),
        usage_points=(point_identity(point),),
    )


def read_schedule(device: Device, channels: Iterable[Channel], offset_s: int) -> field.MeterReadSchedule:
    """Read a meter every day, `offset_s` after its local midnight."""
    types = tuple(dict.fromkeys(code for channel in channels for code in reading_types(channel)))
    return field.MeterReadSchedule(
        devices=(identity_of(device),),
        reading_types=tuple(field.WantedReadingType.of(code) for code in types),
        schedules=(field.TimeSchedule(recurrence_pattern="daily", offset_s=offset_s),),
    )


def control_of(command: Command, device: Device) -> field.EndDeviceControls:
    """The order to switch one device: not before its time, given up at its deadline."""
    code = field.CONNECT if command.kind.closes else field.DISCONNECT
    return field.EndDeviceControls(
        (
            field.EndDeviceControl(
                mrid=str(command.id),
                issuer_id=SOURCE,
                issuer_tracking_id=command.request,
                reason=command.reason or None,
                code=code,
                devices=(
                    field.ControlledDevice(
                        mrid=device_mrid(device.id), names=(field.Name.of(device.master.serial_id, SERIAL),)
                    ),
                ),
                timing=field.DeviceTiming(interval=field.Period.between(command.planned_at, command.deadline)),
            ),
        )
    )


NO_CODE: Final = field.ControlCode(0, 0, 0, 0)
"""A text for the display has no control code of its own: the display part says it (IEC 61968-9)."""


def display_of(text: Mapping[str, Any], device: Device) -> field.EndDeviceControls:
    """The order to show a text: from its start on, for as long as it is valid."""
    end = text["end_at"]
    minutes = max(1, round((end - text["start_at"]).total_seconds() / 60)) if end else None
    display = field.PanDisplay(
        duration_min=minutes,
        duration_indefinite=None if end else True,
        priority=text["priority"] or None,
        start=text["start_at"],
        text=text["text"],
    )
    control = field.EndDeviceControl(
        mrid=str(text["id"]),
        issuer_id=SOURCE,
        code=NO_CODE,
        display=display,
        devices=(
            field.ControlledDevice(
                mrid=device_mrid(device.id), names=(field.Name.of(device.master.serial_id, SERIAL),)
            ),
        ),
    )
    return field.EndDeviceControls((control,))


SWITCH_POSITION: Final = field.ReadingTypeCode.parse(field.reading_type_table()["switch.position"].code)


class Ams:
    """Sends to the AMS that a device belongs to; `partners` names the partner on the seam for each AMS."""

    def __init__(self, door: Sender, clock: Clock, partners: Mapping[str, str], *, reply_address: str) -> None:
        self._door = door
        self._clock = clock
        self._partners = dict(partners)
        self._reply_address = reply_address

    async def tell(
        self, tx: AsyncConnection, system: SystemId, verb: field.Verb, payload: field.Noun, *, key: str
    ) -> None:
        """Send master data or its end."""
        message = field.request(verb, payload.NOUN, source=SOURCE, at=self._clock.now(), payload=payload)
        await self._door.send(tx, message, partner=self._partner(system), business_key=key)

    async def switch(self, tx: AsyncConnection, command: Command, device: Device) -> None:
        """Order a device to be switched; the AMS answers later."""
        await self._control(tx, field.Verb.CREATE, command, device)

    async def withdraw(self, tx: AsyncConnection, command: Command, device: Device) -> None:
        """Cancel an order that may not have reached the device."""
        await self._control(tx, field.Verb.CANCEL, command, device)

    async def read_switch(self, tx: AsyncConnection, command: Command, device: Device) -> None:
        """Read the breaker of a device back, as proof of a command."""
        await self.read(tx, device, [SWITCH_POSITION], key=f"read-back:{command.id}")

    async def show(self, tx: AsyncConnection, device: Device, text: Mapping[str, Any], *, key: str) -> None:
        """Send a text for the display of a device."""
        start = text["start_at"]
        message = field.request(
            field.Verb.CREATE,
            field.EndDeviceControls.NOUN,
            source=SOURCE,
            at=self._clock.now(),
            payload=display_of(text, device),
            reply_address=self._reply_address,
        )
        await self._door.send(tx, message, partner=self._partner(device.system_on(start.date())), business_key=key)

    async def _control(self, tx: AsyncConnection, verb: field.Verb, command: Command, device: Device) -> None:
        message = field.request(
            verb,
            field.EndDeviceControls.NOUN,
            source=SOURCE,
            at=self._clock.now(),
            payload=control_of(command, device),
            reply_address=self._reply_address,
            correlation_id=str(command.id) if verb is field.Verb.CREATE else None,
        )
        system = device.system_on(command.planned_at.date())
        key = f"{'command' if verb is field.Verb.CREATE else 'withdrawal'}:{command.id}"
        await self._door.send(tx, message, partner=self._partner(system), business_key=key)

    async def read(
        self,
        tx: AsyncConnection,
        device: Device,
        types: Iterable[field.ReadingTypeCode],
        *,
        key: str,
        span: Span | None = None,
        source: str = "device",
    ) -> str:
        """Ask for readings of one device, now or of a span; returns the correlation id of the answer."""
        period = field.Period.between(span.start, span.end) if span else None
        query = field.GetMeterReadings(
            devices=(identity_of(device),),
            reading_types=tuple(field.WantedReadingType.of(code) for code in types),
            schedules=(field.TimeSchedule(interval=period),) if period else (),
        )
        message = field.request(
            field.Verb.GET,
            field.MeterReadings.NOUN,
            source=SOURCE,
            at=self._clock.now(),
            parameters=field.Request(
                start=span.start if span else None,
                end=span.end if span else None,
                options=(("source", source),),
                query=query,
            ),
            reply_address=self._reply_address,
        )
        system = device.system_on(self._clock.now().date())
        await self._door.send(tx, message, partner=self._partner(system), business_key=key)
        return message.header.correlation_id

    def serves(self, system: SystemId | None) -> bool:
        """Whether a partner stands for this AMS."""
        return system is not None and system in self._partners

    def _partner(self, system: SystemId | None) -> str:
        partner = self._partners.get(system or "")
        if partner is None:
            raise UnknownSystemError(
                f"No partner on the field seam stands for AMS {system!r}.",
                hint=f"Known: {', '.join(sorted(self._partners)) or 'none'}.",
            )
        return partner


def effective_end(span: Span) -> datetime | None:
    """The end of an assignment, None while it is open."""
    return None if span.end >= OPEN_INSTANT else span.end


def _quantity(obis: str) -> tuple[str, str]:
    medium, _, groups = obis.removesuffix(".255").partition(":")
    return medium.partition("-")[0], groups.partition("*")[0]
