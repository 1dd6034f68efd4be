"""Is there a value, does it belong there, can it be at all: V05, V21, V23, V29."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.series.model import Flag
from openami.mdus.vee.catalogue import check
from openami.mdus.vee.checks.levels import failing
from openami.mdus.vee.runs import runs_of
from openami.shared.quality import Origin, origins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.mdus.vee.model import Facts, Fired, Parameters


@check("V05", "Every interval in which the channel lives has a value.")
def missing(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Fires on EMPTY (nothing arrived) and MISSING (the head-end says it has none), told apart in the inputs."""
    gaps = facts.active & ~facts.present
    if not gaps.any():
        return failing(gaps)
    said = ((origins(facts.days.quality) == Origin.MISSING) & gaps).sum(axis=1)
    return failing(gaps, empty=gaps.sum(axis=1) - said, missing=said)


@check("V21", "A connected channel is not at zero for too long.", run_s=int)
def zero(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """A run of zeros of at least `run_s` (or the whole day, when that is shorter) that no outage explains."""
    explained = facts.dead | ((facts.days.flags & (Flag.OUTAGE | Flag.DISCONNECTED)) != 0)
    idle = facts.present & (facts.days.values == 0) & facts.active & ~explained
    least_s = min(p["run_s"], facts.days.count * facts.interval_s)
    mask = np.zeros_like(idle)
    if np.any(idle.sum(axis=1) * facts.interval_s >= least_s):
        runs = runs_of(idle)
        row, slot, _run, _place = runs.only(runs.length * facts.interval_s >= least_s).cells()
        mask[row, slot] = True
    return failing(mask)


@check("V23", "A channel that only takes energy has no negative interval.", import_min=int)
def negative(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Fires below the least value unless the channel is net."""
    lowest = facts.days.values.min(axis=1, initial=0)
    if not np.any((lowest < p["import_min"]) & ~facts.net):
        return failing(np.zeros(len(lowest), np.bool_))
    below = (facts.days.values < p["import_min"]) & facts.present & ~facts.net[:, None]
    return failing(below, lowest=lowest)


@check("V29", "A channel brings nothing before it was installed or after it was removed.", floor=int)
def inactive(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Fires on slots outside the channel's life when they bring more than `floor` in the day."""
    outside = facts.present & ~facts.active
    if not outside.any():
        return failing(outside)
    used = np.where(outside, facts.days.values, 0).sum(axis=1)
    return failing(outside & (used > p["floor"])[:, None], used=used)
