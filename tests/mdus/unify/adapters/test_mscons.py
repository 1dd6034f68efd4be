"""MSCONS: real Swiss load profiles, German forms, and EDIFACT syntax at its edges."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mdus.unify.adapters.both_ways import by_columns, by_series

from openami.mdus.unify import adapters
from openami.mdus.unify.adapters import edifact, mscons
from openami.mdus.unify.adapters.mscons import Mscons
from openami.mdus.unify.adapters.quantities import obis_of_code
from openami.mdus.unify.columns import Piece
from openami.shared.contract import field
from openami.testing.fleet import Fleet

OWN = Path(__file__).parents[3] / "vectors" / "unify" / "edifact"
ALL = Path(__file__).parents[5] / "shared" / "fixtures" / "edifact"
UNB = "UNB+UNOC:3+A:500+B:500+191215:0430+1'"
HEAD = UNB + "UNH+1+MSCONS:D:04B:UN:2.2e'BGM+7+1+9'DTM+137:201912140000:203'"
PLACE = "UNS+D'NAD+DP'LOC+172+CH1'LIN+1'PIA+5+1-1?:1.29.0*255:SRW'"
END = "UNT+9+1'UNZ+1+1'"
LARGE = Mscons(scan_from_bytes=0)
"""Takes every file for a large one, whose lines are read as numbers."""


def group(value: str, minute: int, flag: str = "220") -> str:
    begin, end = f"{minute // 60:02d}{minute % 60:02d}", f"{(minute + 15) // 60:02d}{(minute + 15) % 60:02d}"
    return f"QTY+{flag}:{value}'DTM+163:20191214{begin}?+01:303'DTM+164:20191214{end}?+01:303'"


def read(text: str) -> adapters.Batch:
    (batch,) = Mscons().read(io.BytesIO(text.encode("latin-1")))
    return batch


def summary(data: bytes) -> dict[str, Any]:
    return adapters.summarise("x", "mscons", Mscons().read(io.BytesIO(data)))


REAL = [
    ("20191215_045127_12X-SAK-N------6_E66_12X-SAK-N------6_ESLEVU14572840_-566879393.txt", "1.29.0", 3719.25),
    ("20191215_045127_12X-SAK-N------6_E66_12X-SAK-N------6_ESLEVU14572841_-1811850990.txt", "2.29.0", 7.05),
    ("20191215_045128_12X-SAK-N------6_E66_12X-SAK-N------6_ESLEVU14572842_-1470816376.txt", "5.29.0", 1407.3),
    ("MSCONS_LG_12X-0000000858-F_12XBKW-HANDEL--X_20140304_1406300423489.txt", "1.29.0", 1479.2),
]


@pytest.mark.parametrize(("file", "obis", "total"), REAL)
def test_real_load_profiles_come_out_whole(file: str, obis: str, total: float) -> None:
    data = (OWN / file).read_bytes()
    assert adapters.sniff(data[:4096]).name == "mscons"
    found = summary(data)
    (channel,) = found["channels"]
    assert (channel["count"], channel["sum"], channel["interval_s"]) == (96, total, 900)
    assert channel["id"].endswith(f"/1-1:{obis}*255")
    assert channel["first"].endswith("T23:00:00Z")
    assert found["refused"] == []


def test_a_wrong_count_of_segments_does_not_cost_the_readings() -> None:
    data = (OWN / REAL[0][0]).read_bytes()
    assert b"UNT+109" in data  # 302 segments follow
    assert summary(data)["channels"][0]["count"] == 96


@pytest.mark.skipif(not ALL.exists(), reason="the collection of ../shared/fixtures is not here")
def test_every_value_of_the_collection_is_taken_or_refused() -> None:
    for expected in json.loads((ALL / "structure_summary.json").read_text()):
        series = [each for message in expected.get("messages", []) if "MSCONS" in (message.get("type") or "")
                  for each in message["series"]]  # fmt: skip
        if not series or "mako" in expected["file"]:
            continue
        found = summary((ALL / expected["file"]).read_bytes())
        taken = sum(channel["count"] for channel in found["channels"])
        refused = sum(int(each["reason"].split()[0]) for each in found["refused"] if "usable period" in each["reason"])
        unknown = 2 * sum("unit" in each["reason"] for each in found["refused"])
        assert taken + refused + unknown == sum(each["n"] for each in series), expected["file"]


@pytest.mark.skipif(not ALL.exists(), reason="the collection of ../shared/fixtures is not here")
def test_values_of_a_foreign_unit_are_not_taken_for_the_energy_that_their_obis_code_names() -> None:
    """Both messages of another parser's example tell watts per square metre (D54) of 1-1:1.29.1."""
    parsed = json.loads((ALL / "ediparse" / "mscons-message-example-response.json").read_text())
    quantities = [quantity["qty_mengenangaben"]
                  for message in parsed["unh_unt_nachrichten"]
                  for place in message["sg5_liefer_bzw_bezugsorte"]
                  for thing in place["sg6_wert_und_erfassungsangaben_zum_objekt"]
                  for position in thing["sg9_positionsdaten"]
                  for quantity in position["sg10_mengen_und_statusangaben"]]  # fmt: skip
    assert [(one["menge"], one["masseinheit_code"]) for one in quantities] == [(4250.465, "D54")] * 4
    found = summary((ALL / "ediparse" / "mscons-message-example-request.txt").read_bytes())
    assert found["channels"] == []
    assert {one["reason"] for one in found["refused"]} == {"the unit 'D54' is not known"}


