"""Guessing passwords gets slow, for whom it should and nobody else; clocks that jump free or forget, and never lock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.shared.clock import ManualClock
from openami.web.brake import FORGET_AFTER, SOURCE, USER, USER_AT_SOURCE, Brake, Limit

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def brake(clock: ManualClock) -> Brake:
    return Brake(clock)


def fail(brake: Brake, times: int, user: str = "admin", source: str = "10.0.0.1") -> None:
    for _ in range(times):
        brake.attempt(user, source)


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(0, 0), (4, 0), (5, 1), (6, 2), (10, 32), (14, 512), (15, 900), (10**6, 900)]
)
def test_pauses_double_up_to_a_bound(failures: int, pause_s: int) -> None:
    assert USER_AT_SOURCE.pause(failures) == timedelta(seconds=pause_s)


def test_a_few_slips_cost_nothing_and_more_cost_time(brake: Brake, clock: ManualClock) -> None:
    fail(brake, 4)
    assert brake.wait_s("admin", "10.0.0.1") == 0
    fail(brake, 1)
    assert brake.wait_s("admin", "10.0.0.1") == 1
    clock.advance_to(NOON + timedelta(seconds=1))
    assert brake.wait_s("admin", "10.0.0.1") == 0
    fail(brake, 1)
    assert brake.wait_s("admin", "10.0.0.1") == 2
    clock.advance_to(NOON + timedelta(seconds=2, milliseconds=900))
    assert brake.wait_s("admin", "10.0.0.1") == 1, "a part of a second is waited for, too"


def test_others_do_not_wait(brake: Brake) -> None:
    fail(brake, 8)
    assert brake.wait_s("admin", "10.0.0.2") == 0
    assert brake.wait_s("clerk", "10.0.0.1") == 0


def test_one_source_that_tries_many_users_waits_with_all(brake: Brake) -> None:
    for number in range(SOURCE.free):
        fail(brake, 1, f"user{number}")
    assert brake.wait_s("admin", "10.0.0.1") == 1
    assert brake.wait_s("", "10.0.0.1") == 1
    assert brake.wait_s("admin", "10.0.0.2") == 0


def test_many_sources_that_try_one_user_make_it_wait_but_not_for_long(brake: Brake) -> None:
    for number in range(USER.free + 40):
        fail(brake, 1, source=f"10.0.1.{number}")
    assert brake.wait_s("admin", "10.0.0.9") == USER.most_s == 60
    assert brake.wait_s("clerk", "10.0.0.9") == 0


def test_success_forgets_the_users_failures_and_not_what_the_source_did_to_others(brake: Brake) -> None:
    fail(brake, 7)
    brake.succeeded("admin", "10.0.0.1")
    assert brake.wait_s("admin", "10.0.0.1") == 0
    for _ in range(SOURCE.free):
        fail(brake, 1, "")
        fail(brake, 1, "admin")
        brake.succeeded("admin", "10.0.0.1")
    assert brake.wait_s("admin", "10.0.0.1") > 0, "an own account frees nobody who guesses those of others"


def test_the_first_success_leaves_nothing(brake: Brake) -> None:
    fail(brake, 1)
    brake.succeeded("admin", "10.0.0.1")
    assert len(brake) == 0


def test_a_clock_that_was_set_back_locks_nobody_out(brake: Brake, clock: ManualClock) -> None:
    fail(brake, 40)
    clock._now = NOON - timedelta(days=300)
    assert brake.wait_s("admin", "10.0.0.1") == 0
    fail(brake, 1)
    assert brake.wait_s("admin", "10.0.0.1") == USER_AT_SOURCE.most_s, "what was counted counts on"


def test_a_clock_that_was_set_forward_forgets(brake: Brake, clock: ManualClock) -> None:
    fail(brake, 40)
    clock.advance_to(NOON + FORGET_AFTER + timedelta(seconds=1))
    assert brake.wait_s("admin", "10.0.0.1") == 0
    fail(brake, 1)
    assert brake.wait_s("admin", "10.0.0.1") == 0, "it begins anew"


def test_what_is_kept_is_bounded_and_the_oldest_goes_first(clock: ManualClock) -> None:
    brake = Brake(clock, kept_max=100)
    fail(brake, 8)
    for number in range(1_000):
        fail(brake, 1, "", f"10.1.0.{number}")
        assert len(brake) <= 100
        if number == 10:
            assert brake.wait_s("admin", "10.0.0.1") > 0
    assert brake.wait_s("admin", "10.0.0.1") == 0


@given(st.integers(0, 60), st.integers(1, 10_000), st.integers(0, 200))
def test_no_pause_is_beyond_its_bound_or_shorter_after_more_failures(free: int, most_s: int, failures: int) -> None:
    limit = Limit(free, most_s)
    assert timedelta(0) <= limit.pause(failures) <= limit.pause(failures + 1) <= timedelta(seconds=most_s)
