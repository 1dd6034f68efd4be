"""Time series messages; generated from schemas/time_series.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import (
    Bulk,
    BulkConfirmation,
    Confirmation,
    HeadedMessage,
    Message,
    Response,
)

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal

    from openami.shared.contract.enterprise.messages.common import Amount, DecimalValuePrecision, Quantity, SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesItem:
    """Part `UtilitiesTimeSeriesItem`."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class ItemStatus:
        """Part `ItemStatus`."""

        utilities_time_series_item_type_code: str  # max 4

    amount: Amount | None = None  # 28 digits, 6 of them decimals
    quantity: Quantity | None = None  # 31 digits, 14 of them decimals
    utc_validity_start_date_time: dt.datetime  # UTC
    utc_validity_end_date_time: dt.datetime  # UTC
    item_status: tuple[ItemStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemCreateRequest(HeadedMessage):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        id: str | None = None  # max 18
        item: tuple[UtilitiesTimeSeriesItem, ...] = ()

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemCreateConfirmation(Confirmation):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        id: str | None = None  # max 18

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemChangeRequest(HeadedMessage):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        id: str  # max 18
        item: tuple[UtilitiesTimeSeriesItem, ...] = ()

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemChangeConfirmation(Confirmation):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        id: str | None = None  # max 18

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemBulkCreateRequest(Bulk[UtilitiesTimeSeriesERPItemCreateRequest]):
    """MDUS uploads new interval values, many in one message.

    Operation 72, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemBulkCreateConfirmation(BulkConfirmation[UtilitiesTimeSeriesERPItemCreateConfirmation]):
    """Answer to: MDUS uploads new interval values, many in one message.

    Operation 73, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemBulkChangeRequest(Bulk[UtilitiesTimeSeriesERPItemChangeRequest]):
    """MDUS replaces interval values, many in one message.

    Operation 74, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemBulkChangeConfirmation(BulkConfirmation[UtilitiesTimeSeriesERPItemChangeConfirmation]):
    """Answer to: MDUS replaces interval values, many in one message.

    Operation 75, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementTaskAssignmentRole:
    """Part `MeasurementTaskAssignmentRole`."""

    start_date: dt.date
    start_time: dt.time
    end_date: dt.date
    end_time: dt.time
    utilities_time_series_assignment_role_code: str  # max 4
    utilities_measurement_task_id: str  # max 18 digits
    utilities_device_smart_meter: SmartMeter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest(HeadedMessage):
    """SAP tells which measurement task feeds a time series.

    Operation 77, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        measurement_task_assignment_role_list_complete_transmission_indicator: bool
        id: str  # max 18
        utilities_measurement_recurrence_code: str | None = None  # max 4
        measure_unit_code: str | None = None  # max 3
        currency_code: str | None = None  # exactly 3
        decimal_value_precision: DecimalValuePrecision | None = None
        items_remotely_stored_indicator: bool | None = None
        measurement_task_assignment_role: tuple[MeasurementTaskAssignmentRole, ...] = ()

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeConfirmation(Confirmation):
    """Answer to: SAP tells which measurement task feeds a time series.

    Operation 78, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        id: str  # max 18

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesItemByIDQuery(Message):
    """SAP reads interval values that are kept in MDUS.

    Operation 81, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeriesItemSelectionByID:
        """Part `UtilitiesTimeSeriesItemSelectionByID`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class UtilitiesTimeSeriesItemValidityPeriod:
            """Part `UtilitiesTimeSeriesItemValidityPeriod`."""

            start_date_time: dt.datetime | None = None  # local, without zone
            end_date_time: dt.datetime | None = None  # local, without zone

        utilities_time_series_id: str  # max 18
        utilities_time_series_item_time_zone_code: str  # max 10
        utilities_time_series_item_validity_period: UtilitiesTimeSeriesItemValidityPeriod

    utilities_time_series_item_selection_by_id: UtilitiesTimeSeriesItemSelectionByID


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesItemByIDResponse(Response):
    """SAP reads interval values that are kept in MDUS.

    Operation 81, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Item:
            """Part `Item`."""

            @dataclass(frozen=True, slots=True, kw_only=True)
            class Status:
                """Part `Status`."""

                code: str  # max 4
                name: str | None = None  # max 30

            amount: Amount | None = None  # 28 digits, 6 of them decimals
            quantity: Quantity | None = None  # 31 digits, 14 of them decimals
            utc_validity_start_date_time: dt.datetime  # local, without zone
            utc_validity_end_date_time: dt.datetime  # local, without zone
            utc_start_date_time_time_zone_difference_value: Decimal | None = None  # 4 digits, 2 of them decimals
            utc_end_date_time_time_zone_difference_value: Decimal | None = None  # 4 digits, 2 of them decimals
            status: tuple[Status, ...]

        currency_code: str | None = None  # exactly 3
        measure_unit_code: str | None = None  # max 3
        id: str | None = None  # max 18
        item: tuple[Item, ...]

    utilities_time_series: UtilitiesTimeSeries | None = None
