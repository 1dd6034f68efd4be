"""Inferred reading result messages; generated from schemas/inferred/reading_result.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.messages.reading_result import (
    SmartMeterMeterReadingDocumentERPResultCreateConfirmation,
    SmartMeterMeterReadingDocumentERPResultCreateRequest,
)
from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal

    from openami.shared.contract.enterprise.messages.common import SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPResultBulkCreateRequest(
    Bulk[SmartMeterMeterReadingDocumentERPResultCreateRequest]
):
    """SAP passes on a reading it knew first, many in one message.

    Operation 52, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPResultBulkCreateConfirmation(
    BulkConfirmation[SmartMeterMeterReadingDocumentERPResultCreateConfirmation]
):
    """Answer to: SAP passes on a reading it knew first, many in one message.

    Operation 53, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPResultChangeRequest(HeadedMessage):
    """SAP corrects a reading.

    Operation 54, SAP to MDUS.
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
class SmartMeterMeterReadingDocumentERPResultChangeConfirmation(Confirmation):
    """Answer to: SAP corrects a reading.

    Operation 55, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class MeterReadingDocument:
        """Part `MeterReadingDocument`."""

        id: str  # max 20

    meter_reading_document: MeterReadingDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPResultBulkChangeRequest(
    Bulk[SmartMeterMeterReadingDocumentERPResultChangeRequest]
):
    """SAP corrects a reading, many in one message.

    Operation 56, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterMeterReadingDocumentERPResultBulkChangeConfirmation(
    BulkConfirmation[SmartMeterMeterReadingDocumentERPResultChangeConfirmation]
):
    """Answer to: SAP corrects a reading, many in one message.

    Operation 57, MDUS to SAP.
    """
