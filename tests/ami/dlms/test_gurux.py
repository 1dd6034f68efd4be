"""A foreign client, Gurux, reads and commands our server over the fake wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from openami.ami.dlms import ServerConnection, State, WrapperFraming, serve

gurux_dlms = pytest.importorskip("gurux_dlms", reason="Gurux is a development dependency")
gurux_objects = pytest.importorskip("gurux_dlms.objects")
gurux_enums = pytest.importorskip("gurux_dlms.enums")

if TYPE_CHECKING:
    from tests.ami.dlms.conftest import ConnectionPair

# Gurux itself warns about its use of the standard library
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@dataclass
class GuruxPeer:
    """Gurux's client joined to our server."""

    pair: ConnectionPair
    max_pdu: int = 0xFFFF
    password: str = "12345678"
    frames: int = 0
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        low = gurux_enums.Authentication.LOW if self.password else gurux_enums.Authentication.NONE
        wrapper = gurux_enums.InterfaceType.WRAPPER
        self.client = gurux_dlms.GXDLMSClient(True, 1, 1, low, self.password, wrapper)
        self.client.maxReceivePDUSize = self.max_pdu

    def exchange(self, frame: bytes) -> Any:
        reply = gurux_dlms.GXReplyData()
        self._send(frame, reply)
        while reply.isMoreData():
            self._send(self.client.receiverReady(reply), reply)
        return reply

    def _send(self, frame: bytes, reply: Any) -> None:
        self.frames += 1
        answer = serve(self.pair.server, self.pair.meter, bytes(frame))
        self.client.getData(gurux_dlms.GXByteBuffer(answer), reply)
        assert reply.error == 0, reply.error

    def all_of(self, frames: list[bytes]) -> Any:
        reply = gurux_dlms.GXReplyData()
        for frame in frames:
            reply = self.exchange(frame)
        return reply

    def associate(self) -> None:
        self.client.parseAareResponse(self.all_of(self.client.aarqRequest()).data)

    def read(self, item: Any, attribute: int) -> Any:
        reply = self.all_of(self.client.read(item, attribute))
        return self.client.updateValue(item, attribute, reply.value)


@pytest.fixture(params=[0xFFFF, 200, 64])
def peer(make_pair: Any, request: pytest.FixtureRequest) -> GuruxPeer:
    pair = make_pair()
    pair.server = ServerConnection(WrapperFraming.server(1))
    peer = GuruxPeer(pair, request.param)
    peer.associate()
    return peer


def test_it_reads_a_register_and_its_unit(peer: GuruxPeer) -> None:
    register = gurux_objects.GXDLMSRegister("1.0.1.8.0.255")
    peer.read(register, 3)
    peer.read(register, 2)
    assert register.value == 1_234_567
    assert int(register.unit) == 30


def test_it_reads_the_clock(peer: GuruxPeer) -> None:
    clock = gurux_objects.GXDLMSClock("0.0.1.0.0.255")
    peer.read(clock, 2)
    assert clock.time.value.astimezone(UTC) == datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_it_reads_a_profile_by_range_in_blocks(peer: GuruxPeer) -> None:
    profile = gurux_objects.GXDLMSProfileGeneric("1.0.99.1.0.255")
    peer.read(profile, 3)
    start, end = datetime(2026, 3, 1, 0, 15, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    before = peer.frames
    reply = peer.all_of(peer.client.readRowsByRange(profile, start, end))
    peer.client.updateValue(profile, 2, reply.value)
    assert [row[1] for row in profile.buffer] == peer.pair.meter.energy_wh[:96].tolist()
    stamps = [row[0].value.astimezone(UTC).timestamp() for row in profile.buffer]
    assert stamps == peer.pair.meter.stamps_s[:96].tolist()
    assert (peer.frames - before > 10) == (peer.max_pdu <= 200)


def test_it_reads_a_profile_by_entry(peer: GuruxPeer) -> None:
    profile = gurux_objects.GXDLMSProfileGeneric("1.0.99.1.0.255")
    peer.read(profile, 3)
    reply = peer.all_of(peer.client.readRowsByEntry(profile, 3, 2))
    peer.client.updateValue(profile, 2, reply.value)
    assert [row[1] for row in profile.buffer] == peer.pair.meter.energy_wh[2:4].tolist()


def test_it_switches_the_breaker(peer: GuruxPeer) -> None:
    breaker = gurux_objects.GXDLMSDisconnectControl("0.0.96.3.10.255")
    peer.all_of(breaker.remoteDisconnect(peer.client))
    assert not peer.pair.meter.connected
    peer.read(breaker, 2)
    assert breaker.outputState is False
    peer.all_of(breaker.remoteReconnect(peer.client))
    assert peer.pair.meter.connected


def test_it_writes_a_text_longer_than_our_pdu(peer: GuruxPeer) -> None:
    item = gurux_objects.GXDLMSData("0.0.96.1.0.255")
    item.setDataType(2, gurux_enums.DataType.OCTET_STRING)
    item.value = bytes(range(256)) * 6
    frames = peer.client.write(item, 2)
    assert len(frames) > 1
    peer.all_of(frames)
    assert peer.pair.meter.text == bytes(range(256)) * 6


def test_it_reads_a_list(peer: GuruxPeer) -> None:
    register, text = gurux_objects.GXDLMSRegister("1.0.1.8.0.255"), gurux_objects.GXDLMSData("0.0.96.1.0.255")
    items = [(register, 2), (text, 2)]
    reply = gurux_dlms.GXReplyData()
    for frames in peer.client.readList(items):
        reply = peer.all_of(frames)
    peer.client.updateValues(items, reply.value)
    assert register.value == 1_234_567
    assert bytes(text.value) == b"meter"


def test_it_releases(peer: GuruxPeer) -> None:
    peer.all_of(peer.client.releaseRequest())
    assert peer.pair.server.state is State.IDLE


def test_it_is_refused_with_a_wrong_password(make_pair: Any) -> None:
    peer = GuruxPeer(make_pair(), password="87654321")
    with pytest.raises(gurux_dlms.GXDLMSException, match=r"(?i)authentication"):
        peer.associate()
    assert peer.pair.server.state is State.IDLE
