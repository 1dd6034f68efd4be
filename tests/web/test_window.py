"""Which days a curve shows, and which come before and after."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.web.window import View, Window, window_of

ZONE = "Europe/Amsterdam"


@pytest.mark.parametrize(
    ("view", "first", "past_last", "earlier", "later"),
    [
        (View.DAY, "2026-03-29", "2026-03-30", "2026-03-28", "2026-03-30"),
        (View.WEEK, "2026-03-23", "2026-03-30", "2026-03-22", "2026-04-05"),
        (View.MONTH, "2026-03-01", "2026-04-01", "2026-02-28", "2026-04-01"),
    ],
)
def test_a_window_holds_whole_local_days(view: View, first: str, past_last: str, earlier: str, later: str) -> None:
    window = Window(view, date(2026, 3, 29), ZONE)
    shown = window.as_json()
    assert (window.first.isoformat(), window.past_last.isoformat()) == (first, past_last)
    assert (shown["earlier"], shown["later"]) == (earlier, later)
    assert window_of(shown) == window


def test_the_short_day_has_23_hours() -> None:
    assert Window(View.DAY, date(2026, 3, 29), ZONE).span.duration_s == 23 * 3600


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.sampled_from(View))
def test_windows_follow_one_another_without_gap_or_overlap(day: date, view: View) -> None:
    window = Window(view, day, ZONE)
    shown = window.as_json()
    later = Window(view, date.fromisoformat(shown["later"]), ZONE)
    earlier = Window(view, date.fromisoformat(shown["earlier"]), ZONE)
    assert later.first == window.past_last
    assert earlier.past_last == window.first
    assert window.first <= day < window.past_last
    assert timedelta(days=1) <= window.past_last - window.first <= timedelta(days=31)
