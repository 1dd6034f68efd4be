"""A-XDR: every value survives the way to octets and back; any octets give a value or a protocol error."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms.axdr import MAX_DEPTH, Encoded, decode, encode, read_encoded
from openami.ami.dlms.data import (
    INTEGER_WIDTHS,
    NULL,
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    array,
    bit_string,
    boolean,
    date_time,
    enum,
    integer8,
    octet_string,
    structure,
    unsigned8,
    unsigned16,
    unsigned32,
    utf8_string,
    visible_string,
)
from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError, TypeMismatchError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.reader import Reader
from openami.ami.dlms.times import CosemDate, CosemDateTime, CosemTime

dates = st.builds(CosemDate, st.integers(0, 0xFFFF), *[st.integers(0, 255)] * 3)
times = st.builds(CosemTime, *[st.integers(0, 255)] * 4)
date_times = st.builds(CosemDateTime, dates, times, st.integers(-0x8000, 0x7FFF), st.integers(0, 255))


def integers_of(tag: Tag) -> st.SearchStrategy[Data]:
    width, signed = INTEGER_WIDTHS[tag]
    low, high = (-(1 << 8 * width - 1), (1 << 8 * width - 1) - 1) if signed else (0, (1 << 8 * width) - 1)
    return st.builds(Data, st.just(tag), st.integers(low, high))


float32 = st.floats(width=32, allow_nan=False)
scalars = st.one_of(
    st.just(NULL),
    st.just(Data(Tag.DONT_CARE)),
    st.builds(boolean, st.booleans()),
    st.sampled_from(sorted(INTEGER_WIDTHS)).flatmap(integers_of),
    st.builds(octet_string, st.binary(max_size=200)),
    st.builds(visible_string, st.text(st.characters(max_codepoint=255), max_size=200)),
    st.builds(utf8_string, st.text(max_size=50)),
    st.builds(bit_string, st.text("01", max_size=40)),
    st.builds(date_time, date_times),
    st.builds(lambda value: Data(Tag.DATE, value), dates),
    st.builds(lambda value: Data(Tag.TIME, value), times),
    st.builds(lambda value: Data(Tag.FLOAT32, value), float32),
    st.builds(lambda value: Data(Tag.FLOAT64, value), st.floats(allow_nan=False)),
)


@st.composite
def compact_arrays(draw: st.DrawFn) -> Data:
    members = draw(st.lists(st.sampled_from([Tag.UNSIGNED32, Tag.INTEGER8, Tag.ENUM]), min_size=1, max_size=4))
    kind = TypeDescription(Tag.STRUCTURE, tuple(map(TypeDescription, members)))
    row = st.tuples(*map(integers_of, members)).map(lambda cells: structure(*cells))
    return Data(Tag.COMPACT_ARRAY, CompactArray(kind, tuple(draw(st.lists(row, max_size=5)))))


values = st.recursive(
    scalars | compact_arrays(),
    lambda inner: (
        st.lists(inner, max_size=5).map(lambda members: structure(*members)) | st.lists(inner, max_size=5).map(array)
    ),
    max_leaves=20,
)


@given(values)
def test_every_value_survives_the_way_to_octets_and_back(value: Data) -> None:
    assert decode(encode(value)) == value


@given(st.binary(max_size=300))
def test_any_octets_give_a_value_or_a_protocol_error(octets: bytes) -> None:
    try:
        value = decode(octets)
    except RemoteProtocolError:
        return
    # lengths may come in a longer form than ours, never in a shorter one
    assert len(encode(value)) <= len(octets)


@given(values)
def test_a_value_is_stepped_over_to_its_end_and_no_further(value: Data) -> None:
    octets = encode(value)
    reader = Reader(octets + b"\x0f\x07")
    assert read_encoded(reader) == Encoded(octets)
    assert read_encoded(reader).data() == integer8(7)


@given(values, st.data())
def test_a_cut_value_is_refused(value: Data, data: st.DataObject) -> None:
    octets = encode(value)
    kept = data.draw(st.integers(0, len(octets) - 1))
    with pytest.raises(RemoteProtocolError):
        decode(octets[:kept])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0600001391", unsigned32(0x1391)),
        ("0a0454455354", visible_string("TEST")),
        ("0202" + "0f00" + "161b", structure(integer8(0), enum(27))),
        ("0f80", integer8(-128)),
        ("040a5540", bit_string("0101010101")),
        ("09810568656c6c6f", octet_string(b"hello")),
        (
            "13" + "0202" + "1112" + "06" + "01" + "0002" + "03" + "0004",
            Data(
                Tag.COMPACT_ARRAY,
                CompactArray(
                    TypeDescription(Tag.STRUCTURE, (TypeDescription(Tag.UNSIGNED8), TypeDescription(Tag.UNSIGNED16))),
                    (structure(unsigned8(1), unsigned16(2)), structure(unsigned8(3), unsigned16(4))),
                ),
            ),
        ),
        (
            "13" + "01000211" + "04" + "01020304",
            Data(
                Tag.COMPACT_ARRAY,
                CompactArray(
                    TypeDescription(Tag.ARRAY, (TypeDescription(Tag.UNSIGNED8),), 2),
                    (array([unsigned8(1), unsigned8(2)]), array([unsigned8(3), unsigned8(4)])),
                ),
            ),
        ),
    ],
)
def test_known_octets(text: str, value: Data) -> None:
    assert decode(bytes.fromhex(text)) == value


def test_nesting_is_bounded() -> None:
    def nested(levels: int) -> bytes:
        return bytes.fromhex("0101") * levels + b"\x00"

    assert decode(nested(MAX_DEPTH))
    with pytest.raises(RemoteProtocolError, match="nests deeper"):
        decode(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "bomb",
    [
        "0184ffffffff",  # four thousand million elements in six octets
        "0984ffffffff00",  # an octet-string longer than the message
        "048400ffffff",  # bits
        "13" + "01ffff" * 30 + "00" + "0100",  # arrays of arrays of nothing
        "13" + "02820100" + "00" * 256 + "0100",  # structures of nothing
        "13" + "01ffff" * 3 + "0200" + "0100",  # arrays of empty structures
        "130011" + "00",
        "13130100",
    ],
)
def test_short_messages_cannot_claim_unbounded_work(bomb: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(bytes.fromhex(bomb))


@pytest.mark.parametrize(
    "wrong",
    [
        Data(Tag.UNSIGNED8, 256),
        Data(Tag.UNSIGNED8, "text"),
        Data(Tag.INTEGER8, -129),
        Data(Tag.BIT_STRING, "012"),
        Data(Tag.VISIBLE_STRING, "\u20ac"),
        Data(Tag.OCTET_STRING, 5),
        Data(Tag.FLOAT32, 1e300),
        Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(Tag.UNSIGNED8), (NULL,))),
        Data(
            Tag.COMPACT_ARRAY,
            CompactArray(TypeDescription(Tag.STRUCTURE, (TypeDescription(Tag.ENUM),)), (structure(),)),
        ),
    ],
)
def test_a_value_that_does_not_fit_its_tag_is_our_own_error(wrong: Data) -> None:
    with pytest.raises(LocalProtocolError):
        encode(wrong)


@given(st.binary(min_size=4, max_size=4))
def test_floats_keep_their_bits(octets: bytes) -> None:
    value = decode(b"\x17" + octets).value
    expected = struct.unpack(">f", octets)[0]
    assert value == expected or (isinstance(value, float) and math.isnan(value) and math.isnan(expected))


def test_typed_readers_say_what_was_found() -> None:
    assert unsigned32(7).integer() == 7
    assert enum(1).boolean() is True
    assert octet_string(b"ABC").text() == "ABC"
    assert octet_string(Obis.of("1-0:1.8.0")).obis() == Obis.of("1-0:1.8.0.255")
    assert array([NULL]).elements() == (NULL,)
    for reader in (Data.integer, Data.octets, Data.elements, Data.obis, Data.date_time, Data.instant):
        with pytest.raises(TypeMismatchError, match="VISIBLE_STRING 'text'"):
            reader(visible_string("text"))
    with pytest.raises(TypeMismatchError):
        octet_string(b"12345").obis()
    with pytest.raises(TypeMismatchError):
        octet_string(b"12345").boolean()


def test_a_few_octets_cannot_claim_many_elements() -> None:
    # 47,873 members of 255 members each that have no octets, as the fuzzer found
    with pytest.raises(RemoteProtocolError, match="more elements than its octets allow"):
        decode(bytes.fromhex("13 01 84B9 01 FF01 00 02 02 FBF6 84F67B"))
