"""Read-outs: a real one (MIT, see SOURCES.md), the grammar, the block check, any bytes."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import reduce
from operator import xor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.iec62056_21 import (
    BlockCheckError,
    DataSet,
    DataSetError,
    DataValue,
    ReadoutError,
    ReadoutTooLongError,
    decode_readout,
    parse_data_sets,
)
from openami.ami.iec62056_21.datasets import DATA_SETS_MAX
from openami.ami.iec62056_21.readout import READOUT_OCTETS_MAX

VECTORS = Path(__file__).parents[2] / "vectors" / "iec62056_21"

words = st.text(alphabet="0123456789.:-*ABC", min_size=1, max_size=12)
contents = st.text(alphabet="0123456789.&: ", max_size=12)
units = st.sampled_from(["", "kWh", "m3", "C&082*C"])
data_values = st.builds(DataValue, contents, units)
data_sets = st.builds(DataSet, words, st.lists(data_values, min_size=1, max_size=3).map(tuple))


def bracket(value: DataValue) -> str:
    return f"({value.text}*{value.unit})" if value.unit else f"({value.text})"


def written(sets: list[DataSet]) -> str:
    return "\r\n".join(each.address + "".join(bracket(value) for value in each.values) for each in sets)


def test_a_heat_meter():
    (line,) = (VECTORS / "smartmeter-obis_d0_telegrams.jsonl").read_text().splitlines()
    readout = decode_readout(json.loads(line)["telegram"].encode())
    assert readout.identification == "?Bla0"
    values = {each.address: each.values[0] for each in readout.data_sets}
    assert (values["6.8"].number, values["6.8"].unit) == (Decimal("29.055"), "MWh")
    assert (values["6.26"].number, values["6.26"].unit) == (Decimal("1589.28"), "m3")
    assert values["9.22"].text == "R"
    assert values["9.36"].text == "2017-01-18&01:36:47"
    assert values["9.4"] == DataValue("088", "C&082*C")
    assert not readout.checked
    assert len(readout.data_sets) == 50


def test_modes_a_to_c_carry_a_block_check():
    data = b"1.8.0(000123.4*kWh)\r\n0.0.0(4711)\r\n!\r\n\x03"
    whole = b"\x00noise/ABC5Meter1\r\n\x02" + data + bytes([reduce(xor, data)])
    readout = decode_readout(whole)
    assert (readout.identification, readout.manufacturer, readout.checked) == ("ABC5Meter1", "ABC", True)
    assert [each.address for each in readout.data_sets] == ["1.8.0", "0.0.0"]
    with pytest.raises(BlockCheckError):
        decode_readout(whole.replace(b"123.4", b"123.5"))
    with pytest.raises(BlockCheckError):
        decode_readout(whole[:-1])


@given(st.lists(data_sets, max_size=6))
def test_data_sets_survive(sets: list[DataSet]):
    assert parse_data_sets(written(sets)) == sets


@given(st.text(max_size=200))
def test_any_text_is_data_sets_or_an_error(text: str):
    try:
        parse_data_sets(text)
    except ReadoutError as error:
        assert error.hint  # noqa: PT017 - whichever error it is, it tells what to do


@given(st.binary(max_size=300))
def test_any_bytes_are_a_readout_or_an_error(octets: bytes):
    for each in (octets, b"/ABC5x\r\n" + octets, b"/ABC5x\r\n\x02" + octets):
        try:
            decode_readout(each)
        except ReadoutError as error:
            assert error.hint  # noqa: PT017 - as above


def test_what_is_wrong_is_named():
    with pytest.raises(ReadoutError, match="no identification"):
        decode_readout(b"1.8.0(1)")
    with pytest.raises(ReadoutTooLongError):
        decode_readout(bytes(READOUT_OCTETS_MAX + 1))
    with pytest.raises(ReadoutTooLongError):
        parse_data_sets("a(1)" * (DATA_SETS_MAX + 1))
    with pytest.raises(DataSetError):
        decode_readout(b"/ABC5x\r\n\xff(1)\r\n!\r\n")
    assert DataValue("12a").number is None
