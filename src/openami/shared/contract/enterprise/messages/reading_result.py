"""Reading result messages; generated from schemas/reading_result.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal

    from openami.shared.contract.enterprise.messages.common import PointOfDelivery, SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReadingDocumentERPResultCreateRequest(HeadedMessage):
    """MDUS delivers a register reading.

    Operation 46, MDUS to SAP.
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

            utilities_measurement_task_id: str | None = None  # max 18 digits
            utilities_object_identification_system_code_text: str | None = None  # max 15
            utilties_device: UtiltiesDevice | None = None
            utilities_point_of_delivery: PointOfDelivery | None = None

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Result:
            """Part `Result`."""

            actual_meter_reading_date: dt.date
            actual_meter_reading_time: dt.time
            maximum_meter_reading_date: dt.date | None = None
            maximum_meter_reading_time: dt.time | None = None
            meter_reading_type_code: str | None = None  # max 2
            meter_reading_result_value: Decimal  # 25 digits, 10 of them decimals

        id: str | None = None  # max 20
        meter_reading_reason_code: str | None = None  # max 2
        scheduled_meter_reading_date: dt.date | None = None
        utilties_measurement_task: UtiltiesMeasurementTask | None = None
        result: Result

    meter_reading_document: MeterReadingDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReadingDocumentERPResultCreateConfirmation(Confirmation):
    """Answer to: MDUS delivers a register reading.

    Operation 47, SAP to MDUS.
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
                smart_meter: SmartMeter | None = None

            utilities_object_identification_system_code_text: str | None = None  # max 15
            utilties_device: UtiltiesDevice | None = None
            utilities_point_of_delivery: PointOfDelivery | None = None

        id: str | None = None  # max 20
        utilties_measurement_task: UtiltiesMeasurementTask | None = None

    meter_reading_document: MeterReadingDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReadingDocumentERPResultBulkCreateRequest(Bulk[MeterReadingDocumentERPResultCreateRequest]):
    """MDUS delivers a register reading, many in one message.

    Operation 48, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReadingDocumentERPResultBulkCreateConfirmation(
    BulkConfirmation[MeterReadingDocumentERPResultCreateConfirmation]
):
    """Answer to: MDUS delivers a register reading, many in one message.

    Operation 49, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPResultCreateRequest(HeadedMessage):
    """SAP passes on a reading it knew first.

    Operation 50, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class MeterReadingDocument:
        """Part `MeterReadingDocument`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class UtilitiesMeasurementTask:
            """Part `UtilitiesMeasurementTask`."""

            @dataclass(frozen=True, slots=True, kw_only=True)
            class UtilitiesDevice:
                """Part `UtilitiesDevice`."""

                utilities_device_id: str  # max 18
                smart_meter: SmartMeter

            utilities_measurement_task_id: str  # max 18 digits
            utilities_device: UtilitiesDevice

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Result:
            """Part `Result`."""

            meter_reading_date: dt.date
            meter_reading_time: dt.time
            actual_meter_reading_date: dt.date | None = None
            actual_meter_reading_time: dt.time | None = None
            meter_reading_type_code: str  # max 2
            meter_reading_result_value: Decimal  # 25 digits, 10 of them decimals

        id: str  # max 20
        meter_reading_reason_code: str  # max 2
        utilities_measurement_task: UtilitiesMeasurementTask
        result: Result

    meter_reading_document: MeterReadingDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPResultCreateConfirmation(Confirmation):
    """Answer to: SAP passes on a reading it knew first.

    Operation 51, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class MeterReadingDocument:
        """Part `MeterReadingDocument`."""

        id: str  # max 20

    meter_reading_document: MeterReadingDocument
