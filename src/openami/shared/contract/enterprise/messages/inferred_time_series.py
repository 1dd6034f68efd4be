"""Inferred time series messages; generated from schemas/inferred/time_series.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    from openami.shared.contract.enterprise.messages.common import DecimalValuePrecision, PointOfDelivery
    from openami.shared.contract.enterprise.messages.time_series import (
        MeasurementTaskAssignmentRole,
        UtilitiesTimeSeriesItem,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemNotification(HeadedMessage):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class UtilitiesMeasurementTaskAssignmentRole:
            """Part `UtilitiesMeasurementTaskAssignmentRole`."""

            utilities_object_identification_system_code_text: str  # max 15
            utilities_point_of_delivery_external_identification: PointOfDelivery

        item: tuple[UtilitiesTimeSeriesItem, ...] = ()
        utilities_measurement_task_assignment_role: UtilitiesMeasurementTaskAssignmentRole

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPItemBulkNotification(Bulk[UtilitiesTimeSeriesERPItemNotification]):
    """MDUS uploads interval values by point of delivery and OBIS code, many in one message.

    Operation 76, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPReplicationRequest(HeadedMessage):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        measurement_task_assignment_role_list_complete_transmission_indicator: bool | None = None
        id: str  # max 18
        utilities_measurement_recurrence_code: str | None = None  # max 4
        measure_unit_code: str | None = None  # max 3
        currency_code: str | None = None  # exactly 3
        decimal_value_precision: DecimalValuePrecision | None = None
        items_remotely_stored_indicator: bool | None = None
        measurement_task_assignment_role: tuple[MeasurementTaskAssignmentRole, ...] = ()

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPReplicationConfirmation(Confirmation):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        id: str  # max 18

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPReplicationBulkRequest(Bulk[UtilitiesTimeSeriesERPReplicationRequest]):
    """SAP sends time series with their assignments (initial load), many in one message.

    Operation 79, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesERPReplicationBulkConfirmation(
    BulkConfirmation[UtilitiesTimeSeriesERPReplicationConfirmation]
):
    """Answer to: SAP sends time series with their assignments (initial load), many in one message.

    Operation 80, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesItemCreateRequest(HeadedMessage):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        id: str | None = None  # max 18
        item: tuple[UtilitiesTimeSeriesItem, ...] = ()

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesItemCreateConfirmation(Confirmation):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesTimeSeries:
        """Part `UtilitiesTimeSeries`."""

        id: str | None = None  # max 18

    utilities_time_series: UtilitiesTimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesBundleItemCreateRequest(Bulk[UtilitiesTimeSeriesItemCreateRequest]):
    """SAP sends a bundle of interval values, many in one message.

    Operation 82, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesTimeSeriesBundleItemCreateConfirmation(BulkConfirmation[UtilitiesTimeSeriesItemCreateConfirmation]):
    """Answer to: SAP sends a bundle of interval values, many in one message.

    Operation 83, MDUS to SAP.
    """
