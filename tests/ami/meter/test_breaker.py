"""The table of transitions of class 70, mode by mode, against the Blue Book's matrix."""

from __future__ import annotations

import itertools

import pytest

from openami.ami.meter.breaker import EVENTS, MODE_COUNT, Breaker, ControlState, Trigger

OFF, ON, READY = ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION
REMOTE_OFF = [(Trigger.REMOTE_DISCONNECT, ON, OFF), (Trigger.REMOTE_DISCONNECT, READY, OFF)]
MANUAL_OFF = [(Trigger.MANUAL_DISCONNECT, ON, READY)]
LOCAL_OFF = [(Trigger.LOCAL_DISCONNECT, ON, READY)]
TO_READY = [(Trigger.REMOTE_RECONNECT, OFF, READY)]
DIRECT = [(Trigger.REMOTE_RECONNECT, OFF, ON)]
MANUAL_ON = [(Trigger.MANUAL_RECONNECT, READY, ON)]
LOCAL_ON = [(Trigger.LOCAL_RECONNECT, READY, ON)]
FROM_READY = [(Trigger.REMOTE_RECONNECT, READY, ON)]
MODES = [
    [],
    REMOTE_OFF + MANUAL_OFF + LOCAL_OFF + TO_READY + MANUAL_ON,
    REMOTE_OFF + MANUAL_OFF + LOCAL_OFF + DIRECT + MANUAL_ON,
    REMOTE_OFF + LOCAL_OFF + TO_READY + MANUAL_ON,
    REMOTE_OFF + LOCAL_OFF + DIRECT + MANUAL_ON,
    REMOTE_OFF + MANUAL_OFF + LOCAL_OFF + TO_READY + MANUAL_ON + LOCAL_ON,
    REMOTE_OFF + LOCAL_OFF + TO_READY + MANUAL_ON + LOCAL_ON,
    REMOTE_OFF + LOCAL_OFF + DIRECT + FROM_READY + MANUAL_ON + LOCAL_ON,
]


@pytest.mark.parametrize("mode", range(MODE_COUNT))
def test_each_mode_has_its_transitions_and_no_other(mode: int):
    for state, trigger in itertools.product(ControlState, Trigger):
        wanted = [target for found, source, target in MODES[mode] if (found, source) == (trigger, state)]
        moved = Breaker(state, mode).moved(trigger)
        assert [moved.state] if moved else wanted == []
        if moved is not None:
            assert moved.mode == mode
            assert moved.closed == (moved.state is ON)


def test_every_movement_but_to_off_from_ready_has_a_code_of_its_own():
    assert len(set(EVENTS.values())) == len(EVENTS)
    assert EVENTS[Trigger.REMOTE_DISCONNECT, OFF] == 62
    assert EVENTS[Trigger.REMOTE_RECONNECT, ON] == 63
