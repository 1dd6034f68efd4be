"""The shape of a day: V15, V19, V20, V22, V26, V33."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.vee.catalogue import check
from openami.mdus.vee.checks.levels import beyond, failing, graded, known, untested
from openami.mdus.vee.model import Facts, Fired, Level, Parameters
from openami.mdus.vee.runs import runs_of
from openami.shared.quality import is_estimated

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
    rows, n = facts.days.values.shape
    if n < 3:
        return untested(facts)
    present = facts.present
    values = facts.days.values if present.all() else np.where(present, facts.days.values, 0)
    third = np.partition(values, n - 3, axis=1)[:, -3]
    slot = values.argmax(axis=1)
    first = values[np.arange(rows), slot]
    tested = (present.sum(axis=1) >= 3) & (first > p["floor_pulses"] * facts.step)
    level = np.zeros(values.shape, np.uint8)
    hit = np.flatnonzero(tested & beyond(first - third, third, p.ratio("theta")))
    level[hit, slot[hit]] = Level.FAIL
    return Fired(level, {"largest": first, "third": third}, tested)


@check("V19", "Power does not jump from one interval to the next.", warn=Decimal, fail=Decimal)
def demand_step(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """abs(P - P last valid) / P last valid, where a value that fired is not the last valid one for those after it."""
    values, present = facts.days.values, facts.present
    warn, fail = np.zeros(values.shape, np.bool_), np.zeros(values.shape, np.bool_)
    last = facts.more.get("previous", values[:, 0]).copy()
    for slot in range(values.shape[1]):  # over slots, all rows at once
        jump = np.abs(values[:, slot] - last)
        comparable = present[:, slot] & (last != 0)
        warn[:, slot] = comparable & beyond(jump, np.abs(last), p.ratio("warn"))
        fail[:, slot] = comparable & beyond(jump, np.abs(last), p.ratio("fail"))
        last = np.where(present[:, slot] & ~warn[:, slot] & ~fail[:, slot], values[:, slot], last)
    return graded(warn, fail)


@check("V20", "The peak does not exceed the peak of the window before by too much.", theta=Decimal)
def history_peak(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Needs `peak_before`; fires on the slot of the peak."""
    if (found := known(facts, "peak_before")) is None:
        return untested(facts)
    values = np.where(facts.present, facts.days.values, 0)
    slot, peak = values.argmax(axis=1), values.max(axis=1, initial=0)
    hit = np.flatnonzero((found[0] > 0) & beyond(peak - found[0], found[0], p.ratio("theta")))
    mask = np.zeros(values.shape, np.bool_)
    mask[hit, slot[hit]] = True
    return failing(mask, peak=peak, before=found[0])


@check("V22", "A value that is not 0 does not repeat itself for too long.", run=int, min_duration_s=int)
def static(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """A run of at least `run` equal values that lasts at least `min_duration_s`; zeros are for V21."""
    values, present = facts.days.values, facts.present
    same = np.zeros(values.shape, np.bool_)
    same[:, 1:] = (values[:, 1:] == values[:, :-1]) & present[:, 1:] & present[:, :-1] & (values[:, 1:] != 0)
    least = max(p["run"], -(-p["min_duration_s"] // facts.interval_s))
    runs = runs_of(same)
    runs = runs.only(runs.length + 1 >= least)  # the first of the equal values stands before the run
    mask = np.zeros(values.shape, np.bool_)
    row, slot, _run, _place = runs.cells()
    mask[row, slot] = True
    mask[runs.row, runs.first - 1] = True
    return failing(mask)


@check("V26", "Estimates do not follow one another for too long.", run=int)
def consecutive(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """A run of at least `run` estimated intervals."""
    estimated = is_estimated(facts.days.quality)
    mask = np.zeros_like(estimated)
    if estimated.any():
        runs = runs_of(estimated)
        row, slot, _run, _place = runs.only(runs.length >= p["run"]).cells()
        mask[row, slot] = True
    return failing(mask)


@check("V33", "No value lies far from the median of its day.", hampel_t=Decimal, mad_floor=int)
def dynamic(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Hampel: abs(x - median) > t * 1.4826 * MAD, the MAD at least `mad_floor`; complete days only."""
    complete = np.asarray(facts.present.all(axis=1), np.bool_)
    double = 2 * facts.days.values  # medians of whole numbers are halves
    median = np.median(double, axis=1, keepdims=True).astype(np.int64)
    away = np.abs(double - median)
    mad = np.maximum(np.median(2 * away, axis=1, keepdims=True).astype(np.int64), 4 * p["mad_floor"])
    numerator, denominator = p.ratio("hampel_t")
    far = 2 * away * denominator * 10_000 > numerator * 14_826 * mad
    return failing(far & complete[:, None], double_median=median[:, 0])
