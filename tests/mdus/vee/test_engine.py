from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from openami.mdus.series import ChannelDays
from openami.mdus.vee.engine import evaluate
from openami.mdus.vee.model import Facts, Outcome, Reference
from openami.mdus.vee.ruleset import load
from openami.shared.quality import EMPTY, MEASURED, MISSING, VALID, Origin, Verdict, origins, quality, verdicts

MONDAY = date(2026, 3, 2).toordinal()
HOME = load("default").for_class("residential")
STRICT = load("default").for_class("commercial")


def one_day(values: list[int | None], advance: int | None = None, **known: Any) -> Facts:
    packed = np.array([[MEASURED if value is not None else EMPTY for value in values]], np.uint8)
    cells = np.array([[value or 0 for value in values]], np.int64)
    days = ChannelDays.of(np.array([1]), np.array([MONDAY]), cells, packed)
    if advance is not None:
        known |= {"advance": np.array([advance]), "advance_known": np.array([True])}
    return Facts.of(days, 1800, **known)


def reference(*days: tuple[int, list[int]]) -> Reference:
    values = np.array([[day[1] for day in days]], np.int64)
    distance = np.array([[day[0] for day in days]], np.int64)
    kind = ((MONDAY + distance + 6) % 7).astype(np.int8)
    return Reference(values, np.ones(values.shape, np.bool_), distance, kind)


def rules_of(outcome: Outcome) -> list[str]:
    return [finding.rule for finding in outcome.findings]


def test_a_good_day_passes_without_findings() -> None:
    outcome = evaluate(one_day([100, 120, 110, 90], advance=420), HOME)
    assert (outcome.days.quality == VALID).all()
    assert not outcome.findings


def test_a_spike_on_a_day_that_agrees_with_its_register_is_only_warned_of() -> None:
    outcome = evaluate(one_day([10, 500, 20, 15], advance=545), HOME)
    assert verdicts(outcome.days.quality)[0].tolist() == [Verdict.PV, Verdict.WV, Verdict.PV, Verdict.PV]
    assert outcome.days.values[0].tolist() == [10, 500, 20, 15]
    assert rules_of(outcome) == ["V15"]
    assert outcome.findings[0].slots == (1,)
    assert outcome.findings[0].inputs == {"largest": 500, "third": 15}


def test_a_spike_on_a_day_that_contradicts_its_register_fails_and_is_estimated_to_the_register() -> None:
    outcome = evaluate(one_day([10, 500, 20, 15], advance=60), HOME)
    assert outcome.days.values[0].tolist() == [10, 15, 20, 15]
    assert origins(outcome.days.quality)[0].tolist() == [
        Origin.MEASURED, Origin.E01_LINEAR, Origin.MEASURED, Origin.MEASURED,
    ]  # fmt: skip
    assert (verdicts(outcome.days.quality) == Verdict.PV).all()
    assert rules_of(outcome) == ["V16", "V15", "E01"]


def test_outside_the_residential_class_a_spike_fails_even_when_the_sum_agrees() -> None:
    """W42: a passed sum check does not excuse the other checks."""
    outcome = evaluate(one_day([10, 29, 12, 10], advance=61), STRICT, estimate=False)
    assert verdicts(outcome.days.quality)[0].tolist() == [Verdict.PV, Verdict.FV, Verdict.PV, Verdict.PV]


def test_empty_and_missing_are_told_apart() -> None:
    facts = one_day([10, None, None, 12])
    facts.days.quality[0, 2] = MISSING
    outcome = evaluate(facts, HOME, estimate=False)
    assert origins(outcome.days.quality)[0].tolist() == [2, Origin.EMPTY, Origin.MISSING, 2]
    assert outcome.findings[0].inputs == {"empty": 1, "missing": 1}
    assert outcome.open[0].tolist() == [False, True, True, False]


def test_a_short_gap_is_filled_linearly_and_scaled_to_the_register_exactly() -> None:
    outcome = evaluate(one_day([75, None, None, 100, 10], advance=75 + 100 + 10 + 101), HOME)
    assert outcome.days.values.sum() == 286
    assert outcome.days.values[0].tolist() == [75, 47, 54, 100, 10]
    assert origins(outcome.days.quality)[0, 1:3].tolist() == [Origin.E11_SCALE_ESTIMATED] * 2


