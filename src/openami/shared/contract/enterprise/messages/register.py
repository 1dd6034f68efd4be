"""Register messages; generated from schemas/register.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal

    from openami.shared.contract.enterprise.messages.common import DecimalValuePrecision, SmartMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRegisterGroup:
    """Part `DeviceRegisterGroup`."""

    start_date: dt.date
    end_date: dt.date
    register_group_id: str  # max 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedRegisterSpecifications:
    """Part `DatedRegisterSpecifications`."""

    start_date: dt.date
    end_date: dt.date
    utilities_time_of_use_code: str | None = None  # max 10
    measure_unit_code: str  # max 3
    decimal_value_precision: DecimalValuePrecision
    meter_reading_result_adjustment_factor_value: Decimal | None = None  # 12 digits, 5 of them decimals
    utilities_measurement_task_validation_profile_code: str | None = None  # max 4


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisterCreateRequest(HeadedMessage):
    """SAP sends the registers of an installed device.

    Operation 17, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Register:
            """Part `Register`."""

            @dataclass(frozen=True, slots=True, kw_only=True)
            class Specifications:
                """Part `Specifications`."""

                utilities_time_of_use_code: str | None = None  # max 10
                measure_unit_code: str  # max 3
                decimal_value_precision: DecimalValuePrecision
                meter_reading_result_adjustment_factor_value: Decimal | None = None  # 12 digits, 5 of them decimals
                utilities_measurement_task_validation_profile_code: str | None = None  # max 4

            start_date: dt.date
            end_date: dt.date
            utilities_measurement_task_id: str  # max 18 digits
            utilities_object_identification_system_code_text: str | None = None  # max 15
            utilties_measurement_task_category_code: str | None = None  # max 2
            utilities_division_category_code: str | None = None  # max 2
            utilities_measurement_recurrence_code: str | None = None  # max 4
            time_zone_code: str | None = None  # max 10
            specifications: Specifications

        id: str  # max 18
        register_group: tuple[DeviceRegisterGroup, ...] = ()
        register: tuple[Register, ...]
        smart_meter: SmartMeter

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisterCreateConfirmation(Confirmation):
    """Answer to: SAP sends the registers of an installed device.

    Operation 18, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisterBulkCreateRequest(Bulk[UtilitiesDeviceERPSmartMeterRegisterCreateRequest]):
    """SAP sends the registers of an installed device, many in one message.

    Operation 19, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisterBulkCreateConfirmation(
    BulkConfirmation[UtilitiesDeviceERPSmartMeterRegisterCreateConfirmation]
):
    """Answer to: SAP sends the registers of an installed device, many in one message.

    Operation 20, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisterChangeRequest(HeadedMessage):
    """SAP changes the registers of a device.

    Operation 21, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Register:
            """Part `Register`."""

            start_date: dt.date
            end_date: dt.date
            utilities_measurement_task_id: str  # max 18 digits
            utilities_object_identification_system_code_text: str | None = None  # max 15
            utilties_measurement_task_category_code: str | None = None  # max 2
            utilities_division_category_code: str | None = None  # max 2
            utilities_measurement_recurrence_code: str | None = None  # max 4
            time_zone_code: str | None = None  # max 10
            specifications: tuple[DatedRegisterSpecifications, ...]

        id: str  # max 18
        register_list_complete_transmission_indicator: bool | None = None
        register_group: tuple[DeviceRegisterGroup, ...] = ()
        register: tuple[Register, ...] = ()
        smart_meter: SmartMeter

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisterChangeConfirmation(Confirmation):
    """Answer to: SAP changes the registers of a device.

    Operation 22, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesDevice:
        """Part `UtilitiesDevice`."""

        id: str  # max 18

    utilities_device: UtilitiesDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisterBulkChangeRequest(Bulk[UtilitiesDeviceERPSmartMeterRegisterChangeRequest]):
    """SAP changes the registers of a device, many in one message.

    Operation 23, SAP to MDUS.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesDeviceERPSmartMeterRegisterBulkChangeConfirmation(
    BulkConfirmation[UtilitiesDeviceERPSmartMeterRegisterChangeConfirmation]
):
    """Answer to: SAP changes the registers of a device, many in one message.

    Operation 24, MDUS to SAP.
    """
