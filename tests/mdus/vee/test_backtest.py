from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from openami.ami.meter.recordings import library
from openami.mdus.series import ChannelDays
from openami.mdus.vee.backtest import METHODS, Score, backtest, not_measured, table
from openami.mdus.vee.reference_data import TEMPERATURE, Given
from openami.mdus.vee.ruleset import load
from openami.shared.quality import VALID


@pytest.fixture(scope="module")
def scores() -> list[Score]:
    """Half-hourly homes of the shipped recordings."""
    homes = [one.values for one in library().values() if one.medium == "electricity" and one.slot_s == 1800]
    weeks = min(len(values) // 336 for values in homes)
    days = 7 * weeks
    values = np.concatenate([values[: days * 48].reshape(days, 48) for values in homes])
    first = date(2026, 1, 5).toordinal()
    batch = ChannelDays.of(
        np.repeat(np.arange(len(homes)), days),
        np.tile(np.arange(first, first + days), len(homes)),
        values,
        np.full(values.shape, VALID, np.uint8),
    )
    return backtest(batch, 1800, load("default").for_class("residential"))


def error(scores: list[Score], method: str, gap_s: int, *, scaled: bool = False) -> float:
    (one,) = (score for score in scores if (score.method, score.gap_s) == (method, gap_s))
    assert one.filled
    return one.scaled_error_share if scaled else one.error_share


def test_the_default_order_is_that_of_the_least_error(scores: list[Score]) -> None:
    """A line is best up to its two hours; beyond, like days, which beat the two-week table and a flat line."""
    for gap_s in (1800, 7200):
        assert error(scores, "E01", gap_s) < error(scores, "E03", gap_s)
    for gap_s in (43_200, 86_400):
        assert error(scores, "E03", gap_s) < error(scores, "E01", gap_s)
        assert error(scores, "E03", gap_s, scaled=True) < error(scores, "E13", gap_s)
    for gap_s in (1800, 7200, 21_600, 43_200, 86_400):
        assert error(scores, "E03", gap_s) < error(scores, "E04", gap_s)


def test_scaling_to_the_register_takes_the_bias_out(scores: list[Score]) -> None:
    for gap_s in (43_200, 86_400):
        assert error(scores, "E03", gap_s, scaled=True) < error(scores, "E03", gap_s)
    assert all(abs(one.bias) < 1e-9 for one in scores if one.method == "E13")


def test_like_days_of_a_home_beat_the_profile_of_its_class_and_that_a_flat_day(scores: list[Score]) -> None:
    for gap_s in (43_200, 86_400):
        assert error(scores, "E03", gap_s, scaled=True) < error(scores, "E07", gap_s, scaled=True)
    for gap_s in (1800, 7200, 21_600, 43_200, 86_400):
        assert error(scores, "E03", gap_s) < error(scores, "E07", gap_s) < error(scores, "E08", gap_s)


def test_a_home_alone_has_no_profile_of_others() -> None:
    values = np.arange(70 * 48).reshape(70, 48) % 7
    first = date(2026, 1, 5).toordinal()
    alone = ChannelDays.of(np.ones(70, np.int64), np.arange(first, first + 70), values, np.full(values.shape, VALID))
    found = backtest(alone, 1800, load("default").for_class("residential"), gaps_s=(7200,))
    assert {one.method: one.filled for one in found}["E07"] == 0
    assert "| E07 | - |" in table(found)


def test_e06_is_measured_where_temperatures_are_known_and_best_where_use_follows_them() -> None:
    """A home that heats, in a winter of warm and cold days without a pattern of weeks."""
    random = np.random.default_rng(3)
    cold = random.integers(0, 12, 90)
    values = np.array([100 + 10 * np.arange(48)]) + 200 * cold[:, None]
    first = date(2026, 1, 5).toordinal()
    day = np.arange(first, first + 90)
    heated = ChannelDays.of(np.ones(90, np.int64), day, values, np.full(values.shape, VALID))
    weather = [
        Given(TEMPERATURE, "", one, (293_150 - 1000 * degrees,))
        for one, degrees in zip(day.tolist(), cold.tolist(), strict=True)
    ]
    rules = load("default").for_class("gas")
    found = backtest(heated, 1800, rules, gaps_s=(86_400,), weather=weather)
    assert error(found, "E06", 86_400) < error(found, "E03", 86_400) / 2
    assert not_measured(found) == ""
    without = backtest(heated, 1800, rules, gaps_s=(86_400,))
    assert "E06" not in {one.method for one in without}
    assert "no temperatures" in not_measured(without)


def test_the_order_of_the_methods_is_that_of_the_default_chain() -> None:
    chain = load("default").for_class("residential").chain
    assert [one for one in chain if one in METHODS] == [*METHODS]


def test_the_table_has_a_line_for_each_method(scores: list[Score]) -> None:
    lines = table(scores).splitlines()
    assert lines[0] == "| method | 0.5 h | 2 h | 6 h | 12 h | 24 h |"
    assert [line.split()[1] for line in lines[2:]] == [one for one in METHODS if one != "E06"]
    assert lines[6].endswith("| - |")  # E05 refuses a day that is all missing
