from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.shared.spans import (
    NaiveInstantError,
    Span,
    UnknownZoneError,
    days,
    intervals_of_day,
    local_date,
    local_day,
    local_month,
)

ZONE = "Europe/Amsterdam"


@pytest.mark.parametrize(
    ("day", "quarter_hours"), [(date(2026, 3, 28), 96), (date(2026, 3, 29), 92), (date(2026, 10, 25), 100)]
)
def test_a_local_day_has_as_many_quarter_hours_as_its_clock_shows(day: date, quarter_hours: int) -> None:
    assert intervals_of_day(ZONE, day, 900) == quarter_hours


def test_lord_howe_moves_its_clock_by_half_an_hour() -> None:
    assert intervals_of_day("Australia/Lord_Howe", date(2026, 4, 5), 900) == 98


def test_a_month_is_made_of_its_days() -> None:
    month = local_month(ZONE, 2026, 12)
    assert month == Span(local_day(ZONE, date(2026, 12, 1)).start, local_day(ZONE, date(2026, 12, 31)).end)


@given(st.dates(date(1990, 1, 1), date(2037, 12, 30)))
def test_days_follow_one_another_without_gap(day: date) -> None:
    following = date.fromordinal(day.toordinal() + 1)
    assert local_day(ZONE, day).end == local_day(ZONE, following).start
    assert local_date(ZONE, local_day(ZONE, day).start) == day


def test_a_span_is_half_open() -> None:
    day = local_day(ZONE, date(2026, 3, 1))
    assert day.start in day
    assert day.end not in day


def test_overlap() -> None:
    first, second = local_day(ZONE, date(2026, 3, 1)), local_day(ZONE, date(2026, 3, 2))
    assert first.overlap(second) is None
    assert Span(first.start, second.end).overlap(second) == second


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(NaiveInstantError, match="no zone"):
        Span(datetime(2026, 3, 1), datetime(2026, 3, 2, tzinfo=UTC))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "Europe", "../etc/passwd", "/etc/localtime", "a\0b", "x" * 500])
def test_an_unknown_zone_is_named(name: str) -> None:
    with pytest.raises(UnknownZoneError) as caught:
        local_day(name, date(2026, 3, 1))
    assert repr(name) in caught.value.found


@pytest.mark.parametrize(
    ("zone_name", "day", "start", "hours"),
    [
        ("Africa/Cairo", date(2023, 4, 28), datetime(2023, 4, 27, 22, tzinfo=UTC), 23),  # there was no midnight
        ("America/Havana", date(2025, 11, 2), datetime(2025, 11, 2, 4, tzinfo=UTC), 25),  # midnight came twice
        ("Australia/Lord_Howe", date(2026, 4, 5), datetime(2026, 4, 4, 13, tzinfo=UTC), 24.5),  # half an hour back
        ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC), 0),  # a day that never was
    ],
)
def test_days_begin_where_the_zone_says_even_without_a_midnight(
    zone_name: str, day: date, start: datetime, hours: float
) -> None:
    span = local_day(zone_name, day)
    assert span == Span(start, start + timedelta(hours=hours))
    assert not hours or local_date(zone_name, span.start) == day
    assert not hours or local_date(zone_name, span.end - timedelta(seconds=1)) == day


def test_days_are_half_open_too() -> None:
    assert days(date(2026, 2, 27), date(2026, 3, 2)) == [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]
