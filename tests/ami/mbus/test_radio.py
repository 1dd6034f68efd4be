"""Wireless M-Bus: frames, keys, and 200 telegrams of 100 makes against what another decoder found."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.mbus import Header, MBusError, Medium, build
from openami.ami.mbus.compact import FormatBook
from openami.ami.mbus.errors import (
    ChecksumError,
    ControlInformationError,
    EncryptedError,
    FrameLengthError,
    HeaderTruncatedError,
    KeyMissingError,
    WrongKeyError,
)
from openami.ami.mbus.radio import RadioTelegram, decode_radio
from openami.ami.mbus.security import derived_key
from openami.ami.mbus.wireless import RadioFrame, crc16_en13757, decode_radio_frame, encode_radio_frame

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(16))
ADDRESS = bytes.fromhex("78563412 01 07")
MAKER = (0x3DE1).to_bytes(2, "little")
UNITS = {
    "m3": (("m3", 1),),
    "kwh": (("Wh", 1000), ("J", 3_600_000)),
    "c": (("°C", 1), ("K", 1)),
    "m3h": (("m3/h", 1),),
    "kw": (("W", 1000), ("J/h", 3_600_000)),
    "v": (("V", 1),),
}
"""What a fixture calls a unit, and what the meter may have said instead."""

octet = st.integers(0, 255)
frames = st.builds(
    RadioFrame,
    octet,
    st.binary(min_size=2, max_size=2),
    st.binary(min_size=6, max_size=6),
    octet,
    st.binary(max_size=245),
    st.just(True),
)


def frame_of(information: int, data: bytes) -> bytes:
    return encode_radio_frame(RadioFrame(0x44, MAKER, ADDRESS, information, data, checked=True))


def records() -> bytes:
    return b"\x2f\x2f" + build.volume_litres(4711).octets + build.error_flags(0).octets


def encrypted(plain: bytes, key: bytes, vector: bytes) -> bytes:
    padded = plain + b"\x2f" * (-len(plain) % 16)
    return Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor().update(padded)


def volume_of(telegram: RadioTelegram) -> object:
    return next(record.value for record in telegram.records if record.quantity == "volume")


@given(frames)
def test_a_frame_survives_the_air(frame: RadioFrame):
    assert decode_radio_frame(encode_radio_frame(frame)) == frame


@given(frames, st.data())
def test_a_damaged_byte_is_found(frame: RadioFrame, data: st.DataObject):
    octets = bytearray(encode_radio_frame(frame))
    octets[data.draw(st.integers(1, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ChecksumError):
        decode_radio_frame(bytes(octets))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_telegram_or_an_error(octets: bytes):
    for attempt in (octets, bytes([len(octets)]) + octets if len(octets) < 256 else octets):
        try:
            decode_radio(attempt, lambda _identification: KEY)
        except MBusError as error:
            assert error.hint  # noqa: PT017 - whichever error it is, it tells what to do


@given(st.sampled_from([0x72, 0x7A, 0x78, 0x8C, 0x8D, 0x8E, 0x8F, 0x90]), st.binary(max_size=120))
def test_any_layers_are_a_telegram_or_an_error(information: int, data: bytes):
    try:
        decode_radio(frame_of(information, data), lambda _identification: KEY)
    except MBusError as error:
        assert error.hint  # noqa: PT017 - as above


def test_format_b_and_frames_without_checksums():
    data = bytes([0x07, 0x00, 0x00, 0x00]) + records()
    head = b"\x44" + MAKER + ADDRESS + b"\x7a" + data
    bare = bytes([len(head)]) + head
    with_checksum = bytes([len(head) + 2]) + head
    with_checksum += crc16_en13757(with_checksum).to_bytes(2, "big")
    assert volume_of(decode_radio(bare)) == volume_of(decode_radio(with_checksum)) == Decimal("4.711")
    assert not decode_radio(bare).link.checked
    assert decode_radio(with_checksum).link.checked
    assert crc16_en13757(b"123456789") == 0xC2B7


def test_mode_5_opens_with_its_key_only():
    access_number = 0x2A
    cipher = encrypted(records(), KEY, MAKER + ADDRESS + bytes([access_number]) * 8)
    configuration = (0x0500 | len(cipher) // 16 << 4).to_bytes(2, "little")
    octets = frame_of(0x7A, bytes([access_number, 0]) + configuration + cipher)
    telegram = decode_radio(octets, {"12345678": KEY}.get)
    assert (volume_of(telegram), telegram.encrypted, telegram.header.manufacturer) == (Decimal("4.711"), True, "OOA")
    with pytest.raises(KeyMissingError, match="12345678"):
        decode_radio(octets)
    with pytest.raises(WrongKeyError):
        decode_radio(octets, lambda _identification: bytes(16))
    plain = frame_of(0x7A, bytes([access_number, 0]) + configuration + records())
    assert volume_of(decode_radio(plain)) == Decimal("4.711"), "a receiver decrypted it already"


def test_mode_5_behind_a_long_header_uses_the_meters_own_address():
    header = Header("87654321", "OAW", 1, Medium.WATER, 9, configuration=0x0510)
    other = header.encode()
    cipher = encrypted(records(), KEY, other[4:6] + other[:4] + other[6:8] + b"\x09" * 8)
    octets = frame_of(0x72, other + cipher)
    telegram = decode_radio(octets, {"87654321": KEY}.get)
    assert (telegram.header.identification, volume_of(telegram)) == ("87654321", Decimal("4.711"))


def mode_7(mac_damage: int = 0) -> bytes:
    counter, identification = (77).to_bytes(4, "little"), ADDRESS[:4]
    cipher = encrypted(records(), derived_key(KEY, b"\x00", counter, identification), bytes(16))
    transport = b"\x7a" + bytes([1, 0]) + (0x0700 | len(cipher) // 16 << 4).to_bytes(2, "little") + b"\x10" + cipher
    message_control = b"\x25"
    cmac = CMAC(algorithms.AES(derived_key(KEY, b"\x01", counter, identification)))
    cmac.update(message_control + counter + transport)
    mac = bytearray(cmac.finalize()[:8])
    mac[0] ^= mac_damage
    layer = (0x2C00).to_bytes(2, "little") + message_control + counter + bytes(mac)
    return frame_of(0x90, bytes([len(layer)]) + layer + transport)


def test_mode_7_is_authenticated_and_opened():
    telegram = decode_radio(mode_7(), lambda _identification: KEY)
    assert (volume_of(telegram), telegram.authenticated) == (Decimal("4.711"), True)
    with pytest.raises(WrongKeyError, match="authentication"):
        decode_radio(mode_7(mac_damage=1), lambda _identification: KEY)


def test_the_extended_link_layer_counts():
    control, session = 0x20, bytes.fromhex("01000020")  # bits 29 to 31 of the session number: AES counter mode
    inner = b"\x78" + records()
    payload = crc16_en13757(inner).to_bytes(2, "little") + inner
    vector = MAKER + ADDRESS + bytes([control]) + session + bytes(3)
    cipher = Cipher(algorithms.AES(KEY), modes.CTR(vector)).encryptor().update(payload)
    octets = frame_of(0x8D, bytes([control, 5]) + session + cipher)
    telegram = decode_radio(octets, lambda _identification: KEY)
    assert (volume_of(telegram), telegram.header.access_number) == (Decimal("4.711"), 5)
    with pytest.raises(WrongKeyError):
        decode_radio(octets, lambda _identification: bytes(16))
    open_session = frame_of(0x8D, bytes([control, 5]) + bytes(4) + payload)
    assert volume_of(decode_radio(open_session)) == Decimal("4.711")
    with pytest.raises(ChecksumError):
        decode_radio(frame_of(0x8D, bytes([control, 5]) + bytes(4) + bytes(2) + inner))


def test_what_cannot_be_opened_is_named():
    with pytest.raises(FrameLengthError):
        decode_radio_frame(b"\x30" * 20)
    with pytest.raises(FrameLengthError):
        decode_radio_frame(b"\x05")
    with pytest.raises(FrameLengthError):
        encode_radio_frame(RadioFrame(0, MAKER, ADDRESS, 0, bytes(246), checked=True))
    with pytest.raises(ControlInformationError, match="A2h"):
        decode_radio(frame_of(0xA2, bytes(20)))
    with pytest.raises(ControlInformationError, match="fragment"):
        decode_radio(frame_of(0x90, b"\x02\x00\x40" + bytes(20)))
    with pytest.raises(ControlInformationError, match="without end"):
        decode_radio(frame_of(0x8C, b"\x00\x00\x8c" * 6))
    with pytest.raises(HeaderTruncatedError):
        decode_radio(frame_of(0x7A, b"\x00"))
    with pytest.raises(EncryptedError, match="mode 9"):
        decode_radio(frame_of(0x7A, b"\x00\x00\x00\x09" + bytes(16)))


def the_key(key: bytes | None, _identification: str) -> bytes | None:
    return key


def plain_hex(text: str) -> bytes:
    digits = "".join(digit for digit in text if digit in "0123456789abcdefABCDEF")
    return bytes.fromhex(digits) if len(digits) % 2 == 0 else b""


def numbers_of(telegram: RadioTelegram) -> dict[str, list[Decimal]]:
    numbers: dict[str, list[Decimal]] = defaultdict(list)
    for record in telegram.records:
        if isinstance(record.value, int | Decimal):
            numbers[record.unit].append(Decimal(record.value))
    return numbers


def found(expected: dict[str, Any], telegram: RadioTelegram) -> Counter[bool]:
    counts: Counter[bool] = Counter()
    numbers = numbers_of(telegram)
    for name, value in expected.items():
        unit = name.rsplit("_", 1)[-1]
        if unit in UNITS and isinstance(value, int | float) and not isinstance(value, bool):
            wanted = [(each, Decimal(str(value)) * factor) for ours, factor in UNITS[unit] for each in numbers[ours]]
            counts[
                any(abs(each - goal) <= abs(each) * Decimal("1e-4") + Decimal("0.001") for each, goal in wanted)
            ] += 1
    return counts


def test_telegrams_of_many_makes(fixtures: Path):
    lines = (fixtures / "wmbus" / "wmbusmeters_driver_tests.jsonl").read_text().splitlines()
    outcomes: Counter[str] = Counter()
    values: Counter[bool] = Counter()
    book = FormatBook()
    for row in map(json.loads, lines):
        octets = plain_hex(row["telegram_hex"])
        if octets[:1] in (b"", b"\x68"):
            continue  # wired ones
        key = bytes.fromhex(row["key"]) if len(row["key"] or "") == 32 else None
        try:
            telegram = decode_radio(octets, partial(the_key, key), book)
        except MBusError as error:
            outcomes[type(error).__name__] += 1
            continue
        outcomes["opened" if telegram.encrypted else "read"] += 1
        assert telegram.header.identification.lower() == row["id"] or row["id"] in octets.hex() or telegram.records
        values += found(row["expected"] or {}, telegram)
    assert outcomes["opened"] == 16, "every telegram whose key is given"
    assert outcomes["WrongKeyError"] == outcomes["KeyMissingError"] == outcomes["ChecksumError"] == 0
    assert outcomes["read"] >= 185
    # three are zeros that a tool shows where the meter says that there is no value
    assert values[True] >= 790
