"""The last resorts: E07 profile, E08 average daily load, E16 extrapolation; splitting longer intervals (MDFF 21)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.vee.catalogue import Work, method
from openami.mdus.vee.estimates.exact import rounded, share_out
from openami.mdus.vee.model import Filled, Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray


@method("E07", "A gap takes the class profile, scaled to the customer's annual use.")
def profile(work: Work, _: Parameters) -> Filled:
    """Shape / annual shape total x annual use. Needs `shape` [row, slot], `shape_annual` and `annual_use` by row."""
    more = work.facts.more
    if not {"shape", "shape_annual", "annual_use"} <= more.keys():
        return Filled(work.values, np.zeros_like(work.needed))
    annual, use = more["shape_annual"][:, None], more["annual_use"][:, None]
    values = rounded(more["shape"] * use, np.maximum(annual, 1))
    return Filled(values, work.needed & (annual > 0), {"annual_use": more["annual_use"]})


@method("E08", "A gap takes the average daily load, spread evenly over the intervals of that local day.")
def average_daily_load(work: Work, _: Parameters) -> Filled:
    """Needs `average_daily` by row (`average_known` where it is one); the parts of a day sum to it exactly."""
    more = work.facts.more
    if "average_daily" not in more:
        return Filled(work.values, np.zeros_like(work.needed))
    rows, n = work.values.shape
    group = np.repeat(np.arange(rows), n)
    parts = share_out(more["average_daily"], np.ones(rows * n, np.int64), group).reshape(rows, n)
    known = more.get("average_known", np.ones(rows, np.bool_))[:, None]
    return Filled(parts, work.needed & known, {"average_daily": more["average_daily"]})


@method("E16", "Past the last actual value the last one is held, until data return.")
def extrapolation(work: Work, _: Parameters) -> Filled:
    """Only the open end of a day, held from its last actual slot (gas: code Z93)."""
    n = work.values.shape[1]
    last = n - 1 - work.actual[:, ::-1].argmax(axis=1)
    has = np.asarray(work.actual.any(axis=1), np.bool_)
    after = np.logical_and(np.arange(n) > last[:, None], has[:, None])
    held = np.broadcast_to(work.values[np.arange(len(last)), last][:, None], work.values.shape)
    return Filled(held, work.needed & after)


def split(values: NDArray[np.int64], into: int) -> NDArray[np.int64]:
    """Each interval as `into` shorter ones that sum to it exactly (30 minutes by 6, 15 by 3)."""
    flat = values.ravel()
    group = np.repeat(np.arange(flat.size), into)
    parts = share_out(flat, np.ones(flat.size * into, np.int64), group)
    return parts.reshape(*values.shape[:-1], values.shape[-1] * into)
