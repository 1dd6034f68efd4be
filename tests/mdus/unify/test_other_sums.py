"""Recordings that come with sums, statistics or lists of what is missing that others have worked out of them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.mdus.series import Calendar
from openami.mdus.unify import ChannelDescription, Directory, adapters, patterns_of, unify
from openami.mdus.unify.adapters.delimited import Delimited
from openami.mdus.unify.adapters.mapping import parse_mapping
from openami.shared.contract import field as cim
from openami.shared.quality import EMPTY
from openami.shared.spans import Span

if TYPE_CHECKING:
    from openami.shared.contract.field import IntervalBlock

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures"
OPENDSM = FIXTURES / "intervals" / "opendsm"
MISSING = FIXTURES / "settlement-dk" / "measurements" / "missing_measurements_log"
ENEDIS = FIXTURES / "intervals" / "enedis"
COPENHAGEN = ZoneInfo("Europe/Copenhagen")
PERIOD_DAYS = 3
"""Of the calculation, as the comments of its rows number the days; a reading or two of the next day lie behind it."""
pytestmark = pytest.mark.skipif(not FIXTURES.exists(), reason="the collection of ../shared/fixtures is not here")


def opendsm(kind: str, length: str, interval_s: int) -> IntervalBlock:
    """A recording of a home in Illinois (OpenDSM, Apache-2.0); its columns name no meter."""
    form = f"""
        name = "opendsm"
        header = ["start", "value"]
        blank = ["nan"]
        [[series]]
        meter = [["meter", "SerialNumber"]]
        value = "value"
        unit = "{"KWH" if kind.startswith("electricity") else "THERM"}"
        commodity = "{kind.partition("-")[0]}"
        time = "start"
        format = "%Y-%m-%dT%H:%M:%S%z"
        interval_s = {interval_s}
    """
    lines = gzip.decompress((OPENDSM / f"il-{kind}-{length}.csv.gz").read_bytes()).decode().splitlines()
    text = "\n".join([f"{lines[0]},meter", *(f"{line},M" for line in lines[1:])])
    batches = list(Delimited(parse_mapping(form)).read(io.BytesIO(text.encode())))
    (series,) = [one for batch in batches for one in batch.series]
    assert [one for batch in batches for one in batch.refusals] == []
    assert len(series.block) == len(lines) - 1
    return series.block


@pytest.mark.parametrize("kind", ["electricity-cdd-hdd", "gas-hdd-only"])
def test_hours_add_up_to_the_days_and_the_bills_of_the_same_home(kind: str) -> None:
    """Values are rounded to a hundredth of their unit: a sum may be off by half of that for each of its hours."""
    hours, days = opendsm(kind, "hourly", 3600), opendsm(kind, "daily", 86_400)
    calendar = Calendar("America/Chicago", 3600)
    assert hours.scale == days.scale
    unit = 10.0**-hours.scale if kind.startswith("gas") else 10.0 ** (3 - hours.scale)
    ends = np.append(days.starts[1:], days.starts[-1] + 86_400)
    lengths = ((ends - days.starts) // 3600).tolist()
    assert lengths == [calendar.count(calendar.day_of(int(start))) for start in days.starts], "of 23 and 25 hours too"
    assert {23, 24, 25} == set(lengths)
    assert days.missing.tolist() == [False] * (len(days) - 1) + [True]
    edges = np.searchsorted(hours.starts, np.append(days.starts[:-1], days.starts[-1]))
    sums = np.add.reduceat(hours.values, edges[:-1])[: len(days) - 1]
    sums[-1] = hours.values[edges[-2] : edges[-1]].sum()
    assert (np.abs(sums - days.values[:-1]) <= np.array(lengths[:-1]) * 0.005 * unit).all()
    for length in ("billing_monthly", "billing_bimonthly"):
        with gzip.open(OPENDSM / f"il-{kind}-{length}.csv.gz", "rt") as file:
            bills = [
                (int(datetime.fromisoformat(row["start"]).timestamp()), row["value"]) for row in csv.DictReader(file)
            ]
        for (begin, value), (end, _) in pairwise(bills):
            mine = (hours.starts >= begin) & (hours.starts < end)
            assert abs(hours.values[mine].sum() / unit - float(value)) <= mine.sum() * 0.005


def test_a_load_curve_whose_step_changes_has_the_statistics_of_its_source() -> None:
    """Of a Linky meter (consometers/sge-tiers, EUPL-1.2), behind the two lines that say what the export is."""
    (path,) = ENEDIS.glob("*ZI.csv.gz")
    expected = json.loads((ENEDIS / f"{path.name.removesuffix('.gz')}.stats.json").read_text())
    _, about, header, *rows = gzip.decompress(path.read_bytes()).decode("utf-8-sig").splitlines()
    assert about == expected["header"]
    form = """
        name = "enedis"
        delimiter = ";"
        header = ["Horodate", "Valeur"]
        [[series]]
        meter = [["PRM", "MeteringPoint"]]
        value = "Valeur"
        unit = "W"
        time = "Horodate"
        format = "%Y-%m-%dT%H:%M:%S%z"
        interval_s = 1800
        stamp = "end"
    """
    text = "\n".join([f"{header};PRM", *(f"{row};{about.split(';')[0]}" for row in rows)])
    batches = list(Delimited(parse_mapping(form)).read(io.BytesIO(text.encode())))
    found = adapters.summarise("x", "enedis", batches)
    (channel,) = found["channels"]
    half_hour = timedelta(minutes=30)
    ends = [datetime.fromisoformat(channel[name]) + half_hour for name in ("first", "last")]
    assert ends == [datetime.fromisoformat(expected[name]) for name in ("first", "last")]
    assert (channel["count"], channel["sum"], channel["unit"]) == (expected["rows"], expected["sum"], "W")
    blocks = [one.block for batch in batches for one in batch.series]
    assert sum(int(block.missing.sum()) for block in blocks) == expected["empty"]
    steps, counts = np.unique(np.diff(np.concatenate([block.starts for block in blocks])) // 60, return_counts=True)
    assert dict(zip(map(str, steps.tolist()), counts.tolist(), strict=True)) == expected["step_minutes"]
    assert found["refused"] == []


@pytest.mark.parametrize("scenario", ["summertime", "wintertime"])
def test_days_in_which_something_is_missing_are_those_of_a_national_operator(scenario: str) -> None:
    """Energinet's log of missing measurements (Apache-2.0) about a change of the clocks: hours and quarter-hours."""
    folder = MISSING / f"wip_mm_log_{scenario}_and_period_edge"
    when = folder / "when"
    text = (when / "measurements_gold" / "current_v1.csv").read_text("utf-8-sig")
    master = (when / "electricity_market__missing_measurements_log" / "metering_point_periods_v1.csv").read_text(
        "utf-8-sig"
    )
    lengths = {row["metering_point_id"]: {"PT1H": 3600, "PT15M": 900}[row["resolution"]]
               for row in csv.DictReader(master.splitlines(), delimiter=";") if row["metering_point_id"]}  # fmt: skip
    found = {(point, day) for point, interval_s in lengths.items() for day in open_days(text, point, interval_s)}
    then = (folder / "then" / "missing_measurements_log.csv").read_text("utf-8-sig").splitlines()
    own = {(row["metering_point_id"], datetime.fromisoformat(row["date"]).astimezone(COPENHAGEN).date())
           for row in csv.DictReader(then, delimiter=";") if row["date"]}  # fmt: skip
    assert found == own


