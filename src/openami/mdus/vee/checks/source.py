"""Does the delivery fit the device: V01 to V04, V06 to V10, V28, V35, V36."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from openami.mdus.unify.oddities import REFUSED
from openami.mdus.vee.catalogue import Added, check
from openami.mdus.vee.checks.levels import beyond, failing, graded, known, untested
from openami.mdus.vee.model import Fired, Level
from openami.shared.quality import is_estimated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from openami.mdus.vee.model import Facts, Parameters


@check("V01", "The device that reports is the device that is expected.")
def device_id(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Needs `reported_device` and `expected_device`."""
    if (found := known(facts, "reported_device", "expected_device")) is None:
        return untested(facts)
    wrong = np.asarray(found[0] != found[1], np.bool_)
    return _about(facts, "V01", failing(wrong, reported=found[0], expected=found[1]))


@check("V02", "The reader's clock was synchronised before it collected.")
def reader_clock(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Needs `reader_synced`."""
    if (found := known(facts, "reader_synced")) is None:
        return untested(facts)
    return _about(facts, "V02", failing(~found[0].astype(np.bool_)))


@check(
    "V03",
    "The meter's clock agrees with the reader's.",
    tolerance_s=int,
    prorate_max_s=int,
    inspect_after=Added(int, 0),
)
def meter_clock(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Within tolerance passes; up to `prorate_max_s` warns (energy is prorated); above fails. `clock_drift_s`.

    After `inspect_after` checks out of tolerance in a row the meter is to be inspected. That needs `clock_drifts_s` and
    `clock_checked` [row, day before], the nearest first: a day that brought nothing is no check.
    """
    if (found := known(facts, "clock_drift_s")) is None:
        return untested(facts)
    drift_s = np.abs(found[0])
    said: dict[str, NDArray[Any]] = {"drift_s": found[0]}
    if p["inspect_after"] and (before := known(facts, "clock_drifts_s", "clock_checked")) is not None:
        wrong, checked = np.abs(before[0]) > p["tolerance_s"], before[1].astype(np.bool_)
        unbroken = np.cumsum(checked & ~wrong, axis=1) == 0
        said["failed_in_row"] = 1 + (checked & wrong & unbroken).sum(axis=1)
        said["inspect"] = said["failed_in_row"] >= p["inspect_after"]
    return _about(facts, "V03", graded(drift_s > p["tolerance_s"], drift_s > p["prorate_max_s"], **said))


@check("V04", "As many intervals are delivered as the local day has, counted in elapsed time.")
def count(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Needs `delivered_count`; the day's own length is that of the matrix (92, 96 or 100 quarter-hours)."""
    if (found := known(facts, "delivered_count")) is None:
        return untested(facts)
    surplus = found[0] - facts.days.count
    return _about(facts, "V04", failing(np.asarray(surplus != 0, np.bool_), surplus=surplus))


@check("V06", "One interval is delivered once: an identical repeat is dropped, a different one is reported.")
def duplicate(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Needs `contradicting` [row, slot]: where one delivery gave two values (`series.place` finds them)."""
    if (found := known(facts, "contradicting")) is None:
        return untested(facts)
    return _about(facts, "V06", failing(found[0]))


@check("V07", "A value that replaces another is close to it.", max_delta=Decimal)
def replacement(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Needs `replaced` [row, slot] and `before` [row, slot]; evidence ranks are the merge's own rule."""
    if (found := known(facts, "replaced", "before")) is None:
        return untested(facts)
    replaced, before = found
    far = beyond(np.abs(facts.days.values - before), np.abs(before), p.ratio("max_delta"))
    return _about(facts, "V07", failing(replaced & far))


@check("V08", "The declared interval length is the channel's.")
def interval_size(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Needs `declared_interval_s`."""
    if (found := known(facts, "declared_interval_s")) is None:
        return untested(facts)
    wrong = np.asarray(found[0] != facts.interval_s, np.bool_)
    return _about(facts, "V08", failing(wrong, declared_s=found[0]))


@check("V09", "The declared unit is the channel's.")
def unit(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Needs `declared_unit` and `unit`."""
    if (found := known(facts, "declared_unit", "unit")) is None:
        return untested(facts)
    wrong = np.asarray(found[0] != found[1], np.bool_)
    return _about(facts, "V09", failing(wrong, declared=found[0], expected=found[1]))


@check("V10", "Multiplier and number of dials are those of the master data.")
def multiplier(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Needs `declared_multiplier` and `multiplier`, or `beyond_dials`: readings of more digits than the register."""
    dials = facts.more.get("beyond_dials")
    found = known(facts, "declared_multiplier", "multiplier")
    if found is None:
        return untested(facts) if dials is None else graded(dials, np.zeros_like(dials))
    fired = _about(facts, "V10", failing(np.asarray(found[0] != found[1], np.bool_), declared=found[0]))
    if dials is None:
        return fired
    return Fired(
        np.maximum(fired.level, np.where(dials, Level.WARN, Level.NONE)[:, None]).astype(np.uint8), fired.inputs
    )


@check("V28", "The other channels of the device have delivered the same period.")
def sibling(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Needs `siblings_expected` and `siblings_present`; asked when the collection window has closed."""
    if (found := known(facts, "siblings_expected", "siblings_present")) is None:
        return untested(facts)
    return failing(np.asarray(found[1] < found[0], np.bool_), expected=found[0], present=found[1])


@check("V35", "No interval ends in the future.", future_tolerance_s=int)
def source_time(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Needs `start_s` (of each day) and `now_s`, seconds since 1970."""
    if (found := known(facts, "start_s", "now_s")) is None:
        return untested(facts)
    end_s = found[0][:, None] + (np.arange(facts.days.count) + 1) * facts.interval_s
    return _about(facts, "V35", failing((end_s > found[1][:, None] + p["future_tolerance_s"]) & facts.present))


@check("V36", "Not too many estimates or customer readings follow one another.", max_successive=int)
def successive_estimates(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Needs `successive_estimates`."""
    if (found := known(facts, "successive_estimates")) is None:
        return untested(facts)
    return failing(np.asarray(found[0] > p["max_successive"], np.bool_), successive=found[0])


def _about(facts: Facts, rule: str, fired: Fired) -> Fired:
    """What fired, on the slots that the fact is about where that is known (`vee.notes`), else on the whole day.

    What was refused concerns open slots, all else the values that were taken: never the estimates in their place.
    """
    slots = facts.more.get(f"{rule} slots")
    if slots is None:
        return fired
    concerned = ~facts.present if rule in REFUSED else facts.present & ~is_estimated(facts.days.quality)
    return Fired(np.where(slots & concerned, fired.level, Level.NONE).astype(np.uint8), fired.inputs)
