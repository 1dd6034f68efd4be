"""Replies and their requests, results and errors, paths and statuses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openami.shared.contract import field

AT = datetime(2026, 3, 1, 2, 10, tzinfo=UTC)
ASKED = field.request(field.Verb.GET, "MeterReadings", source="MDUS", at=AT, reply_address="http://mdus/cim/reply")


def test_a_request_has_two_different_new_ids() -> None:
    again = field.request(field.Verb.GET, "MeterReadings", source="MDUS", at=AT)
    ids = {each for one in (ASKED, again) for each in (one.header.message_id, one.header.correlation_id)}
    assert len(ids) == 4
    assert (ASKED.header.async_reply, again.header.async_reply) == (True, False)


def test_every_reply_has_a_new_message_id_and_the_correlation_id_of_the_request() -> None:
    now = field.acknowledge(ASKED.header, source="AMS-1", at=AT)
    later = field.reply_to(ASKED.header, source="AMS-1", at=AT, payload=field.MeterReadings())
    assert now.header.correlation_id == later.header.correlation_id == ASKED.header.correlation_id
    assert len({now.header.message_id, later.header.message_id, ASKED.header.message_id}) == 3
    assert (later.header.verb, later.header.noun) == (field.Verb.REPLY, "MeterReadings")


def test_an_event_correlates_with_its_cause_or_with_itself() -> None:
    events = field.EndDeviceEvents()
    caused = field.event(field.Verb.CREATED, events, source="AMS-1", at=AT, cause=ASKED.header)
    alone = field.event(field.Verb.CREATED, events, source="AMS-1", at=AT)
    assert caused.header.correlation_id == ASKED.header.correlation_id
    assert caused.header.message_id != caused.header.correlation_id
    assert alone.header.message_id == alone.header.correlation_id


def test_ok_is_accompanied_by_the_code_that_means_no_error() -> None:
    reply = field.reply_to(ASKED.header, source="AMS-1", at=AT).reply
    assert reply is not None
    assert [(error.code, error.level, error.is_error) for error in reply.errors] == [("0.0", "INFORM", False)]
    assert reply.is_final


def test_partial_says_so_before_it_names_the_bad_meters() -> None:
    bad = field.FieldError.of("2.4", "no such meter", name="X002", kind="Meter")
    reply = field.reply_to(ASKED.header, source="A", at=AT, result=field.Result.PARTIAL, errors=(bad,)).reply
    assert reply is not None
    assert [error.code for error in reply.errors] == ["0.1", "2.4"]
    assert reply.errors[1].level is field.Level.FATAL
    assert reply.is_final


def test_an_acknowledgement_is_not_the_end() -> None:
    acknowledged = field.acknowledge(ASKED.header, source="A", at=AT)
    assert acknowledged.reply is not None
    assert not acknowledged.reply.is_final
    assert field.http_status(acknowledged) == 202
    more = field.reply_to(ASKED.header, source="A", at=AT, result=field.Result.PARTIAL)
    assert more.reply is not None
    assert not more.reply.is_final
    assert field.http_status(more) == 200


def test_a_refusal_carries_the_code_of_its_reason() -> None:
    with pytest.raises(field.FieldContractError) as caught:
        field.decode(b"no xml")
    refused = field.refuse(ASKED.header, caught.value, source="AMS-1", at=AT).reply
    assert refused is not None
    assert refused.result is field.Result.FAILED
    assert refused.errors[0].code == "1.4"
    assert "well-formed" in (refused.errors[0].reason or "")


def test_an_unknown_local_code_is_allowed() -> None:
    error = field.FieldError.of("42.7", "ours")
    assert (error.level, error.is_error, error.reason) == (field.Level.FATAL, True, "ours")


def test_refused_parts_become_errors_with_their_positions() -> None:
    refusal = field.Refusal("MeterReading[3] line 40", "2.6", "unknown reading type", "M1001")
    (error,) = field.errors_of([refusal])
    assert (error.code, error.object_name, error.object_type) == ("2.6", "M1001", "Meter")
    assert error.details == "MeterReading[3] line 40"


@pytest.mark.parametrize(
    ("verb", "path"),
    [("create", "/cim/request"), ("cancel", "/cim/request"), ("execute", "/cim/request"), ("get", "/cim/get"),
     ("created", "/cim/send"), ("changed", "/cim/send"), ("reply", "/cim/reply")],
)  # fmt: skip
def test_each_verb_has_its_path(verb: str, path: str) -> None:
    header = field.request(field.Verb(verb), "MeterReadings", source="M", at=AT).header
    assert field.path_of(header) == path
    kinds = [header.verb.is_event, header.verb.is_request, header.verb is field.Verb.REPLY]
    assert kinds.count(True) == 1


def test_an_identity_answers_by_kind_of_name() -> None:
    identity = field.Identity("m-1", (field.Name.of("Bob"), field.Name.of("M1001", "SerialNumber")))
    assert (identity.name(), identity.name("SerialNumber"), identity.name("x")) == ("Bob", "M1001", None)
    assert (identity.label(), field.Identity("m-1").label(), field.Identity().label()) == ("Bob", "m-1", "(nameless)")