@pytest.mark.parametrize(
    ("obis", "unit", "quantity", "shown"),
    [
        ("1-1?:1.29.0", "", "electricity.delivered", "kWh"),
        ("1-1?:1.29.0", "MWH", "electricity.delivered", "MWh"),
        ("1-1?:5.29.0", "", "reactive.q1", "kvarh"),
        ("1-1?:5.29.0", "K3", "reactive.q1", "kvarh"),
        ("1-1?:1.29.0", "KWT", "0.0.2.4.0.1.37.0.0.0.0.0.0.0.0.3.38.0", "kW"),
        ("7-1?:99.33.17", "KWH", "gas.energy", "kWh"),
        ("7-1?:3.29.0", "MTQ", "gas.volume", "m3"),
        ("7-1?:77.29.0", "KWH", "0.0.2.4.0.7.12.0.0.0.0.0.0.0.0.3.72.0", "kWh"),
        ("8-1?:1.29.0", "CF", "water.volume", "ft3"),
    ],
)
def test_the_unit_of_a_value_says_whether_it_is_what_its_obis_code_names(
    obis: str, unit: str, quantity: str, shown: str
) -> None:
    place = PLACE.replace("1-1?:1.29.0*255", obis)
    qty = group("1.5", 0).replace("1.5'", f"1.5:{unit}'" if unit else "1.5'")
    (channel,) = summary((HEAD + place + qty + END).encode())["channels"]
    assert (channel["quantity"], channel["unit"], channel["sum"]) == (quantity, shown, 1.5)


MAKO = {
    "bad_melo": ("segment 9", "none at all (DTM+163, DTM+164)"),
    "inverted_period": ("segment 10", "'202312310000+00' to '202301010000+00'"),
    "missing_sts_z32": ("segment 12", "none at all (DTM+163, DTM+164)"),
    "missing_sts_z32_qty201": ("segment 12", "none at all (DTM+163, DTM+164)"),
}


@pytest.mark.skipif(not ALL.exists(), reason="the collection of ../shared/fixtures is not here")
@pytest.mark.parametrize("name", MAKO)
def test_messages_that_break_a_rule_of_the_german_market_bring_no_readings(name: str) -> None:
    """What their rules check of the market (the form of a location, STS+Z32) is its own; no period is our reason."""
    assert {path.stem for path in (ALL / "mako" / "mscons" / "invalid").glob("*.edi")} == {*MAKO}
    found = summary((ALL / "mako" / "mscons" / "invalid" / f"{name}.edi").read_bytes())
    position, told = MAKO[name]
    assert found["channels"] == []
    assert found["refused"] == [
        {"position": position, "reason": f"1 of 1 values have no usable period, the first {told}"}
    ]


