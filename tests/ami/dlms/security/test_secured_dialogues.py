"""Ciphered associations and high level security over the fake wire, and what happens to those who cheat."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.ami.dlms.conftest import ConnectionPair, SmallMeter

from openami.ami.dlms import (
    AssociationRefusedError,
    ClientConnection,
    ExceptionResponse,
    Mechanism,
    Obis,
    ReleaseRequest,
    RemoteProtocolError,
    ServerConnection,
    State,
    WrapperFraming,
    act,
    octet_string,
    opened,
    read,
    read_profile,
    serve,
    write,
)
from openami.ami.dlms.errors import ReplayedCounterError, SecurityFailureError
from openami.ami.dlms.security import Ciphering, Envelope, Keys, Prover, SecurityControl
from openami.ami.dlms.security.sealing import Sealed

if TYPE_CHECKING:
    from openami.ami.dlms.errors import ProtocolError

CLIENT_TITLE, SERVER_TITLE = b"OAM\x00\x00\x00\x00\x01", b"MTR\x00\x00\x00\x12\x34"
DEVICE_ID = Obis.of("0-0:96.1.0.255")
BREAKER = Obis.of("0-0:96.3.10.255")


def keys_of(suite: int) -> Keys:
    octets = 32 if suite == 2 else 16
    return Keys(bytes(range(octets)), bytes(range(0x40, 0x40 + octets)), suite=suite)


class GuardedMeter(SmallMeter):
    """A meter that admits clients with high level security or within a ciphered association."""

    def admit(self, client_sap: int, mechanism: Mechanism, password: bytes) -> bool:
        return mechanism.high or super().admit(client_sap, mechanism, password)


@dataclass
class Secured:
    """How a pair is secured; each test changes what it is about."""

    mechanism: Mechanism = Mechanism.LOW
    ciphered: bool = True
    suite: int = 0
    envelope: Envelope = Envelope.SERVICE
    control: SecurityControl = field(default_factory=SecurityControl.both)
    dedicated_key: bytes = b""
    client_secret: bytes = b"same secret"
    client_keys: Keys | None = None
    client_pdu: int = 8192

    def pair(self) -> ConnectionPair:
        keys = keys_of(self.suite)
        mine, theirs = self._ciphering(CLIENT_TITLE, self.client_keys or keys), self._ciphering(SERVER_TITLE, keys)
        mine.dedicated_key = self.dedicated_key
        curve: ec.EllipticCurve = ec.SECP384R1() if self.suite == 2 else ec.SECP256R1()
        signing = [ec.generate_private_key(curve) for _ in range(2)]
        provers = [
            Prover.of(ciphering, self.mechanism, secret=secret)
            for ciphering, secret in ((mine, self.client_secret), (theirs, b"same secret"))
        ]
        for prover, own, peer in zip(provers, signing, signing[::-1], strict=True):
            prover.signing_key, prover.peer_key = own, peer.public_key()
            prover.vendor_formula = lambda challenge, secret: challenge[::-1] + secret
        client = ClientConnection(
            WrapperFraming.client(1, 1),
            password=b"" if self.mechanism.high else b"12345678",
            protection=mine if self.ciphered else None,
            prover=provers[0] if self.mechanism.high else None,
            max_pdu_octets=self.client_pdu,
        )
        server = ServerConnection(
            WrapperFraming.server(1),
            protection=theirs if self.ciphered else None,
            prover=provers[1] if self.mechanism.high else None,
        )
        return ConnectionPair(client, server, GuardedMeter())

    def _ciphering(self, title: bytes, keys: Keys) -> Ciphering:
        return Ciphering(title, keys, control=self.control, envelope=self.envelope)


def exercise(pair: ConnectionPair) -> None:
    """Everything a head-end does, to its end."""
    pair.associate()
    start, end = datetime(2026, 3, 1, 0, 15, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    assert len(pair.query(read_profile("1-0:99.1.0", start, end))) == 96
    text = bytes(range(250)) * 6
    pair.query(write(DEVICE_ID, 1, 2, octet_string(text)))
    assert pair.query(read(DEVICE_ID, 1)).octets() == text
    pair.query(act(BREAKER, 70, 1))
    assert not pair.meter.connected
    pair.ask(ReleaseRequest())
    assert pair.client.state is pair.server.state is State.IDLE


@pytest.mark.parametrize("envelope", Envelope)
@pytest.mark.parametrize("suite", [0, 1, 2])
@pytest.mark.parametrize("client_pdu", [8192, 200])
def test_a_ciphered_association_in_every_envelope(envelope: Envelope, suite: int, client_pdu: int) -> None:
    exercise(Secured(envelope=envelope, suite=suite, client_pdu=client_pdu).pair())


@pytest.mark.parametrize(
    "control", [SecurityControl.AUTHENTICATED, SecurityControl.ENCRYPTED, SecurityControl.both()], ids=repr
)
def test_a_ciphered_association_in_every_mode(control: SecurityControl) -> None:
    exercise(Secured(control=control).pair())


@pytest.mark.parametrize("envelope", [Envelope.SERVICE, Envelope.GENERAL_GLO_DED])
def test_a_dedicated_key_protects_what_follows_the_opening(envelope: Envelope) -> None:
    pair = Secured(dedicated_key=bytes(range(100, 116)), envelope=envelope).pair()
    pair.associate()
    octets = pair.client.send(read(DEVICE_ID, 1).request)
    assert octets[8] == (0xD0 if envelope is Envelope.SERVICE else 0xDC)
    pair.client.give_up()
    exercise(pair)


@pytest.mark.parametrize("mechanism", [mechanism for mechanism in Mechanism if mechanism.high])
@pytest.mark.parametrize("ciphered", [False, True])
@pytest.mark.parametrize("suite", [0, 2])
def test_both_sides_prove_themselves_by_every_mechanism(mechanism: Mechanism, ciphered: bool, suite: int) -> None:
    exercise(Secured(mechanism, ciphered, suite).pair())


@pytest.mark.parametrize("mechanism", [Mechanism.HIGH_MD5, Mechanism.HIGH_SHA1, Mechanism.HIGH_SHA256, Mechanism.HIGH])
def test_a_wrong_secret_is_refused_and_leaves_no_association(mechanism: Mechanism) -> None:
    pair = Secured(mechanism, ciphered=False, client_secret=b"guessed").pair()
    with pytest.raises(RemoteProtocolError, match="did not accept our proof"):
        pair.associate()
    assert pair.client.state is pair.server.state is State.IDLE
    get = bytes.fromhex("000100010001000dc001c100030100010800ff0200")
    assert serve(pair.server, pair.meter, get)[8:].hex() == "d80101"


@pytest.mark.parametrize("mechanism", [Mechanism.HIGH_GMAC, Mechanism.HIGH_ECDSA])
def test_a_wrong_key_is_refused_as_a_proof(mechanism: Mechanism) -> None:
    pair = Secured(mechanism, ciphered=False, client_keys=Keys(bytes(16), bytes(16))).pair()
    prover = pair.client._prover
    assert prover is not None
    prover.signing_key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(RemoteProtocolError, match="did not accept our proof"):
        pair.associate()
    assert pair.server.state is State.IDLE


def test_a_server_that_cannot_prove_itself_is_left() -> None:
    pair = Secured(Mechanism.HIGH_SHA256, ciphered=False).pair()
    prover = pair.server._prover
    assert prover is not None
    checks = type(prover).check
    prover.secret = b"of another meter"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Prover, "check", lambda self, answer: None if self is prover else checks(self, answer))
        with pytest.raises(RemoteProtocolError, match="did not prove its secret"):
            pair.associate()
    assert pair.client.state is State.IDLE


def test_our_own_challenge_sent_back_is_refused() -> None:
    pair = Secured(Mechanism.HIGH_SHA256, ciphered=False).pair()
    for connection in (pair.client, pair.server):
        assert connection._prover is not None
        connection._prover.new_challenge = lambda: b"the same on both sides"
    with pytest.raises(AssociationRefusedError):
        pair.associate()
    assert pair.server.state is State.IDLE


def test_nothing_is_served_before_the_proof() -> None:
    pair = Secured(Mechanism.HIGH_SHA256, ciphered=False).pair()
    serve(pair.server, pair.meter, pair.client.send(pair.client.associate()))
    get = bytes.fromhex("000100010001000dc001c100030100010800ff0200")
    assert serve(pair.server, pair.meter, get)[8:].hex().startswith("d801")
    assert pair.server.state is State.IDLE


def test_a_replayed_request_is_refused_and_reported() -> None:
    pair = Secured().pair()
    pair.associate()
    octets = pair.client.send(act(BREAKER, 70, 1).request)
    failures: list[ProtocolError] = []
    serve(pair.server, pair.meter, octets, on_failure=failures.append)
    assert not failures
    pair.meter.connected = True
    again = serve(pair.server, pair.meter, octets, on_failure=failures.append)
    assert pair.meter.connected
    assert isinstance(failures[0], ReplayedCounterError)
    assert again[8:11].hex() == "d80106"
    expected = int.from_bytes(again[11:15], "big")
    assert expected == pair.server._own_protection.received["unicast"].last + 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("place", [8 + 2, 8 + 4, 8 + 9, -1])
def test_an_altered_request_is_refused_and_reported(place: int) -> None:
    pair = Secured().pair()
    pair.associate()
    octets = bytearray(pair.client.send(act(BREAKER, 70, 1).request))
    octets[place] ^= 1
    failures: list[ProtocolError] = []
    answer = serve(pair.server, pair.meter, bytes(octets), on_failure=failures.append)
    assert isinstance(failures[0], SecurityFailureError)
    assert answer[8:].hex() == "d80105"
    assert pair.meter.connected


def test_a_plain_request_in_a_ciphered_association_is_refused() -> None:
    pair = Secured().pair()
    pair.associate()
    failures: list[ProtocolError] = []
    get = bytes.fromhex("000100010001000dc001c100030100010800ff0200")
    assert serve(pair.server, pair.meter, get, on_failure=failures.append)[8:].hex() == "d80105"
    assert isinstance(failures[0], SecurityFailureError)


def test_a_weaker_protection_than_required_is_refused() -> None:
    pair = Secured().pair()
    pair.associate()
    client = pair.client._own_protection
    assert isinstance(client, Ciphering)
    client.control = SecurityControl.ENCRYPTED
    answer = pair.ask(read(DEVICE_ID, 1).request)
    assert answer == ExceptionResponse(1, 5)


def test_a_wrong_global_key_opens_no_association() -> None:
    pair = Secured(client_keys=Keys(bytes(16), bytes(16))).pair()
    assert pair.ask(pair.client.associate()) == ExceptionResponse(1, 5)
    assert pair.client.state is pair.server.state is State.IDLE


def test_a_client_refuses_an_answer_of_another_meter() -> None:
    pair = Secured(envelope=Envelope.GENERAL_GLO_DED).pair()
    pair.associate()
    answer = serve(pair.server, pair.meter, pair.client.send(read(DEVICE_ID, 1).request))
    pair.client.receive_data(answer.replace(SERVER_TITLE, b"MTR\x00\x00\x00\x99\x99"))
    with pytest.raises(SecurityFailureError, match="not from"):
        pair.client.next_event()


def test_a_public_client_reads_plainly_beside_ciphered_ones() -> None:
    pair = Secured().pair()
    public = ClientConnection(WrapperFraming.client(16, 1), password=b"12345678")
    public.receive_data(serve(pair.server, pair.meter, public.send(public.associate())))
    opened(public.next_event())
    public.receive_data(serve(pair.server, pair.meter, public.send(read(DEVICE_ID, 1).request)))
    assert read(DEVICE_ID, 1).result(public.next_event()).octets() == b"meter"


def test_a_meter_without_keys_refuses_a_ciphered_association() -> None:
    pair = Secured().pair()
    pair.server = ServerConnection(WrapperFraming.server(1))
    with pytest.raises(AssociationRefusedError, match="application_context"):
        pair.associate()


def test_counters_go_on_rising_over_associations() -> None:
    pair = Secured().pair()
    for _ in range(3):
        exercise(pair)
    sent = pair.client._own_protection.sent.next_value  # type: ignore[attr-defined]
    assert sent > 15
    assert pair.server._own_protection.received["unicast"].last == sent - 1  # type: ignore[attr-defined]


def test_a_compressed_message_is_refused_by_name() -> None:
    ciphering = Ciphering(CLIENT_TITLE, keys_of(0), peer_title=SERVER_TITLE)
    with pytest.raises(SecurityFailureError, match="compressed"):
        ciphering.unprotect(b"\xc8\x12" + Sealed(0xB0, 1, bytes(13)).encode())
