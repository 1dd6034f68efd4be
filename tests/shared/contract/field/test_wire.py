"""Whole messages from and to bytes: wrappers, compression, what is refused as a whole and what in part."""

from __future__ import annotations

import base64
import gzip
import re
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from openami.shared.contract import field
from openami.shared.contract.field import errors
from openami.shared.contract.field.nouns import noun_namespace

AT = datetime(2026, 3, 1, 2, 10, tzinfo=UTC)
QUARTER_HOUR = "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
ONE = f"""<IntervalReadings><timeStamp>2026-03-01T00:15:00Z</timeStamp><value>0.412</value></IntervalReadings>
<ReadingType ref="{QUARTER_HOUR}"/>"""

HALF_HOUR = "<start>2026-03-01T00:00:00Z</start><end>2026-03-01T00:30:00Z</end>"


def bare(blocks: str, more: str = "") -> bytes:
    return f"""<MeterReadings xmlns="{noun_namespace("MeterReadings")}"><MeterReading>{blocks}
    <Meter><Names><name>M1001</name></Names></Meter></MeterReading>{more}</MeterReadings>""".encode()


def block(inner: str, partner: field.Partner | None = None) -> tuple[field.IntervalBlock, field.Envelope]:
    found = field.decode(bare(f"<IntervalBlocks>{inner}</IntervalBlocks>"), partner)
    assert isinstance(found.payload, field.MeterReadings)
    return found.payload.readings[0].blocks[0], found


def header(extra: str = "") -> str:
    return f"""<Header><Verb>created</Verb><Noun>MeterReadings</Noun><Timestamp>2026-03-01T02:10:00Z</Timestamp>
    <MessageID>1</MessageID><CorrelationID>2</CorrelationID>{extra}</Header>"""


def message(payload: str, root: str = "EventMessage", head: str = "") -> bytes:
    inner = f"{head or header()}<Payload>{payload}</Payload>"
    return f'<{root} xmlns="http://iec.ch/TC57/2011/schema/message">{inner}</{root}>'.encode()


def test_a_value_is_an_exact_integer_in_its_stated_scale() -> None:
    found, _ = block(ONE)
    assert (found.values.tolist(), found.scale, found.reading_type.unit_symbol) == ([412], 0, "Wh")
    assert found.starts.tolist() == [int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())]


def test_a_period_wins_over_a_stamp_and_gives_the_length_if_the_type_has_none() -> None:
    found, _ = block("""<IntervalReadings><timeStamp>2026-03-01T09:09:09Z</timeStamp><value>7</value>
        <timePeriod><start>2026-03-01T00:00:00Z</start><end>2026-03-01T00:20:00Z</end></timePeriod>
        </IntervalReadings><ReadingType ref="0.0.0.4.1.1.12.0.0.0.0.0.0.0.0.0.72.0"/>""")
    assert (found.starts.tolist(), found.interval_s) == ([1772323200], 1200)


@pytest.mark.parametrize(("stamp", "minute"), [("end", 0), ("start", 15)])
def test_a_bare_stamp_is_the_end_unless_the_partner_says_otherwise(stamp: str, minute: int) -> None:
    found, _ = block(ONE, field.Partner(interval_stamp="start" if stamp == "start" else "end"))
    assert found.starts.tolist() == [1772323200 + minute * 60]


def test_stamps_with_the_offsets_of_other_places_are_instants() -> None:
    found, _ = block(ONE.replace("T00:15:00Z", "T08:15:00.000+08:00"))
    assert found.starts.tolist() == [1772323200]


def test_a_stamp_without_offset_is_refused_unless_a_zone_is_agreed() -> None:
    inner = ONE.replace("00:15:00Z", "01:15:00")
    found, envelope = block(inner)
    assert len(found) == 0
    assert "offset" in envelope.refusals[0].reason
    found, envelope = block(inner, field.Partner(zone_name="Europe/Amsterdam"))
    assert found.starts.tolist() == [1772323200]


