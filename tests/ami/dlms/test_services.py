"""GET, SET, ACTION, notifications and failures on the wire: every form survives, any octets are bounded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms import acse, initiate
from openami.ami.dlms.apdu import Apdu, decode_apdu, encode_apdu
from openami.ami.dlms.axdr import Encoded, decode, encode
from openami.ami.dlms.blocks import Block, NextBlock, Service
from openami.ami.dlms.data import NULL, octet_string, structure, unsigned16
from openami.ami.dlms.enums import ActionResult, DataAccessResult
from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError
from openami.ami.dlms.events import (
    ActionOutcome,
    ActionRequest,
    ActionResponse,
    ConfirmedServiceError,
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
    ExceptionResponse,
    GetRequest,
    GetResponse,
    SetRequest,
    SetResponse,
)
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import AttributeRef, Invoke, MethodRef, Selection
from openami.ami.dlms.service_set import LastAck, head_of
from openami.ami.dlms.times import CosemDate, CosemDateTime, CosemTime

VECTORS = Path(__file__).parents[2] / "vectors" / "dlms"

invokes = st.builds(Invoke, st.integers(0, 15), st.booleans(), st.booleans())
codes = st.binary(min_size=6, max_size=6).map(Obis)
data = st.sampled_from([NULL, unsigned16(7), octet_string(b"abc"), structure(NULL, unsigned16(1))])
encoded = data.map(lambda value: Encoded(encode(value)))
selections = st.none() | st.builds(Selection, st.integers(0, 255), data)
attributes = st.builds(AttributeRef, st.integers(0, 0xFFFF), codes, st.integers(-128, 127), selections)
methods = st.builds(MethodRef, st.integers(0, 0xFFFF), codes, st.integers(-128, 127))
results = st.sampled_from(DataAccessResult)
numbers = st.integers(0, 0xFFFFFFFF)
stamps = st.none() | st.builds(
    CosemDateTime, st.just(CosemDate(2026, 3, 1, 7)), st.just(CosemTime(1, 2, 3, 0)), st.integers(-720, 840), st.just(0)
)
outcomes = st.builds(ActionOutcome, st.sampled_from(ActionResult), st.none() | results | encoded)


def several(items: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items, min_size=1, max_size=4).map(tuple)


def pairs(
    kind: type[SetRequest | ActionRequest], references: st.SearchStrategy[object], values: st.SearchStrategy[object]
) -> st.SearchStrategy[object]:
    one = st.builds(lambda a, b, i: kind((a,), (b,), invoke=i), references, values, invokes)
    many = st.builds(
        lambda both, i: kind(tuple(a for a, _ in both), tuple(b for _, b in both), listed=True, invoke=i),
        several(st.tuples(references, values)),
        invokes,
    )
    return one | many


not_null = encoded.filter(lambda value: value.raw != b"\x00")
set_requests = pairs(SetRequest, attributes, encoded)
from_client = st.one_of(
    st.builds(lambda a, i: GetRequest((a,), invoke=i), attributes, invokes),
    st.builds(GetRequest, several(attributes), st.just(value=True), invokes),
    set_requests,
    pairs(ActionRequest, methods, st.none() | not_null),
    st.builds(NextBlock, st.sampled_from([Service.GET, Service.ACTION]), invokes, numbers),
    st.builds(
        Block, st.sampled_from([Service.SET, Service.ACTION]), invokes, numbers, st.binary(max_size=50), st.booleans()
    ),
    st.builds(DataNotificationConfirm, numbers, stamps),
)
from_server = st.one_of(
    st.builds(lambda r, i: GetResponse((r,), invoke=i), results | encoded, invokes),
    st.builds(GetResponse, several(results | encoded), st.just(value=True), invokes),
    st.builds(lambda r, i: SetResponse((r,), invoke=i), results, invokes),
    st.builds(SetResponse, several(results), st.just(value=True), invokes),
    st.builds(lambda r, i, n: LastAck(SetResponse((r,), invoke=i), n), results, invokes, numbers),
    st.builds(lambda r, i, n: LastAck(SetResponse(r, listed=True, invoke=i), n), several(results), invokes, numbers),
    st.builds(lambda o, i: ActionResponse((o,), invoke=i), outcomes, invokes),
    st.builds(ActionResponse, several(outcomes), st.just(value=True), invokes),
    st.builds(NextBlock, st.sampled_from([Service.SET, Service.ACTION]), invokes, numbers),
    st.builds(
        Block, st.sampled_from([Service.GET, Service.ACTION]), invokes, numbers, st.binary(max_size=50), st.booleans()
    ),
    st.builds(
        lambda i, n, r: Block(Service.GET, i, n, last=True, failure=r),
        invokes,
        numbers,
        results,
    ),
    st.builds(ExceptionResponse, st.integers(0, 255), st.integers(0, 5)),
    st.builds(ExceptionResponse, st.integers(0, 255), st.just(6), numbers),
    st.builds(ConfirmedServiceError, *[st.integers(0, 255)] * 3),
    st.builds(DataNotification, encoded, stamps, numbers),
    st.builds(EventNotification, attributes.map(lambda a: AttributeRef(a.class_id, a.obis, a.attribute)), data, stamps),
)


@given(from_client)
def test_what_a_client_sends_survives(message: Apdu) -> None:
    assert decode_apdu(encode_apdu(message, from_client=True)) == message


@given(from_server)
def test_what_a_server_sends_survives(message: Apdu) -> None:
    assert decode_apdu(encode_apdu(message, from_client=False)) == message


@given(set_requests, st.binary(max_size=30), st.booleans())
def test_a_first_block_repeats_what_is_written(request: SetRequest, raw: bytes, last: bool) -> None:
    block = Block(Service.SET, request.invoke, 1, raw, last, head_of(request), listed=request.listed)
    assert decode_apdu(encode_apdu(block, from_client=True)) == block


@given(st.sampled_from([0x0E, 0x0F, 0x10, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC7, 0xD8]), st.binary(max_size=80))
def test_any_octets_give_a_message_or_a_protocol_error(tag: int, octets: bytes) -> None:
    try:
        message = decode_apdu(bytes((tag,)) + octets)
    except RemoteProtocolError:
        return
    assert message is not None


@given(from_client | from_server, st.integers(0, 200))
def test_a_cut_message_never_hangs_or_breaks(message: Apdu, kept: int) -> None:
    octets = encode_apdu(message, from_client=_is_from_client(message))[:kept]
    try:
        decode_apdu(octets)
    except RemoteProtocolError:
        return


def _is_from_client(message: Apdu) -> bool:
    if isinstance(message, Block):
        return message.service is Service.SET
    if isinstance(message, NextBlock):
        return message.service is Service.GET
    return False


def _vectors() -> list[tuple[str, str]]:
    rows = map(json.loads, (VECTORS / "apdus.jsonl").read_text().splitlines())
    return [(row["test"], row["hex"]) for row in rows]


def _reencoded(octets: bytes) -> bytes:
    """The octets again, by way of values; raises RemoteProtocolError for what is malformed."""
    match octets[0]:
        case acse.AARQ:
            return acse.encode_aarq(*acse.decode_aarq(octets))
        case acse.AARE:
            return acse.encode_aare(*acse.decode_aare(octets))
        case acse.RLRQ | acse.RLRE:
            return acse.encode_release(*acse.decode_release(octets))
        case initiate.REQUEST_TAG if b"\x5f\x1f" in octets:
            return initiate.encode_request(initiate.decode_request(octets))
        case tag if tag >= 0xC0:
            return encode_apdu(decode_apdu(octets), from_client=tag in (0xC0, 0xC1, 0xC3))
        case _:
            return encode(decode(octets))


MALFORMED = ("wrong", "raises", "TestHdlc", "Frame::", "cipher_load", "range_descriptor_to_bytes", "with_limit")
WELL_FORMED = [
    pytest.param(octets, id=name) for name, octets in _vectors() if not any(part in name for part in MALFORMED)
]


@pytest.mark.parametrize("octets", WELL_FORMED)
def test_telegrams_of_other_stacks_are_read_and_written_alike(octets: str) -> None:
    assert _reencoded(bytes.fromhex(octets)).hex() == octets


@pytest.mark.parametrize(("name", "octets"), [row for row in _vectors() if any(part in row[0] for part in MALFORMED)])
def test_malformed_telegrams_of_other_stacks_are_values_or_protocol_errors(name: str, octets: str) -> None:
    try:
        assert _reencoded(bytes.fromhex(octets))
    except RemoteProtocolError:
        return


def test_unknown_result_codes_count_as_other_reason() -> None:
    assert decode_apdu(bytes.fromhex("c401c10163")) == GetResponse((DataAccessResult.OTHER_REASON,))
    assert decode_apdu(bytes.fromhex("c701c16300")) == ActionResponse((ActionOutcome(ActionResult.OTHER_REASON),))


def test_an_action_answer_may_lack_its_presence_octet() -> None:
    assert decode_apdu(bytes.fromhex("c701c100")) == ActionResponse((ActionOutcome(ActionResult.SUCCESS),))


@pytest.mark.parametrize("lead", ["0c", "090c", "19"])
def test_the_time_of_a_push_is_read_in_every_form_seen(lead: str) -> None:
    stamp = "07e80701010c223800ff8880"
    message = decode_apdu(bytes.fromhex("0f00000001" + lead + stamp + "00"))
    assert isinstance(message, DataNotification)
    assert message.time is not None
    assert message.time.encode().hex() == stamp
    with pytest.raises(RemoteProtocolError, match="are known"):
        decode_apdu(bytes.fromhex("0f0000000105"))


@pytest.mark.parametrize("lead", ["010c", "01", "090c"])
def test_the_time_of_an_event_is_read_in_every_form_seen(lead: str) -> None:
    stamp = "07e80701010c223800ff8880"
    message = decode_apdu(bytes.fromhex("c2" + lead + stamp + "0001000060010aff02" + "0600000001"))
    assert isinstance(message, EventNotification)
    assert message.time is not None
    assert message.time.encode().hex() == stamp


def test_the_number_of_values_must_match_the_attributes() -> None:
    attribute = "0001000060010aff0200"
    with pytest.raises(RemoteProtocolError, match="writes 2 values to 1 attributes"):
        decode_apdu(bytes.fromhex("c104c101" + attribute + "020000"))
    with pytest.raises(RemoteProtocolError, match="gives 2 parameters to 1 methods"):
        decode_apdu(bytes.fromhex("c303c101" + attribute[:-2] + "020000"))


def test_numbers_beyond_their_field_are_our_own_error() -> None:
    with pytest.raises(LocalProtocolError):
        encode_apdu(NextBlock(Service.GET, Invoke(), 1 << 40), from_client=True)
