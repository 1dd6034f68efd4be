"""Messages of the enterprise seam as values of the registry: dates become periods, local times become instants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from lxml import etree

from openami.mdus.registry.errors import PeriodError
from openami.mdus.registry.ids import PointId, ProfileId, SystemId, TaskId
from openami.mdus.registry.model import (
    Address,
    DeviceMaster,
    Location,
    LogicalLocation,
    Manufacturer,
    PointAssignment,
    Profile,
    ProfileRole,
    Register,
)
from openami.mdus.registry.slices import OPEN_DATE, OPEN_INSTANT, Period
from openami.shared.spans import Span, local_midnight, zone

if TYPE_CHECKING:
    from openami.mdus.registry.model import Device
    from openami.mdus.services.codes import EnterpriseCodes
    from openami.shared.contract.enterprise.messages.common import DecimalValuePrecision, SmartMeter
    from openami.shared.contract.enterprise.messages.device import ManufacturerInformation
    from openami.shared.contract.enterprise.messages.location import (
        DeviceLocation,
        UtilitiesDeviceERPSmartMeterLocationNotification,
    )
    from openami.shared.contract.enterprise.messages.measurement_task import (
        SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification,
    )
    from openami.shared.contract.enterprise.messages.time_series import (
        UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest,
    )
    from openami.shared.contract.enterprise.model import HeadedMessage

_BEGINNING = date(1, 1, 1)
_ALMOST_MIDNIGHT = time(23, 59, 59)


def master_of(device: Any) -> DeviceMaster:  # noqa: ANN401 - create, change and replication share these fields
    """The device data of a create, change or replication request; without dates it is valid for ever."""
    info: ManufacturerInformation | None = device.individual_material_manufacturer_information
    return DeviceMaster(
        serial_id=device.serial_id,
        material_id=device.material_id,
        period=Period.inclusive(device.start_date or _BEGINNING, device.end_date or OPEN_DATE),
        unique_item_id=getattr(device, "product_unique_item_id", None) or "",
        manufacturer=Manufacturer(
            (info and info.party_internal_id) or "",
            (info and info.part_number_id) or "",
            (info and info.serial_id) or "",
        ),
    )


def grouped(device: Device, item: HeadedMessage) -> Device:
    """The device with the groups that a message carries in add-on fields (3.5); what it does not carry stays."""
    told = {extra.path.rsplit("/", 1)[-1]: extra.xml for extra in item.extras}
    group, activation = told.get("SmartMeterFunctionGroup"), told.get("ActivationGroupAMIFunctions")
    return replace(
        device,
        capability_group=device.capability_group if group is None else _text_of(group),
        activation_group=device.activation_group if activation is None else _text_of(activation),
    )


def _text_of(xml: str) -> str:
    """The text of an add-on field, whatever elements a project wraps around it."""
    return "".join(
        str(part) for part in etree.fromstring(xml, etree.XMLParser(resolve_entities=False)).itertext()
    ).strip()


def system_of(smart_meter: SmartMeter | None) -> SystemId | None:
    """The AMS that a message names, if any."""
    return SystemId(smart_meter.utilities_advanced_metering_system_id) if smart_meter else None


def registers_of(register: Any, codes: EnterpriseCodes, default_zone: str) -> list[Register]:  # noqa: ANN401 - as above
    """One register of a message: one slice for each of its specifications, within the period of the register."""
    whole = Period.inclusive(register.start_date, register.end_date)
    zone_name = codes.zone(register.time_zone_code, default_zone)
    if not isinstance(register.specifications, tuple):
        return [_register(register, register.specifications, whole, zone_name)]
    slices = []
    for one in register.specifications:
        own = Period.inclusive(one.start_date, one.end_date)
        if own.overlaps(whole):
            part = Period(max(own.first, whole.first), min(own.past_last, whole.past_last))
            slices.append(_register(register, one, part, zone_name))
    return slices


def _register(register: Any, one: Any, period: Period, zone_name: str) -> Register:  # noqa: ANN401 - as above
    precision: DecimalValuePrecision = one.decimal_value_precision
    factor = one.meter_reading_result_adjustment_factor_value
    return Register(
        task=TaskId(register.utilities_measurement_task_id),
        period=period,
        obis=register.utilities_object_identification_system_code_text or "",
        unit_code=one.measure_unit_code,
        total_digits=precision.total_digit_number_value or 8,
        fraction_digits=precision.fraction_digit_number_value or 0,
        category=register.utilties_measurement_task_category_code or "",
        division=register.utilities_division_category_code or "",
        recurrence=register.utilities_measurement_recurrence_code or "",
        time_zone=zone_name,
        time_of_use=one.utilities_time_of_use_code or "",
        factor="" if factor is None else str(factor),
        validation_profile=one.utilities_measurement_task_validation_profile_code or "",
    )


def locations_of(
    message: UtilitiesDeviceERPSmartMeterLocationNotification, codes: EnterpriseCodes, default_zone: str
) -> tuple[list[Location], list[LogicalLocation]]:
    """The places and logical places that a location notification lists."""
    device = message.utilities_device
    places = [location_of(one, codes, default_zone) for one in device.location]
    logical = [
        LogicalLocation(Period.inclusive(one.start_date, one.end_date), one.logical_installation_point_id)
        for one in device.logical_location
    ]
    return places, logical


def location_of(one: DeviceLocation, codes: EnterpriseCodes, default_zone: str) -> Location:
    """One place of a device."""
    address = one.installation_point_address_information
    work = one.modification_information
    here = codes.zone((work and work.time_zone_code) or address.time_zone_code, default_zone)
    return Location(
        period=Period.inclusive(one.start_date, one.end_date),
        installation_point=one.installation_point_id,
        connection_object=one.installation_point_hierarchy_relationship.parent_installation_point_id,
        address=Address(
            country=address.country_code,
            region=address.region_code or "",
            postal_code=address.street_postal_code or "",
            city=address.city_name or "",
            street=address.street_name or "",
            house=address.house_id or "",
            time_zone=address.time_zone_code or "",
        ),
        installed_at=_instant(work.installation_date, work.installation_time, here) if work else None,
        removed_at=_instant(work.remove_date, work.remove_time, here) if work else None,
    )


def points_of(
    message: SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification, zone_name: str
) -> list[PointAssignment]:
    """The points of delivery that a notification assigns to a measurement task; local times of the task's zone."""
    task = message.utilities_measurement_task
    return [
        PointAssignment(
            TaskId(task.id),
            span_of(one.start_date, one.start_time, one.end_date, one.end_time, zone_name),
            PointId(one.utilities_point_of_delivery_party_id),
        )
        for one in task.utilities_point_of_delivery_assignment
    ]


