"""Green Button feeds: totals of real downloads, links in every order, hostile feeds."""

from __future__ import annotations

import gzip
import io
import json
import re
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.unify import adapters
from openami.mdus.unify.adapters.green_button import GreenButton
from openami.mdus.unify.adapters.quantities import in_joules
from openami.shared.contract import field

OWN = Path(__file__).parents[3] / "vectors" / "unify" / "greenbutton"
ALL = Path(__file__).parents[5] / "shared" / "fixtures" / "greenbutton"


def summary(data: bytes) -> dict[str, Any]:
    return adapters.summarise("x", "green_button", GreenButton().read(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("file", "quantity", "unit", "interval_s", "count", "total", "first"),
    [
        ("electric_containerized.xml", "electricity.delivered", "Wh", 3600, 8, 4086, "2011-01-01T08:00:00Z"),
        ("Ameren_Electric_15min_2023-12-04.xml", "electricity.delivered", "Wh", 900, 96, 57893, "2023-12-04T00:00:00Z"),
        ("test_usage_data_01.xml", "electricity.delivered", "Wh", 900, 96, 93846, "2012-03-01T05:00:00Z"),
        ("gas_direct.xml", "gas.energy", "therm", 0, 5, 140, "2021-05-26T00:00:00Z"),
        ("ngma_gas_provider_2024-07-16.xml", "0.0.0.4.0.0.0.0.0.0.0.0.0.0.0.0.0.0", "", 0, 36, 2651000,
         "2024-07-16T18:26:24Z"),
    ],
)  # fmt: skip
def test_real_feeds_come_out_whole(
    file: str, quantity: str, unit: str, interval_s: int, count: int, total: int, first: str
) -> None:
    data = (OWN / file).read_bytes()
    assert adapters.sniff(data[:4096]).name == "green_button"
    found = summary(data)
    assert found["refused"] == []
    (channel,) = found["channels"]
    assert (channel["quantity"], channel["unit"], channel["interval_s"]) == (quantity, unit, interval_s)
    assert (channel["count"], channel["sum"], channel["first"]) == (count, total, first)


@pytest.mark.skipif(not ALL.exists(), reason="the collection of ../shared/fixtures is not here")
def test_every_feed_of_the_collection_agrees_with_its_totals() -> None:
    for expected in json.loads((ALL / "totals.json").read_text()):
        data = (ALL / expected["file"]).read_bytes()
        data = gzip.decompress(data) if expected["file"].endswith(".gz") else data
        if b"naesb.org/espi" not in data[:4096]:
            continue
        found = summary(data)
        assert sum(each["count"] for each in found["channels"]) == expected["interval_readings"], expected["file"]
        multiplier = int((expected["reading_types"] or [{}])[0].get("powerOfTenMultiplier", 0))
        total = sum(each["sum"] for each in found["channels"])
        assert total == pytest.approx(expected["sum_of_raw_values"] * 10**multiplier)
        qualities = {key: n for each in found["channels"] for key, n in each["qualities"].items()}
        assert qualities == expected["quality"]


TOLD = re.compile(r"(\S+ \S+), (?:(\d+) days, )?(\d+):(\d\d):(\d\d): ([\d.]+) (\w+)")


@pytest.mark.skipif(not ALL.exists(), reason="the collection of ../shared/fixtures is not here")
@pytest.mark.parametrize(
    ("file", "unit", "factor"),
    [
        pytest.param("electric_containerized.xml", "Wh", 1, id="containers"),
        pytest.param("TestGBDataHourlyNineDaysBinnedDaily.xml", "Wh", 1, id="nine days"),
        pytest.param("Coastal_Multi_Family_Jan_1_2011_to_Jan_1_2012_RetailCustomer_5.xml.gz", "Wh", 1, id="a year"),
        pytest.param("Coastal_Multi_Family_Daily_Jan_1_2011_to_Jan_1_2012_RetailCustomer_4.xml.gz", "Wh", 1, id="days"),
        pytest.param("gas_direct.xml", "therm", 1, id="gas"),
        pytest.param(
            "ngma_gas_provider_2024-07-16.xml", "", 1000, id="gas of no type: a thousandth therm to the other"
        ),
    ],
)
def test_every_reading_is_as_another_reader_of_such_feeds_has_it(file: str, unit: str, factor: int) -> None:
    path, base = ALL / "greenbutton_objects" / file, file.partition(".")[0]
    (expected,) = (ALL / "greenbutton_objects").glob(f"{base}.expected.txt*")
    data, text = (gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in (path, expected))
    own = []
    for start, *length, value, _ in TOLD.findall(text.decode()):
        days, hours, minutes, seconds = (int(part or 0) for part in length)
        at_s = int(datetime.fromisoformat(start).timestamp())
        own.append((at_s, ((days * 24 + hours) * 60 + minutes) * 60 + seconds, float(value) * factor))
    found: list[tuple[int, int, float]] = []
    for series in (one for batch in read(data) for one in batch.series):
        block = series.block
        assert block.reading_type.unit_symbol == unit
        ends = block.starts + block.interval_s if series.ends is None else series.ends
        scaled = block.values * 10.0**block.scale
        found += zip(block.starts.tolist(), (ends - block.starts).tolist(), scaled.tolist(), strict=True)
    assert len(own) == text.decode().count("+00:00,")
    assert sorted(found) == sorted(own)


READING = ("<IntervalReading><timePeriod><duration>900</duration><start>{start}</start></timePeriod><value>{value}"
           "</value>{more}</IntervalReading>")  # fmt: skip
TYPE = """<entry><link rel="self" href="/ReadingType/1"/><content><ReadingType xmlns="http://naesb.org/espi">
<accumulationBehaviour>4</accumulationBehaviour><commodity>1</commodity><flowDirection>19</flowDirection><kind>12</kind>
<powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom></ReadingType></content></entry>"""
METER = """<entry><link rel="self" href="/UsagePoint/7/MeterReading/1"/><link rel="related" href="/ReadingType/1"/>
<content><MeterReading xmlns="http://naesb.org/espi"/></content></entry>"""


def block(*readings: str, href: str = "/UsagePoint/7/MeterReading/1/IntervalBlock/1") -> str:
    inner = "".join(readings)
    return (f'<entry><link rel="self" href="{href}"/><content><IntervalBlock xmlns="http://naesb.org/espi">{inner}'
            "</IntervalBlock></content></entry>")  # fmt: skip


def feed(*entries: str, before: str = "") -> bytes:
    return f'{before}<feed xmlns="http://www.w3.org/2005/Atom">{"".join(entries)}</feed>'.encode()


def read(data: bytes) -> list[adapters.Batch]:
    return list(GreenButton().read(io.BytesIO(data)))


ONE = block(READING.format(start=1772323200, value=412, more=""))


@pytest.mark.parametrize("entries", [(TYPE, METER, ONE), (METER, ONE, TYPE), (ONE, TYPE, METER)])
def test_entries_come_in_any_order(entries: tuple[str, ...]) -> None:
    (batch,) = read(feed(*entries))
    (series,) = batch.series
    assert series.block.values.tolist() == [412]
    assert str(series.block.reading_type) == "0.0.2.4.19.1.12.0.0.0.0.0.0.0.0.0.72.0"
    assert [name.name for name in series.meter.names] == ["/UsagePoint/7/MeterReading/1", "/UsagePoint/7"]


def test_of_several_readings_a_block_belongs_to_the_one_that_its_link_names() -> None:
    other_type = TYPE.replace("/ReadingType/1", "/ReadingType/2").replace(">19<", ">1<")
    other = METER.replace("/MeterReading/1", "/MeterReading/12").replace("/ReadingType/1", "/ReadingType/2")
    blocks = [block(READING.format(start=0, value=n, more=""), href=f"/UsagePoint/7/MeterReading/{n}/IntervalBlock/1")
              for n in (1, 12)]  # fmt: skip
    (batch,) = read(feed(TYPE, METER, other_type, other, *blocks))
    directions = {series.block.values[0]: series.block.reading_type.flow_direction for series in batch.series}
    assert directions == {1: 19, 12: 1}


def test_what_a_feed_leaves_out_is_said_by_unit_and_usage_point() -> None:
    bare = TYPE.replace("<commodity>1</commodity><flowDirection>19</flowDirection><kind>12</kind>", "")
    point = ('<entry><link rel="self" href="/Account/1/UsagePoint/7"/><link rel="related" href="{}"/><content>'
             '<UsagePoint xmlns="http://naesb.org/espi"><ServiceCategory><kind>{}</kind></ServiceCategory></UsagePoint>'
             "</content></entry>")  # fmt: skip
    mine = point.format("/UsagePoint/7/MeterReading/1", 1)
    other = point.replace("/Account/1/UsagePoint/7", "/Account/1/UsagePoint/8").format("/UsagePoint/8", 2)
    for entries in ((bare, mine, other, METER, ONE), (METER, ONE, bare, mine, other)):
        (batch,) = read(feed(*entries))
        assert str(batch.series[0].block.reading_type) == "0.0.2.4.1.7.12.0.0.0.0.0.0.0.0.0.72.0"
    unknown = bare.replace("<uom>72</uom>", "<uom>29</uom>")
    (batch,) = read(feed(unknown, mine, METER, ONE))
    assert str(batch.series[0].block.reading_type) == "0.0.2.4.0.0.0.0.0.0.0.0.0.0.0.0.29.0"


def test_therms_are_kept_as_the_energy_that_they_are() -> None:
    (batch,) = GreenButton().read(io.BytesIO((OWN / "gas_direct.xml").read_bytes()))
    (series,) = batch.series
    assert series.block.reading_type.unit_symbol == "therm"
    kept = series.reading.blocks[0]
    assert kept.reading_type.unit_symbol == "J"
    joules = [int(value) * 10**kept.scale if kept.scale >= 0 else Fraction(int(value), 10**-kept.scale)
              for value in kept.values]  # fmt: skip
    assert joules == [therms * 105_480_400 for therms in (37, 14, 21, 27, 41)]
    large = replace(series.block, values=np.full(5, 10**15))
    assert in_joules(large) is large, "it would not fit: whoever takes it in is told of the unit"


def test_periods_without_a_fixed_length_keep_each_its_own() -> None:
    (batch,) = GreenButton().read(io.BytesIO((OWN / "gas_direct.xml").read_bytes()))
    (series,) = batch.series
    assert series.ends is not None
    assert ((series.ends - series.block.starts) // 86_400).tolist() == [35, 28, 30, 33, 27]
    assert series.gridless == (
        "it brings 5 consumptions of periods of no fixed length, the first from 2021-05-26T00:00:00Z to"
        " 2021-06-30T00:00:00Z: they lie on no grid, which no channel can keep."
    )


def test_local_days_are_intervals_of_a_day_whatever_their_length() -> None:
    begins = [1774566000, 1774652400, 1774738800]  # 27 to 29 March 2026 in Amsterdam: the last has 23 hours
    reading = READING.replace("<duration>900<", "<duration>{length}<")
    days = [reading.format(start=start, value=1, more="", length=86_400 if start != begins[2] else 82_800)
            for start in begins]  # fmt: skip
    month = reading.format(start=begins[0], value=30, more="", length=30 * 86_400)
    (batch,) = read(feed(TYPE, METER, block(*days, month)))
    monthly, daily = batch.series
    assert (daily.block.interval_s, daily.block.starts.tolist(), daily.gridless) == (86_400, begins, "")
    assert (monthly.block.interval_s, len(monthly.block)) == (0, 1)
    assert "from 2026-03-26T23:00:00Z to 2026-04-25T23:00:00Z: they lie on no grid" in monthly.gridless


def test_a_block_of_unknown_type_is_refused() -> None:
    (batch,) = read(feed(METER, ONE))
    assert batch.series == ()
    assert (batch.refusals[0].code, "1 readings" in batch.refusals[0].reason) == ("2.6", True)


def test_qualities_are_translated() -> None:
    more = "<ReadingQuality><quality>{}</quality></ReadingQuality>"
    values = [READING.format(start=900 * n, value=n, more=more.format(n)) for n in (0, 7, 8, 14)]
    (batch,) = read(feed(TYPE, METER, block(*values)))
    found = batch.series[0].block
    assert [found.quality_sets[index] for index in found.quality_index] == [
        (field.QualityCode(4, 0, 0),), (field.QualityCode(4, 7, 0),), (field.QualityCode(4, 8, 0),), (),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        (READING.format(start="never", value=1, more=""), "no usable time period"),
        (READING.format(start=1, value="1.2.3", more=""), "not a decimal"),
        ("<IntervalReading><value>1</value></IntervalReading>", "no usable time period"),
    ],
)
def test_single_bad_readings_are_refused_with_their_line(reading: str, reason: str) -> None:
    (batch,) = read(feed(TYPE, METER, block(reading, READING.format(start=900, value=7, more=""))))
    assert [int(each) for series in batch.series for each in series.block.values] == [7]
    assert reason in batch.refusals[0].reason
    assert batch.refusals[0].position.startswith("line ")


@pytest.mark.parametrize(
    "data",
    [
        feed(ONE, before="<!DOCTYPE feed [<!ENTITY x 'y'>]>"),
        feed(TYPE, METER, ONE)[:-20],
        b"<feed xmlns='http://www.w3.org/2005/Atom'>" + b"<a>" * 10_000,
        b"not xml",
        b"",
    ],
)
def test_hostile_and_broken_feeds_are_refused(data: bytes) -> None:
    refusals = [refusal for batch in read(data) for refusal in batch.refusals]
    assert len(refusals) == 1


def test_a_large_feed_comes_in_bounded_batches() -> None:
    days = [block(*(READING.format(start=86400 * day + 900 * n, value=n, more="") for n in range(96)),
                  href=f"/UsagePoint/7/MeterReading/1/IntervalBlock/{day}") for day in range(1200)]  # fmt: skip
    batches = read(feed(TYPE, METER, *days))
    assert len(batches) == 2
    assert sum(len(series.block) for batch in batches for series in batch.series) == 96 * 1200


@given(st.binary(max_size=200))
def test_any_bytes_are_readings_or_refusals(data: bytes) -> None:
    assert read(feed(TYPE) + data)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<content>INVALID</content>",
        f"<content>{TYPE[TYPE.find('<ReadingType') : TYPE.find('</content')]}</content>",
    ],
)
def test_an_entry_that_is_said_to_be_a_block_but_holds_none_is_refused(content: str) -> None:
    named = '<entry><link rel="self" type="espi-entry/{}" href="/UsagePoint/7/MeterReading/1/IntervalBlock/2"/>'
    (batch,) = read(feed(TYPE, METER, named.format("IntervalBlock") + content + "</entry>", ONE))
    (refused,) = batch.refusals
    assert (refused.reason, refused.object_name) == (
        "the entry is said to be an IntervalBlock, but holds none",
        "/UsagePoint/7/MeterReading/1/IntervalBlock/2",
    )
    assert [series.block.values.tolist() for series in batch.series] == [[412]]
    empty = named.format("IntervalBlock") + '<content><IntervalBlock xmlns="http://naesb.org/espi"/></content></entry>'
    (batch,) = read(feed(TYPE, METER, empty, named.format("UsageSummary") + content + "</entry>"))
    assert batch.refusals == (), "a block may be empty"


@pytest.mark.skipif(not ALL.exists(), reason="the collection of ../shared/fixtures is not here")
@pytest.mark.parametrize(
    ("file", "count", "refused"),
    [
        ("BatchWithInvalidIntervalBlock.xml", 0, 1),
        ("BatchWithWrongContentForIntervalBlock.xml", 0, 1),
        ("BatchWithoutContentForIntervalBlock.xml", 0, 1),
        ("BatchWithoutIntervalBlock.xml", 0, 0),
        ("BatchWithInvalidSelfLink.xml", 67, 0),
        ("BatchWithoutSelfLink.xml", 67, 0),
    ],
)
def test_feeds_that_another_reader_was_tried_with(file: str, count: int, refused: int) -> None:
    path = ALL.parent / "market-xml" / "eddie" / "us-green-button" / "xml" / "batch" / file
    found = summary(path.read_bytes())
    assert (sum(one["count"] for one in found["channels"]), len(found["refused"])) == (count, refused)
