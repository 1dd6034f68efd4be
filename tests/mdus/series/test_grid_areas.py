"""Sums over a grid area as virtual channels: losses, exchange, and what the points of each supplier take and give.

Held against every energy calculation of a national operator (Energinet, Apache-2.0). Where nothing was measured it
counts 0, and it rounds quarters of an hour otherwise than we do: to the nearest running sum, we to the one below, so
that a quarter may differ by a watt-hour for each hourly point.

Without counterpart: of `wholesale_results` what is no energy (prices, fees and subscriptions by owner and supplier),
`data_products` (views of another system's tables) and `capacity_settlement` (means of the ten largest hours of a year)
are settlement between the parties of a market, which neither a meter data system nor a supplier's billing does.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
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
TARIFFS = sorted(WHOLESALE.glob("wholesale_calculation/*/then/wholesale_results/*ly_tariff_per_co_es.csv"))
pytestmark = pytest.mark.skipif(not RESULTS, reason="the collection of ../shared/fixtures is not here")
QUARTER_S, QUARTERS = 900, 4
CONSUMPTION, PRODUCTION, EXCHANGE, FLEX, NON_PROFILED = "E17", "E18", "E20", "D01", "E02"
TYPES = {"consumption": CONSUMPTION, "production": PRODUCTION, "consumption_from_grid": "D07", "own_production": "D09"}
METHODS = {"flex": FLEX, "non_profiled": NON_PROFILED, "": ""}
FOREVER = "9999-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Point:
    """A metering point while its master data stand, and its energies by quarter of an hour."""

    master: Row
    watt_hours: NDArray[np.int64]
    off_wh: int
    """By how much rounding may part us and the operator in a quarter."""


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
        off_wh = sum(one.off_wh for one in self.points if factor(one.master))
        return (combine(members).values if members else np.zeros(len(self.start_s), np.int64)), off_wh

    def settled(self) -> Scenario:
        """Those that are charged with losses take what was lost, or give what was found, in their area."""
        return replace(self, points=[self._charged(one) for one in self.points])

    def _charged(self, point: Point) -> Point:
        known = point.master
        if known["metering_point_id"] not in self.charged:
            return point
        loss, off_wh = self.total(loss_of(known["grid_area_code"]))
        begin, end = seconds(known["from_date"]), seconds(known["to_date"] or FOREVER)
        share = np.maximum(loss if known["type"] == CONSUMPTION else -loss, 0)
        holds = (self.start_s >= begin) & (self.start_s < end)
        return Point(known, point.watt_hours + np.where(holds, share, 0), point.off_wh + off_wh)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter=";"))


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def holds_at(known: Row, at: str) -> bool:
    return known["from_date"] <= at < (known["to_date"] or FOREVER)


@lru_cache(maxsize=1)
def scenario_of(folder: Path) -> Scenario:
    then = folder / "then"
    (first, *_) = [*then.glob("energy_results/grid_loss.csv"), *then.glob("wholesale_results/hourly_tariff*.csv")]
    at = [seconds(row["time"]) for row in rows(first)]
    step_s = QUARTER_S if first.stem == "grid_loss" else QUARTER_S * QUARTERS
    start_s = np.arange(min(at), max(at) + step_s, QUARTER_S)
    points = [Point(row, np.zeros(len(start_s), np.int64), int(row["resolution"] == "PT1H"))
              for row in rows(folder / "when" / "metering_point_periods.csv")]  # fmt: skip
    for row in rows(folder / "when" / "time_series_points.csv"):
        when = row["observation_time"]
        slot = (seconds(when) - int(start_s[0])) // QUARTER_S
        value = round(float(row["quantity"] or 0) * 1000)
        for point in points:
            known = point.master
            holds = holds_at(known, when)
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
    """Our sum by quarter, and by how much rounding may part us."""
    area, neighbour = expected["grid_area_code"], expected["neighbor_grid_area_code"]
    kind = result.removeprefix("temporary_").removesuffix("_per_es").removesuffix("_per_brp")
    if kind in KINDS:
        before = result.startswith("temporary")
        return (scenario if before else scenario.settled()).total(of_type(*KINDS[kind], area, expected))
    if kind.startswith("exchange"):
        return scenario.total(flow_into(area, neighbour))
    loss, off_wh = scenario.total(loss_of(area))
    return {"positive_grid_loss": np.maximum(loss, 0), "negative_grid_loss": np.maximum(-loss, 0)}.get(
        kind, loss
    ), off_wh


def series_of(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("grid_area_code", "energy_supplier_id", "balance_responsible_party_id",
                                        "neighbor_grid_area_code"))  # fmt: skip


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
def test_sums_over_a_grid_area_are_those_of_the_operator(path: Path) -> None:
    scenario = scenario_of(path.parents[2])
    for _, group in groupby(sorted(rows(path), key=lambda row: (series_of(row), row["time"])), key=series_of):
        expected = list(group)
        mine, off_wh = found(scenario, path.stem, expected[0])
        slots = np.searchsorted(scenario.start_s, [seconds(row["time"]) for row in expected])
        own = np.array([round(float(row["quantity"]) * 1000) for row in expected])
        assert (np.abs(mine[slots] - own) <= off_wh).all()
        assert np.delete(mine, slots).sum() == 0, "nothing where it has no row"


def paying(expected: Row, links: Sequence[Row], points: Sequence[Point]) -> Factor:
    """The points that pay a tariff at a time; a part of a point has its supplier."""
    at = expected["time"]
    mine = {one.master["metering_point_id"] for one in points
            if one.master["energy_supplier_id"] == expected["energy_supplier_id"]}  # fmt: skip
    linked = {
        one["metering_point_id"]
        for one in links
        if holds_at(one, at)
        and all(one[name] == expected[name] for name in ("charge_code", "charge_type", "charge_owner_id"))
    }
    kind = (TYPES[expected["metering_point_type"]], METHODS[expected["settlement_method"]])
    return lambda one: int(
        holds_at(one, at)
        and one["metering_point_id"] in linked
        and (one["type"], one["settlement_method"]) == kind
        and one["grid_area_code"] == expected["grid_area_code"]
        and (one["parent_metering_point_id"] or one["metering_point_id"]) in mine
    )


@pytest.mark.parametrize("path", TARIFFS, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
def test_energies_that_tariffs_are_paid_for_are_sums_over_the_points_that_pay_them(path: Path) -> None:
    scenario = scenario_of(path.parents[2]).settled()
    links = rows(path.parents[2] / "when" / "charge_link_periods.csv")
    for row in rows(path):
        total, off_wh = scenario.total(paying(row, links, scenario.points))
        slot = (seconds(row["time"]) - int(scenario.start_s[0])) // QUARTER_S
        slots = slice(slot, slot + QUARTERS * (1 if row["resolution"] == "PT1H" else 24))
        assert abs(int(total[slots].sum()) - round(float(row["quantity"]) * 1000)) <= off_wh, row
