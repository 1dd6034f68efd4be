"""Limits by history, rating and physics: V17, V18, V25, V27, V30, V32."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.vee.catalogue import Added, check
from openami.mdus.vee.checks.levels import beyond, failing, graded, known, untested

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.mdus.vee.model import Facts, Fired, Parameters


_ROOT: Final = 2**31
"""Two squares of numbers below it have a sum that fits 64 bits."""
_BASE_V: Final = 120
_BASE_A: Final = 5


@check(
    "V17",
    "Daily use is like that of the same time last year, else of the last period.",
    low=Decimal,
    high=Decimal,
    last_year=Added(bool, before=False),
)
def high_low(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Low <= (usage / days) / (reference / reference days) <= high. Needs those four by name.

    Where `last_year_usage` and `last_year_days` are known, they are the reference.
    """
    if (found := known(facts, "usage", "usage_days", "reference_usage", "reference_days")) is None:
        return untested(facts)
    usage, days, reference, reference_days = found
    if p["last_year"] and (then := known(facts, "last_year_usage", "last_year_days")) is not None:
        reference, reference_days = (np.where(then[1] > 0, *pair) for pair in zip(then, found[2:], strict=True))
    now, then = usage * reference_days, reference * days
    low, low_below = p.ratio("low")
    wrong = beyond(now, then, p.ratio("high")) | (now * low_below < then * low)
    return failing(wrong & (then > 0), usage=usage, reference=reference)


@check("V18", "No interval brings more than the installation can.", warn_factor=Decimal, fail_factor=Decimal)
def demand_limit(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Power against the rating of meter, transformer or fuse; not where the rating is unknown."""
    if not facts.rating.any():
        return untested(facts)
    most = facts.rating * facts.interval_s
    peak = facts.days.values.max(axis=1, initial=0)
    rows = np.flatnonzero((facts.rating > 0) & beyond(peak * 3600, most, p.ratio("warn_factor")))
    warn, fail = np.zeros(facts.present.shape, np.bool_), np.zeros(facts.present.shape, np.bool_)
    if not rows.size:
        return failing(np.zeros(len(facts.days), np.bool_))
    hourly, limit = facts.days.values[rows] * 3600, most[rows, None]
    warn[rows] = facts.present[rows] & beyond(hourly, limit, p.ratio("warn_factor"))
    fail[rows] = facts.present[rows] & beyond(hourly, limit, p.ratio("fail_factor"))
    return graded(warn, fail, peak=peak)


@check("V25", "Use per day does not change too much from one reading to the next.", warn=Decimal, fail=Decimal)
def register_delta(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """abs((current - previous) / current), per day. Needs `register_usage` and `register_days`, now and `previous_`."""
    names = ("register_usage", "register_days", "previous_register_usage", "previous_register_days")
    if (found := known(facts, *names)) is None:
        return untested(facts)
    usage, days, previous, previous_days = found
    now, then = usage * previous_days, previous * days
    apart = np.abs(now - then)
    return graded(beyond(apart, np.abs(now), p.ratio("warn")), beyond(apart, np.abs(now), p.ratio("fail")), usage=usage)


@check(
    "V27",
    "Not too much of a month is estimated, not too often in a year, not for too many days in a row.",
    max_share_month=Decimal,
    max_times_12m=int,
    max_days_row=int,
)
def prolonged_estimation(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Needs `estimated_in_month` and `intervals_in_month`; `times_12m` and `days_row` where they are known."""
    if (found := known(facts, "estimated_in_month", "intervals_in_month")) is None:
        return untested(facts)
    estimated, intervals = found
    wrong = beyond(estimated, intervals, p.ratio("max_share_month"))
    for name, limit in (("times_12m", "max_times_12m"), ("days_row", "max_days_row")):
        if name in facts.more:
            wrong |= facts.more[name] > p[limit]
    return failing(wrong, estimated=estimated, intervals=intervals)


@check("V30", "Reactive energy fits active energy.", reactive_pulses=int, min_power_factor=Decimal)
def reactive(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Needs `reactive` [row, slot]: reactive pulses without active energy, or a power factor below the bound."""
    if (found := known(facts, "reactive")) is None:
        return untested(facts)
    active, pulses = facts.days.values, found[0]
    without = (active == 0) & (pulses > p["reactive_pulses"])
    factor, below = p.ratio("min_power_factor")
    # active / sqrt(active^2 + reactive^2) < factor, squared to stay in whole numbers, wide where squares overflow
    most = max(int(np.abs(one).max(initial=0)) for one in (active, pulses))
    wide: Any = object if most * below > _ROOT else np.int64
    active2, reactive2 = (one.astype(wide) ** 2 for one in (active, pulses))
    low = (active > 0) & np.asarray(active2 * below**2 < factor**2 * (active2 + reactive2), np.bool_)
    return failing((without | low) & facts.present)


@check(
    "V32",
    "Voltage and current are present and possible.",
    v2_low=Decimal,
    v2_high=Decimal,
    i2_max=Decimal,
    nominal_v=Added(int, _BASE_V),
    nominal_a=Added(int, _BASE_A),
)
def presence(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Means of squares over clocked hours, in hundredths: `mean_v2` between its bounds or 0, `mean_i2` below.

    The bounds are those of 120 V and 5 A; a connection of other nominal values is compared in proportion.
    """
    if (found := known(facts, "mean_v2", "mean_i2")) is None:
        return untested(facts)
    low, high, most = (int(p[name] * 100) for name in ("v2_low", "v2_high", "i2_max"))
    v2, i2 = found[0] * _BASE_V**2, found[1] * _BASE_A**2
    nominal_v2, nominal_i2 = p["nominal_v"] ** 2, p["nominal_a"] ** 2
    wrong = (~((v2 > low * nominal_v2) & (v2 < high * nominal_v2)) & (v2 != 0)) | ~(i2 < most * nominal_i2)
    return failing(np.asarray(wrong, np.bool_), mean_v2=found[0], mean_i2=found[1])
