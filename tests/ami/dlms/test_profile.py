"""Profiles as columns: the fast way agrees with the slow one, compressed and odd rows included."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms import profile_rows
from openami.ami.dlms.axdr import Encoded, decode, encode
from openami.ami.dlms.data import (
    INTEGER_WIDTHS,
    NULL,
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    array,
    date_time,
    octet_string,
    structure,
    unsigned8,
    unsigned32,
    unsigned64,
    visible_string,
)
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError, TypeMismatchError
from openami.ami.dlms.events import GetResponse
from openami.ami.dlms.profile import decode_profile
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn, encode_profile
from openami.ami.dlms.profile_rows import Kind
from openami.ami.dlms.profile_times import NO_TIME, utc_s_to_stamps
from openami.ami.dlms.reader import Reader
from openami.ami.dlms.service_get import decode_response, encode_response
from openami.ami.dlms.times import CosemDateTime

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
START_S = int(datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp())


def stamp(time_s: int) -> CosemDateTime:
    return CosemDateTime.of(datetime.fromtimestamp(time_s, UTC), zone=AMSTERDAM)


def buffer(rows: list[list[Data]]) -> bytes:
    return encode(array(structure(*row) for row in rows))


cells = st.one_of(
    st.just(NULL),
    st.sampled_from([tag for tag in INTEGER_WIDTHS if tag is not Tag.UNSIGNED64]).flatmap(
        lambda tag: st.builds(Data, st.just(tag), st.integers(0, 127))
    ),
    st.integers(0, 2**64 - 1).map(unsigned64),
)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=30)
    )
)
def test_columns_agree_with_values_read_one_by_one(rows: list[list[Data]]) -> None:
    profile = decode_profile(buffer(rows))
    assert len(profile) == len(rows)
    for index, column in enumerate(profile.columns):
        expected: list[object] = []
        for row in rows:
            present = row[index].tag is not Tag.NULL
            expected.append(row[index].value if present else (expected[-1] if expected else None))
        assert column.present.tolist() == [row[index].tag is not Tag.NULL for row in rows]
        for value, wanted, present in zip(column.values, expected, np.maximum.accumulate(column.present), strict=True):
            if present:
                assert (value.value if column.kind is Kind.OTHER else value) == wanted


@given(st.binary(max_size=300), st.sampled_from(["", "01", "0102", "01060202", "0103020209", "0182ffff0200"]))
def test_any_octets_give_a_profile_or_an_error(octets: bytes, head: str) -> None:
    try:
        profile = decode_profile(bytes.fromhex(head) + octets, zone=AMSTERDAM)
    except (RemoteProtocolError, TypeMismatchError):
        return
    assert all(len(column.values) == len(profile) for column in profile.columns)


@given(st.integers(0, 400), st.sampled_from([900, 1800, 3600]))
def test_what_a_meter_encodes_a_head_end_decodes(count: int, period_s: int) -> None:
    times_s = START_S + period_s * np.arange(1, count + 1, dtype=np.int64)
    energy_wh = np.arange(count, dtype=np.int64) * 3
    status = np.full(count, 8, np.int64)
    raw = encode_profile(
        [
            StampColumn(utc_s_to_stamps(times_s, zone=AMSTERDAM)),
            NumberColumn(Tag.UNSIGNED8, status),
            NumberColumn(Tag.UNSIGNED32, energy_wh),
        ]
    ).raw
    profile = decode_profile(raw)
    assert profile.times_s.tolist() == times_s.tolist()
    if count:
        assert profile.columns[1].values.tolist() == status.tolist()
        assert profile.columns[2].values.tolist() == energy_wh.tolist()
        assert decode(raw).elements()[0].elements()[0].instant().timestamp() == times_s[0]


def test_null_stamps_continue_by_the_capture_period() -> None:
    rows = [[octet_string(stamp(START_S)), unsigned8(8), unsigned32(1)]]
    rows += [[NULL, NULL, unsigned32(n)] for n in range(2, 6)]
    rows += [[date_time(stamp(START_S + 9000)), unsigned8(0), unsigned32(6)], [NULL, NULL, NULL]]
    profile = decode_profile(buffer(rows), capture_period_s=900)
    assert (profile.times_s - START_S).tolist() == [0, 900, 1800, 2700, 3600, 9000, 9900]
    assert profile.clock.present.tolist() == [True, False, False, False, False, True, False]
    assert profile.columns[1].values.tolist() == [8, 8, 8, 8, 8, 0, 0]
    assert profile.columns[2].values.tolist() == [1, 2, 3, 4, 5, 6, 6]
    assert profile.columns[2].present.tolist() == [True] * 6 + [False]


def test_null_stamps_without_a_period_or_a_first_stamp_are_no_time() -> None:
    rows = [[NULL, unsigned8(1)], [octet_string(stamp(START_S)), unsigned8(2)], [NULL, unsigned8(3)]]
    assert decode_profile(buffer(rows)).times_s.tolist() == [NO_TIME, START_S, NO_TIME]
    assert decode_profile(buffer(rows), capture_period_s=60).times_s.tolist() == [NO_TIME, START_S, START_S + 60]


def test_stamps_without_deviation_are_read_in_the_zone_of_the_meter() -> None:
    unstated = stamp(START_S).encode()[:9] + bytes.fromhex("800000")
    rows = [[octet_string(unstated), unsigned8(1)], [octet_string(b"\xff" * 12), unsigned8(2)]]
    profile = decode_profile(buffer(rows), zone=AMSTERDAM)
    assert profile.times_s.tolist() == [START_S, NO_TIME]
    assert profile.clock.status is not None
    assert profile.clock.status.tolist() == [0, 255]


def test_texts_and_structures_are_kept_as_values() -> None:
    rows = [
        [octet_string(stamp(START_S)), visible_string("on"), structure(unsigned8(1))],
        [octet_string(stamp(START_S + 60)), NULL, structure(unsigned8(2))],
        [NULL, visible_string("off"), structure(unsigned8(3))],
    ]
    profile = decode_profile(buffer(rows), capture_period_s=60)
    assert profile.times_s.tolist() == [START_S, START_S + 60, START_S + 120]
    texts = profile.columns[1]
    assert texts.kind is Kind.OTHER
    assert [value.value for value in texts.values] == ["on", "on", "off"]
    assert texts.present.tolist() == [True, False, True]


def test_a_compact_array_is_the_same_table() -> None:
    kind = TypeDescription(Tag.STRUCTURE, (TypeDescription(Tag.OCTET_STRING), TypeDescription(Tag.UNSIGNED32)))
    rows = tuple(structure(octet_string(stamp(START_S + 900 * n)), unsigned32(n)) for n in range(5))
    profile = decode_profile(encode(Data(Tag.COMPACT_ARRAY, CompactArray(kind, rows))))
    assert (profile.times_s - START_S).tolist() == [0, 900, 1800, 2700, 3600]
    assert profile.columns[1].values.tolist() == [0, 1, 2, 3, 4]


def test_rows_of_different_width_and_left_overs_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="columns"):
        decode_profile(buffer([[unsigned8(1)], [unsigned8(1), unsigned8(2)]]))
    with pytest.raises(RemoteProtocolError, match="columns"):
        decode_profile(buffer([[visible_string("a")], [unsigned8(1), unsigned8(2)]]))
    with pytest.raises(RemoteProtocolError, match="left over"):
        decode_profile(buffer([[unsigned8(1)]]) + b"\x00")
    with pytest.raises(RemoteProtocolError, match="an array"):
        decode_profile(encode(unsigned8(1)))
    with pytest.raises(RemoteProtocolError, match="at most"):
        decode_profile(bytes.fromhex("01840fffffff"))


def test_rows_without_stamps_say_so_when_asked_for_times() -> None:
    profile = decode_profile(buffer([[unsigned8(1)]]))
    with pytest.raises(TypeMismatchError, match="holds stamps"):
        _ = profile.times_s


def test_reals_and_mixed_numbers() -> None:
    rows = [[Data(Tag.FLOAT32, 1.5)], [Data(Tag.FLOAT64, 2.25)], [unsigned8(3)]]
    column = decode_profile(buffer(rows)).columns[0]
    assert column.kind is Kind.REAL
    assert column.values.tolist() == [1.5, 2.25, 3.0]


def test_an_encoder_refuses_what_does_not_fit() -> None:
    with pytest.raises(LocalProtocolError, match="does not fit"):
        encode_profile([NumberColumn(Tag.UNSIGNED8, np.array([256]))])
    with pytest.raises(LocalProtocolError, match="different lengths"):
        encode_profile([NumberColumn(Tag.UNSIGNED8, np.array([1])), NumberColumn(Tag.UNSIGNED8, np.array([1, 2]))])


def test_rows_whose_layout_changes_all_the_time_stay_affordable() -> None:
    rows = [[unsigned8(1)] if n % 2 else [unsigned32(1)] for n in range(4000)]
    assert decode_profile(buffer(rows)).columns[0].values.sum() == 4000


def test_layouts_met_before_are_known_again_and_others_are_not_taken_for_them() -> None:
    times_s = np.arange(3) * 900 + 1_767_225_600
    stamps = StampColumn(utc_s_to_stamps(times_s))
    values = np.arange(3)
    buffers = [
        encode_profile([stamps, NumberColumn(tag, values), NumberColumn(Tag.UNSIGNED8, values)]).raw
        for tag in (Tag.UNSIGNED16, Tag.INTEGER16, Tag.UNSIGNED32, Tag.UNSIGNED64)
    ]
    for _ in range(2):
        for buffer in buffers:
            profile = decode_profile(buffer)
            assert profile.times_s.tolist() == times_s.tolist()
            assert [column.values.tolist() for column in profile.columns[1:]] == [[0, 1, 2], [0, 1, 2]]
    assert len(profile_rows._layouts) <= profile_rows._LAYOUTS_MAX


@given(st.lists(st.lists(cells, min_size=1, max_size=4), max_size=6), st.binary(max_size=4))
def test_the_end_of_a_buffer_among_other_values_is_where_the_value_ends(rows, behind):
    raw = buffer(rows)
    reader = Reader(b"\x00" + raw + behind)
    reader.u8()
    assert profile_rows.take_rows(reader) is not None
    assert reader.position == 1 + len(raw)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=30)
    ),
    st.binary(min_size=1, max_size=9),
)
def test_rows_found_among_other_values_are_those_of_the_buffer_alone(rows, before):
    raw = buffer(rows)
    reader = Reader(before + raw)
    reader.take(len(before))
    taken = profile_rows.take_rows(reader)
    assert taken == Encoded(raw)
    assert taken.runs == profile_rows.read_runs(raw)
    alone, among = decode_profile(raw), decode_profile(taken.raw, runs=taken.runs)
    for one, other in zip(alone.columns, among.columns, strict=True):
        assert (one.kind, one.values.tolist(), one.present.tolist()) == (
            other.kind,
            other.values.tolist(),
            other.present.tolist(),
        )


@pytest.mark.parametrize(
    "value", [unsigned32(7), array([visible_string("log")]), array([structure(visible_string("a"))])]
)
def test_what_is_no_buffer_of_numbers_is_not_skipped(value):
    reader = Reader(encode(value))
    assert not profile_rows.take_rows(reader)
    assert reader.position == 0


def test_a_buffer_that_ends_too_early_is_refused_while_it_is_skipped():
    raw = buffer([[unsigned32(1)], [unsigned32(2)]])
    with pytest.raises(RemoteProtocolError):
        profile_rows.take_rows(Reader(raw[:-1]))


def test_a_list_of_answers_holds_profiles_as_they_came():
    profile, text = Encoded(buffer([[unsigned32(1)], [NULL]])), Encoded(encode(visible_string("E1")))
    answer = GetResponse((text, profile, DataAccessResult.OBJECT_UNDEFINED, profile), listed=True)
    assert decode_response(encode_response(answer)) == answer
