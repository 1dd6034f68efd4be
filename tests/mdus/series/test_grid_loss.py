"""Losses of a grid area as a virtual channel: what came in, less what went out and was used (Energinet, Apache-2.0).

Where nothing was measured the operator counts 0, and rounds quarters of an hour otherwise than we do: to the nearest
running sum, we to the one below, so that a quarter may differ by a watt-hour for each hourly point. Shares of suppliers
and balance responsible parties, charges and prices are settlement, which is not what a meter data system does.
"""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from openami.mdus.series.determinants import combine
from openami.mdus.series.model import ChannelSpan
from openami.mdus.vee.estimates.shapes import split
from openami.shared.quality import VALID

SCENARIOS = Path(__file__).parents[4] / "shared" / "fixtures" / "settlement-dk" / "wholesale" / "energy_calculation"
pytestmark = pytest.mark.skipif(not SCENARIOS.exists(), reason="the collection of ../shared/fixtures is not here")
AREA, QUARTER_S, QUARTERS = "800", 900, 4
CONSUMPTION, PRODUCTION, EXCHANGE = "E17", "E18", "E20"


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter=";"))


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def factor(point: dict[str, str]) -> int:
    """What a point adds to the loss of the area: production and what flows in, less consumption and what flows out."""
    if point["type"] == EXCHANGE:
        return (point["to_grid_area_code"] == AREA) - (point["from_grid_area_code"] == AREA)
    return {CONSUMPTION: -1, PRODUCTION: 1}.get(point["type"], 0) * (point["grid_area_code"] == AREA)


@pytest.mark.parametrize(
    "scenario",
    ["given_only_exchange_mp_in_ga", "given_only_nonprofiled_in_ga", "given_only_production_in_ga",
     "given_minimal_standard_energy_scenario"],
)  # fmt: skip
def test_the_loss_of_a_grid_area_is_that_of_the_operator(scenario: str) -> None:
    points = {
        row["metering_point_id"]: row for row in rows(SCENARIOS / scenario / "when" / "metering_point_periods.csv")
    }
    expected = rows(SCENARIOS / scenario / "then" / "energy_results" / "grid_loss.csv")
    start_s = np.array([seconds(row["time"]) for row in expected])
    assert np.diff(start_s).tolist() == [QUARTER_S] * (QUARTERS - 1)
    watt_hours = {point: np.zeros(QUARTERS, np.int64) for point in points}
    hourly = 0
    for row in rows(SCENARIOS / scenario / "when" / "time_series_points.csv"):
        point = points[row["metering_point_id"]]
        value = round(float(row["quantity"] or 0) * 1000)
        slot = (seconds(row["observation_time"]) - int(start_s[0])) // QUARTER_S
        if point["resolution"] == "PT1H":
            watt_hours[row["metering_point_id"]] += split(np.array([value]), QUARTERS)
            hourly += factor(point) != 0
        else:
            watt_hours[row["metering_point_id"]][slot] += value
    good, none = np.full(QUARTERS, VALID, np.uint8), np.zeros(QUARTERS, np.uint8)
    members = [(factor(point), ChannelSpan(number, QUARTER_S, start_s, watt_hours[name], good, none))
               for number, (name, point) in enumerate(points.items()) if factor(point)]  # fmt: skip
    loss = combine(members)
    own = np.array([round(float(row["quantity"]) * 1000) for row in expected])
    assert (np.abs(loss.values - own) <= hourly).all()
    assert loss.values.sum() == own.sum(), "over the hour to the watt-hour"
