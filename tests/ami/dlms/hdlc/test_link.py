"""The data link under client and server: segments, windows, loss, several stations, and the end of a link."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ami.dlms.conftest import PASSWORD, ConnectionPair, SmallMeter

from openami.ami.dlms import (
    NEED_DATA,
    ClientConnection,
    DataNotification,
    Encoded,
    Obis,
    ReleaseRequest,
    ServerConnection,
    State,
    act,
    encode,
    octet_string,
    opened,
    read,
    read_profile,
    serve,
    unsigned8,
    write,
)
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.hdlc import Frame, FrameReader, HdlcAddress, HdlcFraming, LinkParameters, PushReader
from openami.ami.dlms.hdlc.frames import FrameKind
from openami.ami.dlms.hdlc.link import MAX_JOINED_OCTETS, LinkState

if TYPE_CHECKING:
    from openami.ami.dlms.events import Event

SERVER = HdlcAddress(1, 17, 4)
DEVICE_ID = Obis.of("0-0:96.1.0.255")
# a segment that looks like an LLC header would start a new APDU
pushed = st.binary(min_size=1, max_size=100).filter(lambda apdu: 0xE6 not in apdu)
START, END = datetime(2026, 3, 1, 0, 15, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


def make_pair(
    client: LinkParameters | None = None,
    server: LinkParameters | None = None,
    *,
    address: HdlcAddress = SERVER,
    chunk: int = 1_000_000,
    pdu: int = 8192,
) -> ConnectionPair:
    up = ClientConnection(HdlcFraming.client(1, address, client), password=PASSWORD, max_pdu_octets=pdu)
    down = ServerConnection(HdlcFraming.server(address, server))
    return ConnectionPair(up, down, SmallMeter(), chunk)


def exercise(pair: ConnectionPair) -> None:
    pair.associate()
    profile = pair.query(read_profile("1-0:99.1.0", START, END))
    assert profile.columns[1].values.tolist() == pair.meter.energy_wh[:96].tolist()
    pair.query(write(DEVICE_ID, 1, 2, octet_string(bytes(range(256)) * 8)))
    assert pair.query(read(DEVICE_ID, 1)).octets() == bytes(range(256)) * 8
    pair.query(act("0-0:96.3.10.255", 70, 1))
    assert not pair.meter.connected
    pair.ask(ReleaseRequest())


@pytest.mark.parametrize("chunk", [1, 13, 1_000_000])
@pytest.mark.parametrize(
    ("client", "server"),
    [
        (LinkParameters(), LinkParameters()),
        (LinkParameters(512, 256, 1, 7), LinkParameters(2030, 2030, 7, 7)),
        (LinkParameters(2030, 2030, 7, 7), LinkParameters(32, 64, 3, 2)),
        (LinkParameters(1, 30, 7, 1), LinkParameters()),
    ],
)
def test_everything_travels_with_every_size_and_window(
    client: LinkParameters, server: LinkParameters, chunk: int
) -> None:
    exercise(make_pair(client, server, chunk=chunk))


@pytest.mark.parametrize("address", [HdlcAddress(1), HdlcAddress(1, 17, 2), HdlcAddress(1, 10_000, 4)])
def test_every_form_of_address(address: HdlcAddress) -> None:
    exercise(make_pair(address=address, pdu=200))


class Lossy:
    """A line that loses, doubles and spoils frames; the client's timer polls."""

    def __init__(self, pair: ConnectionPair, seed: int, loss: float) -> None:
        self.pair, self.random, self.loss = pair, random.Random(seed), loss
        self.polls = 0

    def ask(self, event: Event) -> Event:
        client = self.pair.client
        octets = client.send(event)  # type: ignore[arg-type]  # the tests send what clients send
        for _ in range(2000):
            answer = client.next_event()
            octets += client.data_to_send()
            if answer is not NEED_DATA:
                return answer  # type: ignore[return-value]
            if not octets:
                self.polls += 1
                client._framing.poll()  # type: ignore[attr-defined]
                octets = client.data_to_send()
            back = serve(self.pair.server, self.pair.meter, self._carried(octets))
            octets = b""
            client.receive_data(self._carried(back))
        pytest.fail("the dialogue did not come to an end")

    def _carried(self, octets: bytes) -> bytes:
        reader, carried = FrameReader(), b""
        reader.receive(octets)
        while (frame := reader.next_frame()) is not None:
            sent = bytearray(frame.encode())
            luck = self.random.random()
            if luck < self.loss:
                continue
            if luck < 2 * self.loss:
                sent[self.random.randrange(1, len(sent) - 1)] ^= 0x10
            carried += bytes(sent) * (2 if luck > 1 - self.loss else 1)
        return carried


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 7))
def test_what_a_bad_line_loses_is_repeated_and_nothing_is_done_twice(seed: int, up: int, down: int) -> None:
    parameters = LinkParameters(100, 100, up, down)
    pair = make_pair(parameters, LinkParameters(100, 100, 7, 7))
    line = Lossy(pair, seed, 0.1)
    opened(line.ask(pair.client.associate()))
    query = read_profile("1-0:99.1.0", START, END)
    assert query.result(line.ask(query.request)).columns[1].values.tolist() == pair.meter.energy_wh[:96].tolist()
    text = bytes(range(200)) * 3
    order = act(DEVICE_ID, 1, 1, octet_string(text))
    returned = order.result(line.ask(order.request))
    assert returned is not None
    assert returned.octets() == text
    assert pair.meter.calls == 1


