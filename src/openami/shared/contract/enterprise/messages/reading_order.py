"""Reading order messages; generated from schemas/reading_order.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt

    from openami.shared.contract.enterprise.messages.common import PointOfDelivery, SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPCreateRequest(HeadedMessage):
    """SAP orders a register reading.

    Operation 38, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class MeterReadingDocument:
        """Part `MeterReadingDocument`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class UtiltiesMeasurementTask:
            """Part `UtiltiesMeasurementTask`."""

            @dataclass(frozen=True, slots=True, kw_only=True)
            class UtiltiesDevice:
                """Part `UtiltiesDevice`."""

                utilities_device_id: str  # max 18
                smart_meter: SmartMeter

            utilities_measurement_task_id: str  # max 18 digits
            utilities_object_identification_system_code_text: str  # max 15
            utilties_device: UtiltiesDevice
            utilities_point_of_delivery: PointOfDelivery | None = None

        id: str  # max 20
        meter_reading_reason_code: str  # max 2
        scheduled_meter_reading_date: dt.date
        utilities_advanced_metering_data_source_type_code: str | None = None  # exactly 1
        utilties_measurement_task: UtiltiesMeasurementTask

    meter_reading_document: MeterReadingDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPCreateConfirmation(Confirmation):
    """Answer to: SAP orders a register reading.

    Operation 39, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class MeterReadingDocument:
        """Part `MeterReadingDocument`."""

        id: str  # max 20

    meter_reading_document: MeterReadingDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPBulkCreateRequest(Bulk[SmartMeterMeterReadingDocumentERPCreateRequest]):
    """SAP orders a register reading, many in one message.

    Operation 40, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPBulkCreateConfirmation(
    BulkConfirmation[SmartMeterMeterReadingDocumentERPCreateConfirmation]
):
    """Answer to: SAP orders a register reading, many in one message.

    Operation 41, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPCancellationRequest(HeadedMessage):
    """SAP withdraws a reading order.

    Operation 42, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class MeterReadingDocument:
        """Part `MeterReadingDocument`."""

        id: str  # max 20
        utilities_device_smart_meter: SmartMeter

    meter_reading_document: MeterReadingDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPCancellationConfirmation(Confirmation):
    """Answer to: SAP withdraws a reading order.

    Operation 43, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class MeterReadingDocument:
        """Part `MeterReadingDocument`."""

        id: str  # max 20

    meter_reading_document: MeterReadingDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPBulkCancellationRequest(
    Bulk[SmartMeterMeterReadingDocumentERPCancellationRequest]
):
    """SAP withdraws a reading order, many in one message.

    Operation 44, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPBulkCancellationConfirmation(
    BulkConfirmation[SmartMeterMeterReadingDocumentERPCancellationConfirmation]
):
    """Answer to: SAP withdraws a reading order, many in one message.

    Operation 45, MDUS to SAP.
    """
