"""The limiter: too much power for too long opens the breaker by itself (class 71)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.ami.meter.history import RegisterHistory


@dataclass(frozen=True, slots=True)
class Limiter:
    """A threshold in watts (0 = none), and for how many seconds it may be exceeded.

    An emergency profile whose number is in `groups` puts another threshold in the place of the normal one for a while.
    """

    threshold_w: int = 0
    over_s: int = 0
    since_s: int = 0
    """When it was set: what went before does not count."""
    emergency_w: int = 0
    profile_id: int = 0
    activation_s: int = 0
    duration_s: int = 0
    groups: tuple[int, ...] = ()

    def with_emergency(self, changes: Mapping[str, Any], at_s: int) -> Limiter:
        """The same with other emergency facts, in force from an instant on."""
        known = {name: value for name, value in changes.items() if name in _EMERGENCY}
        if "groups" in known:
            known["groups"] = tuple(known["groups"])
        return replace(self, since_s=at_s, **known)

    def emergency_at(self, at_s: int) -> bool:
        """Whether the emergency threshold is the active one."""
        return self.profile_id in self.groups and self.activation_s <= at_s < self.activation_s + self.duration_s

    def active_w(self, at_s: int) -> int:
        """The active threshold."""
        return self.emergency_w if self.emergency_at(at_s) else self.threshold_w

    @property
    def limits(self) -> bool:
        """Whether it can trip at all."""
        return bool(self.threshold_w or (self.emergency_w and self.profile_id in self.groups))


_EMERGENCY: Final = frozenset({"emergency_w", "profile_id", "activation_s", "duration_s", "groups"})


def first_trip_s(limiter: Limiter, history: RegisterHistory, after_s: int, to_s: int) -> int | None:
    """The first instant in (after, to] at which the threshold in force has been exceeded for long enough."""
    begins_s, ends_s = limiter.activation_s, limiter.activation_s + limiter.duration_s
    changes_s = (begins_s, ends_s) if limiter.profile_id in limiter.groups else ()
    edges_s = sorted([after_s, to_s, *(edge_s for edge_s in changes_s if after_s < edge_s < to_s)])
    for begin_s, end_s in pairwise(edges_s):
        # another threshold begins to count when it comes into force
        since_s = max([limiter.since_s, *(edge_s for edge_s in changes_s if edge_s <= begin_s)])
        part = replace(limiter, threshold_w=limiter.active_w(begin_s), since_s=since_s)
        trip_s = _first_trip_s(part, history, begin_s, end_s)
        if trip_s is not None:
            return trip_s
    return None


def _first_trip_s(limiter: Limiter, history: RegisterHistory, after_s: int, to_s: int) -> int | None:
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
    above = history.measured(edges_s) > limiter.threshold_w
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
