"""What partners really send, one test each (field notes of the contract: section 11)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from openami.shared.contract import field
from openami.shared.contract.field import errors

VECTORS = Path(__file__).parents[3] / "vectors" / "field"
QUARTER_HOUR = "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
MESSAGE = "http://iec.ch/TC57/2011/schema/message"


def test_a_genuine_power_fail_event_is_understood() -> None:
    data = (VECTORS / "landisgyr_enddeviceevents_power_fail.xml").read_bytes()
    found = field.decode(data)
    assert isinstance(found.payload, field.EndDeviceEvents)
    (event,) = found.payload.events
    assert (event.name, str(event.code)) == ("power.off", "6.20.1.185")
    assert event.created == datetime(2017, 10, 11, 19, 19, 12, 155436, tzinfo=UTC)
    assert event.device == field.Identity("abcde")
    assert event.status is not None
    assert event.status.value == "POWER_FAIL"
    assert found.header.verb is field.Verb.CREATED  # in a RequestMessage
    assert found.header.correlation_id == found.header.message_id  # absent in the message
    assert found.request is not None
    assert found.request.start is None  # US local format: noted, and nothing depends on it
    assert any("StartTime" in note for note in found.notes)
    assert any("anyType" in note for note in found.notes)
    assert b"password" in data  # stands in the SOAP header, which is none of our business
    assert not found.refusals


def created(noun: str, payload: str, *, root: str = "EventMessage", uri: str = MESSAGE, header: str = "") -> bytes:
    header = header or f"<Verb>created</Verb><Noun>{noun}</Noun><MessageID>m</MessageID>"
    return (f'<m:{root} xmlns:m="{uri}"><m:Header>{header.replace("<", "<m:").replace("<m:/", "</m:")}</m:Header>'
            f"<m:Payload>{payload}</m:Payload></m:{root}>").encode()  # fmt: skip


@pytest.mark.parametrize(
    "uri",
    [
        "http://iec.ch/TC57/2011/schema/message",
        "http://www.iec.ch/TC57/2011/schema/message",
        "http://www.iec.ch/TC57/2008/schema/message",
        "http://iec.ch/TC57/2017/schema/message",
    ],
)
@pytest.mark.parametrize("year", ["2009", "2011"])
def test_wrapper_and_payload_may_be_of_different_years(uri: str, year: str) -> None:
    payload = f"""<EndDeviceEvents xmlns="http://iec.ch/TC57/{year}/EndDeviceEvents#"><EndDeviceEvent>
    <createdDateTime>2026-03-01T00:00:00Z</createdDateTime><EndDeviceEventType ref="3.26.0.47"/></EndDeviceEvent>
    </EndDeviceEvents>"""
    found = field.decode(created("EndDeviceEvents", payload, uri=uri))
    assert isinstance(found.payload, field.EndDeviceEvents)
    assert len(found.payload.events) == 1


def test_meter_before_or_after_its_readings_is_the_same() -> None:
    block = f"""<IntervalBlocks><ReadingType ref="{QUARTER_HOUR}"/><IntervalReadings><value>0.1</value>
    <timeStamp>2026-03-01T00:15:00Z</timeStamp></IntervalReadings></IntervalBlocks>"""
    meter = "<Meter><Names><NameType><name>meterID</name></NameType><name>M1</name></Names></Meter>"
    uri = "http://iec.ch/TC57/2011/MeterReadings#"
    first, second = (
        field.decode(f'<MeterReadings xmlns="{uri}"><MeterReading>{inner}</MeterReading></MeterReadings>'.encode())
        for inner in (meter + block, block + meter)
    )
    assert first.payload == second.payload
    assert isinstance(first.payload, field.MeterReadings)
    assert first.payload.readings[0].meter == field.Identity.named("M1", "meterID")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("SendEndDeviceEvents", "EndDeviceEvents"),
        ("meter readings", "MeterReadings"),
        ("MeterReadingRequests", "MeterReadings"),
        ("enddevicecontrols", "EndDeviceControls"),
    ],
)
def test_wrong_nouns_are_understood_and_noted(written: str, meant: str) -> None:
    found = field.decode(created(written, ""))
    assert found.header.noun == meant
    assert any(written in note for note in found.notes)


@pytest.mark.parametrize("verb", ["create", "reply", "get", "", "nonsense"])
def test_the_root_element_is_trusted_over_the_header(verb: str) -> None:
    uri = "http://www.iec.ch/TC57/2011/MeterReadingsMessage"
    header = f"<Verb>{verb}</Verb><Noun>meter readings</Noun><MessageID>1</MessageID>"
    found = field.decode(created("", "", root="CreatedMeterReadings", uri=uri, header=header))
    assert (found.header.verb, found.header.noun) == (field.Verb.CREATED, "MeterReadings")
    assert any("verb" in note for note in found.notes)


@pytest.mark.parametrize(
    ("root", "verb", "noun"),
    [
        ("CreateEndDeviceControls", "create", "EndDeviceControls"),
        ("CanceledEndDeviceControls", "canceled", "EndDeviceControls"),
        ("ChangedMeterConfig", "changed", "MeterConfig"),
        ("GetMeterReadings", "get", "MeterReadings"),
        ("GetMeterReadSchedule", "get", "MeterReadSchedule"),
        ("MeterReadingsResponseMessage", "reply", "MeterReadings"),
    ],
)
def test_typed_roots_name_verb_and_noun(root: str, verb: str, noun: str) -> None:
    header = "<Verb>x</Verb><Noun>y</Noun><MessageID>1</MessageID>"
    found = field.decode(created("", "", root=root, uri="http://iec.ch/TC57/2011/XMessage", header=header))
    assert (found.header.verb.value, found.header.noun) == (verb, noun)


def test_a_placeholder_as_reference_costs_only_its_own_event() -> None:
    payload = """<EndDeviceEvents xmlns="http://iec.ch/TC57/2011/EndDeviceEvents#"><EndDeviceEvent>
    <createdDateTime>2026-03-01T00:00:00Z</createdDateTime><EndDeviceEventType ref="?"/></EndDeviceEvent>
    </EndDeviceEvents>"""
    found = field.decode(created("EndDeviceEvents", payload))
    assert found.payload == field.EndDeviceEvents(())
    assert "'?'" in found.refusals[0].reason


def test_an_illegal_message_time_costs_only_a_note() -> None:
    header = "<Verb>created</Verb><Noun>MeterReadings</Noun><Timestamp>false</Timestamp><MessageID>1</MessageID>"
    found = field.decode(created("", "", header=header))
    assert any("Timestamp" in note for note in found.notes)


def test_ids_that_are_no_uuids_are_kept_as_they_are() -> None:
    header = "<Verb>get</Verb><Noun>MeterReadings</Noun><MessageID>1001</MessageID><CorrelationID>7</CorrelationID>"
    found = field.decode(created("", "", root="RequestMessage", header=header))
    assert (found.header.message_id, found.header.correlation_id) == ("1001", "7")
    assert field.reply_to(found.header, source="A", at=found.header.timestamp).header.correlation_id == "7"


def test_a_query_with_its_own_prefix_and_the_code_in_a_name_is_understood() -> None:
    text = f"""<RequestMessage xmlns="{MESSAGE}"><Header><Verb>get</Verb><Noun>MeterReadings</Noun>
    <AsyncReplyFlag>false</AsyncReplyFlag><ReplyAddress>http://x/</ReplyAddress></Header><Request>
    <q:GetMeterReadings xmlns:q="http://iec.ch/TC57/2011/GetMeterReadings#"><q:EndDevice><q:mRID>12345</q:mRID>
    </q:EndDevice><q:ReadingType><q:Names><q:name>{QUARTER_HOUR}</q:name><q:NameType><q:name>ReadingType</q:name>
    </q:NameType></q:Names></q:ReadingType><q:TimeSchedule><q:scheduleInterval><q:end>2026-03-02T00:00:00Z</q:end>
    <q:start>2026-03-01T00:00:00Z</q:start></q:scheduleInterval></q:TimeSchedule></q:GetMeterReadings></Request>
    </RequestMessage>"""
    found = field.decode(text.encode())
    assert found.request is not None
    query = found.request.query
    assert query is not None
    assert query.devices == (field.Identity("12345"),)
    assert str(query.reading_types[0].code) == QUARTER_HOUR
    assert query.period == field.Period.between(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    assert not found.header.async_reply  # a reply address alone does not make it so


def test_a_wanted_type_without_a_code_is_refused_when_it_is_asked_for() -> None:
    wanted = field.WantedReadingType("x", (field.Name("kWh"),))
    with pytest.raises(errors.BadReadingTypeError):
        _ = wanted.code


def test_a_query_whose_time_cannot_be_read_is_refused() -> None:
    text = f"""<RequestMessage xmlns="{MESSAGE}"><Header><Verb>get</Verb><Noun>MeterReadings</Noun></Header>
    <Request><StartTime>10/11/2017 7:19:12 PM</StartTime></Request></RequestMessage>"""
    with pytest.raises(errors.MissingInRequestError, match="StartTime"):
        field.decode(text.encode())


def test_a_vendors_own_action_is_read_and_never_sent_back_changed() -> None:
    payload = """<EndDeviceControls xmlns="http://iec.ch/TC57/2011/EndDeviceControls#"><EndDeviceControl><mRID>c</mRID>
    <EndDeviceAction><command>relay off</command><startDateTime>11.10.2017 19:19</startDateTime></EndDeviceAction>
    <EndDeviceControlType ref="3.31.0.23"/></EndDeviceControl></EndDeviceControls>"""
    found = field.decode(created("EndDeviceControls", payload))
    assert isinstance(found.payload, field.EndDeviceControls)
    (control,) = found.payload.controls
    assert control.name == "disconnect"
    assert control.action == field.EndDeviceAction(command="relay off", start="11.10.2017 19:19")


def test_an_error_beside_ok_is_not_a_failure() -> None:
    text = f"""<ResponseMessage xmlns="{MESSAGE}"><Header><Verb>reply</Verb><Noun>EndDeviceControls</Noun></Header>
    <Reply><Result>OK</Result><Error><code>0.0</code></Error></Reply></ResponseMessage>"""
    found = field.decode(text.encode())
    assert found.reply is not None
    assert found.reply.result is field.Result.OK
    assert not any(error.is_error for error in found.reply.errors)


def test_the_object_of_an_error_stands_in_either_generation_s_place() -> None:
    text = f"""<ResponseMessage xmlns="{MESSAGE}"><Header><Verb>reply</Verb><Noun>Whatever you say</Noun></Header>
    <Reply><Result>partial</Result><Error><code>2.4</code><level>Fatal</level><ID kind="name" objectType="Meter">X1</ID>
    </Error><Error><code>2.4</code><level>?</level><object><Name><name>X2</name></Name><objectType>Meter</objectType>
    </object></Error></Reply></ResponseMessage>"""
    found = field.decode(text.encode())
    assert found.reply is not None
    assert [(each.object_name, each.object_type, each.level) for each in found.reply.errors] == [
        ("X1", "Meter", field.Level.FATAL), ("X2", "Meter", None),
    ]  # fmt: skip
    assert found.header.noun == "Whatever you say"


def test_a_soap_fault_gives_its_detail_or_its_words() -> None:
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    fault = f'<s:Envelope xmlns:s="{soap}"><s:Body><s:Fault>{{}}</s:Fault></s:Body></s:Envelope>'
    detail = f"""<detail><MeterReadingsFaultMessage xmlns="http://iec.ch/TC57/2011/MeterReadingsMessage"><Reply>
    <Result xmlns="{MESSAGE}">FAILED</Result></Reply></MeterReadingsFaultMessage></detail>"""
    found = field.decode(fault.format(detail).encode())
    assert found.reply is not None
    assert found.reply.result is field.Result.FAILED
    with pytest.raises(errors.NotAnEnvelopeError, match="out of order"):
        field.decode(fault.format("<faultstring>out of order</faultstring>").encode())


def test_elements_that_nobody_knows_are_noted_and_left_out() -> None:
    payload = """<EndDeviceEvents xmlns="http://iec.ch/TC57/2011/EndDeviceEvents#"><EndDeviceEvent><flavour>x</flavour>
    <createdDateTime>2026-03-01T00:00:00Z</createdDateTime><EndDeviceEventType ref="3.26.0.47"/></EndDeviceEvent>
    </EndDeviceEvents>"""
    found = field.decode(created("EndDeviceEvents", payload))
    assert "EndDeviceEvent/flavour is not known and was left out" in found.notes
