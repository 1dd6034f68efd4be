"""Short gaps from their neighbours: E01 linear, E02 flat edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.series.model import Flag
from openami.mdus.vee.catalogue import Work, method
from openami.mdus.vee.estimates.exact import rounded
from openami.mdus.vee.model import Filled, Parameters
from openami.mdus.vee.runs import Runs, runs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@method(
    "E01",
    "A short gap between two good values is filled along the line between them.",
    max_gap_s=int,
    inclusive=bool,
    outage_end_point=bool,
)
def linear(work: Work, p: Parameters) -> Filled:
    """x_j = a + (b - a) * j / (k + 1), rounded half up; the neighbours are actual values (MDFF 17, VEE-A 4.1)."""
    values, good = _with_neighbours(work, p)
    gaps = _short(runs_of(work.needed), work, p)
    # one column is padded on: the neighbour before slot s stands in column s, the one after in s + length + 1
    gaps = gaps.only(good[gaps.row, gaps.first] & good[gaps.row, gaps.first + gaps.length + 1])
    row, slot, run, place = gaps.cells()
    a, b = values[gaps.row, gaps.first], values[gaps.row, gaps.first + gaps.length + 1]
    parts = (gaps.length + 1)[run]
    exact = a[run] * parts + (b - a)[run] * place
    return _filled(work, row, slot, rounded(exact, parts))


@method(
    "E02",
    "A short gap with a good value on one side only repeats that value.",
    max_gap_s=int,
    inclusive=bool,
    outage_end_point=bool,
)
def flat_edge(work: Work, p: Parameters) -> Filled:
    """The only good neighbour, repeated."""
    values, good = _with_neighbours(work, p)
    gaps = _short(runs_of(work.needed), work, p)
    before, after = good[gaps.row, gaps.first], good[gaps.row, gaps.first + gaps.length + 1]
    gaps, before = gaps.only(before ^ after), before[before ^ after]
    neighbour = np.where(before, gaps.first, gaps.first + gaps.length + 1)
    row, slot, run, _ = gaps.cells()
    return _filled(work, row, slot, values[gaps.row, neighbour][run])


def _short(gaps: Runs, work: Work, p: Parameters) -> Runs:
    length_s = gaps.length * work.facts.interval_s
    return gaps.only((length_s <= p["max_gap_s"]) if p["inclusive"] else (length_s < p["max_gap_s"]))


def _with_neighbours(work: Work, p: Parameters) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Values and where an end point may be, with the last slot of the day before and the first of the day after."""
    rows, n = work.values.shape
    values, good = np.zeros((rows, n + 2), np.int64), np.zeros((rows, n + 2), np.bool_)
    values[:, 1:-1], good[:, 1:-1] = work.values, work.actual
    if not p["outage_end_point"]:
        good[:, 1:-1] &= (work.facts.days.flags & Flag.OUTAGE) == 0
    for column, side in ((0, "previous"), (-1, "next")):
        if side in work.facts.more:
            values[:, column], good[:, column] = work.facts.more[side], work.facts.more[f"{side}_good"]
    return values, good


def _filled(work: Work, row: NDArray[np.int64], slot: NDArray[np.int64], cells: NDArray[np.int64]) -> Filled:
    values, mask = np.zeros_like(work.values), np.zeros_like(work.needed)
    values[row, slot], mask[row, slot] = cells, True
    return Filled(values, mask)
