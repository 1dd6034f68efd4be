"""Inferred connection messages; generated from schemas/inferred/connection.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt

    from openami.shared.contract.enterprise.messages.common import SmartMeter
    from openami.shared.contract.enterprise.messages.connection import DeviceToSwitch


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPNotification(HeadedMessage):
    """SAP tells of a connection status changed by other means.

    Operation 66, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesConnectionStatusChangeRequest:
        """Part `UtilitiesConnectionStatusChangeRequest`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class DeviceConnectionStatus:
            """Part `DeviceConnectionStatus`."""

            processing_date_time: dt.datetime | None = None  # UTC
            utilities_device_id: str  # max 18
            smart_meter: SmartMeter

        id: str  # max 12
        category_code: str  # max 2
        utilities_service_disconnection_reason_code: str | None = None  # exactly 2
        device_connection_status: tuple[DeviceConnectionStatus, ...]

    utilities_connection_status_change_request: UtilitiesConnectionStatusChangeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPBulkNotification(
    Bulk[SmartMeterUtilitiesConnectionStatusChangeRequestERPNotification]
):
    """SAP tells of a connection status changed by other means, many in one message.

    Operation 64, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationNotification(HeadedMessage):
    """SAP tells that a connection status change by other means was undone.

    Operation 67, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesConnectionStatusChangeRequest:
        """Part `UtilitiesConnectionStatusChangeRequest`."""

        id: str  # max 12
        category_code: str  # max 2
        device_connection_status: tuple[DeviceToSwitch, ...] = ()

    utilities_connection_status_change_request: UtilitiesConnectionStatusChangeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationBulkNotification(
    Bulk[SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationNotification]
):
    """SAP tells that a connection status change by other means was undone, many in one message.

    Operation 65, SAP to MDUS.
    """
