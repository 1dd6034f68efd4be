"""Hostile peers: any octets on the wire give events, answers or protocol errors, in bounded time and memory."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ami.dlms.conftest import SmallMeter, make_pair

from openami.ami.dlms import (
    NEED_DATA,
    AttributeRef,
    ClientConnection,
    GetRequest,
    Obis,
    ReleaseRequest,
    RemoteProtocolError,
    ServerConnection,
    State,
    WrapperFrame,
    WrapperFraming,
    act,
    octet_string,
    read,
    read_profile,
    serve,
    write,
)
from openami.ami.dlms.blocks import MAX_TRANSFER_OCTETS, Block, Incoming, Service
from openami.ami.dlms.references import Invoke

START = datetime(2026, 3, 1, tzinfo=UTC)
DEVICE_ID = Obis.of("0-0:96.1.0.255")
QUESTIONS = [
    read("1-0:1.8.0", 3).request,
    read_profile("1-0:99.1.0", START, START.replace(day=2)).request,
    GetRequest((AttributeRef(3, Obis.of("1-0:1.8.0"), 2), AttributeRef(1, DEVICE_ID, 2))),
    write(DEVICE_ID, 1, 2, octet_string(b"x" * 300)).request,
    act(DEVICE_ID, 1, 1, octet_string(b"x" * 300)).request,
    ReleaseRequest(),
]
changes = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4)
questions = st.sampled_from(QUESTIONS)


def changed(octets: bytes, changes: list[tuple[int, int]]) -> bytes:
    """The frame with some octets changed behind its header."""
    payload = bytearray(octets[8:])
    for place, octet in changes:
        if payload:
            payload[place % len(payload)] = octet
    return octets[:8] + bytes(payload)


@settings(max_examples=200)
@given(questions, changes)
def test_a_server_answers_whatever_comes(question: GetRequest, changes: list[tuple[int, int]]) -> None:
    pair = make_pair(client_pdu=200, server_pdu=200)
    pair.associate()
    asked = pair.client.send(question)
    answer = serve(pair.server, pair.meter, changed(asked, changes))
    assert len(answer) < 3 * 200
    # and it can still be talked to
    fresh = make_pair(meter=pair.meter)
    fresh.server = pair.server
    fresh.associate()
    assert fresh.query(read("1-0:1.8.0", 3)).integer() == 1_234_567


@settings(max_examples=200)
@given(questions, changes)
def test_a_client_takes_whatever_comes(question: GetRequest, changes: list[tuple[int, int]]) -> None:
    pair = make_pair(client_pdu=200, server_pdu=200)
    pair.associate()
    answer = serve(pair.server, pair.meter, pair.client.send(question))
    pair.client.receive_data(changed(answer[: 8 + int.from_bytes(answer[6:8], "big")], changes))
    with suppress(RemoteProtocolError):
        assert pair.client.next_event() is not None
    pair.client.give_up()
    assert pair.client.state in (State.READY, State.IDLE)


@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans())
def test_random_apdus_never_break_a_side(apdus: list[bytes], associated: bool) -> None:
    pair = make_pair()
    if associated:
        pair.associate()
    for apdu in apdus:
        frame = WrapperFrame(1, 1, apdu).encode()
        serve(pair.server, pair.meter, frame)
        pair.client.receive_data(frame)
        try:
            while pair.client.next_event() is not NEED_DATA:
                pass
        except RemoteProtocolError:
            continue


@given(st.binary(min_size=2, max_size=40).filter(lambda octets: octets[:2] != b"\x00\x01"))
def test_a_stream_that_is_no_wrapper_ends_the_connection(octets: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        serve(ServerConnection(WrapperFraming.server(1)), SmallMeter(), octets)
    assert error.value.service_error == 0


def test_an_endless_block_transfer_is_stopped() -> None:
    incoming = Incoming(Service.GET, Invoke())
    number = 1
    while len(incoming.raw) + 65_000 <= MAX_TRANSFER_OCTETS:
        incoming.add(Block(Service.GET, Invoke(), number, bytes(65_000)))
        number += 1
    with pytest.raises(RemoteProtocolError, match="grew beyond"):
        incoming.add(Block(Service.GET, Invoke(), number, bytes(65_000)))
    assert len(incoming.raw) <= MAX_TRANSFER_OCTETS


def test_blocks_out_of_order_are_refused() -> None:
    pair = make_pair(client_pdu=100)
    pair.associate()
    answer = bytearray(serve(pair.server, pair.meter, pair.client.send(QUESTIONS[1])))
    answer[8 + 7] = 9
    pair.client.receive_data(bytes(answer))
    with pytest.raises(RemoteProtocolError, match="Block 9 came where 1 is due"):
        pair.client.next_event()


def test_a_client_does_not_serve() -> None:
    client = ClientConnection(WrapperFraming.client(1, 1), password=b"12345678")
    client.receive_data(WrapperFrame(1, 1, bytes.fromhex("c001c100030100010800ff0200")).encode())
    with pytest.raises(RemoteProtocolError):
        client.next_event()
