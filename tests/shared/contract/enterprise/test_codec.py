"""What real senders do: every spelling of the same message is understood, what we send has one spelling."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from openami.shared.contract.enterprise.codec import codec, decode, encode, operation_of
from openami.shared.contract.enterprise.errors import (
    FaultReceived,
    InvalidMessage,
    MalformedXml,
    MissingElement,
    NotSoap,
    UnknownMessage,
)
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.fault import encode_fault, fault_schema
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.messages.device import UtilitiesDeviceERPSmartMeterCreateRequest
from openami.shared.contract.enterprise.messages.reading_result import MeterReadingDocumentERPResultCreateRequest
from openami.shared.contract.enterprise.model import Bulk, Extra
from openami.shared.contract.enterprise.parse import parsed

DEVICE = """<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header/><soapenv:Body>
<n0:UtilitiesDeviceERPSmartMeterCreateRequest xmlns:n0="http://sap.com/xi/SAPGlobal20/Global">
 <MessageHeader><UUID>6f1c0c1e-0000-4000-8000-000000000001</UUID><CreationDateTime>2025-01-01T06:00:00Z</CreationDateTime>
 <SenderBusinessSystemID>ERP100</SenderBusinessSystemID></MessageHeader>
 <UtilitiesDevice><ID>4711</ID><StartDate>2025-01-01</StartDate><EndDate>9999-12-31</EndDate><SerialID>SN1</SerialID>
  <MaterialID>MAT1</MaterialID><SmartMeter><UtilitiesAdvancedMeteringSystemID>AMS1</UtilitiesAdvancedMeteringSystemID>
  </SmartMeter></UtilitiesDevice>
