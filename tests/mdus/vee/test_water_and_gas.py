"""Water and gas in the engine: leaks and bursts are told, ratings hold for volumes too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openami.mdus.series import Channel, ChannelDays
from openami.mdus.vee.engine import evaluate
from openami.mdus.vee.model import Facts
from openami.mdus.vee.ruleset import load
from openami.shared.quality import MEASURED, Verdict, verdicts


def judged(kind: str, values: list[int], **known: Any) -> tuple[set[str], set[int]]:
    row = np.array([values])
    days = ChannelDays.of(np.array([1]), np.array([739_700]), row, np.full(row.shape, MEASURED, np.uint8))
    rules = load("default").for_class(kind)
    outcome = evaluate(Facts.of(days, 86_400 // len(values), **known), rules, estimate=False)
    return {one.rule for one in outcome.findings}, set(verdicts(outcome.days.quality)[0].tolist())


@pytest.mark.parametrize(
    ("flowing", "rule"), [pytest.param(96, "WA1", id="W83 leak"), (95, "WA2"), (50, "WA2"), (49, None)]
)
def test_water_that_runs_all_day_is_told_as_a_leak(flowing: int, rule: str | None) -> None:
    values = [3 + place % 2 if place < flowing else 0 for place in range(96)]
    fired, _ = judged("water", values)
    assert fired & {"WA1", "WA2"} == ({rule} if rule else set())
    assert not {"WA1", "WA2"} & judged("residential", values)[0]


def test_a_burst_is_told_and_kept_as_measured() -> None:
    values = [0, 3, 0] * 7 + [0, 3_200, 0]
    fired, verdict = judged("water", values, rating=np.array([3_125]))
    assert "V18" in fired
    assert Verdict.FV not in verdict
    assert "V18" not in judged("water", values, rating=np.array([3_300]))[0]


@pytest.mark.parametrize(
    ("unit", "scale", "rating", "limit"),
    [("Wh", 0, 55_200, 55_200), ("Wh", -3, 17_250, 17_250_000), ("m3", -3, 3_125, 3_125), ("m3", -6, 6_000, 6_000_000),
     ("m3", 0, 6_000, 6), ("V", -1, 230, 0), ("Wh", 0, None, 0)],
)  # fmt: skip
def test_a_rating_is_in_watt_hours_or_litres_an_hour(unit: str, scale: int, rating: int | None, limit: int) -> None:
    channel = Channel(1, "Europe/Amsterdam", 3600, unit=unit, scale=scale, rating_w=rating)
    assert channel.hourly_limit == limit