def profile_of(message: UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest, zone_name: str) -> Profile:
    """A profile and the measurement tasks that feed it."""
    series = message.utilities_time_series
    precision = series.decimal_value_precision
    return Profile(
        id=ProfileId(series.id),
        unit_code=series.measure_unit_code or "",
        recurrence=series.utilities_measurement_recurrence_code or "",
        total_digits=precision.total_digit_number_value if precision else None,
        fraction_digits=precision.fraction_digit_number_value if precision else None,
        remotely_stored=bool(series.items_remotely_stored_indicator),
        roles=tuple(
            ProfileRole(
                TaskId(one.utilities_measurement_task_id),
                span_of(one.start_date, one.start_time, one.end_date, one.end_time, zone_name),
                one.utilities_time_series_assignment_role_code,
            )
            for one in series.measurement_task_assignment_role
        ),
    )


def span_of(start: date, start_time: time, end: date, end_time: time, zone_name: str) -> Span:
    """Two local dates with times as a span: an end of hh:mm:59 is the last second that belongs to it.

    Raises:
        PeriodError: it ends before it begins.
    """
    if end >= OPEN_DATE:
        last = OPEN_INSTANT
    else:
        last = _local(end, end_time, zone_name)
        last += timedelta(seconds=1) if end_time.second == _ALMOST_MIDNIGHT.second else timedelta()
    first = _local(start, start_time, zone_name)
    if last < first:
        raise PeriodError(
            f"The period from {start} {start_time} ends at {end} {end_time}, before it begins.",
            hint="Turn the two around.",
        )
    return Span(first, last)


def _instant(day: date | None, at: time | None, zone_name: str) -> datetime | None:
    return _local(day, at or time(), zone_name) if day else None


def _local(day: date, at: time, zone_name: str) -> datetime:
    if at == time():
        return local_midnight(zone_name, day)
    return datetime.combine(day, at, tzinfo=zone(zone_name)).astimezone(UTC)