def test_intervals_that_only_name_their_step_follow_one_another() -> None:
    batch = read(HEAD + "NAD+HN'LOC+172+::87:CH1022'DTM+163:201303240000?+01:303'DTM+672:15:806'LIN+1'"
                 "PIA+5+1-1?:1.29.0*255:SWR'QTY+46:20.8:KWH'QTY+79:1.2:KWH'QTY+46:3:KWH'" + END)  # fmt: skip
    (series,) = batch.series
    first = int(np.datetime64("2013-03-23T23:00:00").astype(np.int64))
    assert series.block.starts.tolist() == [first, first + 900, first + 1800]
    assert series.block.values.tolist() == [208, 12, 30]
    assert (series.id, series.labels) == ("CH1022/1-1:1.29.0*255", ("46", "79"))


def period(value: str, start: str, end: str) -> str:
    return f"QTY+220:{value}'DTM+163:{start}?+00:303'DTM+164:{end}?+00:303'"


@pytest.mark.parametrize("reader", [Mscons(), LARGE], ids=["small", "large"])
def test_days_are_days_also_of_23_and_25_hours(reader: Mscons) -> None:
    """March and October of 2026 in Berlin, told in UTC."""
    bounds = ["202603272300", "202603282300", "202603292200", "202603302200"]
    days = [period(f"{n}.5", *pair) for n, pair in enumerate(pairwise(bounds), 1)]
    days.append(period("9", "202610242200", "202610252300"))
    text = HEAD + PLACE + "".join(days) + END
    (series,) = (one for batch in reader.read(io.BytesIO(text.encode())) for one in batch.series)
    assert (series.block.interval_s, series.gridless) == (86_400, "")
    assert series.block.values.tolist() == [15, 25, 35, 90]
    assert series.block.reading_type.measuring_period == 4
    assert str(np.datetime64(int(series.block.starts[0]), "s")) == "2026-03-27T23:00:00"


def test_a_value_at_an_instant_is_a_reading_of_a_register() -> None:
    """DTM+9 is the date of a reading; group E of the OBIS code is the rate."""
    place = "UNS+D'NAD+DP'LOC+172+CH1'LIN+1'PIA+5+1-1?:1.8.2:SRW'"
    batch = read(HEAD + place + "QTY+220:12345.6:KWH'DTM+9:202603010000?+01:303'" + END)
    (series,) = batch.series
    assert (str(series.block.reading_type), series.gridless) == ("0.0.0.1.1.1.12.0.0.0.0.2.0.0.0.3.72.0", "")
    assert (series.block.values.tolist(), series.block.scale) == ([123456], 2)
    assert obis_of_code(series.block.reading_type) == "1-0:1.8.2"
    unnamed = read(HEAD + "UNS+D'NAD+DP'LOC+172+CH1'LIN+1'QTY+220:7:M3'DTM+9:20260301:102'" + END)
    assert unnamed.series[0].block.reading_type.is_dial


def test_months_are_no_intervals_and_say_where_they_stand() -> None:
    text = (
        HEAD + PLACE + period("31", "202512312300", "202601312300") + period("1", "202601312300", "202602012300") + END
    )
    days, month = sorted(read(text).series, key=lambda one: -one.block.interval_s)
    assert (days.block.interval_s, month.block.interval_s) == (86_400, 0)
    assert month.position == "segment 10, CH1/1-1:1.29.0*255"
    assert "the first from 2025-12-31T23:00:00Z to 2026-01-31T23:00:00Z" in month.gridless


def test_the_fast_and_the_slow_path_agree() -> None:
    groups = [group(f"{number}.25", 15 * number) for number in range(20)]
    fast = read(HEAD + PLACE + "".join(groups) + END)
    swapped = [each.replace("163", "x").replace("164", "163").replace("x", "164") for each in groups]
    halves = ["'".join([*each.split("'")[:1], *reversed(each.split("'")[1:3])]) + "'" for each in swapped]
    reordered = [each.replace("DTM+164", "DTM+y").replace("DTM+163", "DTM+164").replace("DTM+y", "DTM+163")
                 for each in halves]  # fmt: skip
    assert "DTM+164" in reordered[0].split("'")[1]  # the end before the start: only the slow path reads it
    slow = read(HEAD + PLACE + "".join(reordered) + END)
    assert slow.series[0].block == fast.series[0].block
    assert len(fast.series[0].block) == 20
    assert slow.refusals == fast.refusals == ()


