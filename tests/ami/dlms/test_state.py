"""The state table itself: complete, without dead ends, and the same for both sides."""

from __future__ import annotations

import pytest

from openami.ami.dlms.state import AWAITING_SERVER, FROM_CLIENT, PLAIN, Sent, State, given_up, step, transitions


def test_every_state_is_reached_from_idle() -> None:
    reached, grown = {State.IDLE}, True
    while grown:
        more = {target for state, _, target in transitions() if state in reached} - reached
        reached, grown = reached | more, bool(more)
    assert reached == set(State)


def test_from_every_state_the_association_can_end() -> None:
    ending, grown = {State.IDLE}, True
    while grown:
        more = {state for state, _, target in transitions() if target in ending} - ending
        ending, grown = ending | more, bool(more)
    assert ending == set(State)


def test_the_two_sides_take_turns() -> None:
    for state, message, _ in transitions():
        if message is Sent.EXCEPTION:
            continue
        assert (message in FROM_CLIENT) != (state in AWAITING_SERVER), (state, message)


def test_every_message_moves_something() -> None:
    assert {message for _, message, _ in transitions()} | {Sent.UNSOLICITED, Sent.RECEIPT, Sent.LOST} == set(Sent)


@pytest.mark.parametrize("state", State)
def test_pushes_pass_and_a_lost_association_is_lost_in_every_state(state: State) -> None:
    assert step(state, Sent.UNSOLICITED) is state
    assert step(state, Sent.RECEIPT) is state
    assert step(state, Sent.LOST) is State.IDLE


def test_only_opening_closing_and_exceptions_may_travel_unprotected() -> None:
    opening = {Sent.AARQ, Sent.AARE_OPEN, Sent.AARE_HIGH, Sent.AARE_REFUSED}
    assert opening | {Sent.RLRQ, Sent.RLRE, Sent.EXCEPTION, Sent.LOST} == PLAIN


def test_giving_up_keeps_an_open_association_and_no_other() -> None:
    kept = {state for state in State if given_up(state) is State.READY}
    assert kept == set(State) - {State.IDLE, State.ASSOCIATING, State.PROVING, State.PROVEN, State.RELEASING}


def test_a_secret_must_be_proven_before_anything_is_asked() -> None:
    assert step(State.PROVING, Sent.GET) is None
    assert step(State.PROVING, Sent.PROOF) is State.PROVEN
    assert step(State.PROVEN, Sent.PROOF_ANSWER) is State.READY
    assert step(State.PROVEN, Sent.PROOF_REFUSED) is State.IDLE
