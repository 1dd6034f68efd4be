"""Gurux over HDLC against our server: its segments and addresses.

Version 1.0.203 cannot be tried with windows (it fails in its own GXDLMSSettings) nor with segments
longer than 255 octets (it writes a wrong frame length); our own pair covers both.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.ami.dlms.conftest import make_pair
from tests.ami.dlms.test_gurux import GuruxPeer

from openami.ami.dlms import ServerConnection
from openami.ami.dlms.hdlc import HdlcAddress, HdlcFraming, LinkParameters

gurux_dlms = pytest.importorskip("gurux_dlms", reason="Gurux is a development dependency")
gurux_objects = pytest.importorskip("gurux_dlms.objects")
gurux_enums = pytest.importorskip("gurux_dlms.enums")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


class HdlcPeer(GuruxPeer):
    """Gurux's client on an HDLC line."""

    address: int = 1
    octets: int = 128

    def __post_init__(self) -> None:
        hdlc = gurux_enums.InterfaceType.HDLC
        self.client = gurux_dlms.GXDLMSClient(
            True, 1, self.address, gurux_enums.Authentication.LOW, self.password, hdlc
        )
        self.client.maxReceivePDUSize = self.max_pdu
        settings = self.client.hdlcSettings
        settings.maxInfoTX = settings.maxInfoRX = self.octets

    def associate(self) -> None:
        self.client.parseUAResponse(self.exchange(self.client.snrmRequest()).data)
        super().associate()


@pytest.mark.parametrize("octets", [128, 200, 64])
@pytest.mark.parametrize(
    ("address", "own"),
    [(1, HdlcAddress(1)), (1 << 7 | 17, HdlcAddress(1, 17, 2)), (1 << 14 | 1000, HdlcAddress(1, 1000, 4))],
)
def test_it_connects_reads_and_commands(octets: int, address: int, own: HdlcAddress) -> None:
    pair: Any = make_pair()
    pair.server = ServerConnection(HdlcFraming.server(own, LinkParameters(512, 512, 3, 3)))
    HdlcPeer.address, HdlcPeer.octets = address, octets
    peer = HdlcPeer(pair, 1000)
    peer.associate()
    register = gurux_objects.GXDLMSRegister("1.0.1.8.0.255")
    peer.read(register, 3)
    assert peer.read(register, 2) == 1_234_567
    profile = gurux_objects.GXDLMSProfileGeneric("1.0.99.1.0.255")
    peer.read(profile, 3)
    peer.read(profile, 2)
    assert [row[1] for row in profile.buffer] == pair.meter.energy_wh.tolist()
    item = gurux_objects.GXDLMSData("0.0.96.1.0.255")
    item.setDataType(2, gurux_enums.DataType.OCTET_STRING)
    item.value = bytes(range(256)) * 2
    peer.all_of(peer.client.write(item, 2))
    assert pair.meter.text == bytes(range(256)) * 2
    peer.all_of(gurux_objects.GXDLMSDisconnectControl("0.0.96.3.10.255").remoteDisconnect(peer.client))
    assert not pair.meter.connected
    peer.exchange(peer.client.disconnectRequest())
