"""Sharing a whole number out in proportion, so that the parts sum to it exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAFE: Final = 1 << 62


def share_out(total: NDArray[np.int64], weights: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each cell its part of its group's total in proportion to its weight; parts sum to the total exactly.

    `group` is ascending; groups whose weights sum to 0 share equally. Rounding runs along: the first j parts always
    sum to the floor of their exact sum, so no part is off by a whole unit and what is left falls to later cells.
    10.000 over three equal cells is 3.333, 3.333, 3.334.
    """
    if not weights.size:
        return weights.copy()
    sums = np.bincount(group, weights=None, minlength=len(total)).astype(np.int64)
    weight_sums = _sum_by(group, weights, len(total))
    weights = np.where(weight_sums[group] == 0, 1, weights)
    weight_sums = np.where(weight_sums == 0, sums, weight_sums)
    running = np.cumsum(weights)
    begins = np.concatenate(([0], np.cumsum(sums)[:-1]))
    offset = np.where(
        sums > 0, running[np.minimum(begins, len(running) - 1)] - weights[np.minimum(begins, len(running) - 1)], 0
    )
    within = running - offset[group]
    up_to = _times_over(within, total[group], weight_sums[group])
    before = np.concatenate(([0], up_to[:-1]))
    before[begins[sums > 0]] = 0
    return up_to - before


def _sum_by(group: NDArray[np.int64], weights: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    result = np.zeros(groups, np.int64)
    np.add.at(result, group, weights)
    return result


def _times_over(a: NDArray[np.int64], b: NDArray[np.int64], c: NDArray[np.int64]) -> NDArray[np.int64]:
    """floor(a * b / c), in wide integers where 64 bits could overflow."""
    wide: Any = object if float(np.abs(a).max()) * float(np.abs(b).max()) >= _SAFE else np.int64
    return np.asarray(a.astype(wide) * b.astype(wide) // c.astype(wide), np.int64)
