"""SML files of real meters against the values another decoder found; streams; any bytes."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.sml import (
    SmlChecksumError,
    SmlCutError,
    SmlEntry,
    SmlError,
    SmlNestingError,
    SmlShapeError,
    SmlSplitter,
    SmlTooLongError,
    decode_file,
    decode_messages,
    lists_of,
)
from openami.ami.sml.messages import obis_text
from openami.ami.sml.transport import BEGIN, ESCAPE, FILE_OCTETS_MAX, checksums
from openami.ami.sml.values import DEPTH_MAX, ValueReader
from openami.ami.telegrams.checksums import crc16_kermit, crc16_x25

VECTORS = Path(__file__).parents[2] / "vectors" / "sml"
(PUSH,) = [json.loads(line) for line in (VECTORS / "smartmeter-obis_sml_hex.jsonl").read_text().splitlines()]
OCTETS = bytes.fromhex(PUSH["hex"])


def entries_of(octets: bytes) -> list[SmlEntry]:
    body = decode_file(octets) if octets.startswith(BEGIN) else octets
    messages = decode_messages(body, file_checked=octets.startswith(BEGIN))
    return [entry for each in lists_of(messages) for entry in each.entries]


def check(entries: list[SmlEntry], expected: list[dict[str, Any]]) -> None:
    for entry, wanted in zip(entries, expected, strict=True):
        assert entry.obis == wanted["obis_code"].removesuffix("*255")
        assert entry.status == wanted["status"]
        match entry.value:
            case bool() | None | list():
                continue
            case bytes() as data:
                assert wanted["raw_value"] in (data.hex(), data.decode("latin-1"))
            case number:
                assert number == wanted["raw_value"]
                assert entry.number is not None
                assert abs(Decimal(entry.number) - Decimal(str(wanted["value"]))) < Decimal("1e-6")


def wrapped(body: bytes) -> bytes:
    """A file around messages, as a meter sends it."""
    fill = -len(body) % 4
    octets = BEGIN + body.replace(ESCAPE, 2 * ESCAPE) + bytes(fill) + ESCAPE + bytes([0x1A, fill])
    return octets + checksums(octets)[0]


def test_a_push_of_an_emh_meter():
    check(entries_of(OCTETS), PUSH["decoded_by_smllib_1.7"][0]["list_entries"])
    (found,) = lists_of(decode_messages(decode_file(OCTETS)))
    assert found.server.hex() == "0901454d48000041f045"
    assert (found.second, found.second_is_time) == (0x063F2F35, False)
    energy = found.entries[2]
    assert (energy.obis, energy.number, energy.unit) == ("1-0:1.8.0", Decimal("15338555.7"), "Wh")


def test_a_serial_dump_that_ends_in_the_middle():
    dump = (VECTORS / "ttyUSB0-2.dump").read_bytes()
    expected = json.loads((VECTORS / "ttyUSB0-2.dump.decoded.json").read_text())
    splitter = SmlSplitter()
    files = [each for start in range(0, len(dump), 11) for each in splitter.feed(dump[start : start + 11])]
    assert len(files) == 2
    assert splitter.pending_bytes == 88
    for octets, wanted in zip(files, [each for each in expected if each.get("list_entries")], strict=False):
        check(entries_of(octets), wanted["list_entries"])


def test_frames_of_other_makers(fixtures: Path):
    for line in (fixtures / "sml" / "smllib_frames.jsonl").read_text().splitlines():
        frame = json.loads(line)
        entries = entries_of(bytes.fromhex(frame["hex"]))
        assert entries
        decoded = frame["decoded_by_smllib_1.7"]
        if isinstance(decoded, list) and decoded and "list_entries" in decoded[0]:
            check(entries, decoded[0]["list_entries"])


def test_a_long_dump(fixtures: Path):
    splitter = SmlSplitter()
    files = splitter.feed((fixtures / "sml" / "serial_dumps" / "ttyUSB0.dump").read_bytes())
    assert (len(files), splitter.dropped_bytes) == (878, 0)
    assert all(len(entries_of(octets)) == 7 for octets in files)


@given(st.binary(max_size=200))
def test_escapes_and_fill_bytes_are_undone(body: bytes):
    body = body.rstrip(b"\x00") + ESCAPE + b"\x01"
    octets = wrapped(body)
    assert decode_file(octets) == body
    splitter = SmlSplitter()
    assert splitter.feed(b"\x1b\x1b noise " + octets + octets[:9]) == [octets]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_file_or_an_error(octets: bytes):
    for attempt in (octets, wrapped(octets), wrapped(b"\x76" + octets)):
        try:
            lists_of(decode_messages(decode_file(attempt), file_checked=True))
        except SmlError as error:
            assert error.hint  # noqa: PT017 - whichever error it is, it tells what to do


@given(st.integers(8, len(OCTETS) - 9), st.integers(1, 255))
def test_a_damaged_byte_is_found(position: int, damage: int):
    damaged = bytearray(OCTETS)
    damaged[position] ^= damage
    with pytest.raises(SmlError):
        decode_file(bytes(damaged))


@given(st.lists(st.binary(max_size=9000), max_size=6))
def test_any_stream_leaves_the_splitter_bounded(pieces: list[bytes]):
    splitter = SmlSplitter()
    for piece in [BEGIN, *pieces]:
        splitter.feed(piece)
        assert splitter.pending_bytes <= FILE_OCTETS_MAX


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_of_any_size(number: int):
    size = (~number if number < 0 else number).bit_length() // 8 + 1
    data = number.to_bytes(size, "big", signed=True)
    assert ValueReader(bytes([0x50 | size + 1]) + data).value() == number


def test_what_is_wrong_is_named():
    with pytest.raises(SmlNestingError):
        ValueReader(b"\x71" * (DEPTH_MAX + 2) + b"\x01").value()
    with pytest.raises(SmlCutError):
        ValueReader(b"\x05\x01").value()
    with pytest.raises(SmlCutError):
        ValueReader(b"\xff\x0f\x01").value()
    with pytest.raises(SmlShapeError):
        ValueReader(b"\x33\x01\x01").value()
    with pytest.raises(SmlShapeError):
        ValueReader(b"\x80\x80\x80\x80\x80").value()
    with pytest.raises(SmlShapeError):
        ValueReader(b"\x72\x01\x01").list_of(3)
    with pytest.raises(SmlCutError):
        decode_file(OCTETS[:-1])
    with pytest.raises(SmlTooLongError):
        decode_file(bytes(FILE_OCTETS_MAX + 1))
    body = bytearray(decode_file(OCTETS))
    body[4] ^= 1
    with pytest.raises(SmlChecksumError):
        decode_messages(bytes(body))
    assert not decode_messages(bytes(body), file_checked=True)[0].checked


def test_names_and_check_values():
    assert obis_text(bytes.fromhex("0100010800ff")) == "1-0:1.8.0"
    assert obis_text(bytes.fromhex("010001080003")) == "1-0:1.8.0*3"
    assert obis_text(b"\x01\x02") == "0102"
    assert obis_text(None) == ""
    assert crc16_x25(b"123456789") == 0x906E
    assert crc16_kermit(b"123456789") == 0x2189
