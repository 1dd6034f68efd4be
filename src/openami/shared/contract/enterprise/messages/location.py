"""Location messages; generated from schemas/location.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt

    from openami.shared.contract.enterprise.messages.common import SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLogicalLocation:
    """Part `DeviceLogicalLocation`."""

    start_date: dt.date
    end_date: dt.date
    logical_installation_point_id: str  # max 40


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLocation:
    """Part `DeviceLocation`."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class InstallationPointAddressInformation:
        """Part `InstallationPointAddressInformation`."""

        house_id: str | None = None  # max 10
        street_postal_code: str | None = None  # max 10
        city_name: str | None = None  # max 40
        street_name: str | None = None  # max 60
        country_code: str  # max 3
        region_code: str | None = None  # max 6
        time_zone_code: str | None = None  # max 10

    @dataclass(frozen=True, slots=True, kw_only=True)
    class InstallationPointHierarchyRelationship:
        """Part `InstallationPointHierarchyRelationship`."""

        parent_installation_point_id: str  # max 40

    @dataclass(frozen=True, slots=True, kw_only=True)
    class ModificationInformation:
        """Part `ModificationInformation`."""

        installation_date: dt.date | None = None
        installation_time: dt.time | None = None
        remove_date: dt.date | None = None
        remove_time: dt.time | None = None
        time_zone_code: str | None = None  # max 10

    start_date: dt.date
    end_date: dt.date
    installation_point_id: str  # max 40
    installation_point_address_information: InstallationPointAddressInformation
    installation_point_hierarchy_relationship: InstallationPointHierarchyRelationship
    modification_information: ModificationInformation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterLocationNotification(HeadedMessage):
    """SAP tells where a device is installed, moved or removed.

    Operation 15, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        logical_location_list_complete_transmission_indicator: bool | None = None
        location_list_complete_transmission_indicator: bool
        id: str  # max 18
        logical_location: tuple[DeviceLogicalLocation, ...] = ()
        location: tuple[DeviceLocation, ...] = ()
        smart_meter: SmartMeter

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterLocationBulkNotification(Bulk[UtilitiesDeviceERPSmartMeterLocationNotification]):
    """SAP tells where a device is installed, moved or removed, many in one message.

    Operation 16, SAP to MDUS.
    """
