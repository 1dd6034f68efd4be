"""Which reading answers an order, and when it is looked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from openami.mdus.registry.ids import DeviceId, TaskId
from openami.mdus.services.codes import Pick
from openami.mdus.services.order_model import OrderPolicy, OrderState, ReadingOrder
from openami.mdus.services.order_rules import CLOCK_LAG, Answer, Ask, Candidate, Fail, Wait, decide, search_span

DAY = date(2026, 3, 3)
ASKED = datetime(2026, 3, 3, 14, 15, 28, 369359, tzinfo=UTC)
POLICY = OrderPolicy()


def order(*, on_demand: bool = True, asked_at: datetime | None = ASKED, attempts: int = 1) -> ReadingOrder:
    return ReadingOrder(
        document="1",
        reason="10",
        pick=Pick.END_OF_DAY,
        scheduled_on=DAY,
        on_demand=on_demand,
        task=TaskId("42"),
        device=DeviceId("4711"),
        obis="1-0:1.8.0",
        point="",
        channel=1,
        zone="Europe/Amsterdam",
        received_at=ASKED - timedelta(minutes=1),
        look_at=ASKED,
        state=OrderState.COLLECTING,
        attempts=attempts,
        asked_at=asked_at,
    )


@pytest.mark.parametrize(
    ("lag", "answers"),
    [
        (timedelta(), True),
        (timedelta(microseconds=369359), True),  # the meter tells whole seconds
        (CLOCK_LAG, True),
        (CLOCK_LAG + timedelta(microseconds=1), False),
        (-timedelta(hours=1), True),
    ],
)
def test_a_reading_on_demand_may_seem_a_little_older_than_the_question(lag: timedelta, answers: bool) -> None:
    """What the rule accepts has to lie where readings are looked for."""
    reading = Candidate(ASKED - lag, 42_000, estimated=False)
    span = search_span(order(), POLICY)
    assert (span.start <= reading.at < span.end) == answers
    decision = decide(order(), [reading], ASKED + timedelta(hours=2), POLICY)
    assert (decision == Answer(reading)) == answers


def test_a_reading_on_demand_is_asked_for_a_few_times() -> None:
    assert decide(order(asked_at=None, attempts=0), [], ASKED, POLICY) == Ask(ASKED + POLICY.retry)
    assert decide(order(), [], ASKED + timedelta(hours=1), POLICY) == Wait(ASKED + POLICY.retry)
    assert decide(order(attempts=2), [], ASKED + POLICY.retry, POLICY) == Ask(ASKED + 2 * POLICY.retry)
    assert isinstance(decide(order(attempts=3), [], ASKED + POLICY.retry, POLICY), Fail)
    known = Candidate(ASKED - timedelta(hours=3), 1, estimated=False)
    assert isinstance(decide(order(attempts=3), [known], ASKED + POLICY.retry, POLICY), Fail), "it is no reading of now"


def test_a_periodic_order_takes_the_end_of_its_day_or_what_comes_closest() -> None:
    end = datetime(2026, 3, 3, 23, tzinfo=UTC)
    periodic = order(on_demand=False, asked_at=None, attempts=0)
    exact, later = Candidate(end, 7, estimated=False), Candidate(end + timedelta(hours=30), 9, estimated=False)
    assert decide(periodic, [exact], end - timedelta(seconds=1), POLICY) == Wait(end)
    assert decide(periodic, [exact, later], end, POLICY) == Answer(exact)
    assert decide(periodic, [later], end, POLICY) == Wait(end + POLICY.patience)
    asked = order(on_demand=False, asked_at=end + POLICY.patience)
    assert decide(asked, [later], end + timedelta(hours=40), POLICY) == Answer(later)
    span = search_span(periodic, POLICY)
    assert span.start == datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert span.end == end + POLICY.tolerance + timedelta(seconds=1)
