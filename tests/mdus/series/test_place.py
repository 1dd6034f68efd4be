from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.mdus.series import Calendar, ChannelDays, place
from openami.mdus.series.calendar import UnevenDayError
from openami.mdus.series.model import ShapeError
from openami.shared.quality import EMPTY, MEASURED
from openami.shared.spans import Span

AMSTERDAM = Calendar("Europe/Amsterdam", 900)
GAS = Calendar("Europe/Amsterdam", 3600, 21600)
LORD_HOWE = Calendar("Australia/Lord_Howe", 1800)


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from([AMSTERDAM, GAS, LORD_HOWE, Calendar("America/Los_Angeles", 300)]),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 20_000)), max_size=60, unique=True),
    st.integers(0, 2**32),
)
def test_every_reading_lands_in_its_slot_whatever_the_order(
    calendar: Calendar, readings: list[tuple[int, int]], seed: int
) -> None:
    begin = calendar.start_s(date(2026, 3, 20).toordinal())
    channel = np.array([one for one, _ in readings], np.int64)
    start_s = np.array([begin + number * calendar.interval_s for _, number in readings], np.int64)
    values = np.random.default_rng(seed).integers(1, 2**40, size=len(readings))
    placed = place(calendar, channel, start_s, values, np.full(len(readings), MEASURED, np.uint8))
    found = {}
    for group in placed:
        begins = calendar.starts_s(group.day)
        for row, slot in np.argwhere(group.quality == MEASURED):
            at = int(begins[row] + slot * calendar.interval_s)
            found[int(group.channel[row]), at] = int(group.values[row, slot])
    wanted = zip(channel.tolist(), start_s.tolist(), strict=True)
    assert found == dict(zip(wanted, values.tolist(), strict=True))
    assert not len(placed.off_grid)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([AMSTERDAM, GAS, LORD_HOWE]), st.integers(1_700_000_000, 1_900_000_000))
def test_an_instant_lies_in_the_day_that_is_told(calendar: Calendar, instant_s: int) -> None:
    day = calendar.day_of(instant_s)
    assert calendar.start_s(day) <= instant_s < calendar.start_s(day + 1)
    days, slots, fits = calendar.slots(np.array([instant_s]))
    assert days.tolist() == [day]
    assert 0 <= slots[0] < calendar.count(day)
    assert bool(fits[0]) == ((instant_s - calendar.start_s(day)) % calendar.interval_s == 0)


def test_repeats_are_dropped_and_contradictions_reported_by_position() -> None:
    start_s = AMSTERDAM.start_s(date(2026, 3, 20).toordinal())
    placed = place(
        AMSTERDAM,
        np.array([1, 1, 1, 1, 1]),
        np.array([start_s, start_s, start_s + 900, start_s + 900, start_s + 1]),
        np.array([5, 5, 7, 8, 9]),
        np.full(5, MEASURED, np.uint8),
    )
    (group,) = placed.groups
    assert group.values[0, :2].tolist() == [5, 8]
    assert group.quality[0, 2] == EMPTY
    assert (placed.repeated.tolist(), placed.contradicting.tolist(), placed.off_grid.tolist()) == ([0], [2], [4])


def test_channels_of_different_calendars_come_in_one_delivery() -> None:
    day = date(2026, 3, 29).toordinal()
    placed = place(
        {1: AMSTERDAM, 2: GAS},
        np.array([1, 2]),
        np.array([AMSTERDAM.start_s(day), GAS.start_s(day)]),
        np.array([1, 2]),
        np.full(2, MEASURED, np.uint8),
    )
    assert sorted((group.count, group.keys()) for group in placed) == [
        (24, [(2, date(2026, 3, 29))]),
        (92, [(1, date(2026, 3, 29))]),
    ]


def test_a_span_touches_its_local_days() -> None:
    span = Span(datetime(2026, 3, 28, 22, 59, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))
    assert [date.fromordinal(day).day for day in AMSTERDAM.days_of(span)] == [28, 29]
    assert list(AMSTERDAM.days_of(Span(span.start, span.start))) == []


def test_an_interval_that_does_not_divide_the_day_is_refused() -> None:
    with pytest.raises(UnevenDayError, match="not a whole number of 7200 s"):
        Calendar("Europe/Amsterdam", 7200).count(date(2026, 3, 29).toordinal())


def test_matrices_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ShapeError):
        ChannelDays.of(np.array([1]), np.array([1]), np.zeros((2, 4), np.int64), np.zeros((2, 4), np.uint8))


def test_an_interval_of_a_day_is_the_local_day() -> None:
    calendar = Calendar("Europe/Amsterdam", 86_400)
    days = np.arange(date(2026, 3, 27).toordinal(), date(2026, 3, 31).toordinal())
    assert {calendar.count(day) for day in days.tolist()} == {1}
    starts = calendar.starts_s(days)
    assert np.diff(starts).tolist() == [86_400, 86_400, 82_800]
    day, slot, on_grid = calendar.slots(np.append(starts, starts[0] + 3600))
    assert (day[:4].tolist(), slot.tolist(), on_grid.tolist()) == (days.tolist(), [0] * 5, [True] * 4 + [False])
