"""Headers, logs, bulk messages and confirmations."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.contract.enterprise.codec import codec, decode, encode
from openami.shared.contract.enterprise.confirm import bulk, confirmation_for, refusal_for
from openami.shared.contract.enterprise.errors import InvalidMessage, MissingMessageId, NoConfirmation
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.headers import header, id_key, message_key, reference_key, same_id
from openami.shared.contract.enterprise.messages.common import Log, LogItem, MessageHeader
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation,
)
from openami.shared.contract.enterprise.messages.device import UtilitiesDeviceERPSmartMeterBulkCreateConfirmation
from openami.shared.contract.enterprise.messages.reading_result import MeterReadingDocumentERPResultCreateConfirmation
from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage

NOW = dt.datetime(2026, 3, 1, 7, tzinfo=dt.UTC)
CONFIRMED = [operation for operation in catalogue().operations if operation.confirmation is not None]


def request_of(root: str) -> HeadedMessage:
    message = example(root)
    assert isinstance(message, HeadedMessage)
    return message


def test_a_header_has_a_new_uuid_and_the_callers_time() -> None:
    first, second = header(NOW, sender="MDUS"), header(NOW)
    assert first.uuid != second.uuid
    assert first.creation_date_time == NOW
    assert first.sender_business_system_id == "MDUS"
    assert first.reference_uuid is None


def test_an_answer_refers_to_what_it_answers_and_goes_to_its_sender() -> None:
    request = MessageHeader(id="M1", uuid="A" * 8, creation_date_time=NOW, sender_business_system_id="ERP100")
    answer = header(NOW, reply_to=request, sender="MDUS")
    assert (answer.reference_id, answer.reference_uuid) == ("M1", "A" * 8)
    assert answer.recipient_business_system_id == "ERP100"
    assert reference_key(answer) == message_key(request) == "a" * 8
    assert header(NOW, reply_to=request, recipient="X").recipient_business_system_id == "X"


def test_a_message_is_known_by_its_uuid_in_any_case_or_by_its_id() -> None:
    upper = MessageHeader(uuid="6F1C0C1E-0000-4000-8000-00000000000A", creation_date_time=NOW)
    lower = MessageHeader(uuid="6f1c0c1e-0000-4000-8000-00000000000a", id="7", creation_date_time=NOW)
    assert message_key(upper) == message_key(lower)
    assert message_key(MessageHeader(id="7", creation_date_time=NOW)) == "id:7"
    assert reference_key(MessageHeader(reference_id="7", creation_date_time=NOW)) == "id:7"
    assert reference_key(lower) is None
    with pytest.raises(MissingMessageId):
        message_key(MessageHeader(creation_date_time=NOW))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("000000000000000042", "42", True),
        ("42", "42", True),
        ("0", "000", True),
        ("042A", "42A", False),
        ("42", "420", False),
    ],
)
def test_padded_numbers_are_the_same_identifier(first: str, second: str, same: bool) -> None:
    assert same_id(first, second) is same
    assert same_id(second, first) is same


@given(st.text(max_size=20))
def test_an_identifier_key_is_its_own_key(text: str) -> None:
    assert id_key(id_key(text)) == id_key(text)


def test_success_says_3_and_nothing_else() -> None:
    assert logs.success() == Log(business_document_processing_result_code="3")
    assert logs.is_success(logs.success())
    assert logs.success("stored").item[0].note == "stored"


def test_a_refusal_is_told_with_its_number_category_and_severity() -> None:
    log = logs.failed(InvalidMessage("Root", "A/B", "too long"), "no such device")
    assert log.business_document_processing_result_code == "5"
    assert log.maximum_log_item_severity_code == "3"
    assert [(item.type_id, item.category_code, item.severity_code) for item in log.item] == [
        ("OAMI010", "PRE.VAE", "3"),
        ("OAMI000", "PRE", "3"),
    ]
    assert "A/B" in log.item[0].note
    assert not logs.is_success(log)
    assert logs.notes(log).endswith("OAMI000 no such device")


def test_notes_are_cut_to_200_characters() -> None:
    assert len(logs.item("x" * 500).note) == 200
    assert logs.item("").note == "-"


@pytest.mark.parametrize(("codes", "result"), [("33", "3"), ("55", "5"), ("353", "4"), ("", "3"), ("34", "4")])
def test_the_overall_log_sums_up(codes: str, result: str) -> None:
    each = [Log(business_document_processing_result_code=code) for code in codes]
    overall = logs.overall(each)
    assert overall.business_document_processing_result_code == result
    assert logs.is_partly(overall) == (result == "4")


def test_logs_of_other_systems_are_understood() -> None:
    error = LogItem(severity_code="3", type_id="61208", note="missing")
    assert logs.is_success(Log(business_document_processing_result_code="03"))
    assert logs.is_success(Log())
    assert not logs.is_success(Log(item=(error,)))
    assert not logs.is_success(Log(business_document_processing_result_code="4", item=(error,)))
    assert logs.is_success(Log(business_document_processing_result_code="5", item=(error,)), success_prefixes=["612"])
    assert not logs.is_success(Log(business_document_processing_result_code="5"), success_prefixes=["612"])


@pytest.mark.parametrize("operation", CONFIRMED, ids=lambda operation: operation.request)
def test_every_request_is_confirmed_by_its_confirmation(operation: object) -> None:
    assert operation in CONFIRMED
    root = getattr(operation, "request", "")
    request = request_of(root)
    answer = confirmation_for(request, logs.success(), created=NOW, sender="MDUS")
    expected = catalogue().confirmation_of(catalogue().of(root))
    assert expected is not None
    assert codec().root_of(answer) == expected.request
    assert reference_key(answer.message_header) == message_key(request.message_header)
    assert isinstance(answer, BulkConfirmation if isinstance(request, Bulk) else Confirmation)
    assert decode(encode(answer)) == answer
    if isinstance(request, Bulk) and isinstance(answer, Bulk):
        for asked, told in zip(request.items, answer.items, strict=True):
            assert reference_key(told.message_header) == message_key(asked.message_header)


def test_what_request_and_confirmation_share_is_copied() -> None:
    answer = confirmation_for(request_of("MeterReadingDocumentERPResultCreateRequest"), logs.success(), created=NOW)
    assert isinstance(answer, MeterReadingDocumentERPResultCreateConfirmation)
    document = answer.meter_reading_document
    assert document.id == "00000000000000001234"
    assert document.utilties_measurement_task is not None
    assert document.utilties_measurement_task.utilties_device is not None
    assert document.utilties_measurement_task.utilties_device.utilities_device_id == "4711"


def test_what_only_the_execution_can_tell_is_left_to_the_caller() -> None:
    root = "SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest"
    answer = confirmation_for(request_of(root), logs.failed("no answer"), created=NOW)
    assert isinstance(answer, SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation)
    assert answer.utilities_connection_status_change_request.id == "70000001"
    assert answer.utilities_connection_status_change_request.device_connection_status == ()


def test_a_bulk_is_confirmed_item_by_item() -> None:
    request = request_of("UtilitiesDeviceERPSmartMeterBulkCreateRequest")
    answer = confirmation_for(request, [logs.success(), logs.failed("unknown material")], created=NOW)
    assert isinstance(answer, UtilitiesDeviceERPSmartMeterBulkCreateConfirmation)
    assert [item.log.business_document_processing_result_code for item in answer.items] == ["3", "5"]
    assert [item.utilities_device.id for item in answer.items] == ["4711", "4712"]
    assert logs.is_partly(answer.log)
    with pytest.raises(ValueError, match="zip"):
        confirmation_for(request, [logs.success()], created=NOW)


def test_notifications_are_not_confirmed() -> None:
    with pytest.raises(NoConfirmation):
        confirmation_for(request_of("UtilitiesDeviceERPSmartMeterLocationNotification"), logs.success(), created=NOW)


@pytest.mark.parametrize("root", [operation.request for operation in catalogue().operations if operation.bulk])
def test_items_find_their_bulk_message(root: str) -> None:
    message = request_of(root)
    assert isinstance(message, Bulk)
    if isinstance(message, BulkConfirmation):
        return
    made = bulk(message.items, message.message_header)
    assert made == message


REASON = InvalidMessage("Root", "UtilitiesDevice/SerialID", "is too long")


def rescued(body: bytes) -> HeadedMessage | None:
    return refusal_for(body, REASON, created=NOW, sender="MDUS")


@pytest.mark.parametrize("operation", CONFIRMED, ids=lambda operation: operation.request)
def test_every_invalid_request_can_be_refused_by_its_confirmation(operation: object) -> None:
    request = request_of(getattr(operation, "request", ""))
    answer = rescued(encode(request))
    assert isinstance(answer, Confirmation | BulkConfirmation)
    expected = confirmation_for(request, logs.failed(REASON), created=NOW, sender="MDUS")
    assert type(answer) is type(expected)
    assert reference_key(answer.message_header) == message_key(request.message_header)
    assert "is too long" in logs.notes(answer.items[0].log if isinstance(answer, BulkConfirmation) else answer.log)
    assert decode(encode(answer)) == answer


def test_the_refusal_repeats_what_could_be_read() -> None:
    body = encode(request_of("UtilitiesDeviceERPSmartMeterBulkCreateRequest"))
    answer = rescued(
        body.replace(b"<StartDate>2026-03-01", b"<StartDate>soon").replace(b"<EndDate>9999-12-31</EndDate>", b"")
    )
    assert isinstance(answer, UtilitiesDeviceERPSmartMeterBulkCreateConfirmation)
    assert [item.utilities_device.id for item in answer.items] == ["4711", "4712"]
    assert answer.message_header.recipient_business_system_id == "ERP100"


@pytest.mark.parametrize(
    "change",
    [
        (b"<ID>4711</ID>", b""),
        (b"<ID>4711</ID>", b"<ID>1234567890123456789</ID>"),
        (b"MessageHeader>", b"Heading>"),
        (b"</n0:", b"</n1:"),
        (b"CreateRequest", b"CreateDesire"),
        (b"SmartMeterCreateRequest", b"SmartMeterLocationNotification"),
    ],
)
def test_without_identifiers_only_a_fault_can_answer(change: tuple[bytes, bytes]) -> None:
    assert rescued(encode(request_of("UtilitiesDeviceERPSmartMeterCreateRequest")).replace(*change)) is None
