"""The ACCESS service: both ways over the wire, through a meter, and as the British meters speak it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ami.dlms.conftest import SmallMeter, make_pair

from openami.ami.dlms import (
    OUR_CONFORMANCE_WITH_ACCESS,
    AttributeRef,
    ClientConnection,
    Conformance,
    Data,
    MethodRef,
    Obis,
    Selection,
    ServerConnection,
    ServiceRefusedError,
    Tag,
    WrapperFraming,
    access,
    encode,
    octet_string,
    read,
    unsigned8,
)
from openami.ami.dlms.apdu import decode_apdu, encode_apdu
from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.enums import ActionResult, DataAccessResult
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.events import (
    NULL_DATA,
    Access,
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    AccessVerb,
    DataNotification,
)
from openami.ami.dlms.reader import Reader
from openami.ami.dlms.security.envelopes import unwrap
from openami.ami.dlms.security.sealing import Sealed
from openami.ami.dlms.times import CosemDateTime

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ami.dlms.conftest import ConnectionPair

ENERGY, DEVICE_ID, BREAKER = Obis.of("1-0:1.8.0"), Obis.of("0-0:96.1.0"), Obis.of("0-0:96.3.10")
GET, SET, ACTION = AccessVerb.GET, AccessVerb.SET, AccessVerb.ACTION
STAMP = CosemDateTime.decode(bytes.fromhex("07EA 03 01 07 0C 00 00 00 FFC4 00"))

obis_codes = st.binary(min_size=6, max_size=6).map(Obis)
values = st.integers(0, 255).map(lambda number: Encoded(encode(unsigned8(number)))) | st.just(NULL_DATA)
selections = st.none() | st.builds(Selection, st.integers(0, 255), st.just(unsigned8(1)))
attributes = st.builds(AttributeRef, st.integers(0, 0xFFFF), obis_codes, st.integers(-128, 127), selections)
methods = st.builds(MethodRef, st.integers(0, 0xFFFF), obis_codes, st.integers(-128, 127))
accesses = st.builds(Access, st.sampled_from([GET, SET]), attributes, values) | st.builds(
    Access, st.just(ACTION), methods, values
)
numbers = st.integers(0, 0xFF_FFFF)
stamps = st.sampled_from([None, STAMP])
requests = st.builds(
    AccessRequest,
    st.lists(accesses, max_size=5).map(tuple),
    numbers,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    stamps,
)
outcomes = st.builds(AccessOutcome, st.sampled_from([GET, SET]), st.sampled_from(DataAccessResult), values) | st.builds(
    AccessOutcome, st.just(ACTION), st.sampled_from(ActionResult), values
)
responses = st.builds(AccessResponse, st.lists(outcomes, max_size=5).map(tuple), numbers, stamps)


@given(requests | responses)
def test_a_message_survives_the_wire(message: AccessRequest | AccessResponse) -> None:
    from_client = isinstance(message, AccessRequest)
    assert decode_apdu(encode_apdu(message, from_client=from_client)) == message


@given(st.sampled_from([0xD9, 0xDA]), st.binary(max_size=80))
def test_any_octets_are_a_message_or_refused(tag: int, octets: bytes) -> None:
    try:
        decode_apdu(bytes((tag,)) + octets)
    except RemoteProtocolError:
        return


def test_specifications_in_a_response_are_dropped() -> None:
    plain = encode_apdu(AccessResponse((AccessOutcome(GET, DataAccessResult.SUCCESS),), 7), from_client=False)
    repeated = plain[:6] + bytes.fromhex("01 01 01 0003 0100010800FF 02") + plain[7:]
    assert decode_apdu(repeated) == decode_apdu(plain)


@pytest.fixture
def pair() -> ConnectionPair:
    pair = make_pair()
    offered = OUR_CONFORMANCE_WITH_ACCESS | Conformance.GENERAL_BLOCK_TRANSFER
    pair.client = ClientConnection(WrapperFraming.client(1, 1), password=b"12345678", conformance=offered)
    pair.server = ServerConnection(WrapperFraming.server(1), conformance=offered)
    pair.associate()
    return pair


READ = Access(GET, AttributeRef(3, ENERGY, 2))
ABSENT = Access(GET, AttributeRef(3, Obis.of("1-0:9.9.9"), 2))
WRITE = Access(SET, AttributeRef(1, DEVICE_ID, 2), Encoded(encode(octet_string(b"new"))))


def test_a_meter_is_read_and_written_in_one_message(pair: ConnectionPair) -> None:
    found = pair.query(access([READ, WRITE, ABSENT, READ]))
    assert [each.result for each in found] == [
        DataAccessResult.SUCCESS, DataAccessResult.SUCCESS, DataAccessResult.OBJECT_UNDEFINED, DataAccessResult.SUCCESS,
    ]  # fmt: skip
    assert found[0].value.data().integer() == found[3].value.data().integer() == 1_234_567
    assert found[2].value == NULL_DATA
    assert pair.query(read(DEVICE_ID, 1)).text() == "new"


def test_behind_an_error_nothing_is_done_where_that_is_wanted(pair: ConnectionPair) -> None:
    before = pair.query(read(DEVICE_ID, 1))
    found = pair.query(access([ABSENT, WRITE], break_on_error=True))
    assert [each.result for each in found] == [DataAccessResult.OBJECT_UNDEFINED, DataAccessResult.OTHER_REASON]
    assert pair.query(read(DEVICE_ID, 1)) == before


def test_a_method_without_parameter_gets_none() -> None:
    given_to: list[Data | None] = []

    class Acting(SmallMeter):
        def act(self, class_id: int, obis: Obis, method: int, parameter: Data | None) -> Data | None:
            given_to.append(parameter)
            return unsigned8(7)

    pair = make_pair(meter=Acting())
    pair.client = ClientConnection(
        WrapperFraming.client(1, 1), password=b"12345678", conformance=OUR_CONFORMANCE_WITH_ACCESS
    )
    pair.server = ServerConnection(WrapperFraming.server(1), conformance=OUR_CONFORMANCE_WITH_ACCESS)
    pair.associate()
    with_one = Access(ACTION, MethodRef(70, BREAKER, 1), Encoded(encode(Data(Tag.INTEGER8, 0))))
    found = pair.query(access([Access(ACTION, MethodRef(70, BREAKER, 1)), with_one]))
    assert given_to == [None, Data(Tag.INTEGER8, 0)]
    assert [(each.result, each.value.data()) for each in found] == [(ActionResult.SUCCESS, unsigned8(7))] * 2


def test_long_answers_travel_in_general_blocks() -> None:
    pair = make_pair()
    offered = OUR_CONFORMANCE_WITH_ACCESS | Conformance.GENERAL_BLOCK_TRANSFER
    pair.client = ClientConnection(
        WrapperFraming.client(1, 1), password=b"12345678", conformance=offered, max_pdu_octets=64
    )
    pair.server = ServerConnection(WrapperFraming.server(1), conformance=offered)
    pair.associate()
    found = pair.query(access([READ] * 40))
    assert [each.value.data().integer() for each in found] == [1_234_567] * 40


def test_a_service_that_was_not_negotiated_or_does_not_fit_is_refused() -> None:
    pair = make_pair()
    pair.associate()
    with pytest.raises(ServiceRefusedError):
        pair.query(access([READ]))
    assert pair.query(read(ENERGY, 3)).integer() == 1_234_567
    small = make_pair()
    small.client = ClientConnection(
        WrapperFraming.client(1, 1), password=b"12345678", conformance=OUR_CONFORMANCE_WITH_ACCESS, max_pdu_octets=64
    )
    small.server = ServerConnection(WrapperFraming.server(1), conformance=OUR_CONFORMANCE_WITH_ACCESS)
    small.associate()
    with pytest.raises(ServiceRefusedError):
        small.query(access([READ] * 40))


def test_british_meters_and_their_suppliers_are_understood(fixtures: Path) -> None:
    """Every message of the set: signed, or sealed around a signed one; each DLMS part reads and writes alike."""
    seen: Counter[type] = Counter()
    with gzip.open(fixtures / "gbcs-smets2" / "gbcs_rtds_4.5.0.jsonl.gz") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    for row in rows:
        octets = bytes.fromhex(row["hex"])
        opened = unwrap(octets)
        if opened is not None:
            octets = Sealed.decode(opened[1]).body[:-12]
        reader = Reader(octets)
        assert reader.u8() == 0xDF
        for _ in range(5):
            reader.octets()
        content = reader.octets()
        if content[:1] not in (b"\xd9", b"\xda", b"\x0f"):
            continue  # other languages of theirs: ASN.1 and ZigBee
        message = decode_apdu(content)
        seen[type(message)] += 1
        if isinstance(message, AccessRequest):
            assert encode_apdu(message, from_client=True) == content
    assert seen == {AccessRequest: 236, AccessResponse: 172, DataNotification: 49}
