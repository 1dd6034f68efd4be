"""NEM12 and NEM13 against the opinion of nemreader, and what it lets pass."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.unify import adapters
from openami.mdus.unify.adapters.nem12 import Nem12
from openami.mdus.unify.adapters.nmi import bare, check_digit
from openami.shared.contract import field

OWN = Path(__file__).parents[3] / "vectors" / "unify" / "nem12"
ALL = Path(__file__).parents[5] / "shared" / "fixtures" / "nem12"
CHECK_DIGITS = ALL.parent / "vee" / "nmi_checksums_aemo.csv"
DAY = ",".join(["1"] * 48)


def expectations(folder: Path) -> list[dict[str, Any]]:
    path = folder / "expected_by_nemreader.jsonl"
    if not path.exists():
        return []
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [each for each in found if "file" in each]


def summary(data: bytes) -> dict[str, Any]:
    return adapters.summarise("x", "nem12", Nem12().read(io.BytesIO(data)))


def read(*lines: str) -> adapters.Batch:
    (batch,) = Nem12().read(io.BytesIO("\n".join(lines).encode()))
    return batch


def check(data: bytes, expected: dict[str, Any]) -> None:
    assert adapters.sniff(data[:4096]).name == "nem12"
    found = summary(data)
    assert not found["refused"]
    for channel in expected["channels"]:
        mine = [each for each in found["channels"] if each["id"] == f"{channel['nmi']}/{channel['suffix']}"]
        assert sum(each["count"] for each in mine) == channel["n"]
        missing = channel["quality"].get("N", 0)
        if not missing:
            assert sum(each["sum"] for each in mine) == pytest.approx(channel["sum"], abs=1e-6)
        qualities: dict[str, int] = {}
        for each in mine:
            for flag, count in each["qualities"].items():
                qualities[flag] = qualities.get(flag, 0) + count
        assert qualities == channel["quality_methods"]
        assert {each["unit"].upper() for each in mine} <= {unit.upper() for unit in channel["units"]}
    assert len({each["id"] for each in found["channels"]}) == len(expected["channels"])


GOOD = [each for each in expectations(OWN) if "channels" in each and not each["file"].startswith("invalid")]


@pytest.mark.parametrize("expected", GOOD, ids=lambda each: Path(each["file"]).name)
def test_counts_sums_and_qualities_are_those_of_nemreader(expected: dict[str, Any]) -> None:
    check((OWN / Path(expected["file"]).name).read_bytes(), expected)


@pytest.mark.skipif(not ALL.exists(), reason="the collection of ../shared/fixtures is not here")
def test_all_files_of_the_collection_agree() -> None:
    for expected in expectations(ALL):
        if "channels" in expected and not expected["file"].startswith("invalid"):
            check((ALL / expected["file"]).read_bytes(), expected)


@pytest.mark.skipif(not ALL.exists(), reason="the collection of ../shared/fixtures is not here")
@pytest.mark.parametrize("expected", [one for one in expectations(ALL) if one["file"].startswith("invalid/")],
                         ids=lambda one: Path(one["file"]).stem)  # fmt: skip
def test_no_invalid_file_of_the_collection_passes(expected: dict[str, Any]) -> None:
    """Three of them nemreader lets pass, with intervals that it makes up; where it names a line, so do we."""
    found = summary((ALL / expected["file"]).read_bytes())
    assert found["refused"]
    line = re.search(r"line (\d)", expected.get("nemreader_error", ""))
    if line:
        assert int(found["refused"][0]["position"].removeprefix("line ")) in {int(line[1]), int(line[1]) - 1}
    if "100 row" in expected.get("nemreader_error", ""):
        assert found["refused"] == [{"position": "line 1", "reason": "the file has no 100 header record"}]
        assert found["channels"] == []


@pytest.mark.parametrize(
    ("file", "position", "reason"),
    [
        ("Example_NEM12_missing_header.csv", "line 1", "no 100 header"),
        ("Example_NEM12_15min_200_30min_300.csv", "line 3", "15 minutes"),
        ("Example_NEM12_30min_200_15min_400.csv", "line 3", "30 minutes"),
        ("Example_NEM12_15min_200_30min_400.csv", "line 3", "cover 48 of 96"),
        ("Example_NEM12_incomplete_interval.csv", "line 3", "no quality flag"),
    ],
)
def test_broken_files_are_refused_where_they_break(file: str, position: str, reason: str) -> None:
    found = summary((OWN / file).read_bytes())
    assert found["refused"][0]["position"] == position
    assert reason in found["refused"][0]["reason"]


def test_the_good_days_of_a_file_with_a_bad_one_are_taken() -> None:
    found = summary((OWN / "Example_NEM12_incomplete_interval.csv").read_bytes())
    assert [(each["id"], each["count"]) for each in found["channels"]] == [
        ("VABD000163/E1", 48), ("VABD000163/Q1", 96),
    ]  # fmt: skip


def test_quality_v_is_resolved_by_its_400_records() -> None:
    batch = read(
        "100,NEM12,200405011135,MDA1,Ret1", "200,N1,E1,1,E1,,S1,kWh,30,",
        f"300,20040201,{DAY},V,,,20040202120025,", "400,1,20,A,,", "400,21,24,N,,", "400,25,48,S52,71,power",
        "900",
    )  # fmt: skip
    (series,) = batch.series
    block = series.block
    assert block.missing.tolist() == [False] * 20 + [True] * 4 + [False] * 24
    assert block.quality_sets[block.quality_index[30]] == (field.QualityCode(4, 8, 0),)
    assert series.labels == ("A", "N", "S52")
    (event,) = batch.events
    assert event.created.isoformat() == "2004-02-01T12:00:00+10:00"
    assert (event.detail("rawCode"), event.detail("description")) == ("71", "power")
    assert not batch.refusals


def test_market_time_has_no_daylight_saving() -> None:
    batch = read("100,NEM12,1,,", "200,N1,E1,1,E1,,S1,kWh,30,", f"300,20260105,{DAY},A", "900")
    assert batch.series[0].block.starts[0] == np.datetime64("2026-01-04T14:00:00").astype(int)


def test_a_stream_is_known_by_its_data_stream_its_meter_or_its_point() -> None:
    batch = read("100,NEM12,1,,", "200,N1,E1B1,1,B1,N1,S1,Wh,30,", f"300,20260105,{DAY},A", "900")
    series = batch.series[0]
    assert [(each.type.name if each.type else "", each.name) for each in series.meter.names] == [
        ("NemDatastream", "N1/B1"), ("NemRegister", "N1/1"), ("SerialNumber", "S1"), ("NMI", "N1"),
    ]  # fmt: skip
    assert str(series.block.reading_type) == "0.0.5.4.19.1.12.0.0.0.0.0.0.0.0.0.72.0"


def test_registers_of_nem13_are_dial_values_with_their_consumption() -> None:
    (batch,) = Nem12().read(io.BytesIO((OWN / "Example_NEM13_consumption_data.csv").read_bytes()))
    (series,) = batch.series
    assert [(str(each.value), each.at.isoformat()) for each in series.registers] == [
        ("6342.8", "2003-10-05T09:30:55+10:00"), ("7654.9", "2004-01-07T10:03:33+10:00"),
    ]  # fmt: skip
    assert (series.block.values.tolist(), series.block.scale) == ([13121], 2)
    assert series.reading.blocks == ()
    assert series.reading.readings == series.registers


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("300,20040230," + DAY + ",A", "not a date"),
        ("300,20040201," + DAY + ",Q", "quality flag"),
        ("300,20040201," + DAY.replace("1", "x", 1) + ",A", "'x' is not a decimal"),
        ("300", "not a date"),
        ("777,what,is,this", "unknown kind '777'"),
        ("200,N1,E1,1,E1,,S1,furlong,30,", "unit 'furlong'"),
        ("200,N1,E1,1,E1,,S1,kWh,7,", "5, 10, 15 or 30"),
        ("200,N1", "has 10 fields"),
        ("250,N1", "has 23 fields"),
        ("400,1,2,A", None),
        ("100,NEM99", "names"),
    ],
)
def test_bad_records_are_refused_with_their_line(line: str, reason: str | None) -> None:
    batch = read("100,NEM12,1,,", "200,N1,E1,1,E1,,S1,kWh,30,", f"300,20040131,{DAY},A", line, "900")
    assert sum(len(each.block) for each in batch.series) in {48, 95}
    if reason:
        (refusal,) = batch.refusals
        assert refusal.position.startswith("line 4")
        assert reason in refusal.reason


@pytest.mark.parametrize("record", ["400,1,49,A,,", "400,x,2,A,,", "400,1", "400,1,48,Z,,", "400,5,2,A,,"])
def test_a_bad_400_record_takes_its_day_with_it(record: str) -> None:
    batch = read("100,NEM12,1,,", "200,N1,E1,1,E1,,S1,kWh,30,", f"300,20040131,{DAY},V", record, "900")
    assert batch.series == ()
    assert batch.refusals[0].position == "line 4"


def test_a_file_that_was_cut_says_so() -> None:
    batch = read("100,NEM12,1,,", "200,N1,E1,1,E1,,S1,kWh,30,", f"300,20040131,{DAY},A")
    assert len(batch.series) == 1
    assert "900" in batch.refusals[0].reason


def test_a_large_file_comes_in_bounded_batches() -> None:
    lines = ["100,NEM12,1,,"]
    for number in range(300):
        lines.append(f"200,N{number},E1,1,E1,,S1,kWh,5,")
        lines += [f"300,202601{day:02d},{','.join(['0.125'] * 288)},A" for day in range(1, 6)]
    batches = list(Nem12().read(io.BytesIO("\n".join([*lines, "900"]).encode())))
    assert len(batches) > 3
    assert max(sum(len(each.block) for each in batch.series) for batch in batches) < 110_000
    assert sum(len(each.block) for batch in batches for each in batch.series) == 300 * 5 * 288


@given(st.binary(max_size=300) | st.text("0123,456789AVN\n").map(str.encode))
def test_any_bytes_are_readings_or_refusals(data: bytes) -> None:
    for batch in Nem12().read(io.BytesIO(b"100,NEM12\n200,N1,E1,1,E1,,S1,kWh,30,\n" + data)):
        assert isinstance(batch.refusals, tuple)


NMIS = [
    ("2001985732", 8),
    ("QAAAVZZZZZ", 3),
    ("3075621875", 8),
    ("VAAA000065", 7),
    ("VCCCX00009", 1),
    ("4316854005", 9),
]
"""Pairs published by AEMO."""


@pytest.mark.parametrize(("nmi", "digit"), NMIS)
def test_the_check_digit_of_a_meter_point_is_that_of_aemo(nmi: str, digit: int) -> None:
    assert check_digit(nmi) == check_digit(nmi.lower()) == digit
    assert bare(f"{nmi}{digit}") == bare(nmi) == nmi
    wrong = f"{nmi}{(digit + 1) % 10}"
    assert bare(wrong) == wrong


@pytest.mark.skipif(not CHECK_DIGITS.exists(), reason="the collection of ../shared/fixtures is not here")
def test_every_published_check_digit_comes_out() -> None:
    rows = list(csv.DictReader(CHECK_DIGITS.read_text().splitlines()))
    assert len(rows) >= 18
    assert [check_digit(row["nmi"]) for row in rows] == [int(row["checksum"]) for row in rows]


def test_a_point_with_its_check_digit_is_known_by_its_ten_characters_too() -> None:
    def names(nmi: str) -> list[str]:
        (series,) = read(
            "100,NEM12,1,S,R", f"200,{nmi},E1,E1,E1,N1,,KWH,30,", f"300,20260301,{DAY},A,,,,", "900"
        ).series
        return [name.name for name in series.meter.names]

    assert names("20019857328") == ["20019857328/E1", "2001985732/E1", "20019857328/E1", "20019857328", "2001985732"]
    assert names("2001985732") == ["2001985732/E1", "2001985732/E1", "2001985732"]
