"""Intervals against registers: V16 sum check."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.vee.catalogue import check
from openami.mdus.vee.model import Facts, Fired, Level, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping


@check(
    "V16",
    "The intervals of a day sum to what the register advanced, within its tolerance.",
    tolerance_steps=Decimal,
    tolerance_share=Decimal,
)
def sum_check(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """abs(advance - sum) > max(steps * step, share * advance) fires on the whole day; incomplete days do not test."""
    complete = (facts.present | ~facts.active).all(axis=1)
    total = np.where(facts.present, facts.days.values, 0).sum(axis=1)
    tested = complete & facts.advance_known
    difference = np.abs(facts.advance - total)
    steps, steps_below = p.ratio("tolerance_steps")
    share, share_below = p.ratio("tolerance_share")
    beyond = (difference * steps_below > steps * facts.step) & (
        difference * share_below > share * np.abs(facts.advance)
    )
    level = np.where(tested & beyond, Level.FAIL, Level.NONE).astype(np.uint8)[:, None]
    return Fired(level, {"advance": facts.advance, "sum": total}, tested)