def test_a_new_connection_or_its_end_ends_the_association() -> None:
    pair = make_pair()
    pair.associate()
    again = make_pair()
    again.server = pair.server
    again.associate()
    again.client._framing.disconnect()  # type: ignore[attr-defined]
    again.client.receive_data(serve(pair.server, pair.meter, again.client.data_to_send()))
    assert again.client.next_event() is NEED_DATA
    assert again.client.state is pair.server.state is State.IDLE
    assert pair.server._framing.state is LinkState.DISCONNECTED  # type: ignore[attr-defined]


def test_a_station_that_is_not_connected_says_so() -> None:
    pair = make_pair()
    pair.associate()
    pair.server = ServerConnection(HdlcFraming.server(SERVER))  # the meter restarted
    pair.client.receive_data(serve(pair.server, pair.meter, pair.client.send(read(DEVICE_ID, 1).request)))
    assert pair.client.next_event() is NEED_DATA
    assert pair.client.state is State.IDLE
    pair.associate()
    assert pair.query(read(DEVICE_ID, 1)).octets() == b"meter"


def test_frames_for_others_and_our_own_echo_are_skipped() -> None:
    pair = make_pair()
    octets = pair.client.send(pair.client.associate())
    other = Frame(HdlcAddress(1, 99, 4), HdlcAddress(1), FrameKind.SNRM).encode()
    answer = serve(pair.server, pair.meter, other + octets)
    pair.client.receive_data(octets + answer)
    pair.client.next_event()
    assert pair.client._framing.strays == 1  # type: ignore[attr-defined]
    assert pair.server._framing.strays == 1  # type: ignore[attr-defined]
    assert pair.client._framing.state is LinkState.CONNECTED  # type: ignore[attr-defined]


def test_a_push_needs_no_link() -> None:
    server = HdlcFraming.server(SERVER)
    body = Encoded(encode(unsigned8(5)))
    server.send_unnumbered(b"\x0f\x00\x00\x00\x01\x00" + body.raw, HdlcAddress(1))
    client = ClientConnection(HdlcFraming.client(1, SERVER))
    client.receive_data(server.data_to_send())
    assert client.next_event() == DataNotification(body, invoke=1)


def test_an_endless_apdu_is_stopped() -> None:
    pair = make_pair(LinkParameters(2030, 2030, 7, 7), LinkParameters(2030, 2030, 7, 7))
    pair.associate()
    framing = pair.server._framing
    number = framing._next_receive  # type: ignore[attr-defined]
    for _ in range(MAX_JOINED_OCTETS // 2000 + 1):
        piece = Frame(SERVER, HdlcAddress(1), FrameKind.INFORMATION, bytes(2000), segmented=True, send_number=number)
        framing.receive(piece.encode())
        number = (number + 1) % 8
    with pytest.raises(RemoteProtocolError, match="grew beyond"):
        framing.next_delivery()


@given(st.binary(max_size=60), st.sampled_from(FrameKind), st.integers(0, 7), st.integers(0, 7), st.booleans())
def test_any_frame_at_any_time_is_survived(
    information: bytes, kind: FrameKind, send_number: int, receive_number: int, connected: bool
) -> None:
    pair = make_pair()
    if connected:
        pair.associate()
    to_server = Frame(SERVER, HdlcAddress(1), kind, information, False, True, send_number, receive_number)
    serve(pair.server, pair.meter, to_server.encode())
    to_client = Frame(HdlcAddress(1), SERVER, kind, information, False, True, send_number, receive_number)
    pair.client.receive_data(to_client.encode())
    try:
        pair.client.next_event()
    except RemoteProtocolError:
        return


@given(st.lists(pushed, min_size=1, max_size=4), st.integers(1, 40), st.integers(1, 30))
def test_a_listener_joins_what_is_pushed_in_segments(apdus: list[bytes], size: int, chunk: int) -> None:
    line = b""
    for apdu in apdus:
        whole = bytes.fromhex("e6e700") + apdu
        pieces = [whole[:3] + whole[3 : 3 + size]] + [whole[at : at + size] for at in range(3 + size, len(whole), size)]
        for index, piece in enumerate(pieces):
            more = index < len(pieces) - 1
            line += Frame(HdlcAddress(1), SERVER, FrameKind.UI, piece, more, poll=False).encode()
    reader, received = PushReader(), []
    for at in range(0, len(line), chunk):
        reader.receive(line[at : at + chunk])
        while (found := reader.next_apdu()) is not None:
            received.append(found)
    assert received == apdus
