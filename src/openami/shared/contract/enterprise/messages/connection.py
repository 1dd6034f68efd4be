"""Connection messages; generated from schemas/connection.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt

    from openami.shared.contract.enterprise.messages.common import SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceToSwitch:
    """Part `DeviceToSwitch`."""

    utilities_device_id: str  # max 18
    smart_meter: SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest(HeadedMessage):
    """SAP orders a disconnection or reconnection.

    Operation 58, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesConnectionStatusChangeRequest:
        """Part `UtilitiesConnectionStatusChangeRequest`."""

        id: str  # max 12
        category_code: str  # max 2
        utilities_service_disconnection_reason_code: str | None = None  # exactly 2
        planned_processing_date_time: dt.datetime  # UTC
        immediate_status_change_indicator: bool | None = None
        device_connection_status: tuple[DeviceToSwitch, ...]

    utilities_connection_status_change_request: UtilitiesConnectionStatusChangeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation(Confirmation):
    """Answer to: SAP orders a disconnection or reconnection.

    Operation 59, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesConnectionStatusChangeRequest:
        """Part `UtilitiesConnectionStatusChangeRequest`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class DeviceConnectionStatus:
            """Part `DeviceConnectionStatus`."""

            processing_date_time: dt.datetime  # UTC
            utilities_device_connection_status_processing_result_code: str  # max 2
            utilities_device_id: str  # max 18

        id: str  # max 12
        category_code: str  # max 2
        device_connection_status: tuple[DeviceConnectionStatus, ...] = ()

    utilities_connection_status_change_request: UtilitiesConnectionStatusChangeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPBulkCreateRequest(
    Bulk[SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest]
):
    """SAP orders a disconnection or reconnection, many in one message.

    Operation 60, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPBulkCreateConfirmation(
    BulkConfirmation[SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation]
):
    """Answer to: SAP orders a disconnection or reconnection, many in one message.

    Operation 61, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest(HeadedMessage):
    """SAP withdraws a disconnection or reconnection order.

    Operation 62, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesConnectionStatusChangeRequest:
        """Part `UtilitiesConnectionStatusChangeRequest`."""

        id: str  # max 12
        category_code: str  # max 2
        device_connection_status: tuple[DeviceToSwitch, ...]

    utilities_connection_status_change_request: UtilitiesConnectionStatusChangeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationConfirmation(Confirmation):
    """Answer to: SAP withdraws a disconnection or reconnection order.

    Operation 63, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesConnectionStatusChangeRequest:
        """Part `UtilitiesConnectionStatusChangeRequest`."""

        id: str  # max 12
        category_code: str  # max 2

    utilities_connection_status_change_request: UtilitiesConnectionStatusChangeRequest