@pytest.mark.parametrize("odd", ["QTY+", "DTM+9:2019:602'", "x", "?'", "QTY+220:7:KWH'"])
@pytest.mark.parametrize("at", [0, 3, 7])
def test_something_odd_in_a_run_is_read_as_segment_by_segment(odd: str, at: int) -> None:
    groups = [group(f"{number}.25", 15 * number) for number in range(8)]
    text = HEAD + PLACE + "".join([*groups[:at], odd, *groups[at:]]) + END
    reader = Mscons()
    (fast,) = reader.read(io.BytesIO(text.encode()))
    slow = mscons._Reader(edifact.Text(io.BytesIO(text.encode())))
    never = re.compile("(?!)")
    slow.patterns = mscons._Patterns(never, never, never)
    (plain,) = (one for one in slow.batches() if isinstance(one, adapters.Batch))
    assert fast.refusals == plain.refusals
    assert [each.block for each in fast.series] == [each.block for each in plain.series]


def test_qualifiers_say_what_a_value_is() -> None:
    values = [("220", (4, 0, 0)), ("67", (4, 8, 0)), ("187", (4, 12, 0)), ("20", (4, 5, 259)), ("X1", None)]
    batch = read(HEAD + PLACE + "".join(group("1", 15 * n, flag) for n, (flag, _) in enumerate(values)) + END)
    block = batch.series[0].block
    for row, (_, code) in enumerate(values):
        expected = () if code is None else (field.QualityCode(*code),)
        assert block.quality_sets[block.quality_index[row]] == expected
    assert block.missing.tolist() == [False, False, False, True, False]


def test_other_service_characters_are_followed() -> None:
    text = (HEAD + PLACE + group("1.5", 0) + END).replace("?+", "?plus").replace("'", "~").replace("+", "|")
    text = text.replace("?plus", "+").replace("?:", "!:").replace("1.5", "1,5")
    batch = read("UNA:|,! ~" + text)
    assert (batch.series[0].block.values.tolist(), batch.series[0].block.scale) == ([15], 2)
    assert batch.series[0].id == "CH1/1-1:1.29.0*255"


def test_line_breaks_between_segments_do_not_matter() -> None:
    text = (HEAD + PLACE + group("1.5", 0) + group("2.5", 15) + END).replace("'", "'\r\n")
    assert len(read(text).series[0].block) == 2


def test_a_meter_reading_at_an_instant_is_kept_apart_from_intervals() -> None:
    batch = read(HEAD + "LOC+172+DE1'RFF+MG:1EMH001'LIN+1'PIA+5+1-1?:1.8.0:SRW'QTY+220:4711:KWH'"
                 "DTM+9:202301010000?+01:303'" + END)  # fmt: skip
    (series,) = batch.series
    assert series.block.interval_s == 0
    assert [name.name for name in series.meter.names] == ["DE1", "1EMH001"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (PLACE + "QTY+220:1:KWH'", "1 of 1 values have no usable period"),
        (PLACE + "QTY+220:1'DTM+163:201912140015?+01:303'DTM+164:201912140000?+01:303'", "no usable period"),
        (PLACE + "QTY+220:1'DTM+163:201913140015?+01:303'DTM+164:201914140000?+01:303'", "no usable period"),
        (PLACE + group("1e5", 0), "'1e5' is not a decimal"),
        ("LOC+172+X'QTY+220:1:FURLONG'DTM+163:202001010000?+00:303'DTM+164:202001020000?+00:303'", "'FURLONG'"),
    ],
)
def test_what_cannot_be_placed_or_read_is_refused(body: str, reason: str) -> None:
    batch = read(HEAD + body + END)
    assert sum(len(each.block) for each in batch.series) == 0
    (refusal,) = batch.refusals
    assert reason in refusal.reason
    assert refusal.position.startswith("segment ")


def test_messages_of_other_types_are_refused_and_the_next_one_is_read() -> None:
    other = UNB + "UNH+0+UTILMD:D:11A'LOC+172+X'QTY+220:1'UNT+3+0'" + HEAD.removeprefix(UNB)
    batch = read(other + PLACE + group("1", 0) + END)
    assert len(batch.series) == 1
    assert "UTILMD" in batch.refusals[0].reason


