"""Inferred device messages; generated from schemas/inferred/device.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.messages.device import (
    UtilitiesDeviceERPSmartMeterChangeConfirmation,
    UtilitiesDeviceERPSmartMeterChangeRequest,
)
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

    from openami.shared.contract.enterprise.messages.common import SmartMeter
    from openami.shared.contract.enterprise.messages.device import ManufacturerInformation
    from openami.shared.contract.enterprise.messages.location import DeviceLocation, DeviceLogicalLocation
    from openami.shared.contract.enterprise.messages.register import DatedRegisterSpecifications


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceText:
    """Part `DeviceText`."""

    value: str  # max 1024
    language_code: str | None = None  # max 9


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterBulkChangeRequest(Bulk[UtilitiesDeviceERPSmartMeterChangeRequest]):
    """SAP changes data of a device, many in one message.

    Operation 7, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterBulkChangeConfirmation(
    BulkConfirmation[UtilitiesDeviceERPSmartMeterChangeConfirmation]
):
    """Answer to: SAP changes data of a device, many in one message.

    Operation 8, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterCancellationRequest(HeadedMessage):
    """SAP withdraws the announcement of a device.

    Operation 9, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18
        smart_meter: SmartMeter | None = None

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterCancellationConfirmation(Confirmation):
    """Answer to: SAP withdraws the announcement of a device.

    Operation 10, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterCancellationBulkRequest(Bulk[UtilitiesDeviceERPSmartMeterCancellationRequest]):
    """SAP withdraws the announcement of a device, many in one message.

    Operation 11, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterCancellationBulkConfirmation(
    BulkConfirmation[UtilitiesDeviceERPSmartMeterCancellationConfirmation]
):
    """Answer to: SAP withdraws the announcement of a device, many in one message.

    Operation 12, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterReplicationRequest(HeadedMessage):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Register:
            """Part `Register`."""

            device_assignment_list_complete_transmission_indicator: bool | None = None
            start_date: dt.date
            end_date: dt.date
            utilities_measurement_task_id: str  # max 18 digits
            utilities_object_identification_system_code_text: str | None = None  # max 15
            utilties_measurement_task_category_code: str | None = None  # max 2
            utilities_division_category_code: str | None = None  # max 2
            utilities_measurement_recurrence_code: str | None = None  # max 4
            time_zone_code: str | None = None  # max 10
            specifications: tuple[DatedRegisterSpecifications, ...]

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Relationship:
            """Part `Relationship`."""

            start_date: dt.date
            end_date: dt.date
            type_code: str  # max 4
            related_utilities_device_id: str  # max 18

        register_list_complete_transmission_indicator: bool | None = None
        logical_location_list_complete_transmission_indicator: bool | None = None
        location_list_complete_transmission_indicator: bool | None = None
        relationship_list_complete_transmission_indicator: bool | None = None
        id: str  # max 18
        start_date: dt.date
        end_date: dt.date
        serial_id: str  # max 30
        material_id: str  # max 60
        individual_material_manufacturer_information: ManufacturerInformation | None = None
        register: tuple[Register, ...] = ()
        logical_location: tuple[DeviceLogicalLocation, ...] = ()
        location: tuple[DeviceLocation, ...] = ()
        relationship: tuple[Relationship, ...] = ()
        smart_meter: SmartMeter | None = None

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterReplicationConfirmation(Confirmation):
    """Item of a bulk message."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterReplicationBulkRequest(Bulk[UtilitiesDeviceERPSmartMeterReplicationRequest]):
    """SAP sends devices with registers and locations (initial load), many in one message.

    Operation 25, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterReplicationBulkConfirmation(
    BulkConfirmation[UtilitiesDeviceERPSmartMeterReplicationConfirmation]
):
    """Answer to: SAP sends devices with registers and locations (initial load), many in one message.

    Operation 26, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterTextNotification(HeadedMessage):
    """SAP sends a text for the display of a device.

    Operation 27, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18
        text: DeviceText  # max 1024
        start_date_time: dt.datetime | None = None  # UTC
        end_date_time: dt.datetime | None = None  # UTC
        priority_code: str | None = None  # max 2
        smart_meter: SmartMeter | None = None

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterTextBulkNotification(Bulk[UtilitiesDeviceERPSmartMeterTextNotification]):
    """SAP sends a text for the display of a device, many in one message.

    Operation 28, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterOperationalStateByIDQuery(Message):
    """SAP asks for the present state of a device.

    Operation 29, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDeviceSelectionByID:
        """Part `UtilitiesDeviceSelectionByID`."""

        utilities_device_id: str  # max 18
        smart_meter: SmartMeter | None = None

    utilities_device_selection_by_id: UtilitiesDeviceSelectionByID


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterOperationalStateByIDResponse(Response):
    """SAP asks for the present state of a device.

    Operation 29, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18
        operational_state_code: str  # max 4
        operational_state_date_time: dt.datetime | None = None  # UTC

    utilities_device: UtilitiesDevice | None = None
