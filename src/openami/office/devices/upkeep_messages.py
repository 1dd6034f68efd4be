"""Changes of master data after initialization, as messages: change, withdrawal, text, replication, reversal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.office.devices.messages import located, register_end, series_assigned
from openami.shared.contract.enterprise.headers import OPEN_END
from openami.shared.contract.enterprise.messages.common import SmartMeter
from openami.shared.contract.enterprise.messages.device import UtilitiesDeviceERPSmartMeterChangeRequest as DeviceChange
from openami.shared.contract.enterprise.messages.inferred_device import (
    DeviceText,
)
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterCancellationRequest as DeviceWithdrawn,
)
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterReplicationRequest as DeviceReplica,
)
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterTextNotification as DeviceTexted,
)
from openami.shared.contract.enterprise.messages.inferred_time_series import (
    UtilitiesTimeSeriesERPReplicationRequest as SeriesReplica,
)
from openami.shared.contract.enterprise.messages.location import (
    UtilitiesDeviceERPSmartMeterLocationNotification as DeviceLocated,
)
from openami.shared.contract.enterprise.messages.register import (
    UtilitiesDeviceERPSmartMeterRegisterChangeRequest as RegisterChange,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from openami.office.context import Office
    from openami.office.devices.model import Device, Installation, Point, Register
    from openami.shared.contract.enterprise.messages.common import MessageHeader


def device_change(header: MessageHeader, device: Device, start: date) -> DeviceChange:
    """New data of a device from a day on (UC2, UC14)."""
    return DeviceChange(
        message_header=header,
        utilities_device=DeviceChange.UtilitiesDevice(
            id=device.id,
            serial_id=device.serial,
            start_date=start,
            end_date=OPEN_END,
            material_id=device.material,
            smart_meter=_meter(device),
        ),
    )


def device_withdrawn(header: MessageHeader, device: Device) -> DeviceWithdrawn:
    """A device that was announced by mistake."""
    return DeviceWithdrawn(
        message_header=header,
        utilities_device=DeviceWithdrawn.UtilitiesDevice(id=device.id, smart_meter=_meter(device)),
    )


def device_text(header: MessageHeader, device: Device, text: DeviceText, until: datetime | None) -> DeviceTexted:
    """A text for the display in the home (UC11)."""
    return DeviceTexted(
        message_header=header,
        utilities_device=DeviceTexted.UtilitiesDevice(
            id=device.id, text=text, end_date_time=until, smart_meter=_meter(device)
        ),
    )


def registers_reversed(header: MessageHeader, device: Device) -> RegisterChange:
    """The installation of a device never happened: a complete list of no registers (UC13)."""
    return RegisterChange(
        message_header=header,
        utilities_device=RegisterChange.UtilitiesDevice(
            id=device.id, register_list_complete_transmission_indicator=True, smart_meter=_meter(device)
        ),
    )


def location_reversed(header: MessageHeader, device: Device) -> DeviceLocated:
    """The device stands nowhere: a complete list of no locations."""
    return DeviceLocated(
        message_header=header,
        utilities_device=DeviceLocated.UtilitiesDevice(
            logical_location_list_complete_transmission_indicator=True,
            location_list_complete_transmission_indicator=True,
            id=device.id,
            smart_meter=_meter(device),
        ),
    )


def device_replica(
    header: MessageHeader,
    device: Device,
    tasks: Sequence[Register],
    places: Sequence[tuple[Installation, Point]],
    office: Office,
) -> DeviceReplica:
    """All that is known of a device, in one message (initial load, resynchronization)."""
    content = DeviceReplica.UtilitiesDevice
    registers: list[DeviceReplica.UtilitiesDevice.Register] = []
    for installation, _ in places:
        ended = register_end(header, device, tasks, installation, office)
        registers += [
            content.Register(
                start_date=each.start_date,
                end_date=each.end_date,
                utilities_measurement_task_id=each.utilities_measurement_task_id,
                utilities_object_identification_system_code_text=each.utilities_object_identification_system_code_text,
                utilties_measurement_task_category_code=each.utilties_measurement_task_category_code,
                utilities_division_category_code=each.utilities_division_category_code,
                utilities_measurement_recurrence_code=each.utilities_measurement_recurrence_code,
                time_zone_code=each.time_zone_code,
                specifications=each.specifications,
            )
            for each in ended.utilities_device.register
        ]
    where = located(header, device, places, office).utilities_device
    return DeviceReplica(
        message_header=header,
        utilities_device=content(
            register_list_complete_transmission_indicator=True,
            logical_location_list_complete_transmission_indicator=True,
            location_list_complete_transmission_indicator=True,
            id=device.id,
            start_date=office.local_date(device.received_at),
            end_date=OPEN_END,
            serial_id=device.serial,
            material_id=device.material,
            register=tuple(registers),
            logical_location=where.logical_location,
            location=where.location,
            smart_meter=_meter(device),
        ),
    )


def series_replica(
    header: MessageHeader, device: Device, channel: Register, places: Sequence[Installation], office: Office
) -> SeriesReplica:
    """A profile with its assignments, in one message (initial load)."""
    assigned = series_assigned(header, device, channel, places, office).utilities_time_series
    return SeriesReplica(
        message_header=header,
        utilities_time_series=SeriesReplica.UtilitiesTimeSeries(
            measurement_task_assignment_role_list_complete_transmission_indicator=True,
            id=assigned.id,
            utilities_measurement_recurrence_code=assigned.utilities_measurement_recurrence_code,
            measure_unit_code=assigned.measure_unit_code,
            decimal_value_precision=assigned.decimal_value_precision,
            items_remotely_stored_indicator=False,
            measurement_task_assignment_role=assigned.measurement_task_assignment_role,
        ),
    )


def _meter(device: Device) -> SmartMeter:
    return SmartMeter(utilities_advanced_metering_system_id=device.ams_id)
