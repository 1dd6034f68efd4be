"""Delimited files by declared mappings: real exports, daylight saving, bad rows, bad mappings."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openami.mdus.unify import adapters
from openami.mdus.unify.adapters import delimited
from openami.mdus.unify.adapters.delimited import Delimited
from openami.mdus.unify.adapters.mapping import BadMappingError, parse_mapping, shipped_mappings
from openami.shared.contract import field

OWN = Path(__file__).parents[3] / "vectors" / "unify" / "headend"
INTERVALS = Path(__file__).parents[5] / "shared" / "fixtures" / "intervals"
SIMPLE = """
name = "simple"
header = ["id", "at", "kwh"]
zone = "Europe/Amsterdam"
[[series]]
meter = [["id", "SerialNumber"]]
value = "kwh"
unit = "KWH"
time = "at"
format = "%Y-%m-%d %H:%M"
interval_s = 1800
"""


def read(text: str, mapping: str = SIMPLE) -> list[adapters.Batch]:
    return list(Delimited(parse_mapping(mapping)).read(io.BytesIO(text.encode())))


def summary(data: bytes) -> dict[str, Any]:
    adapter = adapters.sniff(data[:4096])
    return adapters.summarise("x", adapter.name, adapter.read(io.BytesIO(data)))


def test_a_badger_export_has_a_dial_and_a_flow_in_each_row() -> None:
    found = summary((OWN / "badger_beacon360_report.csv").read_bytes())
    dial, flow = found["channels"]
    assert (found["format"], found["refused"]) == ("badger", [])
    assert (dial["unit"], dial["sum"] / dial["count"], dial["first"]) == ("ft3", 22760, "2024-08-01T07:59:00Z")
    assert (flow["unit"], flow["sum"], flow["count"], flow["interval_s"]) == ("US gal", 10, 2, 3600)
    reads = json.loads((OWN / "badger_beacon360_report.expected.json").read_text())["reads"]
    times = [datetime.fromisoformat(one["flowtime"]) for one in reads]
    assert [datetime.fromisoformat(dial[end]) for end in ("first", "last")] == times
    assert {one["register_value"] for one in reads} == {dial["sum"] / dial["count"]}
    cubic_feet = [flow["sum"] / flow["count"] * 231 / 1728] * 2  # a gallon has 231 cubic inches
    assert [one["interval_value"] for one in reads] == pytest.approx(cubic_feet, abs=1e-7)


def test_aclara_rows_and_their_variants() -> None:
    cases = json.loads((OWN / "aclara_sftp_row_cases.json").read_text())
    text = cases["aclara_csv"]
    (channel,) = summary(text.encode())["channels"]
    assert (channel["sum"], channel["unit"], channel["first"]) == (23497.071, "ft3", "2025-05-25T16:00:00Z")
    (blank,) = summary(text.replace("023497.071", "ERROR").encode())["channels"]
    assert (blank["sum"], blank["count"]) == (0, 1)
    assert summary(text.replace("Residential", "DETECTOR CHECK").encode())["channels"] == []


@pytest.mark.skipif(not INTERVALS.exists(), reason="the recordings of ../shared/fixtures are not here")
@pytest.mark.parametrize(
    ("file", "key"), [("sgsc_smart_meter10_halfhourly", "customer_id"), ("lcl_block62_halfhourly", "LCLid")]
)
def test_real_homes_have_the_counts_and_sums_of_their_statistics(file: str, key: str) -> None:
    found = summary(gzip.decompress((INTERVALS / f"{file}.csv.gz").read_bytes()))
    expected = {each[key]: each for each in json.loads((INTERVALS / f"{file}.stats.json").read_text())}
    assert {each["id"] for each in found["channels"]} == set(expected)
    for channel in found["channels"]:
        facts = expected[channel["id"]]
        assert channel["count"] == facts["rows"]
        assert channel["sum"] == pytest.approx(facts["sum_kwh"], abs=0.001)


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    times = ["02:00", "02:30", "02:00", "02:30", "03:00"]
    rows = "".join(f"{name},2026-10-25 {at},1\n" for name in "AB" for at in times)
    (batch, _) = read("id,at,kwh\n" + rows)
    for series in batch.series:
        starts = series.block.starts - series.block.starts[0]
        assert starts.tolist() == [0, 1800, 3600, 5400, 7200]
        assert field.from_seconds(int(series.block.starts[0])).isoformat() == "2026-10-25T00:00:00+00:00"


def test_times_with_an_offset_are_these_instants_whatever_the_zone_of_the_file() -> None:
    mapping = SIMPLE.replace('%H:%M"', '%H:%M%z"')
    rows = ["A,1,2026-03-29 02:00-06:00", "A,2,2026-03-29 08:30Z", "A,3,2026-03-29 11:00+0200", "A,4,2026-03-29 09:30"]
    batches = read("\n".join(["id,kwh,at", *rows]), mapping)
    (series,) = [one for batch in batches for one in batch.series]
    begin = datetime(2026, 3, 29, 8, tzinfo=UTC).timestamp()
    assert series.block.starts.tolist() == [begin, begin + 1800, begin + 3600]
    (refused,) = [one for batch in batches for one in batch.refusals]
    assert (refused.position, refused.reason) == ("line 5", "'2026-03-29 09:30' is not a time of the declared form")


def test_the_hour_that_is_skipped_has_no_times() -> None:
    (batch, _) = read("id,at,kwh\nM1,2026-03-29 01:30,1\nM1,2026-03-29 02:30,1\nM1,2026-03-29 03:00,1\n")
    starts = batch.series[0].block.starts
    assert (starts[1] - starts[0]).tolist() == 1800
    assert batch.refusals[0].position == "line 3"


def test_rows_of_many_meters_are_gathered_by_meter() -> None:
    rows = "".join(f"M{number % 3},2026-03-01 {number // 3:02d}:00,0.{number}\n" for number in range(30))
    (batch, _) = read("id,at,kwh\n" + rows)
    assert [(series.id, len(series.block)) for series in batch.series] == [("M0", 10), ("M1", 10), ("M2", 10)]


def test_bad_rows_are_refused_with_their_lines_and_the_others_stand() -> None:
    text = "id,at,kwh\nM1,2026-03-01 00:00,1\nM1,yesterday,2\nM1,2026-03-01 00:30,x\nM1,2026-03-01 01:00,3,extra\n"
    batches = read(text)
    refusals = [refusal for batch in batches for refusal in batch.refusals]
    assert sorted(refusal.position for refusal in refusals) == ["line 3", "line 4", "line 5"]
    assert [value for batch in batches for series in batch.series for value in series.block.values.tolist()] == [1]


@pytest.mark.parametrize("block_bytes", [64, 200, 1 << 22])
@pytest.mark.parametrize("first", ["", "\n\n"])
@pytest.mark.parametrize("between", ["", "\n", "M1,short\n", "\n\nM1,2026-03-01 00:00,1,2,3\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_of_a_refusal_is_that_of_the_file_whatever_stands_before_it(
    monkeypatch: pytest.MonkeyPatch, block_bytes: int, first: str, between: str, end: str
) -> None:
    monkeypatch.setattr(delimited, "_BLOCK_BYTES", block_bytes)
    good = "".join(f"M1,2026-03-01 {hour:02d}:00,1\n" for hour in range(12))
    text = f"{first}id,at,kwh\n{good}{between}{good}{between}M2,2026-03-01 00:00,many\nM3,soon,1\n"
    refused = [one for batch in read(text.replace("\n", end)) for one in batch.refusals]
    lines = text.splitlines()
    for one in refused:
        line = lines[int(one.position.removeprefix("line ")) - 1]
        assert line.startswith(("M1,short", "M1,2026-03-01 00:00,1,2,3", "M2", "M3"))
        assert any(part in one.reason for part in line.split(",")[1:])
    assert len(refused) == 2 + 2 * between.count("M1")


def test_an_empty_value_is_missing() -> None:
    (batch, _) = read("id,at,kwh\nM1,2026-03-01 00:00,\nM1,2026-03-01 00:30, 2 \n")
    assert batch.series[0].block.missing.tolist() == [True, False]
    assert batch.series[0].block.values.tolist() == [0, 2]


def test_stamps_at_the_end_and_flags_are_translated() -> None:
    mapping = SIMPLE.replace('"kwh"]', '"kwh", "flag"]') + 'stamp = "end"\nlabel = "flag"\nlabels = { E = "4.8.0" }\n'
    (batch, _) = read("id,at,kwh,flag\nM1,2026-03-01 00:30,1,E\nM1,2026-03-01 01:00,1,\n", mapping)
    block = batch.series[0].block
    assert field.from_seconds(int(block.starts[0])).isoformat() == "2026-02-28T23:00:00+00:00"
    assert block.quality_sets[block.quality_index[0]] == (field.QualityCode(4, 8, 0),)
    assert batch.series[0].labels == ("E", "")


@pytest.mark.parametrize(
    ("text", "kwh"),
    [("7.2e1", "72"), ("1E+02", "100"), ("-1.5e-05", "-0.000015"), ("5.e0", "5"), ("999999999.999999999e9", None)],
)
def test_numbers_with_an_exponent_are_exact(text: str, kwh: str | None) -> None:
    (batch, _) = read(f"id,at,kwh\nM1,2026-03-01 00:00,{text}\nM1,2026-03-01 00:30,0.1\n")
    block = batch.series[0].block
    values = [Decimal(one).scaleb(block.scale - 3) for one in block.values.tolist()]
    assert values == ([] if kwh is None else [Decimal(kwh)]) + [Decimal("0.1")]
    assert len(batch.refusals) == (kwh is None)


@pytest.mark.parametrize("text", ["1e10", "e3", "1e", "1e1.5", "0x1e3", "1234567890e1"])
def test_what_only_looks_like_an_exponent_is_refused(text: str) -> None:
    (batch, _) = read(f"id,at,kwh\nM1,2026-03-01 00:00,{text}\n")
    assert [(one.position, text in one.reason) for one in batch.refusals] == [("line 2", True)]


UNTIL = SIMPLE.replace('"kwh"]', '"kwh", "to"]') + 'until = "to"\n'


def test_rows_whose_end_does_not_fit_their_start_are_refused_and_the_others_stand() -> None:
    rows = ["00:00,1,2026-03-01 00:30", "00:30,2,2026-03-01 00:30", "01:00,3,2026-03-01 01:45", "01:30,4,later"]
    text = "id,at,kwh,to\n" + "".join(f"M1,2026-03-01 {row}\n" for row in rows)
    (batch, _) = read(text, UNTIL)
    assert batch.series[0].block.values.tolist() == [1]
    assert [(one.position, one.reason) for one in batch.refusals] == [
        ("line 5", "'later' is not a time of the declared form"),
        ("line 3 and 1 more", "an interval of 0 s, not of 1800 s"),
    ]


def test_the_ends_of_intervals_follow_the_clocks_and_days_may_have_23_hours() -> None:
    rows = ["01:30,1,02:00", "02:00,2,02:30", "02:30,3,02:00", "02:00,4,02:30", "02:30,5,03:00", "03:00,6,03:30"]
    text = "".join(f"M1,2026-10-25 {row[:8]}2026-10-25 {row[8:]}\n" for row in rows)
    (batch, _) = read("id,at,kwh,to\n" + text, UNTIL)
    assert (batch.series[0].block.values.tolist(), batch.refusals) == ([1, 2, 3, 4, 5, 6], ())
    days = "M1,2026-03-28 00:00,1,2026-03-29 00:00\nM1,2026-03-29 00:00,2,2026-03-30 00:00\n"
    (batch, _) = read("id,at,kwh,to\n" + days, UNTIL.replace("1800", "86400"))
    assert (batch.series[0].block.values.tolist(), batch.refusals) == ([1, 2], ())


@pytest.mark.parametrize("more", ['stamp = "end"\n', 'kind = "dial"\n'])
def test_an_end_without_a_start_cannot_be_mapped(more: str) -> None:
    with pytest.raises(BadMappingError, match="have no start that goes with their end 'to'"):
        parse_mapping(UNTIL + more)


def test_an_unknown_unit_is_refused_for_its_rows_only() -> None:
    mapping = SIMPLE.replace('unit = "KWH"', 'unit_column = "unit"')
    (batch, _) = read("id,at,kwh,unit\nM1,2026-03-01 00:00,1,kWh\nM1,2026-03-01 00:30,1,furlong\n", mapping)
    assert len(batch.series) == 1
    assert (batch.refusals[0].position, "furlong" in batch.refusals[0].reason) == ("line 3", True)


@pytest.mark.parametrize("text", ["", "id,at\nM1,2026-03-01 00:00\n", 'id,at,kwh\n"M1,2026', "\x00\x01\x02"])
def test_files_that_cannot_be_read_are_refused(text: str) -> None:
    refusals = [refusal for batch in read(text) for refusal in batch.refusals]
    assert refusals


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        'name = "x"\nheader = []\n',
        SIMPLE.replace("interval_s = 1800", ""),
        SIMPLE.replace("interval_s = 1800", "interval_s = 1380"),
        SIMPLE + 'what = "ever"\n',
        SIMPLE.replace('value = "kwh"', ""),
    ],
)
def test_a_bad_mapping_is_told(text: str) -> None:
    with pytest.raises(BadMappingError):
        parse_mapping(text)


def test_the_mappings_that_come_with_us_can_be_read() -> None:
    assert {mapping.name for mapping in shipped_mappings()} >= {"aclara", "badger", "sgsc"}
    for mapping in shipped_mappings():
        assert set(mapping.header) & mapping.columns
