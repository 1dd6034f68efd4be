from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.commands import rules
from openami.mdus.commands.errors import AlreadyProcessedError, NotHeldError, SamePersonError
from openami.mdus.commands.model import OPEN, Command, Kind, Limits, State
from openami.mdus.registry.ids import DeviceId

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 3, 11, 9, tzinfo=UTC)
LATER = NOW + timedelta(minutes=2)


def command(kind: Kind = Kind.DISCONNECT, **facts: object) -> Command:
    made = Command(
        id=UUID(int=1),
        request="4711",
        device=DeviceId("1"),
        kind=kind,
        reason="nonPayment",
        ordered_by="OFFICE",
        created_at=NOW,
        planned_at=NOW,
        deadline=NOW + timedelta(hours=4),
        transformer="T1",
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def sent(kind: Kind = Kind.DISCONNECT) -> Command:
    return rules.send(rules.accept(command(kind)), NOW)


def test_acceptance_by_the_ams_is_not_execution():
    taken = rules.taken(sent())
    assert taken.state is State.EXECUTING
    assert not taken.state.final
    assert rules.taken(rules.fail(sent(), "no", NOW)).state is State.FAILED


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("event_first", [True, False])
def test_event_and_breaker_together_are_the_proof(kind: Kind, event_first: bool):
    one = rules.taken(sent(kind))
    steps = [
        lambda c: rules.saw_event(c, kind.event, LATER, LATER),
        lambda c: rules.saw_position(c, closed=kind.closes, at=LATER, now=LATER, ordered=False),
    ]
    first, second = steps if event_first else reversed(steps)
    half = first(one)
    assert not half.state.final
    assert rules.needs_read_back(half) is event_first
    done = second(half)
    assert (done.state, done.finished_at) == (State.PROVEN, LATER)
    assert not rules.needs_read_back(done)


def test_the_wrong_event_and_an_old_event_prove_nothing():
    one = sent()
    assert rules.saw_event(one, "switch.connected", LATER, LATER) == one
    assert rules.saw_event(one, "switch.disconnected", NOW - timedelta(minutes=6), LATER) == one
    slow_clock = rules.saw_event(one, "switch.disconnected", NOW - timedelta(minutes=4), LATER)
    assert slow_clock.event_at == NOW - timedelta(minutes=4), "a meter's clock may be behind ours"
    assert rules.saw_event(command(), "switch.disconnected", LATER, LATER) == command(), "nothing was sent yet"


def test_a_breaker_that_contradicts_fails_the_command_only_if_we_asked():
    told = rules.saw_event(sent(), "switch.disconnected", LATER, LATER)
    assert rules.saw_position(told, closed=True, at=LATER, now=LATER, ordered=False) == told
    contradicted = rules.saw_position(told, closed=True, at=LATER, now=LATER, ordered=True)
    assert (contradicted.state, contradicted.note) == (State.FAILED, "The breaker reads closed after the disconnect.")
    before = rules.saw_position(sent(), closed=True, at=LATER, now=LATER, ordered=True)
    assert before.state is State.SENT


def test_a_switch_that_did_not_move_fails_the_command():
    failed = rules.saw_event(sent(), "switch.failed", LATER, LATER)
    assert (failed.state, failed.finished_at) == (State.FAILED, LATER)


def test_without_proof_a_command_expires_and_says_what_was_missing():
    one = sent()
    assert rules.expire(one, one.deadline - timedelta(seconds=1)) == one
    assert rules.expire(one, one.deadline).note == "No proof until the deadline: no switch event."
    told = rules.saw_event(one, "switch.disconnected", LATER, LATER)
    assert rules.expire(told, one.deadline).note == "No proof until the deadline: the breaker was not read back."
    assert rules.expire(rules.fail(one, "no", NOW), one.deadline).state is State.FAILED


def test_disconnects_above_a_limit_are_held_and_reconnects_never():
    limits = Limits(per_hour=3, per_transformer=2)
    assert rules.hold_reason(command(), 2, 1, limits) is None
    assert rules.hold_reason(command(), 3, 0, limits) == "3 disconnects within 60 minutes; the limit is 3."
    behind = rules.hold_reason(command(), 2, 2, limits)
    assert behind == "2 disconnects behind transformer T1 within 60 minutes; the limit is 2."
    assert rules.hold_reason(command(transformer=""), 2, 2, limits) is None
    assert rules.hold_reason(command(Kind.CONNECT), 9, 9, limits) is None


def test_a_held_command_goes_when_a_second_person_says_so():
    held = rules.hold(rules.accept(command()), "too many")
    assert held.state is State.HELD
    for person in ("", "  ", "office", "OFFICE "):
        with pytest.raises(SamePersonError, match="cannot release an order of OFFICE"):
            rules.release(held, person)
    released = rules.release(held, " Ada ")
    assert (released.state, released.released_by) == (State.ACCEPTED, "Ada")
    assert rules.hold_reason(released, 99, 99, Limits()) is None, "once released it is not held again"
    with pytest.raises(NotHeldError, match="is accepted, not held"):
        rules.release(released, "Ada")


@pytest.mark.parametrize("state", list(State))
def test_only_what_has_not_left_can_be_cancelled(state: State):
    one = command(state=state)
    if state in {State.RECEIVED, State.ACCEPTED, State.HELD, State.CANCELLED}:
        assert rules.cancel(one, NOW).state is State.CANCELLED
    else:
        with pytest.raises(AlreadyProcessedError, match=state.value):
            rules.cancel(one, NOW)


STEPS: dict[str, Callable[[Command], Command]] = {
    "event": lambda c: rules.saw_event(c, "switch.disconnected", LATER, LATER),
    "failed": lambda c: rules.saw_event(c, "switch.failed", LATER, LATER),
    "closed": lambda c: rules.saw_position(c, closed=True, at=LATER, now=LATER, ordered=True),
    "open": lambda c: rules.saw_position(c, closed=False, at=LATER, now=LATER, ordered=False),
    "read open": lambda c: rules.saw_position(c, closed=False, at=LATER, now=LATER, ordered=True),
    "taken": rules.taken,
    "refused": lambda c: rules.fail(c, "no", LATER),
    "expire": lambda c: rules.expire(c, c.deadline),
}


@given(st.lists(st.sampled_from(sorted(STEPS))))
def test_a_final_command_never_moves_again(steps: list[str]):
    one = sent()
    for step in steps:
        before = one
        one = STEPS[step](one)
        if before.state.final:
            assert one == before
        assert (one.state is State.PROVEN) == (one.state.final and one.has_proof and one.note.startswith("Switch"))
    assert one.state.final or one.state in OPEN
