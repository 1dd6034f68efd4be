from __future__ import annotations

from datetime import date
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.series import Calendar, ChannelDays, ChannelSpan
from openami.mdus.series.determinants import (
    ALL_DAYS,
    WEEKDAYS,
    Gate,
    Window,
    bucket_slots,
    bucket_totals,
    coincident_demand,
    combine,
    refusals,
    rolling_demand,
    taken_and_fed,
    tiers,
)
from openami.mdus.series.model import ShapeError
from openami.shared.quality import EMPTY, VALID, Origin, Verdict, origins, quality, verdicts

if TYPE_CHECKING:
    from decimal import Decimal

CALENDAR = Calendar("Europe/Amsterdam", 1800)
HOUR = 3600
ESTIMATED = quality(Origin.E03_LIKE_DAY_AVERAGE, Verdict.PV)
WARNED = quality(Origin.MEASURED, Verdict.WV)
HIGH = Window(1, WEEKDAYS, 7 * HOUR, 23 * HOUR)


def span(values: list[int | None], packed: list[int] | None = None, start_s: int = 0) -> ChannelSpan:
    n = len(values)
    bytes_ = np.array([EMPTY if value is None else VALID for value in values] if packed is None else packed, np.uint8)
    starts = start_s + 900 * np.arange(n)
    return ChannelSpan(1, 900, starts, np.array([value or 0 for value in values]), bytes_, np.zeros(n, np.uint8))


def ones(day: date) -> ChannelDays:
    n = CALENDAR.count(day.toordinal())
    shape = (1, n)
    return ChannelDays.of(
        np.array([1]), np.array([day.toordinal()]), np.ones(shape, np.int64), np.full(shape, VALID, np.uint8)
    )


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 3, 27), [16, 32]),  # Friday
        (date(2026, 3, 28), [48, 0]),  # Saturday
        (date(2026, 3, 29), [46, 0]),  # Sunday of 23 hours
        (date(2026, 10, 25), [50, 0]),
    ],
)
def test_time_of_use_goes_by_local_time(day: date, expected: list[int]) -> None:
    days = ones(day)
    buckets = bucket_slots(CALENDAR, days.day, days.count, [HIGH])
    assert bucket_totals(days, buckets, 2).tolist() == [expected]


def test_the_hour_of_the_clock_change_is_short_or_long_in_its_bucket() -> None:
    night = Window(1, ALL_DAYS, 0, 6 * HOUR)
    found = []
    for day in (date(2026, 3, 29), date(2026, 3, 30), date(2026, 10, 25)):
        days = ones(day)
        found.append(bucket_totals(days, bucket_slots(CALENDAR, days.day, days.count, [night]), 2)[0, 1])
    assert found == [10, 12, 14]


@pytest.mark.parametrize(
    ("total", "expected"),
    [(0, [0, 0, 0]), (90, [90, 0, 0]), (100, [100, 0, 0]), (130, [100, 30, 0]), (900, [100, 200, 600])],
)
def test_tiers_cut_a_total(total: int, expected: list[int]) -> None:
    assert tiers(total, [100, 300]) == expected
    assert sum(tiers(total, [100, 300])) == total


def test_without_bounds_there_is_one_tier() -> None:
    assert tiers(42, []) == [42]


def test_rolling_demand_is_the_first_highest_run() -> None:
    found = rolling_demand(span([1, 5, 6, 1, 6, 5, 1]), 1800)
    assert found is not None
    assert (found.energy, found.start_s) == (11, 900)


def test_a_gap_takes_part_in_no_demand() -> None:
    found = rolling_demand(span([1, None, 9, None, 2, 3]), 1800)
    assert found is not None
    assert found.energy == 5
    assert rolling_demand(span([1, None, 9, None]), 1800) is None
    assert rolling_demand(span([1]), 1800) is None


def test_a_window_that_is_no_multiple_is_refused() -> None:
    with pytest.raises(ShapeError, match="1000 s"):
        rolling_demand(span([1, 2]), 1000)


def test_coincident_demand_is_each_ones_part_in_the_common_peak() -> None:
    assert coincident_demand([span([9, 1, 2]), span([1, 8, 9])]) == (1800, [2, 9])


def test_a_virtual_channel_is_net_and_as_good_as_its_worst_part() -> None:
    taken = span([10, 10, 10, None, 10], [VALID, WARNED, VALID, EMPTY, quality(Origin.EDITED, Verdict.MA)])
    fed = span([4, 4, 15, 1, 0], [VALID, VALID, ESTIMATED, VALID, VALID])
    net = combine([(1, taken), (-1, fed)], channel=77)
    assert (net.channel, net.values.tolist()) == (77, [6, 6, -5, 0, 10])
    assert verdicts(net.quality)[[0, 1, 2, 4]].tolist() == [Verdict.PV, Verdict.WV, Verdict.PV, Verdict.PV]
    assert origins(net.quality).tolist() == [
        Origin.DERIVED, Origin.DERIVED, Origin.E03_LIKE_DAY_AVERAGE, Origin.EMPTY, Origin.DERIVED,
    ]  # fmt: skip
    assert taken_and_fed(net) == (22, 5)


@given(st.lists(st.tuples(st.decimals(-1000, 1000, places=9), st.integers(-(10**9), 10**9)), min_size=1, max_size=6))
def test_multiples_are_exact_and_rounded_once(members: list[tuple[Decimal, int]]) -> None:
    """Also where numerators times values are beyond 64 bits."""
    made = combine([(Fraction(factor), span([value])) for factor, value in members])
    exact = sum((Fraction(factor) * value for factor, value in members), Fraction(0))
    assert made.values.tolist() == [floor(exact + Fraction(1, 2))]


def test_spans_that_do_not_match_are_not_added() -> None:
    with pytest.raises(ShapeError):
        combine([(1, span([1, 2])), (1, span([1, 2], start_s=900))])


def test_the_gate_says_why_a_span_waits() -> None:
    failed, unjudged = quality(Origin.MEASURED, Verdict.FV), quality(Origin.MEASURED)
    waiting = span([1, None, 3, 4], [failed, EMPTY, ESTIMATED, unjudged])
    assert refusals(waiting, Gate(max_estimated_share=0.1)) == [
        "1 of 4 intervals have no value, 0 may.",
        "1 of 4 intervals failed validation, 0 may.",
        "1 of 4 intervals are not validated, 0 may.",
        "1 of 4 intervals are estimated, 0 may.",
    ]
    assert refusals(span([1, 2, 3, 4]), Gate(max_estimated_share=0.1)) == []
