"""Each control mode of the breaker as a head-end meets it: written, ordered and read over DLMS (Blue Book 4.5.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openami.ami.dlms import data as d
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError
from openami.ami.dlms.queries import act, read, write
from openami.ami.meter.breaker import ControlState, Trigger

if TYPE_CHECKING:
    from tests.ami.meter.conftest import Reader

    from openami.ami.meter.fleet import Fleet

SERIAL, BREAKER = "OAE0000001", "0-0:96.3.10"
OFF, ON, READY = ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION
MANUAL_OFF, MANUAL_ON = Trigger.MANUAL_DISCONNECT, Trigger.MANUAL_RECONNECT
LOCAL_OFF, LOCAL_ON = Trigger.LOCAL_DISCONNECT, Trigger.LOCAL_RECONNECT

# of each mode: after a remote disconnect and reconnect, and what button and limiter may do from the closed state
MODES = {
    0: (ON, ON, False, False),
    1: (OFF, READY, True, True),
    2: (OFF, ON, True, True),
    3: (OFF, READY, False, True),
    4: (OFF, ON, False, True),
    5: (OFF, READY, True, True),
    6: (OFF, READY, False, True),
}


def state(reader: Reader) -> ControlState:
    found = ControlState(reader.ask(read(BREAKER, 70, 3)).integer())
    assert reader.ask(read(BREAKER, 70, 2)).boolean() == (found is ON)
    return found


def order(reader: Reader, method: int) -> bool:
    try:
        reader.ask(act(BREAKER, 70, method))
    except ActionRefusedError:
        return False
    return True


@pytest.mark.parametrize("mode", MODES)
def test_what_a_mode_allows_from_afar_and_on_the_spot(fleet: Fleet, reader: Reader, mode: int):
    meter = fleet.meters[SERIAL]
    after_off, after_on, button, limiter = MODES[mode]
    reader.ask(write(BREAKER, 70, 4, d.enum(mode)))
    assert reader.ask(read(BREAKER, 70, 4)).integer() == mode
    assert order(reader, 1) == (mode != 0)
    assert state(reader) is after_off
    assert order(reader, 2) == (mode != 0)
    assert state(reader) is after_on
    if after_on is READY:
        assert meter.trigger(fleet.lived_s, MANUAL_ON)
    assert state(reader) is ON
    assert meter.trigger(fleet.lived_s, MANUAL_OFF) == button
    if button:
        assert state(reader) is READY
        assert meter.trigger(fleet.lived_s, MANUAL_ON)
    assert meter.trigger(fleet.lived_s, LOCAL_OFF) == limiter
    assert meter.trigger(fleet.lived_s, LOCAL_ON) == (mode in {5, 6})
    assert state(reader) is (ON if mode in {0, 5, 6} else READY)


def test_an_energy_counter_stands_still_exactly_while_it_is_open(fleet: Fleet, reader: Reader):
    reader.ask(write(BREAKER, 70, 4, d.enum(2)))
    shown = []
    for method in (1, 2, None):
        fleet.live_through(fleet.lived_s + 6 * 3600)
        shown.append(reader.ask(read("1-0:1.8.0", 3)).integer())
        if method:
            assert order(reader, method)
    assert shown[0] == shown[1] < shown[2]


def test_a_mode_that_there_is_not_is_refused(reader: Reader):
    with pytest.raises(AccessDeniedError):
        reader.ask(write(BREAKER, 70, 4, d.enum(8)))
