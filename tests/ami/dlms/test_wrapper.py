"""Wrapper frames and the gateway header, on streams cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError
from openami.ami.dlms.gateway import GatewayAddress, prepend, split
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFrame, WrapperFraming

ports = st.integers(0, 0xFFFF)
frames = st.builds(WrapperFrame, ports, ports, st.binary(max_size=300))
addresses = st.builds(GatewayAddress, st.integers(0, 255), st.binary(min_size=1, max_size=16))
apdus = st.binary(min_size=1, max_size=50).filter(lambda apdu: apdu[0] not in (0xE6, 0xE7))


@given(st.lists(frames, max_size=5), st.lists(st.integers(1, 20), min_size=1))
def test_frames_come_out_whole_however_the_stream_is_cut(sent: list[WrapperFrame], cuts: list[int]) -> None:
    stream = b"".join(frame.encode() for frame in sent)
    buffer, received, at, turn = WrapperBuffer(), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        buffer.receive(stream[at : at + size])
        at, turn = at + size, turn + 1
        while (frame := buffer.next_frame()) is not None:
            received.append(frame)
    assert received == sent
    assert buffer.pending == 0


@given(st.binary(max_size=100))
def test_any_octets_give_frames_an_error_or_wait(octets: bytes) -> None:
    buffer = WrapperBuffer()
    buffer.receive(octets)
    try:
        while (frame := buffer.next_frame()) is not None:
            _ = frame.delivery()
    except RemoteProtocolError:
        return
    assert buffer.pending <= len(octets)


def test_a_bad_version_is_fatal_at_once() -> None:
    buffer = WrapperBuffer()
    buffer.receive(b"\x7e\xa0")
    with pytest.raises(RemoteProtocolError) as error:
        buffer.next_frame()
    assert error.value.service_error == 0
    assert "Close the connection" in str(error.value)


def test_the_known_frame() -> None:
    octets = bytes.fromhex("000100100001000dc001c100030100010800ff0200")
    frame = WrapperFrame.decode(octets)
    assert (frame.source, frame.destination, frame.apdu[0]) == (16, 1, 0xC0)
    assert frame.encode() == octets
    assert frame.gateway_address is None
    for datagram in (octets + b"x", octets[:-1], b""):
        with pytest.raises(RemoteProtocolError):
            WrapperFrame.decode(datagram)


def test_what_does_not_fit_is_our_own_error() -> None:
    with pytest.raises(LocalProtocolError, match="block transfer"):
        WrapperFrame(1, 1, bytes(0x10000)).encode()


@given(addresses, apdus, st.booleans())
def test_the_gateway_header_survives(address: GatewayAddress, apdu: bytes, response: bool) -> None:
    assert split(prepend(address, apdu, response=response)) == (address, apdu)
    assert split(apdu) == (None, apdu)


@given(st.binary(max_size=20))
def test_any_octets_behind_a_gateway_tag_give_an_address_or_an_error(octets: bytes) -> None:
    try:
        address, apdu = split(b"\xe6" + octets)
    except RemoteProtocolError:
        return
    assert address is not None
    assert len(apdu) < len(octets)


@given(addresses, apdus, apdus)
def test_a_server_answers_through_the_gateway_it_was_asked_through(
    address: GatewayAddress, question: bytes, answer: bytes
) -> None:
    client, server = WrapperFraming.client(16, 1, address), WrapperFraming.server(1)
    client.send(question)
    server.receive(client.data_to_send())
    delivery = server.next_delivery()
    assert delivery is not None
    assert (delivery.source, delivery.gateway, delivery.apdu) == (16, address, question)
    server.send(answer)
    octets = server.data_to_send()
    assert octets[8] == 0xE7
    client.receive(octets)
    received = client.next_delivery()
    assert received is not None
    assert received.apdu == answer
    assert client.data_to_send() == server.data_to_send() == b""


def test_answers_of_other_meters_are_skipped_and_counted() -> None:
    client = WrapperFraming.client(1, 1, GatewayAddress(0, b"A"))
    for other in (GatewayAddress(0, b"B"), GatewayAddress(1, b"A"), None):
        client.receive(WrapperFrame(1, 1, prepend(other, b"\xc4", response=True)).encode())
    client.receive(WrapperFrame(1, 2, prepend(GatewayAddress(0, b"A"), b"\xc4", response=True)).encode())
    client.receive(WrapperFrame(2, 1, prepend(GatewayAddress(0, b"A"), b"\xc4", response=True)).encode())
    assert client.next_delivery() is None
    assert client.strays == 5


def test_a_server_has_nobody_to_send_to_before_it_was_asked() -> None:
    with pytest.raises(LocalProtocolError):
        WrapperFraming.server(1).send(b"\x0f")
