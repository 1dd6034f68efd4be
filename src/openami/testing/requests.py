"""What a back office asks and tells of a home after its initialization, one function a message."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from openami.shared.contract.enterprise.messages import (
    connection,
    device,
    inferred_calculation,
    inferred_connection,
    inferred_device,
    inferred_measurement_task,
    inferred_reading_result,
    inferred_time_series,
    reading_order,
    reading_result,
    register,
    time_series,
)
from openami.shared.contract.enterprise.messages.common import DecimalValuePrecision, Quantity, SmartMeter
from openami.shared.spans import zone
from openami.testing.home import OPEN, ZONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openami.testing.home import Home

DISCONNECT: Final = "1"
RECONNECT: Final = "2"
OBIS: Final = "1-0:1.8.0"


def document_number() -> str:
    """A number that no reading document has yet."""
    return f"{uuid4().int % 10**18:020}"


def order_number() -> str:
    """A number that no connection order has yet."""
    return f"{uuid4().int % 10**11:012}"


def change(home: Home, *, serial: str | None = None, ams: str | None = None) -> Any:  # noqa: ANN401 - a generated class
    """The device has another serial number, or another AMS from today on."""
    kind = device.UtilitiesDeviceERPSmartMeterChangeRequest
    meter = home.meter if ams is None else SmartMeter(utilities_advanced_metering_system_id=ams)
    return kind(
        message_header=home.head(),
        utilities_device=kind.UtilitiesDevice(
            id=home.device, serial_id=serial or home.serial, material_id=home.material, smart_meter=meter
        ),
    )


def registers_changed(home: Home, *, digits: int = 9, factor: str | None = None, complete: bool = False) -> Any:  # noqa: ANN401 - as above
    """The register has other digits or a factor."""
    kind = register.UtilitiesDeviceERPSmartMeterRegisterChangeRequest
    part = kind.UtilitiesDevice.Register
    first = home.since.astimezone(zone(ZONE)).date()
    specifications = register.DatedRegisterSpecifications(
        start_date=first,
        end_date=OPEN,
        measure_unit_code="KWH",
        decimal_value_precision=DecimalValuePrecision(total_digit_number_value=digits, fraction_digit_number_value=3),
        meter_reading_result_adjustment_factor_value=Decimal(factor) if factor else None,
    )
    return kind(
        message_header=home.head(),
        utilities_device=kind.UtilitiesDevice(
            id=home.device,
            register_list_complete_transmission_indicator=complete,
            register=(
                part(
                    start_date=first,
                    end_date=OPEN,
                    utilities_measurement_task_id=home.register,
                    utilities_object_identification_system_code_text=OBIS,
                    utilties_measurement_task_category_code="5",
                    utilities_division_category_code="1",
                    time_zone_code="CET",
                    specifications=(specifications,),
                ),
            ),
            smart_meter=home.meter,
        ),
    )


def registers_reversed(home: Home) -> Any:  # noqa: ANN401 - as above
    """The installation never happened: no register at all (UC13)."""
    kind = register.UtilitiesDeviceERPSmartMeterRegisterChangeRequest
    content = kind.UtilitiesDevice(
        id=home.device, register_list_complete_transmission_indicator=True, smart_meter=home.meter
    )
    return kind(message_header=home.head(), utilities_device=content)


def withdrawn(home: Home) -> Any:  # noqa: ANN401 - as above
    """The device was announced by mistake."""
    kind = inferred_device.UtilitiesDeviceERPSmartMeterCancellationRequest
    return kind(
        message_header=home.head(), utilities_device=kind.UtilitiesDevice(id=home.device, smart_meter=home.meter)
    )


def task_changed(home: Home, first: date, *, time_of_use: str) -> Any:  # noqa: ANN401 - as above
    """The register has another time of use from a day on."""
    kind = inferred_measurement_task.SmartMeterUtilitiesMeasurementTaskERPChangeRequest
    content = kind.UtilitiesMeasurementTask
    specifications = content.Specifications(start_date=first, end_date=OPEN, utilities_time_of_use_code=time_of_use)
    return kind(
        message_header=home.head(),
        utilities_measurement_task=content(
            id=home.register,
            specifications=(specifications,),
            utilities_device=content.UtilitiesDevice(utilities_device_id=home.device, smart_meter=home.meter),
        ),
    )


def transformers(home: Home, number: str, factor: str) -> Any:  # noqa: ANN401 - as above
    """A transformer stands before the register."""
    kind = inferred_measurement_task.SmartMeterUtilitiesMeasurementTaskERPDeviceAssignmentNotification
    content = kind.UtilitiesMeasurementTask
    first = home.since.astimezone(zone(ZONE)).date()
    assignment = content.DeviceAssignment(
        start_date=first,
        end_date=OPEN,
        type_code="CT",
        utilities_quantity_adjustment_factor_value=Decimal(factor),
        assigned_utilities_device_id=number,
    )
    return kind(
        message_header=home.head(),
        utilities_measurement_task=content(
            device_assignment_list_complete_transmission_indicator=True,
            id=home.register,
            device_assignment=(assignment,),
            utilities_device=content.UtilitiesDevice(utilities_device_id=home.device, smart_meter=home.meter),
        ),
    )


def text(home: Home, words: str) -> Any:  # noqa: ANN401 - as above
    """A text for the display."""
    kind = inferred_device.UtilitiesDeviceERPSmartMeterTextNotification
    content = kind.UtilitiesDevice(
        id=home.device,
        text=inferred_device.DeviceText(value=words, language_code="EN"),
        priority_code="1",
        smart_meter=home.meter,
    )
    return kind(message_header=home.head(), utilities_device=content)


def state_query(home: Home) -> Any:  # noqa: ANN401 - as above
    """Is the device on?"""
    kind = inferred_device.UtilitiesDeviceERPSmartMeterOperationalStateByIDQuery
    selection = kind.UtilitiesDeviceSelectionByID(utilities_device_id=home.device, smart_meter=home.meter)
    return kind(utilities_device_selection_by_id=selection)


def reading_ordered(
    home: Home, day: date, *, reason: str = "01", source: str | None = None, document: str | None = None
) -> Any:  # noqa: ANN401 - as above
    """An order for the reading of the register on a day; source 1 is on demand."""
    kind = reading_order.SmartMeterMeterReadingDocumentERPCreateRequest
    content = kind.MeterReadingDocument
    task = content.UtiltiesMeasurementTask
    return kind(
        message_header=home.head(),
        meter_reading_document=content(
            id=document or document_number(),
            meter_reading_reason_code=reason,
            scheduled_meter_reading_date=day,
            utilities_advanced_metering_data_source_type_code=source,
            utilties_measurement_task=task(
                utilities_measurement_task_id=home.register,
                utilities_object_identification_system_code_text=OBIS,
                utilties_device=task.UtiltiesDevice(utilities_device_id=home.device, smart_meter=home.meter),
            ),
        ),
    )


def reading_cancelled(home: Home, document: str) -> Any:  # noqa: ANN401 - as above
    """An order is withdrawn."""
    kind = reading_order.SmartMeterMeterReadingDocumentERPCancellationRequest
    content = kind.MeterReadingDocument(id=document, utilities_device_smart_meter=home.meter)
    return kind(message_header=home.head(), meter_reading_document=content)


def reading_known(home: Home, day: date, value: str, *, reason: str = "08", corrects: str | None = None) -> Any:  # noqa: ANN401 - as above
    """A reading that the back office knew first, or (`corrects` names its document) another value for it."""
    kind: Any = reading_result.SmartMeterMeterReadingDocumentERPResultCreateRequest
    if corrects:
        kind = inferred_reading_result.SmartMeterMeterReadingDocumentERPResultChangeRequest
    content = kind.MeterReadingDocument
    task = content.UtilitiesMeasurementTask
    return kind(
        message_header=home.head(),
        meter_reading_document=content(
            id=corrects or document_number(),
            meter_reading_reason_code=reason,
            utilities_measurement_task=task(
                utilities_measurement_task_id=home.register,
                utilities_device=task.UtilitiesDevice(utilities_device_id=home.device, smart_meter=home.meter),
            ),
            result=content.Result(
                meter_reading_date=day,
                meter_reading_time=time(12),
                meter_reading_type_code="01",
                meter_reading_result_value=Decimal(value),
            ),
        ),
    )


def switch(home: Home, category: str, *, number: str | None = None, planned: datetime | None = None) -> Any:  # noqa: ANN401 - as above
    """Disconnect or reconnect, at once or at an instant."""
    kind = connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest
    content = kind.UtilitiesConnectionStatusChangeRequest(
        id=number or order_number(),
        category_code=category,
        utilities_service_disconnection_reason_code="01" if category == DISCONNECT else None,
        planned_processing_date_time=planned or home.head().creation_date_time,
        immediate_status_change_indicator=planned is None,
        device_connection_status=(_to_switch(home),),
    )
    return kind(message_header=home.head(), utilities_connection_status_change_request=content)


def switch_cancelled(home: Home, number: str, category: str) -> Any:  # noqa: ANN401 - as above
    """A connection order is withdrawn."""
    kind = connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest
    content = kind.UtilitiesConnectionStatusChangeRequest(
        id=number, category_code=category, device_connection_status=(_to_switch(home),)
    )
    return kind(message_header=home.head(), utilities_connection_status_change_request=content)


def switched_otherwise(home: Home, number: str, category: str, at: datetime) -> Any:  # noqa: ANN401 - as above
    """Somebody has switched on the spot."""
    kind = inferred_connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPNotification
    content = kind.UtilitiesConnectionStatusChangeRequest
    return kind(
        message_header=home.head(),
        utilities_connection_status_change_request=content(
            id=number,
            category_code=category,
            device_connection_status=(
                content.DeviceConnectionStatus(
                    processing_date_time=at, utilities_device_id=home.device, smart_meter=home.meter
                ),
            ),
        ),
    )


def switch_undone(home: Home, number: str, category: str) -> Any:  # noqa: ANN401 - as above
    """What was told of a switch on the spot does not hold."""
    kind = inferred_connection.SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationNotification
    content = kind.UtilitiesConnectionStatusChangeRequest(id=number, category_code=category)
    return kind(message_header=home.head(), utilities_connection_status_change_request=content)


def item_query(home: Home, start: datetime | None, end: datetime | None, *, zone_code: str = "CET") -> Any:  # noqa: ANN401 - as above
    """The values of the profile between two local times."""
    kind = time_series.UtilitiesTimeSeriesItemByIDQuery
    content = kind.UtilitiesTimeSeriesItemSelectionByID
    period = content.UtilitiesTimeSeriesItemValidityPeriod(start_date_time=start, end_date_time=end)
    return kind(
        utilities_time_series_item_selection_by_id=content(
            utilities_time_series_id=home.profile,
            utilities_time_series_item_time_zone_code=zone_code,
            utilities_time_series_item_validity_period=period,
        )
    )


def calculation(
    home: Home,
    first: date,
    last: date,
    *,
    times_of_use: Sequence[str] = (),
    periods: Sequence[tuple[str, datetime, datetime]] = (),
    number: str | None = None,
    rule: str | None = None,
) -> Any:  # noqa: ANN401 - as above
    """An order for the quantities of some local days, by time of use (item of a bulk message)."""
    kind = inferred_calculation.UtilitiesTimeSeriesCalculationERPCreateRequest
    content = kind.UtilitiesTimeSeriesCalculation
    return kind(
        message_header=home.head(),
        utilities_time_series_calculation=content(
            id=number or document_number(),
            utilities_time_series_id=home.profile,
            start_date=first,
            start_time=time(),
            end_date=last,
            end_time=time(23, 59, 59),
            time_zone_code="CET",
            calculation_rule_code=rule,
            measure_unit_code="KWH",
            utilities_time_of_use_code=tuple(times_of_use),
            time_of_use_period=tuple(
                content.TimeOfUsePeriod(
                    utilities_time_of_use_code=code,
                    utc_validity_start_date_time=start,
                    utc_validity_end_date_time=end,
                )
                for code, start, end in periods
            ),
        ),
    )


def calculation_cancelled(home: Home, number: str) -> Any:  # noqa: ANN401 - as above
    """The order for quantities is withdrawn (item of a bulk message)."""
    kind = inferred_calculation.UtilitiesTimeSeriesCalculationERPCancellationRequest
    return kind(
        message_header=home.head(), utilities_time_series_calculation=kind.UtilitiesTimeSeriesCalculation(id=number)
    )


def values(home: Home, start: datetime, wh: Sequence[int], *, status: str = "01") -> Any:  # noqa: ANN401 - as above
    """Interval values of the back office (item of a bundle)."""
    kind = inferred_time_series.UtilitiesTimeSeriesItemCreateRequest
    step = timedelta(seconds=home.interval_s)
    items = tuple(
        time_series.UtilitiesTimeSeriesItem(
            quantity=Quantity(value=Decimal(value).scaleb(-3), unit_code="KWH"),
            utc_validity_start_date_time=(start + step * place).astimezone(UTC),
            utc_validity_end_date_time=(start + step * (place + 1)).astimezone(UTC),
            item_status=(time_series.UtilitiesTimeSeriesItem.ItemStatus(utilities_time_series_item_type_code=status),),
        )
        for place, value in enumerate(wh)
    )
    return kind(message_header=home.head(), utilities_time_series=kind.UtilitiesTimeSeries(id=home.profile, item=items))


def replica(home: Home) -> Any:  # noqa: ANN401 - as above
    """Device, registers and place in one (item of a bulk message)."""
    kind = inferred_device.UtilitiesDeviceERPSmartMeterReplicationRequest
    sent, changed, located = home.create().utilities_device, registers_changed(home).utilities_device, home.located()
    part = kind.UtilitiesDevice.Register
    old = changed.register[0]
    names = [name for name in part.__dataclass_fields__ if name in type(old).__dataclass_fields__]
    return kind(
        message_header=home.head(),
        utilities_device=kind.UtilitiesDevice(
            register_list_complete_transmission_indicator=False,
            location_list_complete_transmission_indicator=True,
            logical_location_list_complete_transmission_indicator=True,
            id=home.device,
            start_date=sent.start_date,
            end_date=sent.end_date,
            serial_id=sent.serial_id,
            material_id=sent.material_id,
            register=(part(**{name: getattr(old, name) for name in names}),),
            location=located.utilities_device.location,
            smart_meter=home.meter,
        ),
    )


def series_replica(home: Home) -> Any:  # noqa: ANN401 - as above
    """The profile with its assignments (item of a bulk message)."""
    kind = inferred_time_series.UtilitiesTimeSeriesERPReplicationRequest
    content = kind.UtilitiesTimeSeries
    sent = home.series().utilities_time_series
    return kind(
        message_header=home.head(),
        utilities_time_series=content(**{name: getattr(sent, name) for name in content.__dataclass_fields__}),
    )


def _to_switch(home: Home) -> connection.DeviceToSwitch:
    return connection.DeviceToSwitch(utilities_device_id=home.device, smart_meter=home.meter)
