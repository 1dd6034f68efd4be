"""Device messages; generated from schemas/device.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt

    from openami.shared.contract.enterprise.messages.common import SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class ManufacturerInformation:
    """Part `ManufacturerInformation`."""

    party_internal_id: str | None = None  # max 32
    part_number_id: str | None = None  # max 60
    serial_id: str | None = None  # max 30


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterCreateRequest(HeadedMessage):
    """SAP announces a device.

    Operation 1, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18
        start_date: dt.date
        end_date: dt.date
        serial_id: str  # max 30
        material_id: str  # max 60
        product_unique_item_id: str | None = None  # max 50
        individual_material_manufacturer_information: ManufacturerInformation | None = None
        smart_meter: SmartMeter | None = None

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterCreateConfirmation(Confirmation):
    """Answer to: SAP announces a device.

    Operation 2, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterBulkCreateRequest(Bulk[UtilitiesDeviceERPSmartMeterCreateRequest]):
    """SAP announces a device, many in one message.

    Operation 3, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterBulkCreateConfirmation(
    BulkConfirmation[UtilitiesDeviceERPSmartMeterCreateConfirmation]
):
    """Answer to: SAP announces a device, many in one message.

    Operation 4, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterChangeRequest(HeadedMessage):
    """SAP changes data of a device.

    Operation 5, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18
        serial_id: str  # max 30
        start_date: dt.date | None = None
        end_date: dt.date | None = None
        material_id: str  # max 60
        product_unique_item_id: str | None = None  # max 50
        individual_material_manufacturer_information: ManufacturerInformation | None = None
        smart_meter: SmartMeter | None = None

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterChangeConfirmation(Confirmation):
    """Answer to: SAP changes data of a device.

    Operation 6, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisteredNotification(HeadedMessage):
    """MDUS reports that a device is reachable in its metering system.

    Operation 13, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class SmartMeter:
            """Part `SmartMeter`."""

            start_date: dt.date | None = None
            utilities_advanced_metering_system_id: str  # max 4

        id: str  # max 18
        smart_meter: SmartMeter

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisteredBulkNotification(Bulk[UtilitiesDeviceERPSmartMeterRegisteredNotification]):
    """MDUS reports that a device is reachable in its metering system, many in one message.

    Operation 14, MDUS to SAP.
    """