</n0:UtilitiesDeviceERPSmartMeterCreateRequest></soapenv:Body></soapenv:Envelope>"""
READING = """<n0:MeterReadingDocumentERPResultCreateRequest xmlns:n0="http://sap.com/xi/SAPGlobal20/Global">
 <MessageHeader><UUID>6f1c0c1e-0000-4000-8000-000000000002</UUID>
 <ReferenceUUID>6f1c0c1e-0000-4000-8000-0000000000aa</ReferenceUUID>
 <CreationDateTime>2025-02-01T01:00:00Z</CreationDateTime></MessageHeader>
 <MeterReadingDocument><ID>00000000000000001234</ID><MeterReadingReasonCode>01</MeterReadingReasonCode>
 <ScheduledMeterReadingDate>2025-01-31</ScheduledMeterReadingDate>
  <UtiltiesMeasurementTask><UtilitiesMeasurementTaskID>000000000000000042</UtilitiesMeasurementTaskID>
  <UtiltiesDevice><UtilitiesDeviceID>4711</UtilitiesDeviceID></UtiltiesDevice></UtiltiesMeasurementTask>
  <Result><ActualMeterReadingDate>2025-01-31</ActualMeterReadingDate><ActualMeterReadingTime>23:59:59</ActualMeterReadingTime>
  <MeterReadingTypeCode>01</MeterReadingTypeCode><MeterReadingResultValue>1234.5</MeterReadingResultValue></Result>
 </MeterReadingDocument></n0:MeterReadingDocumentERPResultCreateRequest>"""


def device(text: str = DEVICE) -> UtilitiesDeviceERPSmartMeterCreateRequest:
    message = decode(text.encode())
    assert isinstance(message, UtilitiesDeviceERPSmartMeterCreateRequest)
    return message


def test_a_device_is_read() -> None:
    message = device()
    assert message.message_header.sender_business_system_id == "ERP100"
    assert message.message_header.creation_date_time == dt.datetime(2025, 1, 1, 6, tzinfo=dt.UTC)
    assert message.utilities_device.id == "4711"
    assert message.utilities_device.end_date == dt.date(9999, 12, 31)
    assert message.utilities_device.smart_meter is not None
    assert message.utilities_device.smart_meter.utilities_advanced_metering_system_id == "AMS1"
    assert operation_of(message).name == "UtilitiesDeviceERPSmartMeterCreateRequest_Out"


def test_a_bare_message_is_read_too_and_ids_keep_their_zeros() -> None:
    message = decode(READING.encode())
    assert isinstance(message, MeterReadingDocumentERPResultCreateRequest)
    document = message.meter_reading_document
    assert document.id == "00000000000000001234"
    assert document.result.meter_reading_result_value == Decimal("1234.5")
    assert document.result.actual_meter_reading_time == dt.time(23, 59, 59)


def test_the_default_namespace_with_unset_children_is_the_same() -> None:
    other = DEVICE.replace("n0:Util", "Util").replace("xmlns:n0=", "xmlns=")
    for child in ("MessageHeader", "UtilitiesDevice"):
        other = other.replace(f"<{child}>", f"<{child} xmlns=''>")
    assert device(other) == device()


def test_children_in_the_message_namespace_are_accepted() -> None:
    assert device(DEVICE.replace("n0:Util", "Util").replace("xmlns:n0=", "xmlns=")) == device()


def test_unused_namespaces_comments_and_a_byte_order_mark_do_not_matter() -> None:
    other = DEVICE.replace("<n0:", "<n0:", 1).replace(
        "xmlns:n0=", 'xmlns:prx="urn:sap.com:proxy:Q10:/1SAI/T" xmlns:n0=', 1
    )
    other = other.replace("<ID>4711</ID>", "<!-- the meter --><ID>47<!-- ! -->11</ID><?pi x?>")
    assert decode(b"\xef\xbb\xbf" + other.encode()) == device()
    assert decode(f'<?xml version="1.0" encoding="UTF-16"?>{DEVICE}'.encode("utf-16")) == device()


def test_reliable_messaging_and_security_headers_are_ignored() -> None:
    head = (
        '<soapenv:Header><wsrm:Sequence xmlns:wsrm="http://schemas.xmlsoap.org/ws/2005/02/rm" '
        'soapenv:mustUnderstand="1"><wsrm:Identifier>urn:uuid:1</wsrm:Identifier></wsrm:Sequence></soapenv:Header>'
    )
    assert device(DEVICE.replace("<soapenv:Header/>", head)) == device()
    assert device(DEVICE.replace("<soapenv:Header/>", "")) == device()


def test_nil_and_empty_optional_elements_say_nothing() -> None:
    nil = '<ProductUniqueItemID xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>'
    for empty in (nil, "<ProductUniqueItemID/>", "<ProductUniqueItemID> </ProductUniqueItemID>"):
        assert device(DEVICE.replace("</MaterialID>", f"</MaterialID>{empty}")) == device()


def test_a_nil_mandatory_element_is_missing() -> None:
    nil = '<SerialID xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>'
    with pytest.raises(MissingElement, match="UtilitiesDevice/SerialID"):
        device(DEVICE.replace("<SerialID>SN1</SerialID>", nil))


def test_what_a_project_added_is_kept_but_not_sent() -> None:
    added = "<ManufacturerModelID>X9</ManufacturerModelID><DeviceCharacteristics><ID>a</ID></DeviceCharacteristics>"
    message = device(
        DEVICE.replace("</MaterialID>", f"</MaterialID>{added}").replace("<UtilitiesDevice>", "<UtilitiesDevice z='1'>")
    )
    assert message == device()
    assert [extra.path for extra in message.extras] == [
        "UtilitiesDevice/ManufacturerModelID",
        "UtilitiesDevice/DeviceCharacteristics",
        "UtilitiesDevice/@z",
    ]
    assert ">X9</ManufacturerModelID>" in message.extras[0].xml
    assert message.extras[2] == Extra("UtilitiesDevice/@z", "1")
    assert b"X9" not in encode(message)


def test_extras_of_bulk_items_stay_with_their_item() -> None:
    body = encode(example("UtilitiesDeviceERPSmartMeterBulkCreateRequest"))
    first, rest = body.split(b"</SerialID>", 1)
    second, third = rest.split(b"</MaterialID>", 1)
    message = decode(first + b"</SerialID>" + second + b"</MaterialID><Color>red</Color>" + third)
    assert isinstance(message, Bulk)
    assert [len(item.extras) for item in message.items] == [1, 0]
    assert message.items[0].extras == (Extra("UtilitiesDevice/Color", message.items[0].extras[0].xml),)


def test_extras_say_in_which_of_many_parts_they_were() -> None:
    body = encode(example("UtilitiesDeviceERPSmartMeterRegisterCreateRequest"))
    start, end = body.index(b"<Register>"), body.index(b"</Register>") + 11
    register = body[start:end]
    other = register.replace(b"</TimeZoneCode>", b"</TimeZoneCode><RegisterID>7</RegisterID>").replace(
        b"<Register>", b"<Register a='1'>"
    )
    message = decode(body[:end] + other + body[end:])
    assert [extra.path for extra in message.extras] == [
        "UtilitiesDevice/Register[2]/RegisterID",
        "UtilitiesDevice/Register[2]/@a",
    ]


def test_scheme_attributes_of_identifiers_and_codes_are_ignored() -> None:
    other = DEVICE.replace("<ID>", '<ID schemeID="EQUI" schemeAgencyID="ERP100">').replace(
        "<UUID>", '<UUID schemeID="GUID">'
    )
    assert device(other) == device()
    assert device(DEVICE.replace("<ID>", '<ID foreign="1">')) == device()


def test_types_named_by_the_sender_are_ignored() -> None:
    other = DEVICE.replace("<ID>", '<ID xsi:type="xsd:string">')
    other = other.replace("<UtilitiesDevice>", '<UtilitiesDevice xsi:type="x">')
    names = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    message = device(other.replace("<soapenv:Envelope", f"<soapenv:Envelope {names}"))
    assert message == device()
    assert message.extras == ()


def test_tokens_lose_their_surrounding_white_space_only() -> None:
    assert device(DEVICE.replace("SN1", "\n  SN  1\u00a0a ")).utilities_device.serial_id == "SN 1\u00a0a"


def test_an_invalid_value_is_named_with_place_line_and_rule() -> None:
    with pytest.raises(InvalidMessage) as caught:
        device(DEVICE.replace("4711", "4711" * 5))
    assert caught.value.root == "UtilitiesDeviceERPSmartMeterCreateRequest"
    assert caught.value.element == "UtilitiesDevice/ID"
    assert caught.value.line == 5
    assert "maximum length of '18'" in caught.value.reason


@pytest.mark.parametrize("date", ["0000-01-01", "2025-02-30", "2025-01-01Z", "20250101", "10000-01-01"])
def test_dates_that_are_none_are_refused(date: str) -> None:
    with pytest.raises(InvalidMessage, match="StartDate"):
        device(DEVICE.replace("2025-01-01</Start", f"{date}</Start"))


@pytest.mark.parametrize(
    "stamp", ["2025-01-01T06:00:00", "2025-01-01T06:00:00+01:00", "2025-01-01T24:00:01Z", "2025-01-01"]
)
def test_instants_must_be_utc(stamp: str) -> None:
    with pytest.raises(InvalidMessage, match="CreationDateTime"):
        device(DEVICE.replace("2025-01-01T06:00:00Z", stamp))


def test_midnight_written_as_24_hours_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidMessage, match="MessageHeader/CreationDateTime"):
        device(DEVICE.replace("T06:00:00Z", "T24:00:00Z"))


def test_a_hundred_nanoseconds_are_cut_to_microseconds() -> None:
    message = device(DEVICE.replace("06:00:00Z", "06:00:00.1234567Z"))
    assert message.message_header.creation_date_time.microsecond == 123456


def test_an_unknown_root_or_namespace_is_told() -> None:
    for other in (DEVICE.replace("CreateRequest", "CreateRequestt"), DEVICE.replace("SAPGlobal20", "SAPGlobal30")):
        with pytest.raises(UnknownMessage):
            device(other)
    with pytest.raises(UnknownMessage):
        decode(b"<html/>")


def test_soap_must_be_1_1_with_one_body_child() -> None:
    body = DEVICE[DEVICE.index("<soapenv:Body>") + 14 : DEVICE.index("</soapenv:Body>")]
    wrong = (
        DEVICE.replace("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"),
        DEVICE.replace("http://schemas.xmlsoap.org/soap/envelope/", "urn:other"),
        DEVICE.replace(body, ""),
        DEVICE.replace(body, body + body),
        DEVICE.replace("soapenv:Body>", "soapenv:Bodies>"),
    )
    for text in wrong:
        with pytest.raises(NotSoap):
            device(text)


def test_a_fault_from_the_partner_is_raised_and_ours_is_valid() -> None:
    reason = MalformedXml("Not well-formed\x01.", hint="Send XML.")
    body = encode_fault(reason)
    with pytest.raises(FaultReceived, match="Not well-formed") as caught:
        decode(body)
    assert caught.value.code == "soapenv:Client"
    detail = parsed(body).find(".//{http://sap.com/xi/SAPGlobal/Global}StandardMessageFault")
    assert detail is not None
    from lxml import etree  # noqa: PLC0415 - only this test validates the fault

    etree.XMLSchema(fault_schema()).assertValid(detail)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"serial_id": "x" * 31}, "UtilitiesDevice/SerialID"),
        ({"serial_id": ""}, "UtilitiesDevice/SerialID"),
        ({"serial_id": None}, "UtilitiesDevice/SerialID"),
        ({"serial_id": "a\x00b"}, "UtilitiesDeviceERPSmartMeterCreateRequest"),
        ({"serial_id": "\ud800"}, "UtilitiesDeviceERPSmartMeterCreateRequest"),
        ({"start_date": "2025-01-01"}, "UtilitiesDeviceERPSmartMeterCreateRequest"),
    ],
)
def test_nothing_invalid_is_sent(change: dict[str, str | None], place: str) -> None:
    known = {
        "id": "1",
        "start_date": dt.date(2025, 1, 1),
        "end_date": dt.date(9999, 12, 31),
        "serial_id": "1",
        "material_id": "m",
    }
    wrong = UtilitiesDeviceERPSmartMeterCreateRequest(
        message_header=header(dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
        utilities_device=UtilitiesDeviceERPSmartMeterCreateRequest.UtilitiesDevice(**(known | change)),  # type: ignore[arg-type]
    )
    with pytest.raises(InvalidMessage) as caught:
        encode(wrong)
    assert caught.value.element == place


def test_an_instant_without_zone_is_not_sent() -> None:
    naive = dt.datetime(2026, 3, 1)  # noqa: DTZ001
    message = UtilitiesDeviceERPSmartMeterCreateRequest(
        message_header=header(naive), utilities_device=device().utilities_device
    )
    with pytest.raises(InvalidMessage, match="no time zone"):
        encode(message)


def test_instants_are_sent_in_utc() -> None:
    local = dt.datetime(2026, 3, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    message = UtilitiesDeviceERPSmartMeterCreateRequest(
        message_header=header(local), utilities_device=device().utilities_device
    )
    assert b"<CreationDateTime>2026-03-01T00:00:00Z</CreationDateTime>" in encode(message)


def test_a_class_outside_the_contract_has_no_root() -> None:
    with pytest.raises(UnknownMessage):
        codec().root_of(Bulk)


def test_threads_share_the_codec_and_each_gets_its_own_error() -> None:
    bodies = [
        DEVICE,
        DEVICE.replace("SN1", "S" * 31),
        DEVICE.replace("MAT1", "M" * 61),
        DEVICE.replace("4711", "4" * 19),
    ]

    def outcome(number: int) -> str:
        try:
            return device(bodies[number % 4]).utilities_device.id
        except InvalidMessage as refusal:
            return refusal.element.rsplit("/", 1)[-1]

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(outcome, range(400)))
    assert outcomes == ["4711", "SerialID", "MaterialID", "ID"] * 100
