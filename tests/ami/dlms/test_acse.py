"""AARQ, AARE, RLRQ, RLRE and what travels in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms import acse, initiate
from openami.ami.dlms.enums import (
    AcseDiagnostic,
    AssociationResult,
    Conformance,
    Context,
    Mechanism,
    ReleaseReason,
)
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.events import (
    AssociationRequest,
    AssociationResponse,
    Initiate,
    ReleaseRequest,
    ReleaseResponse,
)

secrets = st.binary(min_size=1, max_size=64)
titles = st.binary(min_size=8, max_size=8) | st.just(b"")
conformances = st.sets(st.sampled_from(list(Conformance))).map(lambda bits: Conformance(sum(bits)))
initiates = st.builds(
    Initiate,
    conformances,
    st.integers(0, 0xFFFF),
    st.binary(max_size=32),
    st.booleans(),
    st.none() | st.integers(-128, 127),
    st.integers(0, 255),
)
requests = st.builds(
    AssociationRequest,
    st.sampled_from(Context),
    st.sampled_from([mechanism for mechanism in Mechanism if mechanism]),
    secrets,
    titles,
    st.binary(max_size=200),
    st.none() | st.integers(0, 255),
)
responses = st.builds(
    AssociationResponse,
    st.sampled_from(AssociationResult),
    st.sampled_from(AcseDiagnostic),
    st.sampled_from(Context),
    st.sampled_from([mechanism for mechanism in Mechanism if mechanism.high]),
    secrets,
    titles,
    st.binary(max_size=200),
    from_provider=st.booleans(),
)


@given(requests, st.binary(max_size=100))
def test_an_aarq_survives(request: AssociationRequest, information: bytes) -> None:
    assert acse.decode_aarq(acse.encode_aarq(request, information)) == (request, information)


@given(responses, st.binary(max_size=100))
def test_an_aare_survives(response: AssociationResponse, information: bytes) -> None:
    assert acse.decode_aare(acse.encode_aare(response, information)) == (response, information)


@given(initiates)
def test_an_initiate_request_survives(value: Initiate) -> None:
    assert initiate.decode_request(initiate.encode_request(value)) == value


@given(initiates)
def test_an_initiate_response_survives(value: Initiate) -> None:
    back = initiate.decode_response(initiate.encode_response(value))
    assert (back.conformance, back.max_pdu_octets, back.version) == (
        value.conformance,
        value.max_pdu_octets,
        value.version,
    )
    assert back.quality_of_service == value.quality_of_service


@given(
    st.sampled_from([ReleaseRequest, ReleaseResponse]),
    st.none() | st.sampled_from(ReleaseReason),
    st.binary(max_size=40),
)
def test_a_release_survives(
    kind: type[ReleaseRequest | ReleaseResponse], reason: ReleaseReason | None, information: bytes
) -> None:
    assert acse.decode_release(acse.encode_release(kind(reason), information)) == (kind(reason), information)


@pytest.mark.parametrize(
    "decoder", [acse.decode_aarq, acse.decode_aare, initiate.decode_request, initiate.decode_response]
)
@given(octets=st.binary(max_size=80), head=st.sampled_from(["", "60", "61", "6002a100", "01", "08", "0800065f1f04"]))
def test_any_octets_give_a_value_or_a_protocol_error(decoder: object, octets: bytes, head: str) -> None:
    try:
        decoder(bytes.fromhex(head) + octets)  # type: ignore[operator]
    except RemoteProtocolError:
        return


@given(st.binary(max_size=40), st.sampled_from([0x62, 0x63]))
def test_any_release_gives_a_value_or_a_protocol_error(octets: bytes, tag: int) -> None:
    try:
        message, _ = acse.decode_release(bytes((tag,)) + octets)
    except RemoteProtocolError:
        return
    assert isinstance(message, ReleaseRequest if tag == 0x62 else ReleaseResponse)


def test_the_password_request_of_the_green_book() -> None:
    octets = bytes.fromhex(
        "6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738"
        "be10040e01000000065f1f0400007e1f04b0"
    )
    request, information = acse.decode_aarq(octets)
    assert (request.mechanism, request.authentication) == (Mechanism.LOW, b"12345678")
    asked = initiate.decode_request(information)
    assert (int(asked.conformance), asked.max_pdu_octets) == (0x007E1F, 1200)
    assert acse.encode_aarq(request, initiate.encode_request(asked)) == octets


def test_the_accepting_answer_of_the_green_book() -> None:
    octets = bytes.fromhex("6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000501f01f40007")
    response, information = acse.decode_aare(octets)
    assert response.accepted
    agreed = initiate.decode_response(information)
    assert (int(agreed.conformance), agreed.max_pdu_octets) == (0x00501F, 500)
    assert acse.encode_aare(response, initiate.encode_response(agreed)) == octets


def test_a_refusal_without_user_information_is_understood() -> None:
    response, information = acse.decode_aare(bytes.fromhex("6117a109060760857405080101a203020101a305a10302010d"))
    assert not response.accepted
    assert response.diagnostic is AcseDiagnostic.AUTHENTICATION_FAILURE
    assert information == b""


def test_an_empty_release_is_legal() -> None:
    assert acse.decode_release(bytes.fromhex("6200")) == (ReleaseRequest(None), b"")
    assert acse.decode_release(bytes.fromhex("6300")) == (ReleaseResponse(None), b"")