def test_an_estimate_that_already_agrees_keeps_its_own_origin() -> None:
    outcome = evaluate(one_day([75, None, None, None, None, 100], advance=75 + 80 + 85 + 90 + 95 + 100), HOME)
    assert outcome.days.values[0].tolist() == [75, 80, 85, 90, 95, 100]
    assert (origins(outcome.days.quality)[0, 1:5] == Origin.E01_LINEAR).all()


def test_a_lost_day_takes_the_shape_of_its_like_days_and_the_sum_of_its_register() -> None:
    like = reference((-7, [10, 20, 30, 40, 50, 60]), (-14, [12, 20, 30, 40, 50, 60]), (-1, [0, 0, 0, 0, 0, 999]))
    outcome = evaluate(one_day([None] * 6, advance=423, reference=like), HOME)
    assert outcome.days.values.sum() == 423
    assert outcome.days.values[0].tolist() == [22, 40, 60, 80, 100, 121]
    assert [(f.rule, f.inputs.get("days")) for f in outcome.findings if f.rule[0] == "E"] == [
        ("E03", [-7, -14]),
        ("E11", None),
    ]


def test_without_history_the_register_is_spread_evenly() -> None:
    outcome = evaluate(one_day([None] * 6, advance=10), HOME)
    assert outcome.days.values[0].tolist() == [1, 2, 2, 1, 2, 2]
    assert (origins(outcome.days.quality) == Origin.E13_FLAT_REMAINDER).all()


def test_with_nothing_to_go_by_the_gap_stays_and_is_reported() -> None:
    outcome = evaluate(one_day([None] * 6), HOME)
    assert (outcome.days.quality == EMPTY).all()
    assert outcome.open.all()


def test_a_disconnected_meter_used_nothing() -> None:
    dead = np.array([[False, True, True, False, False, False]])
    outcome = evaluate(one_day([10, None, None, None, None, 10], advance=40, dead=dead), HOME)
    assert outcome.days.values[0].tolist() == [10, 0, 0, 10, 10, 10]
    assert origins(outcome.days.quality)[0, 1:3].tolist() == [Origin.E17_ZERO] * 2


def test_slots_in_which_the_channel_does_not_live_are_neither_missing_nor_estimated() -> None:
    active = np.array([[False, False, True, True, True, True]])
    outcome = evaluate(one_day([None, None, 10, 12, 11, 10], advance=43, active=active), HOME)
    assert outcome.days.quality[0].tolist() == [EMPTY, EMPTY, VALID, VALID, VALID, VALID]
    assert not outcome.findings


def test_an_actual_part_beyond_the_register_is_not_forced() -> None:
    outcome = evaluate(one_day([10, None, None, 16, 3, 2], advance=25), HOME)
    assert outcome.days.values[0].tolist() == [10, 12, 14, 16, 3, 2]
    assert "E11" not in rules_of(outcome)
    assert "V16" in rules_of(outcome)


def test_what_a_person_accepted_stays() -> None:
    facts = one_day([10, 500, 20, 15], advance=60)
    facts.days.quality[0, 1] = quality(Origin.MEASURED, Verdict.MA)
    outcome = evaluate(facts, HOME)
    assert outcome.days.values[0, 1] == 500
    assert verdicts(outcome.days.quality)[0, 1] == Verdict.MA


@pytest.mark.parametrize("advance", [286, 290, 280, 186])
def test_evaluating_twice_is_evaluating_once(advance: int) -> None:
    facts = one_day([75, None, None, 100, 10], advance=advance)
    once = evaluate(facts, HOME)
    known = {"advance": facts.advance, "advance_known": facts.advance_known}
    twice = evaluate(Facts.of(once.days, 1800, **known), HOME)
    np.testing.assert_array_equal(once.days.values, twice.days.values)
    np.testing.assert_array_equal(once.days.quality, twice.days.quality)


def test_a_negative_interval_fails_on_an_import_channel_only() -> None:
    values: list[int | None] = [10, -3, 20, 15]
    assert rules_of(evaluate(one_day(values), HOME, estimate=False)) == ["V23"]
    assert not evaluate(one_day(values, net=np.array([True])), HOME, estimate=False).findings
