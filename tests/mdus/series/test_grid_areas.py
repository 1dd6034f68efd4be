"""Sums over a grid area as virtual channels: losses, exchange, and what the points of each supplier take and give.

Held against every energy calculation of a national operator (Energinet, Apache-2.0). Where nothing was measured it
counts 0, and it rounds quarters of an hour otherwise than we do: to the nearest running sum, we to the one below, so
that a quarter may differ by a watt-hour for each hourly point.

Without counterpart: `wholesale_results` (charges, fees and subscriptions of grid areas by owner and supplier),
`data_products` (views of another system's tables) and `capacity_settlement` (means of the ten largest hours of a year)
are settlement between the parties of a market, which neither a meter data system nor a supplier's billing does.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series.determinants import combine
from openami.mdus.series.model import ChannelSpan
from openami.mdus.vee.estimates.shapes import split
from openami.shared.quality import VALID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Row = Mapping[str, str]
    Factor = Callable[[Row], int]

WHOLESALE = Path(__file__).parents[4] / "shared" / "fixtures" / "settlement-dk" / "wholesale"
RESULTS = sorted(WHOLESALE.glob("*_calculation/*/then/energy_results/*.csv"))
pytestmark = pytest.mark.skipif(not RESULTS, reason="the collection of ../shared/fixtures is not here")
QUARTER_S, QUARTERS = 900, 4
CONSUMPTION, PRODUCTION, EXCHANGE, FLEX, NON_PROFILED = "E17", "E18", "E20", "D01", "E02"
FOREVER = "9999-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Point:
    """A metering point while its master data stand, and its energies by quarter of an hour."""

    master: Row
    watt_hours: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What was measured, and the points that are charged with the losses of their grid area."""

    start_s: NDArray[np.int64]
    points: Sequence[Point]
    charged: frozenset[str]

    def total(self, factor: Factor) -> tuple[NDArray[np.int64], int]:
        """The virtual channel of the points that have a factor, and how many of them are hourly."""
        good, none = np.full(len(self.start_s), VALID, np.uint8), np.zeros(len(self.start_s), np.uint8)
        members = [(factor(one.master), ChannelSpan(number, QUARTER_S, self.start_s, one.watt_hours, good, none))
                   for number, one in enumerate(self.points) if factor(one.master)]  # fmt: skip
        hourly = sum(factor(one.master) != 0 and one.master["resolution"] == "PT1H" for one in self.points)
        return (combine(members).values if members else np.zeros(len(self.start_s), np.int64)), hourly


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter=";"))


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@lru_cache(maxsize=1)
def scenario_of(folder: Path) -> Scenario:
    losses = rows(folder / "then" / "energy_results" / "grid_loss.csv")
    start_s = np.array(sorted({seconds(row["time"]) for row in losses}))
    assert set(np.diff(start_s).tolist()) == {QUARTER_S}
    points = [Point(row, np.zeros(len(start_s), np.int64)) for row in rows(folder / "when/metering_point_periods.csv")]
    for row in rows(folder / "when" / "time_series_points.csv"):
        at = row["observation_time"]
        slot = (seconds(at) - int(start_s[0])) // QUARTER_S
        value = round(float(row["quantity"] or 0) * 1000)
        for point in points:
            known = point.master
            holds = known["from_date"] <= at < (known["to_date"] or FOREVER)
            if known["metering_point_id"] == row["metering_point_id"] and holds and 0 <= slot < len(start_s):
                parts = split(np.array([value]), QUARTERS) if known["resolution"] == "PT1H" else np.array([value])
                point.watt_hours[slot : slot + len(parts)] += parts
    charged = rows(folder / "when" / "grid_loss_metering_points.csv")
    return Scenario(start_s, points, frozenset(row["metering_point_id"] for row in charged))


def of_type(kind: str, method: str, area: str, expected: Row) -> Factor:
    """The points of a kind in an area; only those of a supplier or a balance responsible party where it names one."""
    keys = [name for name in ("energy_supplier_id", "balance_responsible_party_id") if expected[name]]
    return lambda one: int(
        (one["type"], one["grid_area_code"]) == (kind, area)
        and method in ("", one["settlement_method"])
        and all(one[name] == expected[name] for name in keys)
    )


def flow_into(area: str, neighbour: str = "") -> Factor:
    """What flows in counts up, what flows out down; between an area and itself, nothing."""

    def factor(one: Row) -> int:
        ends = (one["from_grid_area_code"], one["to_grid_area_code"])
        if one["type"] != EXCHANGE or (neighbour and set(ends) != {area, neighbour}):
            return 0
        return (ends[1] == area) - (ends[0] == area)

    return factor


def loss_of(area: str) -> Factor:
    """What a point adds to the loss: production and what flows in, less consumption and what flows out."""
    signs = {CONSUMPTION: -1, PRODUCTION: 1}
    return lambda one: flow_into(area)(one) or signs.get(one["type"], 0) * (one["grid_area_code"] == area)


KINDS = {
    "flex_consumption": (CONSUMPTION, FLEX),
    "non_profiled_consumption": (CONSUMPTION, NON_PROFILED),
    "production": (PRODUCTION, ""),
    "total_consumption": (CONSUMPTION, ""),
}


def found(scenario: Scenario, result: str, expected: Row) -> tuple[NDArray[np.int64], int]:
    """Our sum by quarter, and how many hourly points are in it."""
    area, neighbour = expected["grid_area_code"], expected["neighbor_grid_area_code"]
    kind = result.removeprefix("temporary_").removesuffix("_per_es").removesuffix("_per_brp")
    if kind.startswith("exchange"):
        return scenario.total(flow_into(area, neighbour))
    loss, hourly = scenario.total(loss_of(area))
    lost = {CONSUMPTION: np.maximum(loss, 0), PRODUCTION: np.maximum(-loss, 0)}
    if kind not in KINDS:
        return {"grid_loss": loss, "positive_grid_loss": lost[CONSUMPTION], "negative_grid_loss": lost[PRODUCTION]}[
            kind
        ], hourly
    of = of_type(*KINDS[kind], area, expected)
    total, mine = scenario.total(of)
    if result.startswith("temporary"):
        return total, mine
    for point in scenario.points:
        known = point.master
        if known["metering_point_id"] in scenario.charged and of(known):
            holds = (scenario.start_s >= seconds(known["from_date"])) & (
                scenario.start_s < seconds(known["to_date"] or FOREVER)
            )
            total, mine = total + np.where(holds, lost[known["type"]], 0), mine + hourly
    return total, mine


def series_of(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("grid_area_code", "energy_supplier_id", "balance_responsible_party_id",
                                        "neighbor_grid_area_code"))  # fmt: skip


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
def test_sums_over_a_grid_area_are_those_of_the_operator(path: Path) -> None:
    scenario = scenario_of(path.parents[2])
    for _, group in groupby(sorted(rows(path), key=lambda row: (series_of(row), row["time"])), key=series_of):
        expected = list(group)
        mine, hourly = found(scenario, path.stem, expected[0])
        slots = np.searchsorted(scenario.start_s, [seconds(row["time"]) for row in expected])
        own = np.array([round(float(row["quantity"]) * 1000) for row in expected])
        assert (np.abs(mine[slots] - own) <= hourly).all()
        assert np.delete(mine, slots).sum() == 0, "nothing where it has no row"
