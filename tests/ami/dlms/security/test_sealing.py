"""Sealed messages: the published vectors, every mode, and what altered octets do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError, ReplayedCounterError, SecurityFailureError
from openami.ami.dlms.push import Listener
from openami.ami.dlms.security.counters import LAST_COUNTER, ReceiveCounter, SendCounter
from openami.ami.dlms.security.envelopes import Envelop, Envelope, KeyInfo, unwrap, wrap
from openami.ami.dlms.security.keys import KeyId, Keys, unwrap_key, wrap_key
from openami.ami.dlms.security.sealing import Sealed, SecurityControl, overhead_octets, seal, unseal

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "dlms" / "security.json").read_text())
TITLE = bytes.fromhex("4d4d4d0000bc614e")
KEY = bytes(range(16))
AUTHENTICATION_KEY = bytes(range(0xD0, 0xE0))

controls = st.sampled_from([0x00, 0x10, 0x20, 0x30, 0x31, 0x70])
counters = st.integers(0, LAST_COUNTER)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_published_vectors(vector: dict[str, str]) -> None:
    octets = {name: bytes.fromhex(vector[name]) for name in ("system_title", "key", "auth_key", "plain", "apdu")}
    opened = unwrap(octets["apdu"])
    assert opened is not None
    around, content = opened
    sealed = Sealed.decode(content)
    plain = unseal(sealed, title=octets["system_title"], key=octets["key"], authentication_key=octets["auth_key"])
    assert plain == octets["plain"]
    again = seal(
        plain,
        control=sealed.control,
        counter=sealed.counter,
        title=octets["system_title"],
        key=octets["key"],
        authentication_key=octets["auth_key"],
    )
    assert wrap(around, plain[0], again.encode()) == octets["apdu"]


def test_the_authenticated_only_example_of_the_green_book() -> None:
    sealed = seal(
        bytes.fromhex("c0010000080000010000ff0200"),
        control=0x10,
        counter=0x01234567,
        title=TITLE,
        key=KEY,
        authentication_key=AUTHENTICATION_KEY,
    )
    assert sealed.body[-12:].hex() == "06725d910f9221d263877516"


@given(st.binary(max_size=200), controls, counters, st.binary(max_size=30))
def test_what_is_sealed_opens(plain: bytes, control: int, counter: int, header: bytes) -> None:
    sealed = seal(
        plain,
        control=control,
        counter=counter,
        title=TITLE,
        key=KEY,
        authentication_key=AUTHENTICATION_KEY,
        header=header,
    )
    assert Sealed.decode(sealed.encode()) == sealed
    assert len(sealed.encode()) == len(plain) + overhead_octets(sealed.bits)
    assert unseal(sealed, title=TITLE, key=KEY, authentication_key=AUTHENTICATION_KEY, header=header) == plain


@given(st.binary(max_size=200), st.sampled_from([0x30, 0x31, 0x70]), counters)
def test_a_decryptor_of_the_library_opens_what_is_sealed(plain: bytes, control: int, counter: int) -> None:
    sealed = seal(plain, control=control, counter=counter, title=TITLE, key=KEY, authentication_key=AUTHENTICATION_KEY)
    text, tag = sealed.body[:-12], sealed.body[-12:]
    nonce = TITLE + counter.to_bytes(4, "big")
    decryptor = Cipher(algorithms.AES(KEY), modes.GCM(nonce, tag, min_tag_length=12)).decryptor()
    decryptor.authenticate_additional_data(bytes((control,)) + AUTHENTICATION_KEY)
    assert decryptor.update(text) + decryptor.finalize() == plain


@given(st.binary(max_size=200), counters)
def test_a_counter_mode_of_the_library_opens_what_is_only_encrypted(plain: bytes, counter: int) -> None:
    sealed = seal(plain, control=0x20, counter=counter, title=TITLE, key=KEY, authentication_key=AUTHENTICATION_KEY)
    # GCM enciphers by counter mode that starts at 2
    nonce = TITLE + counter.to_bytes(4, "big") + bytes((0, 0, 0, 2))
    decryptor = Cipher(algorithms.AES(KEY), modes.CTR(nonce)).decryptor()
    assert decryptor.update(sealed.body) + decryptor.finalize() == plain


@given(st.binary(min_size=1, max_size=50), st.sampled_from([0x10, 0x30]), st.integers(0, 7), st.data())
def test_one_changed_bit_is_noticed(plain: bytes, control: int, bit: int, data: st.DataObject) -> None:
    sealed = seal(plain, control=control, counter=7, title=TITLE, key=KEY, authentication_key=AUTHENTICATION_KEY)
    octets = bytearray(sealed.encode())
    octets[data.draw(st.integers(1, len(octets) - 1))] ^= 1 << bit
    with pytest.raises(SecurityFailureError):
        unseal(Sealed.decode(bytes(octets)), title=TITLE, key=KEY, authentication_key=AUTHENTICATION_KEY)


@given(st.binary(max_size=16))
def test_any_octets_are_sealed_or_refused(octets: bytes) -> None:
    try:
        unseal(Sealed.decode(octets), title=TITLE, key=KEY, authentication_key=AUTHENTICATION_KEY)
    except RemoteProtocolError:
        return
    assert not octets[0] & SecurityControl.AUTHENTICATED


envelops = st.one_of(
    st.builds(Envelop, st.just(Envelope.GENERAL_GLO_DED), st.booleans(), st.binary(max_size=8)),
    st.builds(
        Envelop,
        st.just(Envelope.GENERAL),
        title=st.binary(max_size=8),
        recipient=st.binary(max_size=8),
        transaction_id=st.binary(max_size=9),
        date_time=st.binary(max_size=12),
        other=st.binary(max_size=5),
        key_info=st.none()
        | st.builds(KeyInfo, st.just(0), st.integers(0, 1))
        | st.builds(KeyInfo, st.just(1), st.just(0), st.binary(max_size=40))
        | st.builds(KeyInfo, st.just(2), st.integers(1, 2), st.binary(max_size=130)),
    ),
)


@given(envelops, st.binary(max_size=60))
def test_an_envelope_survives(around: Envelop, content: bytes) -> None:
    assert unwrap(wrap(around, 0xC0, content)) == (around, content)


@given(st.sampled_from([0xDB, 0xDC, 0xDD, 0x21, 0xC8, 0xD0]), st.binary(max_size=60))
def test_any_octets_are_an_envelope_or_refused(tag: int, octets: bytes) -> None:
    try:
        opened = unwrap(bytes((tag,)) + octets)
    except RemoteProtocolError:
        return
    assert opened is not None


def test_a_notification_has_no_service_tag_and_travels_generally() -> None:
    assert wrap(Envelop(Envelope.SERVICE, title=TITLE), 0x0F, b"x")[0] == 0xDB
    assert wrap(Envelop(Envelope.SERVICE, dedicated=True), 0xC0, b"x")[0] == 0xD0


def test_a_counter_is_never_used_twice_nor_beyond_its_reservation() -> None:
    counter = SendCounter(5, reserved_until=7)
    assert [counter.take(), counter.take()] == [5, 6]
    with pytest.raises(LocalProtocolError, match="Store a higher reservation"):
        counter.take()
    counter.reserved_until = 100
    assert counter.take() == 7
    counter.raise_to(3)
    assert counter.next_value == 8
    counter.raise_to(50)
    assert counter.take() == 50
    with pytest.raises(LocalProtocolError, match="Change the key"):
        SendCounter(LAST_COUNTER).take()


def test_a_replayed_counter_tells_what_is_expected() -> None:
    counter = ReceiveCounter()
    counter.accept(0)
    counter.accept(10)
    for value in (10, 3):
        with pytest.raises(ReplayedCounterError) as error:
            counter.accept(value)
        assert error.value.expected_counter == 11
    assert counter.last == 10


def test_keys_wrap_as_in_the_rfc_and_never_print() -> None:
    key = bytes.fromhex("00112233445566778899aabbccddeeff")
    wrapped = wrap_key(KEY, key)
    assert wrapped.hex() == "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"
    assert unwrap_key(KEY, wrapped) == key
    for bad in (wrapped[:-1] + b"\x00", b"", b"short"):
        with pytest.raises(SecurityFailureError):
            unwrap_key(KEY, bad)
    keys = Keys(KEY, AUTHENTICATION_KEY)
    assert repr(keys) == "Keys(suite=0)"
    assert keys.changed(KeyId.GLOBAL_UNICAST_ENCRYPTION, key).encryption == key
    assert keys.changed(KeyId.AUTHENTICATION, key).authentication == key
    assert keys.changed(KeyId.KEY_ENCRYPTION, key).key_encryption == key
    assert keys.changed(KeyId.GLOBAL_BROADCAST_ENCRYPTION, key).broadcast == key


@pytest.mark.parametrize(("octets", "suite"), [(15, 0), (32, 1), (16, 2), (0, 0), (16, 3)])
def test_keys_of_a_wrong_length_or_suite_are_our_own_error(octets: int, suite: int) -> None:
    with pytest.raises(LocalProtocolError):
        Keys(bytes(octets), suite=suite)


@pytest.mark.parametrize(("control", "title", "key"), [(0x60, TITLE, b""), (0x20, b"", KEY), (0x10, b"x", KEY)])
def test_a_message_of_no_sender_or_under_a_key_that_we_lack_is_refused(control: int, title: bytes, key: bytes) -> None:
    with pytest.raises(SecurityFailureError, match="names no sender, or a key"):
        unseal(Sealed(control, 1, bytes(20)), title=title, key=key, authentication_key=AUTHENTICATION_KEY)


def test_a_push_under_the_broadcast_key_is_refused_by_a_listener_that_lacks_it() -> None:
    sealed = seal(b"\x0f", control=0x60, counter=1, title=TITLE, key=KEY, authentication_key=b"")
    apdu = bytes((0xDB, 8)) + TITLE + bytes((len(sealed.encode()),)) + sealed.encode()
    with pytest.raises(SecurityFailureError, match="a key that we do not have"):
        Listener(lambda _title: Keys(KEY)).take(apdu)
