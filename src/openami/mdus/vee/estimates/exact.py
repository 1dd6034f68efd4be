"""Whole numbers in proportion: rounding half up, and shares that sum to their total exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAFE: Final = float(1 << 62)


def rounded(numerator: NDArray[np.int64], denominator: NDArray[np.int64] | np.int64) -> NDArray[np.int64]:
    """Numerator / denominator (above 0), rounded half up."""
    return np.asarray((2 * numerator + denominator) // (2 * denominator), np.int64)


def share_out(total: NDArray[np.int64], weights: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each cell its part of its group's total in proportion to its weight; parts sum to the total exactly.

    `group` is ascending; groups whose weights sum to 0 share equally. Rounding runs along: the first j parts always
    sum to the floor of their exact sum, so no part is off by a whole unit and what is left falls to later cells.
    10.000 over three equal cells is 3.333, 3.333, 3.334.
    """
    if not weights.size:
        return weights.copy()
    cells = np.bincount(group, minlength=len(total))
    sums = np.zeros(len(total), np.int64)
    np.add.at(sums, group, weights)
    weights = np.where(sums[group] == 0, 1, weights)
    sums = np.where(sums == 0, cells, sums)
    first = np.cumsum(cells) - cells
    running = np.cumsum(weights)
    before_group = np.concatenate(([0], running))[first[group]]
    up_to = _times_over(running - before_group, total[group], sums[group])
    before = np.concatenate(([0], up_to[:-1]))
    before[first[cells > 0]] = 0
    return np.asarray(up_to - before, np.int64)


def _times_over(a: NDArray[np.int64], b: NDArray[np.int64], c: NDArray[np.int64]) -> NDArray[np.int64]:
    """floor(a * b / c), in wide integers where 64 bits could overflow."""
    wide: Any = object if float(np.abs(a).max()) * float(np.abs(b).max()) >= _SAFE else np.int64
    return np.asarray(a.astype(wide) * b.astype(wide) // c.astype(wide), np.int64)
