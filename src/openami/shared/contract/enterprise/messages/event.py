"""Event messages; generated from schemas/event.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal

    from openami.shared.contract.enterprise.messages.common import Amount, Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class StampedDateTime:
    """Part `StampedDateTime`."""

    value: dt.datetime  # UTC
    time_zone_code: str | None = None  # max 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Part `Measure`."""

    value: Decimal  # 31 digits, 14 of them decimals
    unit_code: str  # max 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPropertyValue:
    """Part `ObjectPropertyValue`."""

    amount: Amount | None = None  # 28 digits, 6 of them decimals
    quantity: Quantity | None = None  # 31 digits, 14 of them decimals
    decimal_value: Decimal | None = None  # 31 digits, 14 of them decimals
    float_value: float | None = None
    integer_value: int | None = None
    date: dt.date | None = None
    time: dt.time | None = None
    date_time: StampedDateTime | None = None  # UTC
    name: str | None = None
    indicator: bool | None = None
    measure: Measure | None = None  # 31 digits, 14 of them decimals
    code: str | None = None
    identifier: str | None = None
    uri: str | None = None
    binary_object: bytes | None = None
    duration: str | None = None
    percent: Decimal | None = None  # 16 digits, 6 of them decimals
    ratio: Decimal | None = None  # 31 digits, 14 of them decimals
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesSmartMeterEventERPCreateRequest(HeadedMessage):
    """MDUS reports an event.

    Operation 70, MDUS to SAP.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesSmartMeterEvent:
        """Part `UtilitiesSmartMeterEvent`."""

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Property:
            """Part `Property`."""

            code: str  # max 4
            object_property_value: ObjectPropertyValue

        id: str  # max 22
        utilities_device_id: str | None = None  # max 18
        date_time: dt.datetime  # UTC
        category_code: str | None = None  # max 4
        type_code: str  # max 4
        severity_code: str  # max 2
        origin_type_code: str | None = None  # max 4
        property: tuple[Property, ...] = ()

    utilities_smart_meter_event: UtilitiesSmartMeterEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesSmartMeterEventERPCreateConfirmation(Confirmation):
    """Answer to: MDUS reports an event.

    Operation 71, SAP to MDUS.
    """

    @dataclass(frozen=True, slots=True, kw_only=True)
    class UtilitiesSmartMeterEvent:
        """Part `UtilitiesSmartMeterEvent`."""

        id: str  # max 22
        utilities_device_id: str | None = None  # max 18

    utilities_smart_meter_event: UtilitiesSmartMeterEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesSmartMeterEventERPBulkCreateRequest(Bulk[UtilitiesSmartMeterEventERPCreateRequest]):
    """MDUS reports an event, many in one message.

    Operation 68, MDUS to SAP.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilitiesSmartMeterEventERPBulkCreateConfirmation(
    BulkConfirmation[UtilitiesSmartMeterEventERPCreateConfirmation]
):
    """Answer to: MDUS reports an event, many in one message.

    Operation 69, SAP to MDUS.
    """
