"""Gurux as a ciphering client: high level security by GMAC, every mode of protection, against our server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.ami.dlms.conftest import ConnectionPair, SmallMeter, make_pair
from tests.ami.dlms.test_gurux import GuruxPeer

from openami.ami.dlms import Mechanism, ServerConnection, State, WrapperFraming
from openami.ami.dlms.security import Ciphering, Keys, Prover, SecurityControl

gurux_dlms = pytest.importorskip("gurux_dlms", reason="Gurux is a development dependency")
gurux_objects = pytest.importorskip("gurux_dlms.objects")
gurux_enums = pytest.importorskip("gurux_dlms.enums")
gurux_secure = pytest.importorskip("gurux_dlms.secure")

if TYPE_CHECKING:
    from openami.ami.dlms.errors import ProtocolError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

TITLE, SERVER_TITLE = b"GRX\x00\x00\x00\x00\x01", b"MTR\x00\x00\x00\x12\x34"
KEY, AUTHENTICATION_KEY = bytes(range(16)), bytes(range(0xD0, 0xE0))


class OpenMeter(SmallMeter):
    """A meter that leaves the proof to the connection."""

    def admit(self, client_sap: int, mechanism: Mechanism, password: bytes) -> bool:
        return mechanism.high or super().admit(client_sap, mechanism, password)


class SecurePeer(GuruxPeer):
    """Gurux's ciphering client."""

    security: Any = None
    authentication: Any = None
    failures: list[ProtocolError]

    def __post_init__(self) -> None:
        wrapper = gurux_enums.InterfaceType.WRAPPER
        password = self.password if self.authentication == gurux_enums.Authentication.LOW else None
        self.client = gurux_secure.GXDLMSSecureClient(True, 1, 1, self.authentication, password, wrapper)
        self.client.maxReceivePDUSize = self.max_pdu
        ciphering = self.client.ciphering
        ciphering.security = self.security
        ciphering.systemTitle, ciphering.blockCipherKey, ciphering.authenticationKey = TITLE, KEY, AUTHENTICATION_KEY
        ciphering.invocationCounter = 10

    def associate(self) -> None:
        super().associate()
        if self.client.isAuthenticationRequired:
            reply = self.all_of(self.client.getApplicationAssociationRequest())
            self.client.parseApplicationAssociationResponse(reply.data)


def make_peer(authentication: str, security: str, max_pdu: int) -> SecurePeer:
    pair: ConnectionPair = make_pair(meter=OpenMeter())
    bits = {"AUTHENTICATION": 0x10, "ENCRYPTION": 0x20, "AUTHENTICATION_ENCRYPTION": 0x30}.get(security, 0)
    keys = Keys(KEY, AUTHENTICATION_KEY)
    ciphering = Ciphering(SERVER_TITLE, keys, control=SecurityControl(bits))
    prover = Prover.of(ciphering, Mechanism.HIGH_GMAC) if authentication == "HIGH_GMAC" else None
    pair.server = ServerConnection(WrapperFraming.server(1), protection=ciphering if bits else None, prover=prover)
    SecurePeer.authentication = getattr(gurux_enums.Authentication, authentication)
    SecurePeer.security = getattr(gurux_enums.Security, security)
    return SecurePeer(pair, max_pdu)


@pytest.mark.parametrize("max_pdu", [0xFFFF, 150])
@pytest.mark.parametrize("security", ["NONE", "AUTHENTICATION", "ENCRYPTION", "AUTHENTICATION_ENCRYPTION"])
@pytest.mark.parametrize("authentication", ["LOW", "HIGH_GMAC"])
def test_it_associates_reads_and_commands(authentication: str, security: str, max_pdu: int) -> None:
    peer = make_peer(authentication, security, max_pdu)
    peer.associate()
    register = gurux_objects.GXDLMSRegister("1.0.1.8.0.255")
    peer.read(register, 3)
    assert peer.read(register, 2) == 1_234_567
    profile = gurux_objects.GXDLMSProfileGeneric("1.0.99.1.0.255")
    peer.read(profile, 3)
    peer.read(profile, 2)
    assert [row[1] for row in profile.buffer] == peer.pair.meter.energy_wh.tolist()
    breaker = gurux_objects.GXDLMSDisconnectControl("0.0.96.3.10.255")
    peer.all_of(breaker.remoteDisconnect(peer.client))
    assert not peer.pair.meter.connected
    peer.all_of(peer.client.releaseRequest())
    assert peer.pair.server.state is State.IDLE


def test_it_is_refused_with_a_wrong_key() -> None:
    peer = make_peer("HIGH_GMAC", "NONE", 0xFFFF)
    peer.client.ciphering.authenticationKey = bytes(16)
    with pytest.raises((gurux_dlms.GXDLMSException, AssertionError, ValueError)):
        peer.associate()
    assert peer.pair.server.state is State.IDLE
