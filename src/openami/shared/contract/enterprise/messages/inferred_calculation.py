"""Inferred calculation messages; generated from schemas/inferred/calculation.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt

    from openami.shared.contract.enterprise.messages.common import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesCalculationERPCreateRequest(HeadedMessage):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeriesCalculation:
        """Part `UtilitiesTimeSeriesCalculation`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class TimeOfUsePeriod:
            """Part `TimeOfUsePeriod`."""

            utilities_time_of_use_code: str  # max 10
            utc_validity_start_date_time: dt.datetime  # UTC
            utc_validity_end_date_time: dt.datetime  # UTC

        id: str  # max 20
        utilities_time_series_id: str  # max 18
        start_date: dt.date
        start_time: dt.time
        end_date: dt.date
        end_time: dt.time
        time_zone_code: str | None = None  # max 10
        calculation_rule_code: str | None = None  # max 10
        measure_unit_code: str  # max 3
        utilities_time_of_use_code: tuple[str, ...] = ()  # max 10
        time_of_use_period: tuple[TimeOfUsePeriod, ...] = ()

    utilities_time_series_calculation: UtilitiesTimeSeriesCalculation


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesCalculationERPCreateConfirmation(Confirmation):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeriesCalculation:
        """Part `UtilitiesTimeSeriesCalculation`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Result:
            """Part `Result`."""

            utilities_time_of_use_code: str | None = None  # max 10
            quantity: Quantity  # 31 digits, 14 of them decimals
            utilities_time_series_item_type_code: str | None = None  # max 4

        id: str  # max 20
        utilities_time_series_id: str | None = None  # max 18
        result: tuple[Result, ...] = ()

    utilities_time_series_calculation: UtilitiesTimeSeriesCalculation


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesCalculationERPBulkCreateRequest(Bulk[UtilitiesTimeSeriesCalculationERPCreateRequest]):
    """SAP orders billing quantities by time of use, many in one message.

    Operation 84, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesCalculationERPBulkCreateConfirmation(
    BulkConfirmation[UtilitiesTimeSeriesCalculationERPCreateConfirmation]
):
    """Answer to: SAP orders billing quantities by time of use, many in one message.

    Operation 85, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesCalculationERPCancellationRequest(HeadedMessage):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeriesCalculation:
        """Part `UtilitiesTimeSeriesCalculation`."""

        id: str  # max 20

    utilities_time_series_calculation: UtilitiesTimeSeriesCalculation


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesCalculationERPCancellationConfirmation(Confirmation):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeriesCalculation:
        """Part `UtilitiesTimeSeriesCalculation`."""

        id: str  # max 20

    utilities_time_series_calculation: UtilitiesTimeSeriesCalculation


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesCalculationERPCancellationBulkRequest(
    Bulk[UtilitiesTimeSeriesCalculationERPCancellationRequest]
):
    """SAP withdraws an order for billing quantities, many in one message.

    Operation 86, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesCalculationERPCancellationBulkConfirmation(
    BulkConfirmation[UtilitiesTimeSeriesCalculationERPCancellationConfirmation]
):
    """Answer to: SAP withdraws an order for billing quantities, many in one message.

    Operation 87, MDUS to SAP.
    """
