"""Signatures, agreed keys and new keys of suites 1 and 2."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from tests.ami.dlms.conftest import PASSWORD, ConnectionPair, SmallMeter
from tests.ami.dlms.security.test_secured_dialogues import exercise

from openami.ami.dlms import (
    NULL,
    ClientConnection,
    ExceptionResponse,
    ServerConnection,
    TypeMismatchError,
    WrapperFraming,
    array,
    enum,
    octet_string,
    structure,
)
from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError, SecurityFailureError
from openami.ami.dlms.security import (
    Agreement,
    Ciphering,
    Envelope,
    EphemeralAgreement,
    KeyId,
    Keys,
    Scheme,
    Signer,
    key_transfer,
    transferred_keys,
)
from openami.ami.dlms.security.agreement import Algorithm, derive_key, ephemeral_info, one_pass_info, static_info
from openami.ami.dlms.security.signing import public_key, public_octets, sign, verify

CURVES: dict[int, ec.EllipticCurve] = {1: ec.SECP256R1(), 2: ec.SECP384R1()}
CLIENT_TITLE, SERVER_TITLE = b"OAM\x00\x00\x00\x00\x01", b"MTR\x00\x00\x00\x12\x34"
suites = pytest.mark.parametrize("suite", [1, 2])


class Parties:
    """The key pairs of a client and a server."""

    def __init__(self, suite: int) -> None:
        self.suite = suite
        self.signing = [ec.generate_private_key(CURVES[suite]) for _ in range(2)]
        self.agreeing = [ec.generate_private_key(CURVES[suite]) for _ in range(2)]

    def agreement(self, side: int, scheme: Scheme) -> Agreement:
        other = 1 - side
        return Agreement(
            self.agreeing[side],
            self.agreeing[other].public_key(),
            scheme,
            self.signing[side],
            self.signing[other].public_key(),
        )

    def signer(self, side: int, *, signs_length: bool = False) -> Signer:
        return Signer(self.signing[side], self.signing[1 - side].public_key(), signs_length)

    def pair(self, scheme: Scheme | None, *, signed: bool, envelope: Envelope = Envelope.GENERAL) -> ConnectionPair:
        octets = 16 * self.suite
        keys = Keys(bytes(range(octets)), bytes(range(octets)), suite=self.suite)
        sides: list[Any] = [
            Ciphering(
                title,
                keys,
                envelope=envelope,
                agreement=self.agreement(side, scheme) if scheme else None,
                signer=self.signer(side) if signed else None,
            )
            for side, title in enumerate((CLIENT_TITLE, SERVER_TITLE))
        ]
        client = ClientConnection(
            WrapperFraming.client(1, 1), password=PASSWORD, protection=sides[0], max_pdu_octets=1024
        )
        server = ServerConnection(WrapperFraming.server(1), protection=sides[1])
        return ConnectionPair(client, server, SmallMeter())


@suites
@pytest.mark.parametrize("scheme", [None, *Scheme])
@pytest.mark.parametrize("signed", [False, True])
def test_a_session_by_agreed_keys_and_signatures(suite: int, scheme: Scheme | None, signed: bool) -> None:
    exercise(Parties(suite).pair(scheme, signed=signed))


@suites
def test_signed_messages_travel_in_general_glo_envelopes_too(suite: int) -> None:
    exercise(Parties(suite).pair(None, signed=True, envelope=Envelope.SERVICE))


def test_an_unsigned_client_is_refused_where_signatures_are_required() -> None:
    pair = Parties(1).pair(None, signed=True)
    client = pair.client._own_protection
    assert isinstance(client, Ciphering)
    client.signer = None
    assert pair.ask(pair.client.associate()) == ExceptionResponse(1, 5)


def test_an_agreed_key_offered_by_a_stranger_is_refused() -> None:
    pair, stranger = Parties(1).pair(Scheme.ONE_PASS, signed=False), Parties(1)
    client = pair.client._own_protection
    assert isinstance(client, Ciphering)
    client.agreement = stranger.agreement(0, Scheme.ONE_PASS)
    assert pair.ask(pair.client.associate()) == ExceptionResponse(1, 5)


@suites
@given(data=st.binary(max_size=100), other=st.binary(max_size=100))
def test_a_signature_holds_for_its_data_only(suite: int, data: bytes, other: bytes) -> None:
    key = SIGNING[suite]
    signature = sign(key, data)
    assert len(signature) == {1: 64, 2: 96}[suite]
    verify(key.public_key(), signature, data)
    if other != data:
        with pytest.raises(SecurityFailureError):
            verify(key.public_key(), signature, other)
    with pytest.raises(SecurityFailureError):
        verify(key.public_key(), signature[:-1], data)


SIGNING = {suite: ec.generate_private_key(curve) for suite, curve in CURVES.items()}


@given(st.binary(max_size=100))
def test_any_octets_are_a_public_key_or_refused(octets: bytes) -> None:
    with pytest.raises(SecurityFailureError):
        public_key(octets.ljust(64, b"\x01")[:64])


@suites
def test_a_public_key_travels_without_its_prefix(suite: int) -> None:
    key = SIGNING[suite].public_key()
    assert public_key(public_octets(key)) == key
    assert len(public_octets(key)) == {1: 64, 2: 96}[suite]
    with pytest.raises(SecurityFailureError):
        public_key(b"\x04" + public_octets(key))


@suites
@pytest.mark.parametrize("signs_length", [False, True])
def test_a_signed_apdu_names_and_proves_its_sender(suite: int, signs_length: bool) -> None:
    parties = Parties(suite)
    mine, theirs = (parties.signer(side, signs_length=signs_length) for side in (0, 1))
    apdu = bytes.fromhex("c001c100030100010800ff0200")
    signed = mine.wrap(apdu, originator=CLIENT_TITLE, recipient=SERVER_TITLE, transaction_id=b"\x01")
    assert signed[0] == 0xDF
    assert theirs.unwrap(signed, originator=CLIENT_TITLE) == apdu
    with pytest.raises(SecurityFailureError, match="came from"):
        theirs.unwrap(signed, originator=SERVER_TITLE)
    with pytest.raises(SecurityFailureError, match="signature is wrong"):
        theirs.unwrap(signed.replace(apdu, apdu[:-1] + b"\x01"), originator=CLIENT_TITLE)
    with pytest.raises(SecurityFailureError, match="signature is wrong"):
        parties.signer(1, signs_length=not signs_length).unwrap(signed, originator=CLIENT_TITLE)
    with pytest.raises(RemoteProtocolError):
        theirs.unwrap(signed[:-1], originator=CLIENT_TITLE)


def test_the_other_info_of_each_scheme() -> None:
    branch = "608574050803"
    assert (
        ephemeral_info(Algorithm.AES_GCM_128, b"CLIENT__", b"SERVER__").hex()
        == branch + "00" + b"CLIENT__SERVER__".hex()
    )
    assert one_pass_info(Algorithm.AES_GCM_256, b"A", b"B").hex() == branch + "01" + "4142"
    assert static_info(Algorithm.AES_WRAP_128, b"A", b"\x01\x02", b"B").hex() == branch + "02" + "41" + "020102" + "42"


def test_a_derived_key_is_one_round_of_hashing() -> None:
    secret, info = bytes(range(32)), b"info"
    expected = hashlib.sha256(b"\x00\x00\x00\x01" + secret + info).digest()[:16]
    assert derive_key(secret, info, key=SIGNING[1]) == expected
    expected = hashlib.sha384(b"\x00\x00\x00\x01" + secret + info).digest()[:32]
    assert derive_key(secret, info, key=SIGNING[2]) == expected


@suites
@pytest.mark.parametrize("key_id", KeyId)
def test_both_sides_of_a_key_agreement_find_the_same_new_key(suite: int, key_id: KeyId) -> None:
    parties = Parties(suite)
    sides = [
        EphemeralAgreement(
            key_id, parties.signing[side], parties.signing[1 - side].public_key(), CLIENT_TITLE, SERVER_TITLE
        )
        for side in (0, 1)
    ]
    offers = [side.offer() for side in sides]
    keys = [side.key(offer) for side, offer in zip(sides, offers[::-1], strict=True)]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 16 * suite
    with pytest.raises(SecurityFailureError):
        sides[0].key(offers[0])
    with pytest.raises(SecurityFailureError):
        sides[0].key(array([]))


def test_transferred_keys_arrive_only_with_the_master_key() -> None:
    master = bytes(range(16))
    keys = {KeyId.GLOBAL_UNICAST_ENCRYPTION: bytes(range(16, 32)), KeyId.AUTHENTICATION: bytes(range(32, 48))}
    parameter = key_transfer(master, keys)
    assert transferred_keys(master, parameter) == keys
    with pytest.raises(SecurityFailureError):
        transferred_keys(bytes(16), parameter)
    for wrong in (array([NULL]), array([structure(enum(9), octet_string(b""))]), array([structure(enum(0))])):
        with pytest.raises(TypeMismatchError):
            transferred_keys(master, wrong)


def test_a_one_pass_agreement_needs_our_signing_key() -> None:
    parties = Parties(1)
    agreement = Agreement(parties.agreeing[0], parties.agreeing[1].public_key())
    with pytest.raises(LocalProtocolError):
        agreement.make(CLIENT_TITLE, SERVER_TITLE, b"")