def test_a_known_missing_value_stays_missing() -> None:
    found, envelope = block(f"""<IntervalReadings><timeStamp>2026-03-01T00:15:00Z</timeStamp><ReadingQualities>
        <ReadingQualityType ref="2.5.259"/></ReadingQualities></IntervalReadings>
        <IntervalReadings><timeStamp>2026-03-01T00:30:00Z</timeStamp><value>1.5</value></IntervalReadings>
        <ReadingType ref="{QUARTER_HOUR}"/>""")
    assert found.missing.tolist() == [True, False]
    assert found.quality_sets[found.quality_index[0]] == (field.KNOWN_MISSING_BY_AMS,)
    assert (found.values.tolist(), found.scale) == ([0, 15], 2)
    assert not envelope.refusals


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("0.412", "0.4x2", "decimal"),
        ("0.412", "1e3", "decimal"),
        ("2026-03-01T00:15:00Z", "false", "not a time"),
        ("<timeStamp>2026-03-01T00:15:00Z</timeStamp>", "", "no usable time"),
        ("</value>", '</value><ReadingQualities><ReadingQualityType ref="ok"/></ReadingQualities>', "quality"),
        ("</value>", f"</value><timePeriod>{HALF_HOUR}</timePeriod>", "not the 900 s"),
    ],
)  # fmt: skip
def test_one_bad_reading_is_refused_and_the_others_stand(old: str, new: str, reason: str) -> None:
    good = "<IntervalReadings><timeStamp>2026-03-01T00:30:00Z</timeStamp><value>0.1</value></IntervalReadings>"
    found, envelope = block(good + ONE.replace(old, new) + good.replace(":30:", ":45:"))
    assert (found.values * 10**found.scale).tolist() == [100, 100]
    first = envelope.refusals[0]
    assert reason in first.reason
    assert first.position.startswith("MeterReading[1]/IntervalBlocks[1]")
    assert "IntervalReadings[2]" in first.position
    assert first.object_name == "M1001"
    assert len(envelope.refusals) == 1


def test_many_bad_readings_of_one_kind_are_one_refusal() -> None:
    _, envelope = block(ONE.replace("0.412", "?") * 1000)
    assert len(envelope.refusals) == 1
    assert "IntervalReadings[1] and 999 more" in envelope.refusals[0].position


def test_a_block_without_a_usable_type_is_refused_and_its_neighbour_stands() -> None:
    found = field.decode(bare(f"<IntervalBlocks>{ONE.replace('72.0', '72')}</IntervalBlocks><IntervalBlocks>{ONE}"
                              "</IntervalBlocks><IntervalBlocks/>"))  # fmt: skip
    assert isinstance(found.payload, field.MeterReadings)
    assert len(found.payload.readings[0].blocks) == 1
    assert [(refusal.code, refusal.object_name) for refusal in found.refusals] == [("2.6", "M1001"), ("1.3", "M1001")]


def test_a_calculation_left_to_us_is_kept_in_sight() -> None:
    pending = f"""<PendingCalculation><scalarNumerator>40</scalarNumerator><ReadingType ref="{QUARTER_HOUR}"/>
    </PendingCalculation>"""
    found, _ = block(ONE + pending)
    assert found.pending_calculation == f"scalarNumerator=40, ReadingType={QUARTER_HOUR}"


def test_references_to_definitions_become_codes() -> None:
    more = """<ReadingType><mRID>rt-1</mRID><accumulation>4</accumulation><commodity>1</commodity>
      <flowDirection>1</flowDirection><measurementKind>12</measurementKind><measuringPeriod>2</measuringPeriod>
      <multiplier>3</multiplier><unit>72</unit><Names><name>kWh delivered</name></Names></ReadingType>
      <ReadingQualityType><category>0</category><subCategory>0</subCategory><systemId>1</systemId>
      <Names><name>good</name></Names></ReadingQualityType>"""
    quality = '</value><ReadingQualities><ReadingQualityType ref="good"/></ReadingQualities>'
    inner = ONE.replace(QUARTER_HOUR, "kWh delivered").replace("</value>", quality)
    found = field.decode(bare(f"<IntervalBlocks>{inner}</IntervalBlocks>", more))
    assert isinstance(found.payload, field.MeterReadings)
    first = found.payload.readings[0].blocks[0]
    assert str(first.reading_type) == QUARTER_HOUR
    assert first.quality_sets[1] == (field.VALID_BY_DEVICE,)
    assert found.notes == ("a bare document without an envelope",)


def test_registers_are_decimals_in_the_unit_of_their_type() -> None:
    found = field.decode(
        bare(f"""<Readings><timeStamp>2026-03-01T00:00:00Z</timeStamp><value>1234.5</value>
        <ReadingType ref="0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0"/></Readings>
        <Readings><value>5</value><ReadingType ref="{QUARTER_HOUR}"/></Readings>""")
    )
    assert isinstance(found.payload, field.MeterReadings)
    (reading,) = found.payload.readings[0].readings
    assert (reading.value, reading.in_unit) == (Decimal("1234.5"), Decimal(1234500))
    assert "neither a timeStamp" in found.refusals[0].reason


def compressed(data: bytes) -> bytes:
    return message(f"<Compressed>{base64.b64encode(data).decode()}</Compressed><Format>XML</Format>")


