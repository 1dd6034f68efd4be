from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.headend import rules
from openami.ami.headend.model import IntervalRows
from openami.shared.contract.field.codes import QualityCode

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HALF_HOUR = 1800


def at(hours: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hours)


def rows(*hours: float) -> IntervalRows:
    ends = np.array([int(at(hour).timestamp()) for hour in hours], np.int64)
    return IntervalRows(ends, np.arange(len(hours), dtype=np.int64), np.zeros(len(hours), np.uint8))


def ends(*hours: float) -> list[int]:
    return [int(at(hour).timestamp()) for hour in hours]


def test_the_daily_reading_follows_local_midnight_through_the_change_of_clocks() -> None:
    winter = rules.next_daily("Europe/Amsterdam", 1200, datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert winter == datetime(2026, 3, 28, 23, 20, tzinfo=UTC)
    summer = rules.next_daily("Europe/Amsterdam", 1200, winter)
    assert summer == datetime(2026, 3, 29, 22, 20, tzinfo=UTC)


def test_the_daily_reading_is_strictly_later_than_the_last() -> None:
    due = datetime(2026, 3, 1, 23, 20, tzinfo=UTC)
    assert rules.next_daily("Europe/Amsterdam", 1200, due) == due + timedelta(days=1)
    assert rules.next_daily("Europe/Amsterdam", 1200, due - timedelta(seconds=1)) == due


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)), st.integers(0, 86399))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_the_next_daily_reading_is_within_a_long_day(after: datetime, offset_s: int) -> None:
    due = rules.next_daily("Europe/Amsterdam", offset_s, after)
    assert after < due <= after + timedelta(hours=25)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - as above
    st.integers(0, 3599),
    st.sampled_from([900, 3600, 14400]),
)
def test_a_reading_at_intervals_is_the_next_of_its_grid(after: datetime, offset_s: int, period_s: int) -> None:
    due = rules.next_regular("Europe/Amsterdam", offset_s, period_s, after)
    assert after < due <= after + timedelta(seconds=period_s)
    assert (int(due.timestamp()) - offset_s) % period_s == 0
    assert rules.next_regular("Europe/Amsterdam", offset_s, None, after) == rules.next_daily(
        "Europe/Amsterdam", offset_s, after
    )


@pytest.mark.parametrize(("failures", "hours"), [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (4, 4), (5, 6), (50, 6)])
def test_the_pause_doubles_up_to_six_hours(failures: int, hours: float) -> None:
    assert rules.back_off(failures) == timedelta(hours=hours)


def test_a_retry_never_comes_later_than_the_regular_reading() -> None:
    assert rules.next_attempt(at(0), at(24), 1, retry_helps=True) == at(0.5)
    assert rules.next_attempt(at(20), at(24), 9, retry_helps=True) == at(24)


def test_where_a_retry_cannot_help_only_the_regular_reading_tries() -> None:
    assert rules.next_attempt(at(0), at(24), 1, retry_helps=False) == at(24)


def test_rows_behind_the_mark_are_new_and_come_out_in_order() -> None:
    fresh = rules.new_rows(rows(2, 1, 1.5, 0.5), at(1), None)
    assert fresh.ends_s.tolist() == ends(1.5, 2)
    assert fresh.values.tolist() == [2, 0]


@given(st.lists(st.integers(0, 20), max_size=12), st.integers(-1, 21) | st.none())
def test_new_rows_are_those_behind_the_mark_sorted_and_nothing_else(slots: list[int], mark: int | None) -> None:
    have = rows(*(slot / 2 for slot in slots))
    fresh = rules.new_rows(have, None if mark is None else at(mark / 2), None)
    wanted = sorted((slot, value) for value, slot in enumerate(slots) if mark is None or slot > mark)
    assert fresh.ends_s.tolist() == ends(*(slot / 2 for slot, _ in wanted))
    assert fresh.values.tolist() == have.values[[value for _, value in wanted]].tolist()


