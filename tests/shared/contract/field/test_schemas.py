"""What we write validates against the public schemas, read in place: the CIM model behind them is not ours to ship."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lxml import etree

from openami.shared.contract import field
from openami.shared.contract.field.nouns import noun_namespace

if TYPE_CHECKING:
    from openami.shared.contract.field.envelope import Noun

SCHEMAS = Path(__file__).parents[5] / "shared" / "fixtures" / "cim-61968"
A = SCHEMAS / "schema_smencim"
B = SCHEMAS / "schema_epri_dlms-cim" / "xsd"
pytestmark = pytest.mark.skipif(not SCHEMAS.exists(), reason="the schemas of ../shared/fixtures are not here")

AT = datetime(2026, 3, 1, 2, 10, tzinfo=UTC)
NAMES = (field.Name.of("M1001", "SerialNumber"),)
QUARTER_HOUR = field.ReadingTypeCode.parse("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
EVENT = field.EndDeviceEvent(
    mrid="2b928834-b538-4244-9daf-6db54f700a76",
    created=AT,
    issuer_id="MDUS",
    issuer_tracking_id="SO-4711",
    reason="cover",
    severity="alarm",
    user_id="u",
    device=field.Identity(None, NAMES),
    details=(field.EventDetail("cover", "terminal"), field.EventDetail("rawCode")),
    code=field.event_code("tamper.cover_open"),
    names=NAMES,
    status=field.Status(at=AT, reason="r", remark="x", value="v"),
    usage_point=field.Identity("UP-77"),
)
READINGS = field.MeterReadings(
    (
        field.MeterReading(
            meter=field.Identity("a", NAMES),
            usage_point=field.Identity.named("UP-77"),
            blocks=(
                field.IntervalBlock.of(
                    QUARTER_HOUR,
                    np.array([1772323200, 1772324100]),
                    900,
                    np.array([412, 0]),
                    missing=np.array([False, True]),
                    qualities=[(field.VALID_BY_DEVICE,), (field.KNOWN_MISSING_BY_AMS, field.QualityCode(1, 4, 9))],
                    quality_index=np.array([1, 2], np.uint16),
                    reported=AT,
                    source="AMS-1",
                ),
            ),
            readings=(
                field.Reading(
                    reading_type=field.ReadingTypeCode.parse("11.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0"),
                    at=AT,
                    value=Decimal("1234.567"),
                    qualities=(field.VALID_BY_DEVICE,),
                    reason="billing",
                    reported=AT,
                    source="AMS-1",
                    period=field.Period.between(AT, AT),
                ),
            ),
            events=(EVENT,),
            span=field.Period.between(AT, AT),
        ),
    )
)
CONTROLS = field.EndDeviceControls(
    (
        field.EndDeviceControl(
            mrid="2b928834-b538-4244-9daf-6db54f700a76",
            issuer_id="MDUS",
            issuer_tracking_id="SO-4711",
            reason="nonPayment",
            code=field.DISCONNECT,
            devices=(field.ControlledDevice(names=NAMES),),
            timing=field.DeviceTiming(interval=field.Period.between(AT, AT)),
        ),
        field.EndDeviceControl(
            mrid="2b928834-b538-4244-9daf-6db54f700a77",
            program_level=1,
            price_signal=Decimal("0.5"),
            display=field.PanDisplay(start=AT, text="Hello", priority="1", confirmation_required=False),
            code=field.ControlCode(0, 0, 0, 0),
            device_groups=(field.Identity.named("G1"),),
            usage_points=(field.Identity("2b928834-b538-4244-9daf-6db54f700a79"),),
        ),
        field.EndDeviceControl(
            demand_response=field.PanDemandResponse(start=AT, duty_cycle_percent=Decimal(50), duration_min=60),
            code=field.ControlCode(3, 15, 0, 13),
        ),
    )
)
FUNCTIONS: Any = {
    "com_functions": (
        field.ComFunction(mrid="com", amr_address="10.0.0.1:4059", amr_router="DC-1", direction="biDirectional",
                          enabled=True, technology="plc", names=NAMES),
    ),
    "switch_functions": (
        field.ConnectDisconnectFunction(
            mrid="switch", enabled=True, event_count=1, is_connected=True, names=NAMES,
            info=field.SwitchInfo(armed_timeout_s=60, is_energy_limiting=True, power_limit_w=Decimal(4000)),
        ),
    ),
    "simple_functions": (
        field.SimpleEndDeviceFunction(
            mrid="e", enabled=True, kind="electricMetering", names=NAMES,
            registers=(
                field.Register(left_digits=6, right_digits=3, tier_name="T1", names=NAMES,
                               channels=(field.Channel(names=NAMES, reading_type=QUARTER_HOUR),)),
            ),
        ),
    ),
}  # fmt: skip
METERS = field.MeterConfig(
    meters=(
        field.Meter(
            mrid="m", amr_system="AMS-1", form_number="2S", is_virtual=False, serial_number="M1001", type="E450",
            time_zone_offset_min=60, configuration=field.ConfigurationEvent(created=AT, effective=AT, reason="new"),
            address=field.ElectronicAddress(mac="00:11", lan="10.0.0.1"), com_functions=("com",),
            info=field.EndDeviceInfo(
                phase_count=1, rated_voltage_v=Decimal(230),
                model=field.AssetModel(model_number="E450", manufacturer=field.Identity.named("L+G")),
                capability=field.Capability(connect_disconnect=True, electric_metering=True),
            ),
            lifecycle=field.Lifecycle(installation=date(2026, 2, 28)),
            multipliers=(field.MeterMultiplier(kind="ctRatio", value=Decimal("40.0")),),
            names=NAMES, status=field.Status(value="active"),
        ),
    ),
    **FUNCTIONS,
)  # fmt: skip
DEVICES = field.EndDeviceConfig(
    devices=(field.EndDevice(mrid="d", amr_system="AMS-1", install_code="x", is_pan=False, serial_number="DC-1",
                             names=NAMES, com_functions=("com",)),),
    **FUNCTIONS,
)  # fmt: skip
POINTS = field.UsagePointConfig(
    (
        field.UsagePoint(
            mrid="p", ami_billing_ready="operable", connection_state="connected", is_sdp=True, outage_region="T1",
            nominal_voltage_v=Decimal(230), configuration=field.ConfigurationEvent(effective=AT),
            transformer=field.Identity.named("T1"),
            requirements=(field.MetrologyRequirement(reason="billing", reading_types=(QUARTER_HOUR,)),),
            names=NAMES, service_category=field.ServiceCategory(kind="electricity"),
            service_location=field.Identity("loc"),
        ),
    )
)  # fmt: skip
SCHEDULE = field.MeterReadSchedule(
    devices=(field.Identity("m", NAMES),),
    reading_types=(field.WantedReadingType.of(QUARTER_HOUR),),
    schedules=(
        field.TimeSchedule(
            disabled=False, offset_s=1200, recurrence_pattern="daily", recurrence_period_s=86400,
            interval=field.Period.between(AT, None),
            points=(field.TimePoint(at=AT, relative_s=0, sequence_number=1, window=field.Period.between(AT, AT)),),
        ),
    ),
    usage_points=(field.Identity("p"),),
)  # fmt: skip
NOUNS: list[Noun] = [READINGS, field.EndDeviceEvents((EVENT,)), CONTROLS, METERS, DEVICES, POINTS, SCHEDULE]


@cache
def schema(path: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(path))


def payload_of(envelope: field.Envelope) -> etree._Element:
    assert envelope.payload is not None
    tree = etree.fromstring(field.encode(envelope))
    found = tree.find(f".//{{{noun_namespace(envelope.payload.NOUN)}}}{envelope.payload.NOUN}")
    assert found is not None
    return found


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.NOUN)
def test_payloads_are_valid(noun: Noun) -> None:
    envelope = field.event(field.Verb.CREATED, noun, source="AMS-1", at=AT)
    schema(A / f"{noun.NOUN}.xsd").assertValid(payload_of(envelope))
    if noun is CONTROLS:
        schema(B / f"{noun.NOUN}.xsd").assertValid(payload_of(envelope))


def envelopes() -> list[field.Envelope]:
    asked = field.request(
        field.Verb.GET, "MeterReadings", source="MDUS", at=AT, reply_address="http://mdus/cim/reply",
        parameters=field.Request(start=AT, end=AT, options=(("source", "auto"),), ids=("x",),
                                 query=field.GetMeterReadings(devices=(field.Identity("m"),))),
        properties=(("Priority", "4"),),
    )  # fmt: skip
    bad = field.FieldError.of("2.4", "no such meter", name="X002", kind="Meter")
    return [
        asked,
        field.event(field.Verb.CREATED, READINGS, source="AMS-1", at=AT),
        field.request(field.Verb.CREATE, "EndDeviceControls", source="MDUS", at=AT, payload=CONTROLS),
        field.reply_to(asked.header, source="AMS-1", at=AT, payload=READINGS),
        field.acknowledge(asked.header, source="AMS-1", at=AT),
        field.reply_to(asked.header, source="AMS-1", at=AT, result=field.Result.PARTIAL, errors=(bad,), ids=("t",)),
    ]


@pytest.mark.parametrize("envelope", envelopes(), ids=lambda envelope: envelope.header.verb)
def test_envelopes_are_valid_in_both_generations(envelope: field.Envelope) -> None:
    tree = etree.fromstring(field.encode(envelope))
    for query in list(tree.iter("{http://iec.ch/TC57/2011/GetMeterReadings#}GetMeterReadings")):
        query.getparent().remove(query)  # type: ignore[union-attr] # no schema for it here; generation B insists on one
    schema(B / "Message.xsd").assertValid(tree)
    for identifier in tree.iter("{http://iec.ch/TC57/2011/schema/message}ID"):
        parent = identifier.getparent()
        if parent is not None and parent.tag.endswith("Error"):
            parent.remove(identifier)  # generation A knows no ID in an Error
    schema(A / "Message.xsd").assertValid(tree)


def test_the_typed_form_is_valid() -> None:
    order = field.request(
        field.Verb.CREATE, "EndDeviceControls", source="MDUS", at=AT, payload=CONTROLS, reply_address="http://x/"
    )
    tree = etree.fromstring(field.encode(order, typed=True))
    assert tree.tag == "{http://iec.ch/TC57/2011/EndDeviceControlsMessage}CreateEndDeviceControls"
    schema(B / "EndDeviceControlsMessage.xsd").assertValid(tree)
    reply = field.reply_to(order.header, source="AMS-1", at=AT)
    schema(B / "EndDeviceControlsMessage.xsd").assertValid(etree.fromstring(field.encode(reply, typed=True)))


@pytest.mark.parametrize("envelope", envelopes()[1:4], ids=lambda envelope: envelope.header.verb)
def test_compressed_payloads_are_valid_and_come_back(envelope: field.Envelope) -> None:
    data = field.encode(envelope, compressed=True)
    schema(B / "Message.xsd").assertValid(etree.fromstring(data))
    assert field.decode(data) == envelope
    assert data == field.encode(envelope, compressed=True)


def test_faults_are_valid() -> None:
    with pytest.raises(field.FieldContractError) as caught:
        field.decode(b"<x/>")
    schema(B / "Message.xsd").validate(etree.fromstring(field.encode_fault(caught.value)))
    fault = field.decode(field.encode_fault(caught.value))
    assert fault.reply is not None
    assert (fault.reply.result, fault.reply.errors[0].code) == (field.Result.FAILED, "1.4")
