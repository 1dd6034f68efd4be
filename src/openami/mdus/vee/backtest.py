"""How wrong are estimates? Hide actual data of real recordings, estimate them, compare: by method and gap length.

The order of methods in the default rule set is the one with the least error here (docs say so, a test holds it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.vee.catalogue import Work, methods
from openami.mdus.vee.context import AHEAD_DAYS, NEAR_DAYS, attach_history
from openami.mdus.vee.model import Facts
from openami.mdus.vee.surroundings import temperatures
from openami.shared.quality import EMPTY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from openami.mdus.series.model import ChannelDays
    from openami.mdus.vee.reference_data import Given
    from openami.mdus.vee.ruleset import Rules

METHODS: Final = ("E01", "E02", "E03", "E04", "E05", "E06", "E07", "E13", "E08")
"""In the order of the default chain."""
GAPS_S: Final = (1800, 7200, 21_600, 43_200, 86_400)
_MOST_FILLED: Final = 0.8
_DAYS_A_YEAR: Final = 365
_SHAPE_SCALE: Final = 1000
_CLASS_MIN: Final = 5
"""Fewer others are no class."""


@dataclass(frozen=True, slots=True)
class Score:
    """One method on gaps of one length."""

    method: str
    gap_s: int
    gaps: int
    filled: int
    error_share: float
    """Sum of absolute errors over the sum of what was hidden, where the method filled."""
    scaled_error_share: float
    """The same after scaling to the register: what is left is the error of the shape."""
    bias: float
    """Sum of errors over the sum of what was hidden: above 0 the method gives too much."""


def backtest(
    days: ChannelDays,
    interval_s: int,
    rules: Rules,
    *,
    gaps_s: Sequence[int] = GAPS_S,
    seed: int = 1,
    weather: Sequence[Given] = (),
) -> list[Score]:
    """Score every method on a batch of complete, judged, actual days of some channels; no limits on gap length apply.

    Only days with enough others around them are hidden, one gap a day. E06 is scored where `weather` has temperatures.
    """
    first, last = int(days.day.min()), int(days.day.max())
    margin = min(NEAR_DAYS, (last - first) // 2)
    inner = np.flatnonzero((days.day >= first + margin) & (days.day <= max(last - AHEAD_DAYS, first + margin)))
    random = np.random.default_rng(seed)
    scores = []
    for gap_s in gaps_s:
        length = min(max(gap_s // interval_s, 1), days.count)
        start = random.integers(days.count - length + 1, size=len(inner))
        slot = np.arange(days.count)
        hidden = (slot >= start[:, None]) & (slot < (start + length)[:, None])
        facts = _hide(days, inner, hidden, interval_s)
        facts = replace(facts, more={**facts.more, **temperatures(facts, weather)})
        able = [name for name in METHODS if name != "E06" or "temperature_mk" in facts.more]
        scores += [_score(facts, days.rows(inner), hidden, rules, name, gap_s) for name in able]
    return scores


def _hide(days: ChannelDays, inner: NDArray[np.intp], hidden: NDArray[np.bool_], interval_s: int) -> Facts:
    shown = days.rows(inner)
    holes = shown.with_results(np.where(hidden, 0, shown.values), np.where(hidden, np.uint8(EMPTY), shown.quality))
    advance = shown.values.sum(axis=1)
    known = np.ones(len(inner), np.bool_)
    facts = attach_history(Facts.of(holes, interval_s, advance=advance, advance_known=known), [days])
    return replace(facts, more={**facts.more, **_profile(days, inner, facts.more["average_daily"])})


def _profile(days: ChannelDays, inner: NDArray[np.intp], average: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """The facts of E07: what the other channels used on the day, as the profile of the class, and a year of each.

    As in a real run the annual use is 365 average days of the last weeks, where no other is known.
    """
    _, place, number = np.unique(days.day, return_inverse=True, return_counts=True)
    if int(number.min()) <= _CLASS_MIN:
        return {}
    sums = np.zeros((len(number), days.count), np.int64)
    np.add.at(sums, place, days.values)
    others = (sums[place] - days.values) * _SHAPE_SCALE // (number[place] - 1)[:, None]
    channel = np.unique(days.channel, return_inverse=True)[1]
    daily = np.bincount(channel, others.sum(axis=1)) / np.bincount(channel)
    annual = (daily[channel[inner]] * _DAYS_A_YEAR).astype(np.int64)
    return {"shape": others[inner], "shape_annual": annual, "annual_use": average * _DAYS_A_YEAR}


def _score(facts: Facts, truth: ChannelDays, hidden: NDArray[np.bool_], rules: Rules, name: str, gap_s: int) -> Score:
    work = Work(facts, facts.days.values.copy(), hidden.copy(), ~hidden, {})
    parameters = rules.parameters[name]
    if "max_gap_s" in parameters.by_name:  # how wrong would it be beyond its limit?
        endless = replace(parameters.by_name["max_gap_s"], value=1 << 30)
        parameters = replace(parameters, by_name={**parameters.by_name, "max_gap_s": endless})
    filled = methods()[name].function(work, parameters)
    mask = filled.mask & hidden
    whole = (mask == hidden).all(axis=1)
    mask &= whole[:, None]
    work.values[mask] = filled.values[mask]
    work.needed[mask] = False
    error, scaled = _errors(work, truth, mask, rules)
    total = max(int(truth.values[mask].sum()), 1)
    return Score(
        method=name,
        gap_s=gap_s,
        gaps=len(truth),
        filled=int(whole.sum()),
        error_share=float(np.abs(error).sum()) / total,
        scaled_error_share=float(np.abs(scaled).sum()) / total,
        bias=float(error.sum()) / total,
    )


def _errors(
    work: Work, truth: ChannelDays, mask: NDArray[np.bool_], rules: Rules
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Errors of the filled slots before and after scaling to the register."""
    before = (work.values - truth.values)[mask]
    to_register = methods()["E11"].function(work, rules.parameters["E11"])
    after = np.where(to_register.mask, to_register.values, work.values)
    return before, (after - truth.values)[mask]


def recommended(scores: Sequence[Score]) -> dict[int, str]:
    """Of each length of gap the method with the least error after scaling, among those that fill most gaps."""
    found = {}
    for gap_s in sorted({one.gap_s for one in scores}):
        able = [one for one in scores if one.gap_s == gap_s and one.filled >= _MOST_FILLED * one.gaps]
        if able:
            found[gap_s] = min(able, key=lambda one: one.scaled_error_share).method
    return found


def not_measured(scores: Sequence[Score]) -> str:
    """Why a method has no line in the table; nothing where all have one."""
    if any(one.method == "E06" for one in scores):
        return ""
    return "E06 is not measured: no temperatures of these days are known (--temperatures)."


def table(scores: Sequence[Score]) -> str:
    """The scores as a Markdown table: error in per cent, and after scaling to the register."""
    gaps_s = sorted({one.gap_s for one in scores})
    lines = ["| method | " + " | ".join(_hours(gap_s) for gap_s in gaps_s) + " |", "|---" * (len(gaps_s) + 1) + "|"]
    for name in dict.fromkeys(one.method for one in scores):
        cells = []
        for gap_s in gaps_s:
            (one,) = (score for score in scores if (score.method, score.gap_s) == (name, gap_s))
            cells.append(f"{one.error_share:.0%} ({one.scaled_error_share:.0%})" if one.filled else "-")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _hours(gap_s: int) -> str:
    return f"{gap_s / 3600:g} h"
