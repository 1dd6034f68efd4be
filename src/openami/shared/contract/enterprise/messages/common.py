"""Common messages; generated from schemas/common.xsd, do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Part `Quantity`."""

    value: Decimal  # 31 digits, 14 of them decimals
    unit_code: str | None = None  # max 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Part `Amount`."""

    value: Decimal  # 28 digits, 6 of them decimals
    currency_code: str  # exactly 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DecimalValuePrecision:
    """Part `DecimalValuePrecision`."""

    total_digit_number_value: int | None = None
    fraction_digit_number_value: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardPartyID:
    """Part `StandardPartyID`."""

    value: str  # max 13
    scheme_agency_id: str  # max 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Part `Party`."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class ContactPerson:
        """Part `ContactPerson`."""

        internal_id: str | None = None  # max 60

    internal_id: str | None = None  # max 32
    standard_id: tuple[StandardPartyID, ...] = ()  # max 13
    contact_person: ContactPerson | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHeader:
    """Part `MessageHeader`."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class BusinessScope:
        """Part `BusinessScope`."""

        type_code: str  # max 4
        instance_id: str | None = None  # max 36
        id: str | None = None  # max 36

    id: str | None = None  # max 35
    uuid: str | None = None  # exactly 36
    reference_id: str | None = None  # max 35
    reference_uuid: str | None = None  # exactly 36
    creation_date_time: dt.datetime  # UTC
    test_data_indicator: bool | None = None
    reconciliation_indicator: bool | None = None
    sender_business_system_id: str | None = None  # max 60
    recipient_business_system_id: str | None = None  # max 60
    sender_party: Party | None = None
    recipient_party: tuple[Party, ...] = ()
    business_scope: tuple[BusinessScope, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Part `Log`."""

    business_document_processing_result_code: str | None = None  # max 2
    maximum_log_item_severity_code: str | None = None  # exactly 1
    item: tuple[LogItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogItem:
    """Part `LogItem`."""

    type_id: str | None = None  # max 40
    category_code: str | None = None  # max 15
    severity_code: str | None = None  # exactly 1
    reference_object_node_sender_technical_id: str | None = None  # max 70
    note: str  # max 200
    web_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartMeter:
    """Part `SmartMeter`."""

    utilities_advanced_metering_system_id: str  # max 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PointOfDelivery:
    """Part `PointOfDelivery`."""

    utilities_point_of_delivery_party_id: str  # max 50
