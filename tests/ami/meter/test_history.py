"""Registers and rows against a meter that lives minute by minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, ZONE

from openami.ami.meter import profiles
from openami.ami.meter.breaker import Trigger
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.history import Changes, PowerHistory
from openami.ami.meter.recordings import Flow
from openami.ami.meter.street import build_street
from openami.ami.meter.times import seconds_of

if TYPE_CHECKING:
    from openami.ami.meter.model import Meter

STREET = build_street(10, 1)
START_S = seconds_of(GENESIS)
SERIALS = [device.serial for device in STREET.devices if device.home and not device.mbus_address]
ACTIONS = ("down", "up", "off", "on", "nothing")

actions = st.lists(st.tuples(st.integers(1, 300), st.sampled_from(ACTIONS)), max_size=14)


class SlowMeter:
    """The same meter as a person would write it: a state that lives from minute to minute."""

    def __init__(self, fleet: Fleet, serial: str) -> None:
        self.meter = fleet.meters[serial]
        connection = fleet.connections[self.meter.device.kind][self.meter.home or ""]
        self.loads, self.load = connection.loads, connection.rows[Flow.IMPORT]
        self.register = self.meter.device.start_register
        self.powered = self.closed = True
        self.was_powered = True
        self.interrupted: int | None = None
        self.rows: list[tuple[int, int, bool]] = []
        self.begun = self.register
        self.cut = False

    def minute(self, start_s: int) -> None:
        interval_s = self.meter.device.interval_s
        if self.powered and self.interrupted is not None and start_s >= self.interrupted:
            self.rows.append((self.interrupted, self.register - self.begun, True))
            self.begun, self.interrupted = self.register, None
            self.cut = start_s % interval_s != 0
        if self.powered and self.closed:
            self.register += self.loads.between(self.load, start_s, start_s + 60)
        if not self.powered:
            self.cut = True
        elif self.interrupted is not None and start_s < self.interrupted:
            self.interrupted = None  # power came back within the interval: it ends as usual
        end_s = start_s + 60
        if self.powered and end_s % interval_s == 0:
            self.rows.append((end_s, self.register - self.begun, self.cut))
            self.begun, self.cut = self.register, False

    def power_down(self, at_s: int) -> None:
        if self.powered and at_s % self.meter.device.interval_s:
            self.interrupted = at_s - at_s % self.meter.device.interval_s + self.meter.device.interval_s
        self.powered = False


def act(meter: Meter, at_s: int, action: str) -> None:
    match action:
        case "down":
            meter.power_down(at_s)
        case "up":
            meter.power_up(at_s)
        case "off":
            meter.trigger(at_s, Trigger.REMOTE_DISCONNECT)
        case "on":
            meter.trigger(at_s, Trigger.REMOTE_RECONNECT)


def live(fleet: Fleet, serial: str, plan: list[tuple[int, str]]) -> tuple[SlowMeter, int]:
    slow, meter, minute = SlowMeter(fleet, serial), fleet.meters[serial], 0
    for minutes, action in plan:
        for _ in range(minutes):
            slow.minute(START_S + 60 * minute)
            minute += 1
        at_s = START_S + 60 * minute
        act(meter, at_s, action)
        match action:
            case "down":
                slow.power_down(at_s)
            case "up":
                slow.powered = True
            case "off" | "on":
                slow.closed = action == "on"
    return slow, START_S + 60 * minute


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SERIALS), actions)
def test_a_meter_of_facts_is_a_meter_that_lived_every_minute(serial: str, plan: list[tuple[int, str]]):
    fleet = Fleet(STREET, ZONE, START_S)
    fleet.begin()
    slow, end_s = live(fleet, serial, [*plan, (1, "up"), (61, "nothing")])
    meter = fleet.meters[serial]
    assert meter.register_at(end_s) == slow.register
    rows = profiles.load_rows(meter, end_s, 0, end_s)
    found = list(zip(rows.ends_s.tolist(), rows.energy_wh.tolist(), (rows.status > 0).tolist(), strict=True))
    assert found == slow.rows


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SERIALS), actions, st.integers(0, 3599))
def test_energy_is_conserved_whatever_happens(serial: str, plan: list[tuple[int, str]], odd_s: int):
    """Register = start register + all rows + the interval that is not over yet."""
    fleet = Fleet(STREET, ZONE, START_S)
    fleet.begin()
    meter, at_s = fleet.meters[serial], START_S
    for minutes, action in [*plan, (1, "up")]:
        at_s += 60 * minutes + odd_s
        act(meter, at_s, action)
    at_s += odd_s
    rows = profiles.load_rows(meter, at_s, 0, at_s)
    interval_s = meter.device.interval_s
    partial = meter.register_at(at_s) - meter.register_at(at_s // interval_s * interval_s)
    assert meter.device.start_register + rows.energy_wh.sum() + partial == meter.register_at(at_s)
    truth = profiles.interval_truth(meter, START_S, at_s)
    assert truth.sum() == meter.register_at(at_s // interval_s * interval_s) - meter.device.start_register


def test_changes_at_one_instant_replace_each_other():
    changes = Changes()
    for at_s, value in [(5, 1), (5, 2), (7, 3)]:
        changes.add(at_s, value)
    assert (changes.at_s, changes.values, changes.last) == ([5, 7], [2, 3], 3)


def test_a_cut_of_no_length_leaves_no_mark():
    power = PowerHistory()
    power.up(0)
    power.down(900)
    power.up(900)
    captured, cut = power.captured(np.array([900, 1800]), 900)
    assert captured.all()
    assert not cut.any()


def test_a_meter_without_power_ever_has_no_rows():
    power = PowerHistory()
    captured, _ = power.captured(np.array([900]), 900)
    assert not captured.any()
    assert not power.up_at(np.array([900])).any()
