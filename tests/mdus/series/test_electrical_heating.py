"""The part of each day that is heating at reduced tax: the first tier of a running sum of local days (Energinet).

Each year has 4000 kWh of it, a part of a year its share.

Without counterpart: `given_nsg2_end_of_period_without_D15` and `given_nsg6_end_of_period` first take from that limit
what a home with its own generation gives back over a settlement period, which is a rule of Danish tax and no
determinant; `client_assets` holds answers of another system's interface.
"""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from openami.mdus.series import Calendar
from openami.mdus.series.determinants import tiers

HEATING = Path(__file__).parents[4] / "shared" / "fixtures" / "settlement-dk" / "measurements" / "electrical_heating"
pytestmark = pytest.mark.skipif(not HEATING.exists(), reason="the collection of ../shared/fixtures is not here")
CALENDAR = Calendar("Europe/Copenhagen", 900)
YEARLY_WH = 4_000_000
OPEN = date(2026, 1, 1).toordinal()


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter=";"))


def day_of(text: str) -> int:
    """The local day that an instant is in; of an open end, one behind all that was measured."""
    return CALENDAR.day_of(int(datetime.fromisoformat(text).astimezone(UTC).timestamp())) if text else OPEN


def years(first: int, past_last: int) -> list[tuple[int, int, int]]:
    """A period cut at each New Year, and the limit of each piece: its share of the year's in watt-hours."""
    begin, end = date.fromordinal(first).year, date.fromordinal(past_last - 1).year
    edges = [date(year, 1, 1).toordinal() for year in range(begin, end + 2)]
    return [(max(first, new), min(past_last, following),
             round(YEARLY_WH * (min(past_last, following) - max(first, new)) / (following - new)))
            for new, following in pairwise(edges)]  # fmt: skip


def reduced(folder: Path) -> dict[tuple[str, int], int]:
    """By point of heating and local day, in watt-hours."""
    daily: dict[tuple[str, int], int] = {}
    for row in rows(folder / "measurements_gold" / "current_v1.csv"):
        if not row["quantity"]:
            continue
        key = (row["metering_point_id"], day_of(row["observation_time"]))
        daily[key] = daily.get(key, 0) + round(float(row["quantity"]) * 1000)
    master = folder / "electricity_market__electrical_heating"
    periods = rows(master / "consumption_metering_point_periods_v1.csv")
    found = {}
    for child in rows(master / "child_metering_points_v1.csv"):
        home = child["parent_metering_point_id"]
        for period in periods if child["metering_point_type"] == "electrical_heating" else ():
            if period["metering_point_id"] != home:
                continue
            coupled = range(day_of(child["coupled_date"]), day_of(child["uncoupled_date"]))
            for begin, end, limit in years(day_of(period["period_from_date"]), day_of(period["period_to_date"])):
                days = [day for day in range(begin, end) if day in coupled and (home, day) in daily]
                running = [sum(daily[home, day] for day in days[:count]) for count in range(len(days) + 1)]
                parts = [tiers(total, [limit])[0] for total in running]
                for day, (before, after) in zip(days, pairwise(parts), strict=True):
                    found[child["metering_point_id"], day] = after - before
    return found


@pytest.mark.parametrize(
    ("scenario", "complete"),
    [
        ("given_electrical_heating_standard_scenario", True),
        ("given_electrical_period_is_less_than_a_year", True),
        ("given_existing_results_exist_for_a_day", False),  # it tells only what is not as it was
    ],
)
def test_each_day_has_its_part_of_the_limit(scenario: str, complete: bool) -> None:
    mine = reduced(HEATING / scenario / "when")
    expected = {(row["metering_point_id"], day_of(row["date"])): round(float(row["quantity"]) * 1000)
                for row in rows(HEATING / scenario / "then" / "measurements.csv")}  # fmt: skip
    assert {key: mine.get(key) for key in expected} == expected
    assert not complete or mine.keys() == expected.keys()