def open_days(text: str, point: str, interval_s: int) -> set[date]:
    """Local days of the calculation with an interval of which nothing came."""
    form = f"""
        name = "measurements"
        delimiter = ";"
        header = ["metering_point_id", "quantity", "observation_time"]
        [[series]]
        meter = [["metering_point_id", "MeteringPoint"]]
        value = "quantity"
        unit = "KWH"
        time = "observation_time"
        format = "%Y-%m-%dT%H:%M:%S%z"
        interval_s = {interval_s}
    """
    head, *rows = text.splitlines()
    mine = "\n".join([head, *(row for row in rows if row.startswith(point))])
    batches = list(Delimited(parse_mapping(form)).read(io.BytesIO(mine.encode())))
    payload = cim.MeterReadings(tuple(one for batch in batches for one in batch.payload.readings))
    channel = ChannelDescription(
        channel=1, device="1", names=(("MeteringPoint", point),), patterns=patterns_of("1-0:1.29.0", interval_s),
        unit="Wh", scale=0, interval_s=interval_s, zone="Europe/Copenhagen",
        span=Span(datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)),
    )  # fmt: skip
    unified = unify(payload, Directory([channel]), received_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert unified.refusals == ()
    first = min(int(group.day.min()) for group in unified.days)
    return {
        date.fromordinal(int(day))
        for group in unified.days
        for day, quality in zip(group.day, group.quality, strict=True)
        if (quality == EMPTY).any() and day < first + PERIOD_DAYS
    }
