"""The limiter: too much power for too long opens the breaker by itself (class 71)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from openami.ami.meter.history import RegisterHistory


@dataclass(frozen=True, slots=True)
class Limiter:
    """A threshold in watts (0 = none), and for how many seconds it may be exceeded."""

    threshold_w: int = 0
    over_s: int = 0
    since_s: int = 0
    """When it was set: what went before does not count."""


def first_trip_s(limiter: Limiter, history: RegisterHistory, after_s: int, to_s: int) -> int | None:
    """The first instant in (after, to] at which the power has been above the threshold for long enough.

    Power is constant within a slot of the load; a run above the threshold begins when the output went live or the
    threshold was set at the earliest. So the answer does not depend on the steps in which time is lived.
    """
    if not limiter.threshold_w or not history.live:
        return None
    patience_s = max(limiter.over_s, 1)  # no meter reacts before it has measured
    earliest_s = max(history.live_since_s, limiter.since_s)
    slot_s = history.slot_s
    # two slots further back than the longest run that can end after `after_s`
    begin_s = max(earliest_s, (after_s - patience_s) // slot_s * slot_s - 2 * slot_s)
    slots_s = np.arange(begin_s // slot_s * slot_s + slot_s, to_s + slot_s + 1, slot_s, dtype=np.int64)
    edges_s = np.concatenate([[begin_s], slots_s])
    above = history.rates(edges_s) > limiter.threshold_w
    starts = np.flatnonzero(above & ~np.concatenate([[False], above[:-1]]))
    ends = np.flatnonzero(~above & np.concatenate([[False], above[:-1]]))
    for start in starts:
        later = ends[ends > start]
        run_end_s = int(edges_s[later[0]]) if len(later) else to_s + slot_s
        trip_s = int(edges_s[start]) + patience_s
        # one that is due earlier was tried then: the breaker's mode has no transition for it
        if after_s < trip_s <= to_s and trip_s < run_end_s:
            return trip_s
    return None
