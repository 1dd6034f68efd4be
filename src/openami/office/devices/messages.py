"""Master data as messages. Dates and times are local; a removal ends on the day before it (UC13)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from openami.office.codes import division_code, recurrence_code, time_zone_code
from openami.office.devices.model import Category
from openami.shared.contract.enterprise.headers import OPEN_END
from openami.shared.contract.enterprise.messages.common import DecimalValuePrecision, SmartMeter
from openami.shared.contract.enterprise.messages.device import UtilitiesDeviceERPSmartMeterCreateRequest as DeviceCreate
from openami.shared.contract.enterprise.messages.location import (
    DeviceLocation,
    DeviceLogicalLocation,
)
from openami.shared.contract.enterprise.messages.location import (
    UtilitiesDeviceERPSmartMeterLocationNotification as DeviceLocated,
)
from openami.shared.contract.enterprise.messages.measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification as PointAssigned,
)
from openami.shared.contract.enterprise.messages.register import DatedRegisterSpecifications
from openami.shared.contract.enterprise.messages.register import (
    UtilitiesDeviceERPSmartMeterRegisterChangeRequest as RegisterChange,
)
from openami.shared.contract.enterprise.messages.register import (
    UtilitiesDeviceERPSmartMeterRegisterCreateRequest as RegisterCreate,
)
from openami.shared.contract.enterprise.messages.time_series import (
    MeasurementTaskAssignmentRole,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest as SeriesAssigned,
)
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openami.office.context import Office
    from openami.office.devices.model import Device, Installation, Point, Register
    from openami.shared.contract.enterprise.messages.common import MessageHeader

_END_OF_DAY: Final = time(23, 59, 59)
_ROLE: Final = "0001"  # assignment role "the measured values": customizing


def device_create(header: MessageHeader, device: Device, start: date) -> DeviceCreate:
    """A device is received."""
    return DeviceCreate(
        message_header=header,
        utilities_device=DeviceCreate.UtilitiesDevice(
            id=device.id,
            start_date=start,
            end_date=OPEN_END,
            serial_id=device.serial,
            material_id=device.material,
            smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
        ),
    )


def register_create(
    header: MessageHeader, device: Device, tasks: Sequence[Register], start: date, office: Office
) -> RegisterCreate:
    """The measurement tasks of a device that is installed."""
    part = RegisterCreate.UtilitiesDevice.Register
    return RegisterCreate(
        message_header=header,
        utilities_device=RegisterCreate.UtilitiesDevice(
            id=device.id,
            register=tuple(
                part(
                    start_date=start,
                    end_date=OPEN_END,
                    utilities_measurement_task_id=task.id,
                    utilities_object_identification_system_code_text=task.obis,
                    utilties_measurement_task_category_code=task.category,
                    utilities_division_category_code=division_code(office.codes, device.kind),
                    utilities_measurement_recurrence_code=recurrence_code(office.codes, task.interval_s),
                    time_zone_code=time_zone_code(office.codes, office.settings.zone),
                    specifications=part.Specifications(
                        measure_unit_code=task.unit, decimal_value_precision=_precision(task)
                    ),
                )
                for task in tasks
            ),
            smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
        ),
    )


def register_end(
    header: MessageHeader,
    device: Device,
    tasks: Sequence[Register],
    installation: Installation,
    office: Office,
) -> RegisterChange:
    """The measurement tasks of a device that was removed, all with their end."""
    start, end = _dates(installation, office)
    part = RegisterChange.UtilitiesDevice.Register
    return RegisterChange(
        message_header=header,
        utilities_device=RegisterChange.UtilitiesDevice(
            id=device.id,
            register_list_complete_transmission_indicator=True,
            register=tuple(
                part(
                    start_date=start,
                    end_date=end,
                    utilities_measurement_task_id=task.id,
                    utilities_object_identification_system_code_text=task.obis,
                    utilties_measurement_task_category_code=task.category,
                    utilities_division_category_code=division_code(office.codes, device.kind),
                    utilities_measurement_recurrence_code=recurrence_code(office.codes, task.interval_s),
                    time_zone_code=time_zone_code(office.codes, office.settings.zone),
                    specifications=(
                        DatedRegisterSpecifications(
                            start_date=start,
                            end_date=end,
                            measure_unit_code=task.unit,
                            decimal_value_precision=_precision(task),
                        ),
                    ),
                )
                for task in tasks
            ),
            smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
        ),
    )


def located(
    header: MessageHeader, device: Device, places: Sequence[tuple[Installation, Point]], office: Office
) -> DeviceLocated:
    """Where a device stands and stood: the complete list."""
    return DeviceLocated(
        message_header=header,
        utilities_device=DeviceLocated.UtilitiesDevice(
            logical_location_list_complete_transmission_indicator=True,
            location_list_complete_transmission_indicator=True,
            id=device.id,
            logical_location=tuple(_logical(installation, office) for installation, _ in places),
            location=tuple(_location(installation, point, office) for installation, point in places),
            smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
        ),
    )


def point_assigned(
    header: MessageHeader,
    device: Device,
    task: Register,
    installations: Sequence[Installation],
    office: Office,
) -> PointAssigned:
    """Which points of delivery a measurement task counts and counted for: the complete list."""
    content = PointAssigned.UtilitiesMeasurementTask
    assignments = []
    for installation in installations:
        start, end = _local(installation.start, office), _local_end(installation, office)
        assignments.append(
            content.UtilitiesPointOfDeliveryAssignment(
                start_date=start.date(),
                start_time=start.time(),
                end_date=end.date(),
                end_time=end.time(),
                utilities_point_of_delivery_party_id=installation.point_id,
            )
        )
    return PointAssigned(
        message_header=header,
        utilities_measurement_task=content(
            id=task.id,
            utilities_object_identification_system_code_text=task.obis,
            utilities_point_of_delivery_assignment_list_complete_transmission_indicator=True,
            utilities_point_of_delivery_assignment=tuple(assignments),
            utilities_device=content.UtilitiesDevice(
                utilities_device_id=device.id,
                smart_meter=content.UtilitiesDevice.SmartMeter(advanced_metering_system_id=device.ams_id),
            ),
        ),
    )


def series_assigned(
    header: MessageHeader,
    device: Device,
    task: Register,
    installations: Sequence[Installation],
    office: Office,
) -> SeriesAssigned:
    """Which profile an interval channel feeds and fed: the complete list."""
    assert task.profile_id is not None
    assert task.category is Category.INTERVAL
    roles = []
    for installation in installations:
        start, end = _local(installation.start, office), _local_end(installation, office)
        roles.append(
            MeasurementTaskAssignmentRole(
                start_date=start.date(),
                start_time=start.time(),
                end_date=end.date(),
                end_time=end.time(),
                utilities_time_series_assignment_role_code=_ROLE,
                utilities_measurement_task_id=task.id,
                utilities_device_smart_meter=SmartMeter(utilities_advanced_metering_system_id=device.ams_id),
            )
        )
    return SeriesAssigned(
        message_header=header,
        utilities_time_series=SeriesAssigned.UtilitiesTimeSeries(
            measurement_task_assignment_role_list_complete_transmission_indicator=True,
            id=task.profile_id,
            utilities_measurement_recurrence_code=recurrence_code(office.codes, task.interval_s),
            measure_unit_code=task.unit,
            decimal_value_precision=_precision(task),
            items_remotely_stored_indicator=False,
            measurement_task_assignment_role=tuple(roles),
        ),
    )


def _precision(task: Register) -> DecimalValuePrecision:
    return DecimalValuePrecision(
        total_digit_number_value=task.total_digits, fraction_digit_number_value=task.fraction_digits
    )


def _logical(installation: Installation, office: Office) -> DeviceLogicalLocation:
    start, end = _dates(installation, office)
    return DeviceLogicalLocation(start_date=start, end_date=end, logical_installation_point_id=installation.point_id)


def _location(installation: Installation, point: Point, office: Office) -> DeviceLocation:
    start, end = _dates(installation, office)
    began = _local(installation.start, office)
    ended = _local(installation.end, office) if installation.end else None
    return DeviceLocation(
        start_date=start,
        end_date=end,
        installation_point_id=installation.location_id,
        installation_point_address_information=DeviceLocation.InstallationPointAddressInformation(
            house_id=point.address.house[:10] or None,
            street_postal_code=point.address.postal_code[:10] or None,
            city_name=point.address.city[:40] or None,
            street_name=point.address.street[:60] or None,
            country_code=point.address.country,
            time_zone_code=time_zone_code(office.codes, office.settings.zone),
        ),
        installation_point_hierarchy_relationship=DeviceLocation.InstallationPointHierarchyRelationship(
            parent_installation_point_id=point.connection_object
        ),
        modification_information=DeviceLocation.ModificationInformation(
            installation_date=began.date(),
            installation_time=began.time(),
            remove_date=ended.date() if ended else None,
            remove_time=ended.time() if ended else None,
            time_zone_code=time_zone_code(office.codes, office.settings.zone),
        ),
    )


def _dates(installation: Installation, office: Office) -> tuple[date, date]:
    """First and last day; a device that came and went on one day keeps that day."""
    start = _local(installation.start, office).date()
    if installation.end is None:
        return start, OPEN_END
    return start, max(start, _local(installation.end, office).date() - timedelta(days=1))


def _local(moment: datetime, office: Office) -> datetime:
    return moment.astimezone(zone(office.settings.zone)).replace(microsecond=0, tzinfo=None)


def _local_end(installation: Installation, office: Office) -> datetime:
    return _local(installation.end, office) if installation.end else datetime.combine(OPEN_END, _END_OF_DAY)
