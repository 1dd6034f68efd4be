"""CMEP: a real file of dial values, and the forms of the protocol."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.unify import adapters
from openami.mdus.unify.adapters.cmep import Cmep
from openami.shared.contract import field

REAL = Path(__file__).parents[3] / "vectors" / "unify" / "headend" / "sensus_cmep_mepmd01.dat"
EXPECTED = REAL.with_name("sensus_cmep_mepmd01.expected.json")
HEAD = "MEPMD01,20080501,ACME,S:1,R7,C9,201109211458,M1,OK,E,{unit},{factor},{length},{count}"


def read(*lines: str, zone: str = "UTC") -> adapters.Batch:
    (batch,) = Cmep(zone).read(io.BytesIO("\n".join(lines).encode()))
    return batch


def record(*triplets: str, unit: str = "KWH", factor: str = "1.0", length: str = "00000015", count: int = -1) -> str:
    head = HEAD.format(unit=unit, factor=factor, length=length, count=len(triplets) if count < 0 else count)
    return ",".join([head, *triplets])


def test_a_real_file_of_dial_values_comes_out_as_it_is_with_registers_that_step_back() -> None:
    data = REAL.read_bytes()
    assert adapters.sniff(data[:4096]).name == "cmep"
    found = adapters.summarise("x", "cmep", Cmep().read(io.BytesIO(data)))
    assert [each["count"] for each in found["channels"]] == [25] * len(found["channels"])
    assert found["refused"] == []
    assert {each["unit"] for each in found["channels"]} == {"US gal"}
    series = next(iter(Cmep().read(io.BytesIO(data)))).series
    assert [(name.type.name if name.type else "", name.name) for name in series[0].meter.names] == [
        ("CmepReceiverCustomerID", "B72842123"), ("CmepReceiverID", "15173624"),
    ]  # fmt: skip
    for record, one in zip(json.loads(EXPECTED.read_text())["records"], series, strict=True):
        block = one.block
        values, starts = block.values.tolist(), block.starts.tolist()
        assert one.id == record["receiver_customer_id"]
        assert block.reading_type.is_dial
        assert (len(values), values[-1] - values[0]) == (record["triplets"], record["advance_first_to_last"])
        assert [stamp(starts[0]), str(values[0])] == record["first"][::2]
        assert [stamp(starts[-1]), str(values[-1])] == record["last"][::2]
        steps = zip(starts[1:], values, values[1:], strict=False)
        assert [[stamp(at), before, after] for at, before, after in steps if after < before] == record[
            "register_decreases"
        ]


def stamp(seconds: int) -> str:
    return field.from_seconds(seconds).strftime("%Y%m%d%H%M")


def test_consumptions_are_stamped_at_their_end() -> None:
    batch = read(record("201109200015,R0,0.5", ",R0,0.25", "201109200045,E2,"))
    (series,) = batch.series
    begin = series.block.starts[0]
    assert field.from_seconds(int(begin)).isoformat() == "2011-09-20T00:00:00+00:00"
    assert (series.block.starts - begin).tolist() == [0, 900, 1800]
    assert series.block.values.tolist() == [50, 25, 0]
    assert series.block.missing.tolist() == [False, False, True]
    assert (series.id, series.labels) == ("M1", ("R0", "E2"))
    assert series.block.quality_sets[series.block.quality_index[2]] == (field.QualityCode(4, 8, 0),)


def test_times_may_be_of_an_agreed_zone() -> None:
    batch = read(record("201109200015,R0,0.5"), zone="America/Los_Angeles")
    assert field.from_seconds(int(batch.series[0].block.starts[0])).isoformat() == "2011-09-20T07:00:00+00:00"


@pytest.mark.parametrize(("factor", "value", "scale"), [("1.0", 5, 2), ("40", 20, 3), ("0.01", 5, 0), ("2.5", 125, 1)])
def test_the_constant_multiplies_exactly(factor: str, value: int, scale: int) -> None:
    block = read(record("201109200015,R0,0.5", factor=factor)).series[0].block
    assert block.values[0] * 10.0**block.scale == pytest.approx(value * 10.0**scale)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (record("201109200015,R0,0.5", count=2), "declares 2 readings and carries 1"),
        (record("2011092000,R0,0.5"), "not a time"),
        (record(",R0,0.5"), "no time"),
        (record("201109200015,R0,0.5", unit="FURLONG"), "FURLONG"),
        (record("201109200015,R0,0.5", length="01000000"), "no length"),
        (record("201109200015,R0,0.5", factor="x"), "constant"),
        ("MEPLF01,1", "MEPLF01"),
        ("MEPMD01,1", "2 fields"),
    ],
)
def test_bad_records_are_refused_with_their_line_and_the_others_stand(line: str, reason: str) -> None:
    batch = read(record("201109200015,R0,0.5"), line, record("201109200015,R0,0.7"))
    assert len(batch.series) == 2
    (refusal,) = batch.refusals
    assert (refusal.position, reason in refusal.reason) == ("line 2", True)


@given(st.text("MEPD01,KWH2\n", max_size=120))
def test_any_text_is_readings_or_refusals(text: str) -> None:
    assert isinstance(read(text).refusals, tuple)
