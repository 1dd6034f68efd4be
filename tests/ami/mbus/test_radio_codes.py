"""Modes T, S and C: what goes over the air comes out again, wherever the receiver cuts it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.mbus.radio_codes import manchester, three_of_six, uncoded
from openami.ami.mbus.radio_stream import radio_frames
from openami.ami.mbus.wireless import RadioFrame, crc16_en13757, encode_radio_frame
from openami.ami.telegrams.decode import decode

MAKER, ADDRESS = b"\xae\x4c", bytes.fromhex("785634120107")
data = st.binary(min_size=1, max_size=200)


def frame_of(payload: bytes) -> bytes:
    return encode_radio_frame(RadioFrame(0x44, MAKER, ADDRESS, 0x7A, payload, checked=True))


def format_b(payload: bytes) -> bytes:
    body = b"\x44" + MAKER + ADDRESS + b"\x7a" + payload
    block = bytes([len(body) + 2]) + body
    return block + crc16_en13757(block).to_bytes(2, "big")


@given(data, st.sampled_from([b"", b"\x54\x3d"]), st.binary(max_size=3))
def test_mode_t(payload: bytes, sync: bytes, tail: bytes):
    frame = frame_of(payload)
    assert uncoded(sync + three_of_six(frame) + tail) == frame


@given(data, st.sampled_from([b"", b"\x76\x96"]), st.binary(max_size=3))
def test_mode_s(payload: bytes, sync: bytes, tail: bytes):
    frame = frame_of(payload)
    assert uncoded(sync + manchester(frame) + tail) == frame


@given(st.binary(min_size=1, max_size=100))
def test_mode_c_in_both_formats(payload: bytes):
    assert uncoded(b"\x54\xcd" + frame_of(payload)) == frame_of(payload)
    assert uncoded(b"\x54\x3d" + format_b(payload)) == format_b(payload)


def test_the_chips_of_the_standard():
    # EN 13757-4 table 13 and clause 5.2
    assert three_of_six(b"\x0f").hex() == f"{0b010110_101001_0101:04x}"
    assert manchester(b"\x01").hex() == "aaa9"
    assert three_of_six(b"") == manchester(b"") == b""


@given(st.binary(max_size=700))
def test_any_bytes_are_no_frame_or_one_of_good_checksums(octets: bytes):
    heard = uncoded(octets)
    assert heard is None or heard[:1] == bytes([heard[0]])


@pytest.mark.parametrize("code", [three_of_six, manchester, bytes, lambda frame: b"\x54\xcd" + frame])
def test_a_coded_telegram_is_decoded(code):
    frame = frame_of(bytes.fromhex("2A000000 0413D2040000"))
    (told,) = decode(code(frame))
    assert (told.language, told.meter, told.error) == ("wmbus", "SEN12345678", "")
    assert str(told.readings[0].value) == "1.234"


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5), st.sampled_from([b"", b"\x00\xff"]))
def test_frames_one_after_the_other(payloads: list[bytes], noise: bytes):
    frames = [frame_of(payload) for payload in payloads]
    assert radio_frames(noise + noise.join(frames)) == frames


@given(st.binary(max_size=400))
def test_any_stream_is_cut(octets: bytes):
    assert sum(map(len, radio_frames(octets))) <= max(len(octets), 1)
