"""Inferred measurement task messages; generated from schemas/inferred/measurement_task.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal

    from openami.shared.contract.enterprise.messages.common import SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesMeasurementTaskERPDeviceAssignmentNotification(HeadedMessage):
    """SAP assigns transformers to a measurement task.

    Operation 32, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesMeasurementTask:
        """Part `UtilitiesMeasurementTask`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class DeviceAssignment:
            """Part `DeviceAssignment`."""

            start_date: dt.date
            end_date: dt.date
            type_code: str | None = None  # max 4
            utilities_quantity_adjustment_factor_value: Decimal | None = None  # 12 digits, 5 of them decimals
            assigned_utilities_device_id: str  # max 18

        @dataclass(frozen=True, slots=True, kw_only=True)
        class UtilitiesDevice:
            """Part `UtilitiesDevice`."""

            utilities_device_id: str  # max 18
            smart_meter: SmartMeter

        device_assignment_list_complete_transmission_indicator: bool | None = None
        id: str  # max 18 digits
        device_assignment: tuple[DeviceAssignment, ...] = ()
        utilities_device: UtilitiesDevice

    utilities_measurement_task: UtilitiesMeasurementTask


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesMeasurementTaskERPDeviceBulkAssignmentNotification(
    Bulk[SmartMeterUtilitiesMeasurementTaskERPDeviceAssignmentNotification]
):
    """SAP assigns transformers to a measurement task, many in one message.

    Operation 33, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesMeasurementTaskERPChangeRequest(HeadedMessage):
    """SAP changes attributes of a measurement task.

    Operation 34, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesMeasurementTask:
        """Part `UtilitiesMeasurementTask`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Specifications:
            """Part `Specifications`."""

            start_date: dt.date
            end_date: dt.date
            utilities_time_of_use_code: str | None = None  # max 10
            utilities_measurement_task_category_code: str | None = None  # max 2
            utilities_measurement_recurrence_code: str | None = None  # max 4

        @dataclass(frozen=True, slots=True, kw_only=True)
        class UtilitiesDevice:
            """Part `UtilitiesDevice`."""

            utilities_device_id: str  # max 18
            smart_meter: SmartMeter

        id: str  # max 18 digits
        specifications: tuple[Specifications, ...]
        utilities_device: UtilitiesDevice | None = None

    utilities_measurement_task: UtilitiesMeasurementTask


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesMeasurementTaskERPChangeConfirmation(Confirmation):
    """Answer to: SAP changes attributes of a measurement task.

    Operation 35, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesMeasurementTask:
        """Part `UtilitiesMeasurementTask`."""

        id: str  # max 18 digits

    utilities_measurement_task: UtilitiesMeasurementTask


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesMeasurementTaskERPBulkChangeRequest(Bulk[SmartMeterUtilitiesMeasurementTaskERPChangeRequest]):
    """SAP changes attributes of a measurement task, many in one message.

    Operation 36, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesMeasurementTaskERPBulkChangeConfirmation(
    BulkConfirmation[SmartMeterUtilitiesMeasurementTaskERPChangeConfirmation]
):
    """Answer to: SAP changes attributes of a measurement task, many in one message.

    Operation 37, MDUS to SAP.
    """
