"""A valid, plausible example of every message, made from its shape: for tests, documentation and integrators.

Every example is about the same home: device 4711 with metering system AMS1, its register 42 and its time series 1001.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, cast

from lxml import etree

from openami.shared.contract.enterprise.decode import class_of, text_reader
from openami.shared.contract.enterprise.schemas import GLOBAL
from openami.shared.contract.enterprise.shapes import Member, Shape, Simple, shapes

if TYPE_CHECKING:
    from pathlib import Path

    from openami.shared.contract.enterprise.model import Message

# by type name (without `.Content`)
_BY_TYPE = {
    "UtilitiesDeviceID": "4711",
    "SerialID": "SN00004711",
    "MaterialID": "SMART-METER-3P",
    "ProductUniqueItemID": "NL-4711",
    "PartyInternalID": "ACME",
    "PartNumberID": "SM-3P-100A",
    "UtilitiesAdvancedMeteringSystemID": "AMS1",
    "UtilitiesMeasurementTaskID": "000000000000000042",
    "UtilitiesObjectIdentificationSystemCodeText": "1-0:1.8.0",
    "UtilitiesMeasurementTaskCategoryCode": "5",
    "UtilitiesDivisionCategoryCode": "1",
    "UtilitiesMeasurementRecurrenceCode": "15",
    "UtilitiesTimeOfUseCode": "PEAK",
    "UtilitiesMeasurementTaskValidationProfileCode": "RES",
    "UtilitiesPointOfDeliveryPartyID": "871687110000004711",
    "MeasureUnitCode": "KWH",
    "UnitCode": "KWH",
    "CurrencyCode": "EUR",
    "TimeZoneCode": "CET",
    "CountryCode": "NL",
    "RegionCode": "GE",
    "RegisterGroupID": "RG01",
    "InstallationPointID": "6000004711",
    "HouseID": "12",
    "StreetPostalCode": "6811 AB",
    "CityName": "Arnhem",
    "StreetName": "Rijnkade",
    "MeterReadingDocumentID": "00000000000000001234",
    "MeterReadingReasonCode": "01",
    "MeterReadingTypeCode": "01",
    "MeterReadingResultValue": "1234.5",
    "MeterReadingResultAdjustmentFactorValue": "1",
    "UtilitiesAdvancedMeteringDataSourceTypeCode": "0",
    "UtilitiesConnectionStatusChangeRequestID": "70000001",
    "UtilitiesConnectionStatusChangeRequestCategoryCode": "1",
    "UtilitiesServiceDisconnectionReasonCode": "01",
    "UtilitiesDeviceConnectionStatusProcessingResultCode": "1",
    "UtilitiesSmartMeterEventID": "1000000000000000000001",
    "UtilitiesSmartMeterEventCategoryCode": "3",
    "UtilitiesSmartMeterEventTypeCode": "3002",
    "UtilitiesSmartMeterEventSeverityCode": "3",
    "UtilitiesSmartMeterEventOriginTypeCode": "1",
    "PropertyCode": "TEXT",
    "UtilitiesTimeSeriesID": "1001",
    "UtilitiesTimeSeriesItemTypeCode": "01",
    "UtilitiesTimeSeriesAssignmentRoleCode": "1",
    "UtilitiesTimeSeriesCalculationID": "90000001",
    "CalculationRuleCode": "SUM",
    "Quantity.Content": "0.125",
    "Amount.Content": "1.25",
    "TimeZoneDifferenceValue": "1",
    "ProcessingResultCode": "3",
    "LogItemTypeID": "000",
    "LogItemCategoryCode": "PRE",
    "LogItemSeverityCode": "1",
    "LogItemNote": "Done.",
    "BusinessDocumentMessageID": "MSG000001",
    "BusinessSystemID": "ERP100",
    "StandardPartyID": "8712423010000",
    "AgencyID": "9",
    "StatusName": "Valid",
    "LanguageCode": "EN",
    "PriorityCode": "1",
    "OperationalStateCode": "ON",
    "DeviceText": "Planned outage on Tuesday, 9:00 to 11:00.",
    "DeviceRelationshipTypeCode": "0001",
    "DeviceAssignmentTypeCode": "CT",
    "ObjectNodeTechnicalID": "1",
    "ContactPersonID": "C1",
    "xs:anyURI": "https://example.org/help",
}
# by the last two names of the path: a register, unlike an interval channel, has no interval length
_BY_PLACE = {"Register/UtilitiesMeasurementRecurrenceCode": "0"}
# by element name, for dates and times and where the type says too little
_BY_NAME = {
    "RecipientBusinessSystemID": "MDUS",
    "EndDate": "9999-12-31",
    "EndTime": "23:59:59",
    "StartTime": "00:00:00",
    "RemoveDate": "2026-03-16",
    "RemoveTime": "11:30:00",
    "InstallationTime": "09:00:00",
    "ScheduledMeterReadingDate": "2026-03-31",
    "ActualMeterReadingDate": "2026-03-31",
    "MeterReadingDate": "2026-03-31",
    "MaximumMeterReadingDate": "2026-03-17",
    "CreationDateTime": "2026-03-01T06:00:00Z",
    "UTCValidityStartDateTime": "2026-03-01T00:00:00",
    "UTCValidityEndDateTime": "2026-03-01T00:15:00",
    "EndDateTime": "2026-04-01T00:00:00",
    "TotalDigitNumberValue": "8",
    "FractionDigitNumberValue": "3",
    "LogicalInstallationPointID": "5000004711",
    "ParentInstallationPointID": "7000004711",
    "AssignedUtilitiesDeviceID": "4712",
    "RelatedUtilitiesDeviceID": "4713",
    "Text": "cover opened",
}
_BY_BASE = {
    "date": "2026-03-01",
    "time": "12:00:00",
    "dateTime": "2026-03-01T00:00:00",
    "boolean": "true",
    "decimal": "1",
    "int": "1",
}
# optional elements that a plausible message does not have, or not beside their sibling
_LEFT_OUT = {"Amount", "TestDataIndicator", "ReconciliationIndicator", "BusinessScope", "ContactPerson", "WebURI"}
_LEFT_OUT_OF_LOG = {"CategoryCode", "ReferenceObjectNodeSenderTechnicalID"}
BULK_ITEMS = 2


def example(root: str, *, full: bool = True) -> Message:
    """A valid message with this root element: all optional elements filled, or none."""
    return cast("Message", _Example(root, full=full).value(shapes().roots[root], root))


def example_document(root: str, *, overlay: Path | None = None) -> str:
    """The example as an indented document without envelope, by the schema files in use.

    A schema of a customer may have elements that no class of ours has: the document is made of its shape alone.
    """
    element = etree.Element(f"{{{GLOBAL}}}{root}", nsmap={"n0": GLOBAL})
    _Example(root, full=True).fill(element, shapes(overlay).roots[root], root)
    etree.indent(element)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{etree.tostring(element, encoding="unicode")}\n'


class _Example:
    """One example under construction."""

    def __init__(self, root: str, *, full: bool) -> None:
        self._answers = "Confirmation" in root
        self._full = full

    def value(self, shape: Shape, path: str, number: int = 0) -> Any:  # noqa: ANN401 - the class varies
        """The value of a shape; `number` counts the items of a bulk message, so that their identifiers differ."""
        values: dict[str, Any] = {}
        if shape.text is not None:
            values["value"] = text_reader(shape.text)(_text(shape.text, path.rsplit("/", 1)[-1], path, number))
        for member in (*shape.attributes, *shape.elements):
            if member.minimum == 0 and (not self._full or self._is_left_out(shape, member)):
                continue
            numbers = range(BULK_ITEMS) if member.name == "items" else (number,)
            below = f"{path}/{member.xml_name}"
            found = [self._member(member, below, each) for each in numbers]
            values[member.name] = tuple(found) if member.many else found[0]
        return class_of(shape)(**values)

    def fill(self, element: etree._Element, shape: Shape, path: str, number: int = 0) -> None:
        """Give an element the content of a shape."""
        if shape.text is not None:
            element.text = _text(shape.text, path.rsplit("/", 1)[-1], path, number)
        for member in shape.attributes:
            if isinstance(member.content, Simple) and not self._is_left_out(shape, member):
                element.set(member.xml_name, _text(member.content, member.xml_name, path, number))
        for member in shape.elements:
            if member.minimum == 0 and self._is_left_out(shape, member):
                continue
            for each in range(BULK_ITEMS) if member.name == "items" else (number,):
                below = f"{path}/{member.xml_name}"
                child = etree.SubElement(element, member.xml_name)
                if isinstance(member.content, Shape):
                    self.fill(child, member.content, below, each)
                else:
                    child.text = _text(member.content, member.xml_name, below, each)

    def _member(self, member: Member, path: str, number: int) -> Any:  # noqa: ANN401 - the type varies
        if isinstance(member.content, Shape):
            return self.value(member.content, path, number)
        return text_reader(member.content)(_text(member.content, member.xml_name, path, number))

    def _is_left_out(self, shape: Shape, member: Member) -> bool:
        if shape.type_name == "ObjectPropertyValue":
            return member.xml_name != "Text"
        if member.xml_name in {"ReferenceID", "ReferenceUUID"}:
            return not self._answers
        return member.xml_name in (_LEFT_OUT | _LEFT_OUT_OF_LOG if shape.type_name == "LogItem" else _LEFT_OUT)


def _text(simple: Simple, name: str, path: str, number: int) -> str:
    type_name = simple.name.removesuffix(".Content")
    if type_name == "UUID":
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path}/{number}"))
    place = "/".join(path.split("/")[-2:])
    text = (
        _BY_PLACE.get(place)
        or _BY_NAME.get(name)
        or _BY_TYPE.get(simple.name)
        or _BY_TYPE.get(type_name)
        or _BY_BASE.get(simple.base)
    )
    if text is None:
        text = f"{name[:1]}1"
    if number and type_name.endswith("ID") and text.isdecimal():
        text = f"{int(text) + number:0{len(text)}d}"
    if simple.utc and not text.endswith("Z"):
        text += "Z"
    limit = simple.maximum_length
    return text if limit is None else text[:limit].ljust(simple.minimum_length, "1")