def test_a_text_that_was_cut_says_so() -> None:
    whole = HEAD + PLACE + group("1", 0) + group("2", 15)
    assert "no UNZ" in read(whole).refusals[0].reason
    assert "inside a segment" in read(whole + "QTY+22").refusals[0].reason


def test_a_segment_without_end_does_not_fill_the_memory() -> None:
    batch = read(HEAD + "FTX+" + "x" * (3 * edifact.LONGEST_SEGMENT) + "'" + END)
    assert "inside a segment" in batch.refusals[0].reason


def test_a_large_interchange_comes_in_bounded_batches_over_all_chunk_borders() -> None:
    lines = "".join(PLACE.replace("CH1", f"CH{number:05d}") + "".join(group(f"{n}.5", 15 * n) for n in range(95))
                    for number in range(1500))  # fmt: skip
    text = HEAD + lines + END
    assert len(text) > 8 * edifact.CHUNK
    batches = list(Mscons().read(io.BytesIO(text.encode())))
    assert not [each for batch in batches for each in batch.refusals]
    assert sum(len(each.block) for batch in batches for each in batch.series) == 95 * 1500
    assert max(sum(len(each.block) for each in batch.series) for batch in batches) < 101_000
    expected = sum(2 * n + 1 for n in range(95)) * 5
    assert {int(each.block.values.sum()) for batch in batches for each in batch.series} <= {expected}


@given(st.text("QTYDTM+:?'1630.", max_size=120))
def test_any_text_is_readings_or_refusals(text: str) -> None:
    batch = read(HEAD + PLACE + text + END)
    assert isinstance(batch.refusals, tuple)


@given(st.lists(st.lists(st.text("ab+:'?", max_size=5), min_size=1, max_size=3), min_size=1, max_size=4))
def test_segments_come_back_from_their_text(elements: list[list[str]]) -> None:
    service = edifact.Service()

    def released(text: str) -> str:
        return "".join(f"?{letter}" if letter in "+:'?" else letter for letter in text)

    segment = "+".join(":".join(released(part) for part in element) for element in elements)
    assert service.parse(segment) == elements
    found = list(edifact.Text(io.BytesIO(f"{segment}'UNZ'".encode())).segments())
    assert found[0] == segment or not segment


def agree(text: str) -> None:
    data = text.encode("latin-1")
    assert by_columns(LARGE, data) == by_series(Mscons(), data)


def by_numbers(text: str) -> int:
    """How many readings were taken as numbers."""
    found = LARGE.columns(io.BytesIO(text.encode("latin-1")))
    return sum(len(one.columns.values) for one in found if isinstance(one, Piece))


RUN = "".join(group(f"{number / 8}", 15 * number, ("220", "67", "20")[number % 3]) for number in range(12))
SECOND = "LIN+2'PIA+5+1-1?:2.29.0:SRW'" + RUN
INTERCHANGE = HEAD + PLACE + RUN + SECOND + END


def test_lines_of_plain_form_are_taken_as_numbers() -> None:
    assert by_numbers(INTERCHANGE) == 24
    agree(INTERCHANGE)
    assert by_numbers("UNA:+.? '" + INTERCHANGE) == 24
    whole = Fleet(20).day(0).mscons().decode()
    assert by_numbers(whole) > 3_700
    agree(whole)


def test_the_compiler_is_loaded_for_large_files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def groups() -> None:
        raise AssertionError("a second of work for a file of milliseconds")

    large = Fleet(40).day(0).mscons()
    assert any(isinstance(one, Piece) for one in Mscons().columns(io.BytesIO(large)))
    monkeypatch.setattr(mscons, "_groups", groups)
    small = INTERCHANGE.encode("latin-1")
    assert by_columns(Mscons(), small) == by_series(Mscons(), small)
    with pytest.raises(AssertionError, match="a second of work"):
        next(Mscons().columns(io.BytesIO(large)))


@pytest.mark.parametrize("service", ["UNA:+,? '", "UNA;*.! ~", "UNA:+.  '"])
def test_other_service_characters_go_the_general_way(service: str) -> None:
    usual, other = ":+.?'", service[3:7] + service[8]
    body = INTERCHANGE.translate(str.maketrans(usual, other))
    assert by_numbers(service + body) == 0
    agree(service + body)


