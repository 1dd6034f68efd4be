"""The shape of a day: V15 spike."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.vee.catalogue import check
from openami.mdus.vee.model import Facts, Fired, Level, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping


@check(
    "V15",
    "The largest interval of a day exceeds the third largest by no more than theta times that.",
    theta=Decimal,
    floor_pulses=int,
)
def spike(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """(p1 - p3) / p3 > theta, on the slot of p1; skipped up to a floor; a third of 0 fails without division."""
    values = np.where(facts.present, facts.days.values, 0)
    rows = len(values)
    if values.shape[1] < 3:
        return Fired(np.zeros((rows, 1), np.uint8), tested=np.zeros(rows, np.bool_))
    third = np.partition(values, values.shape[1] - 3, axis=1)[:, -3]
    slot = values.argmax(axis=1)
    first = values[np.arange(rows), slot]
    numerator, denominator = p.ratio("theta")
    tested = (facts.present.sum(axis=1) >= 3) & (first > p["floor_pulses"] * facts.step)
    beyond = tested & ((first - third) * denominator > numerator * third)
    level = np.zeros(values.shape, np.uint8)
    hit = np.flatnonzero(beyond)
    level[hit, slot[hit]] = Level.FAIL
    return Fired(level, {"largest": first, "third": third}, tested)