def test_without_a_mark_the_installation_is_the_limit() -> None:
    assert rules.new_rows(rows(0.5, 1, 1.5), None, at(0.75)).ends_s.tolist() == ends(1, 1.5)
    assert rules.new_rows(rows(0.5, 1), None, None).ends_s.tolist() == ends(0.5, 1)


def test_a_hole_between_mark_and_now_is_missing() -> None:
    missing = rules.missing_ends(rows(1, 2.5), at(0.5), ends(3)[0], HALF_HOUR)
    assert missing.tolist() == ends(1.5, 2, 3)


def test_a_whole_lost_span_is_missing_although_no_row_came() -> None:
    assert rules.missing_ends(IntervalRows.none(), at(0), ends(1)[0], HALF_HOUR).tolist() == ends(0.5, 1)


def test_a_meter_misses_nothing_before_its_own_first_row() -> None:
    assert rules.missing_ends(rows(5, 6), None, ends(6)[0], HALF_HOUR).tolist() == ends(5.5)
    assert not len(rules.missing_ends(IntervalRows.none(), None, ends(6)[0], HALF_HOUR))


def test_a_mark_inside_an_interval_expects_only_whole_intervals() -> None:
    assert rules.missing_ends(IntervalRows.none(), at(0.2), ends(1)[0], HALF_HOUR).tolist() == ends(1)


def test_a_short_interval_fills_its_slot() -> None:
    assert not len(rules.missing_ends(rows(0.4), at(0), ends(0.5)[0], HALF_HOUR))


@given(st.sets(st.integers(1, 96)), st.integers(1, 96))
def test_rows_and_missing_together_cover_the_span_once(present: set[int], until: int) -> None:
    have = rows(*(slot / 2 for slot in sorted(present) if slot <= until))
    missing = rules.missing_ends(have, MIDNIGHT, ends(until / 2)[0], HALF_HOUR)
    assert sorted([*have.ends_s.tolist(), *missing.tolist()]) == ends(*(slot / 2 for slot in range(1, until + 1)))


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        (0x00, ["1.0.0"]),
        (0x08, ["1.0.0"]),
        (0x80, ["1.2.32"]),
        (0x24, ["1.5.257", "1.4.9"]),
        (0x03, ["1.1.0", "1.1.9"]),
    ],
)
def test_status_octets_become_reading_qualities(status: int, codes: list[str]) -> None:
    assert rules.status_qualities(status) == tuple(map(QualityCode.parse, codes))


def test_a_short_interval_says_so_beside_its_flags() -> None:
    assert rules.status_qualities(0x80, short=True) == (QualityCode(1, 2, 32), QualityCode(1, 4, 2))


@pytest.mark.parametrize(("drift_s", "must"), [(0, False), (-9.5, False), (10.5, True), (-3600, True)])
def test_a_clock_is_set_only_outside_the_tolerance(drift_s: float, must: bool) -> None:
    assert rules.must_set_clock(drift_s, 10) is must


def test_bundles_keep_both_bounds_and_every_meter() -> None:
    cuts = rules.bundles([10, 10, 10, 500, 1, 1, 1], meters_max=3, readings_max=25)
    assert [list(cut) for cut in cuts] == [[0, 1], [2], [3], [4, 5, 6]]
    assert rules.bundles([], meters_max=3, readings_max=25) == []


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 9), st.integers(1, 500))
def test_bundles_lose_and_repeat_no_meter(sizes: list[int], meters_max: int, readings_max: int) -> None:
    cuts = rules.bundles(sizes, meters_max=meters_max, readings_max=readings_max)
    assert [index for cut in cuts for index in cut] == list(range(len(sizes)))
    for cut in cuts:
        assert len(cut) <= meters_max
        assert len(cut) == 1 or sum(sizes[index] for index in cut) <= readings_max


def test_instants_and_unix_seconds_are_the_same_thing() -> None:
    assert rules.instant_of(rules.floor_to_s(at(1.3), HALF_HOUR)) == at(1)