ODD = [
    ("'QTY", "'\nQTY"),
    ("'QTY", "' QTY"),
    ("'QTY", "'STS+7'QTY"),
    ("'QTY", "'DTM+9:201912140000?+00:303'QTY"),
    ("'LIN", "'DTM+7:201912140000?+00:303'LIN"),
    ("'LIN", "'PIA+5+X'LIN"),
    ("'UNT", "'UNH+2+MSCONS:D:04B:UN:2.2e'UNT"),
    ("'UNT", "''UNT"),
    ("?+01", "+01"),
    ("?+01", "?-01"),
    ("?+01", "?+15"),
    ("?+01", ""),
    (":303'", ":203'"),
    (":303'DTM+164", ":303'DTM+163"),
    ("0015?", "0020?"),
    ("0015?", "0060?"),
    ("20191214", "20190229"),
    ("20191214", "00001214"),
    (":0.125'", ":0.125:KWH'"),
    (":0.125'", ":0.125:MWH'"),
    (":0.125'", ":0.125:LONGUNIT'"),
    (":0.125'", ":0.125:K?:'"),
    (":0.125'", ":'"),
    (":0.125'", "'"),
    (":0.125'", ":0,125'"),
    (":0.125'", ":1e5'"),
    (":0.125'", ":--1'"),
    (":0.125'", ":-.5'"),
    (":0.125'", ":+00000000000000000000000012'"),
    (":0.125'", ":1234567890123456789'"),
    (":0.125'", ":12345678901234567'"),
    (":0.125'", ":123456789012345678.5'"),
    ("QTY+220", "QTY+Z18"),
    ("QTY+220", "QTY+2?20"),
    ("QTY+220", "QTY+LONG"),
    ("QTY+220", "QTY+"),
    ("QTY+220:", "QTY++220:"),
    ("1.29.0*255", "9.99.9"),
    ("CH1", "CH1\xe9"),
    ("UNZ+1+1'", ""),
    ("UNZ+1+1'", "QTY+220:1"),
]


@pytest.mark.parametrize("count", [1, -1])
@pytest.mark.parametrize(("old", "new"), ODD)
def test_whatever_is_odd_numbers_and_texts_agree(old: str, new: str, count: int) -> None:
    assert old in INTERCHANGE
    agree(INTERCHANGE.replace(old, new, count))


def test_values_of_another_unit_are_a_series_of_their_own() -> None:
    text = INTERCHANGE.replace(":0.125'", ":0.125:MWH'", 1).replace(":0.375'", ":0.375:KWH'", 1)
    kwh, mwh = "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0", "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.6.72.0"
    series = read(text).series
    first = [(str(one.block.reading_type), len(one.block)) for one in series[:4]]
    assert first == [(kwh, 1), (mwh, 2), (kwh, 9), (str(series[3].block.reading_type), 12)]
    agree(text)


@given(
    st.integers(len(HEAD), len(INTERCHANGE)), st.integers(0, 40),
    st.text("QTYDMLIN0123456789+:?'.-\n ", max_size=12) | st.sampled_from(["LIN+3'", "UNT+1+1'", "QTY+220:1'"]),
)  # fmt: skip
def test_however_an_interchange_is_damaged_numbers_and_texts_agree(position: int, cut: int, insert: str) -> None:
    agree(INTERCHANGE[:position] + insert + INTERCHANGE[position + cut :])


@pytest.mark.parametrize("size", [150, 900, 2_001])
def test_numbers_are_the_same_over_all_chunk_borders(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    text = HEAD + PLACE + (RUN + SECOND) * 3 + END
    expected = by_series(Mscons(), text.encode())
    monkeypatch.setattr(edifact, "CHUNK", size)
    monkeypatch.setattr(edifact, "LONGEST_SEGMENT", 100)
    assert by_columns(LARGE, text.encode()) == expected


def test_a_line_that_has_to_go_the_general_way_does_so_in_full() -> None:
    (piece,) = (one for one in LARGE.columns(io.BytesIO(INTERCHANGE.encode())) if isinstance(one, Piece))
    (series,) = piece.rows(np.array([1])).series
    assert series.block == read(INTERCHANGE).series[1].block
