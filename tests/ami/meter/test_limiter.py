"""The limiter against a person with a watch: second by second over the slots of a real home."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.queries import act, read, write
from openami.ami.meter.breaker import ControlState, Trigger
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.recordings import Flow
from openami.ami.meter.street import build_street
from openami.ami.meter.times import seconds_of

STREET = build_street(10, 1)
SERIALS = [device.serial for device in STREET.devices if device.home and not device.mbus_address]
GENESIS_S = seconds_of(GENESIS)
DAYS = 3
END_S = GENESIS_S + DAYS * 86400


def new_fleet() -> Fleet:
    fleet = Fleet(STREET, ZONE, GENESIS_S)
    fleet.begin()
    return fleet


def watched(fleet: Fleet, serial: str, threshold_w: int, over_s: int, set_s: int) -> int | None:
    """Count seconds above the threshold, one slot after the other."""
    meter = fleet.meters[serial]
    connection = fleet.connections[meter.device.kind][meter.home or ""]
    load, slot_s = connection.rows[Flow.IMPORT], meter.history.slot_s if meter.history else 0
    begun_s: int | None = None
    over_s = max(over_s, 1)
    for start_s in range(GENESIS_S, END_S, slot_s):
        used = connection.loads.between(load, start_s, start_s + slot_s)
        if used * 3600 // slot_s <= threshold_w:
            begun_s = None
            continue
        if start_s + slot_s <= set_s:
            continue
        begun_s = max(start_s, set_s) if begun_s is None else begun_s
        if start_s <= begun_s + over_s < start_s + slot_s:
            return begun_s + over_s
    return None


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(SERIALS),
    st.integers(200, 3000),
    st.integers(0, 3 * 3600),
    st.integers(0, 86400),
    st.lists(st.integers(1, DAYS * 86400 - 1), max_size=8),
)
def test_it_trips_when_the_watch_says_so(
    serial: str, threshold_w: int, over_s: int, set_after_s: int, stops: list[int]
):
    fleet = new_fleet()
    expected = watched(fleet, serial, threshold_w, over_s, GENESIS_S + set_after_s)
    fleet.live_through(GENESIS_S + set_after_s)
    meter = fleet.meters[serial]
    meter.set_limit(fleet.lived_s, threshold_w, over_s)
    for stop in sorted(GENESIS_S + each for each in stops if each > set_after_s):
        fleet.live_through(stop)
    fleet.live_through(END_S)
    exceeded = [event.at_s for event in meter.events if event.code == 65]
    if expected is None or expected > END_S:
        assert exceeded == []
        return
    assert exceeded == [expected]
    assert [event.at_s for event in meter.events if event.code == 64] == [expected]
    assert meter.breaker.state is ControlState.READY_FOR_RECONNECTION
    assert meter.register_at(END_S) == meter.register_at(expected)


def test_a_head_end_sets_it_and_brings_the_home_back():
    fleet = new_fleet()
    serial = SERIALS[0]
    reader = Reader(fleet, serial).open()
    reader.ask(write("0-0:17.0.0", 71, 6, d.unsigned32(600)))
    reader.ask(write("0-0:17.0.0", 71, 4, d.unsigned32(300)))
    assert reader.ask(read("0-0:17.0.0", 71, 3)).integer() == 300
    assert reader.ask(read("0-0:17.0.0", 71, 6)).integer() == 600
    fleet.live_through(END_S)
    meter = fleet.meters[serial]
    assert meter.breaker.state is ControlState.READY_FOR_RECONNECTION
    assert [event.code for event in meter.events] == [67, 67, 65, 64]
    reader.ask(write("0-0:17.0.0", 71, 4, d.unsigned32(0)))
    reader.ask(act("0-0:96.3.10", 70, 1))
    reader.ask(act("0-0:96.3.10", 70, 2))
    fleet.live_through(END_S + 86400)
    assert meter.breaker.closed
    assert meter.register_at(fleet.lived_s) > meter.register_at(END_S)


def test_a_breaker_that_is_always_closed_is_only_told_once_a_run():
    fleet = new_fleet()
    meter = fleet.meters[SERIALS[0]]
    meter.set_mode(GENESIS_S, 0)
    meter.set_limit(GENESIS_S, 300, 0)
    for hours in range(1, 49):
        fleet.live_through(GENESIS_S + hours * 3600)
    exceeded = [event.at_s for event in meter.events if event.code == 65]
    assert meter.breaker.closed
    assert len(exceeded) == len(set(exceeded))
    assert 0 < len(exceeded) < 49


def test_a_disconnected_home_exceeds_nothing():
    fleet = new_fleet()
    meter = fleet.meters[SERIALS[0]]
    meter.set_limit(GENESIS_S, 1, 0)
    meter.trigger(GENESIS_S, Trigger.REMOTE_DISCONNECT)
    fleet.live_through(END_S)
    assert 65 not in [event.code for event in meter.events]
