"""Is there a value, does it belong there, can it be at all: V05, V23."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.vee.catalogue import check
from openami.mdus.vee.model import Facts, Fired, Level, Parameters
from openami.shared.quality import Origin, origins

if TYPE_CHECKING:
    from collections.abc import Mapping


@check("V05", "Every interval in which the channel lives has a value.")
def missing(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Fires on EMPTY (nothing arrived) and MISSING (the head-end says it has none), told apart in the inputs."""
    gaps = facts.active & ~facts.present
    said = (origins(facts.days.quality) == Origin.MISSING) & gaps
    level = np.where(gaps, Level.FAIL, Level.NONE).astype(np.uint8)
    missing_count = said.sum(axis=1)
    return Fired(level, {"empty": gaps.sum(axis=1) - missing_count, "missing": missing_count})


@check("V23", "A channel that only takes energy has no negative interval.", import_min=int)
def negative(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Fires below the least value unless the channel is net."""
    below = (facts.days.values < p["import_min"]) & facts.present & ~facts.net[:, None]
    return Fired(
        np.where(below, Level.FAIL, Level.NONE).astype(np.uint8), {"lowest": facts.days.values.min(axis=1, initial=0)}
    )