def test_a_compressed_payload_is_inflated() -> None:
    found = field.decode(compressed(gzip.compress(bare(f"<IntervalBlocks>{ONE}</IntervalBlocks>"))))
    assert isinstance(found.payload, field.MeterReadings)
    assert found.payload.interval_count == 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (gzip.compress(b"\x00" * 20_000_000, mtime=0), errors.TooLargeError),
        (gzip.compress(b"<!DOCTYPE x><x/>", mtime=0), errors.HostileXmlError),
        (gzip.compress(b"<x xmlns='urn:x'/>", mtime=0), errors.UnknownNamespaceError),
        (gzip.compress(b"<x/>", mtime=0)[:-4], errors.MalformedXmlError),
        (b"\x1f\x8bnonsense", errors.MalformedXmlError),
        (b"<x/>", errors.MalformedXmlError),
    ],
)
def test_what_a_compressed_payload_hides_is_treated_like_any_stranger(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        field.decode(compressed(data))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'<MeterReadings xmlns="urn:mine"/>', errors.UnknownNamespaceError),
        (b"<Envelope/>", errors.UnknownNamespaceError),
        (b'<Nonsense xmlns="http://iec.ch/TC57/2011/x#"/>', errors.UnknownNounError),
        (b'<EventMessage xmlns="http://iec.ch/TC57/2011/schema/message"/>', errors.NotAnEnvelopeError),
        (message("", head="<Header><Verb>created</Verb></Header>"), errors.MissingInHeaderError),
        (message("", head="<Header><Noun>MeterReadings</Noun></Header>"), errors.MissingInHeaderError),
        (message("", head="<Header><Verb>make</Verb><Noun>MeterReadings</Noun></Header>"), errors.UnknownVerbError),
        (message("", head="<Header><Verb>create</Verb><Noun>Cake</Noun></Header>"), errors.UnknownNounError),
        (message("<OperationSet/>"), errors.UnknownVerbError),
        (message("", root="Whatever"), errors.NotAnEnvelopeError),
        (message("<MeterConfig><Meter><electronicAddress><password>x</password></electronicAddress></Meter>"
                 "<ComFunction><password>1234</password></ComFunction></MeterConfig>"), errors.SecretInMessageError),
        (b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>',
         errors.NotAnEnvelopeError),
    ],
)  # fmt: skip
def test_messages_are_refused_as_a_whole_with_their_own_reason(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        field.decode(data)


def test_a_bad_event_does_not_cost_the_good_ones() -> None:
    event = """<EndDeviceEvent><createdDateTime>{}</createdDateTime><Assets><Names><name>M{}</name></Names></Assets>
    <EndDeviceEventType ref="{}"/></EndDeviceEvent>"""
    found = field.decode(message(
        "<EndDeviceEvents>" + event.format("2026-03-01T00:00:00Z", 1, "3.26.0.47")
        + event.format("yesterday", 2, "3.26.0.47") + event.format("2026-03-01T00:00:00Z", 3, "power off")
        + event.format("2026-03-01T00:00:00Z", 4, "3.1.4.1592") + "</EndDeviceEvents>"
    ))  # fmt: skip
    assert isinstance(found.payload, field.EndDeviceEvents)
    assert [event.name for event in found.payload.events] == ["power.off", None]
    assert [refusal.object_name for refusal in found.refusals] == ["M2", "M3"]
    assert found.refusals[0].position.startswith("EndDeviceEvent[2]")


def test_the_same_bare_document_has_the_same_message_id() -> None:
    first, again = field.decode(bare("")), field.decode(bare(""))
    assert first.header.message_id == again.header.message_id
    assert field.decode(bare(f"<IntervalBlocks>{ONE}</IntervalBlocks>")).header.message_id != first.header.message_id
    assert (first.header.verb, first.header.noun) == (field.Verb.CREATED, "MeterReadings")


@pytest.mark.parametrize("zone_hours", [92, 100])
def test_short_and_long_days_come_back_in_both_stamp_conventions(zone_hours: int) -> None:
    start = int(datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp())
    sent = field.IntervalBlock.of(
        field.ReadingTypeCode.parse(QUARTER_HOUR), start + 900 * np.arange(zone_hours), 900, np.arange(zone_hours)
    )
    readings = field.MeterReadings((field.MeterReading(meter=field.Identity.named("M1"), blocks=(sent,)),))
    body = field.encode(field.event(field.Verb.CREATED, readings, source="A", at=AT))
    stripped = re.sub(rb"<timePeriod>.*?</timePeriod>", b"", body)
    by_start = re.sub(rb"<timeStamp>.*?</timeStamp>", b"", body)
    for data in (body, stripped, by_start):
        found = field.decode(data)
        assert found.payload == readings


def test_one_bad_meter_of_ten_thousand_costs_only_itself() -> None:
    good = f"<MeterReading><IntervalBlocks>{ONE}</IntervalBlocks></MeterReading>"
    bad = good.replace("0.412", "abc")
    text = f'<MeterReadings xmlns="{noun_namespace("MeterReadings")}">{good * 4999}{bad}{good * 5000}</MeterReadings>'
    found = field.decode(text.encode())
    assert isinstance(found.payload, field.MeterReadings)
    assert found.payload.interval_count == 9999
    assert [refusal.position.split("/")[0] for refusal in found.refusals] == ["MeterReading[5000]"]
