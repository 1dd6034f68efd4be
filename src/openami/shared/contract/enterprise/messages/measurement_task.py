"""Measurement task messages; generated from schemas/measurement_task.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification(HeadedMessage):
    """SAP assigns a measurement task to points of delivery.

    Operation 30, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesMeasurementTask:
        """Part `UtilitiesMeasurementTask`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class UtilitiesPointOfDeliveryAssignment:
            """Part `UtilitiesPointOfDeliveryAssignment`."""

            start_date: dt.date
            start_time: dt.time
            end_date: dt.date
            end_time: dt.time
            utilities_point_of_delivery_party_id: str  # max 50

        @dataclass(frozen=True, slots=True, kw_only=True)
        class UtilitiesDevice:
            """Part `UtilitiesDevice`."""

            @dataclass(frozen=True, slots=True, kw_only=True)
            class SmartMeter:
                """Part `SmartMeter`."""

                advanced_metering_system_id: str  # max 4

            utilities_device_id: str  # max 18
            smart_meter: SmartMeter

        id: str  # max 18 digits
        utilities_object_identification_system_code_text: str | None = None  # max 15
        utilities_point_of_delivery_assignment_list_complete_transmission_indicator: bool
        utilities_point_of_delivery_assignment: tuple[UtilitiesPointOfDeliveryAssignment, ...] = ()
        utilities_device: UtilitiesDevice

    utilities_measurement_task: UtilitiesMeasurementTask


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryBulkAssignedNotification(
    Bulk[SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification]
):
    """SAP assigns a measurement task to points of delivery, many in one message.

    Operation 31, SAP to MDUS.
    """
