"""What a bridge past a meter and a connection turned round do to everything that it measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, ZONE, Reader

from openami.ami.dlms.queries import read
from openami.ami.headend.model import LoggedEvent, Stream
from openami.ami.headend.vocabulary import announced
from openami.ami.meter import alarms, limiter, profiles
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.happenings import BRIDGED_PERCENT, BadHappeningError, happening_of
from openami.ami.meter.history import ALL
from openami.ami.meter.phases import phase_power, power_at
from openami.ami.meter.recordings import Flow
from openami.ami.meter.street import MODERN, build_street
from openami.ami.meter.times import instant_of, seconds_of

if TYPE_CHECKING:
    from openami.ami.meter.model import Meter

STREET = build_street(10, 1, MODERN)
START_S = seconds_of(GENESIS)
PLAIN = "OAE0000001"
EXPORTING = next(each.serial for each in STREET.devices if each.exports and each.home)
HOUR = 3600


def living() -> Fleet:
    fleet = Fleet(STREET, ZONE, START_S)
    fleet.begin()
    return fleet


def order(fleet: Fleet, kind: str, serial: str, from_h: float, to_h: float, **more: Any) -> None:
    body = {"kind": kind, "serial": serial, "at": at(from_h), "to": at(to_h)} | more
    fleet.order(happening_of(body, STREET, ZONE))


def at(hours: float) -> str:
    return instant_of(START_S + int(hours * HOUR)).isoformat()


def used(meter: Meter, flow: Flow, from_h: float, to_h: float) -> int:
    return meter.register_at(START_S + int(to_h * HOUR), flow) - meter.register_at(START_S + int(from_h * HOUR), flow)


def test_past_a_bridge_less_is_measured_while_as_much_flows():
    honest, fleet = living(), living()
    order(fleet, "tamper_bypass", PLAIN, 6, 12, percent=25)
    for street in (honest, fleet):
        street.live_through(START_S + 24 * HOUR)
    meter, truth = fleet.meters[PLAIN], honest.meters[PLAIN]
    assert used(meter, Flow.IMPORT, 0, 6) == used(truth, Flow.IMPORT, 0, 6)
    assert used(meter, Flow.IMPORT, 6, 12) == used(truth, Flow.IMPORT, 6, 12) * 250 // ALL
    assert used(meter, Flow.IMPORT, 12, 24) == used(truth, Flow.IMPORT, 12, 24)
    assert used(meter, Flow.Q1, 6, 12) == used(truth, Flow.Q1, 6, 12) * 250 // ALL
    rows = profiles.load_rows(meter, fleet.lived_s, 0, fleet.lived_s)
    assert rows.energy_wh.sum() == used(meter, Flow.IMPORT, 0, 24)


def test_what_flows_now_is_seen_in_part_too():
    fleet = living()
    fleet.live_through(START_S + 6 * HOUR)
    meter, now = fleet.meters[PLAIN], np.array([START_S + 6 * HOUR], np.int64)
    before = power_at(meter, now).watts[0]
    meter.tamper(fleet.lived_s, None, {"through_permille": 500})
    assert power_at(meter, now).watts[0] == before // 2
    reader = Reader(fleet, PLAIN).open()
    assert reader.ask(read("1-0:1.7.0", 3)).integer() == before // 2


def test_a_limiter_only_knows_what_it_measures():
    fleet = living()
    fleet.live_through(START_S + HOUR)
    meter = fleet.meters[PLAIN]
    assert meter.history is not None
    peak_w = int(meter.history.rates(np.arange(START_S, START_S + 86400, 900)).max())
    limit = limiter.Limiter(threshold_w=peak_w - 1, over_s=1, since_s=START_S)
    assert limiter.first_trip_s(limit, meter.history, START_S, START_S + 86400) is not None
    meter.tamper(fleet.lived_s, None, {"through_permille": 900})
    assert limiter.first_trip_s(limit, meter.history, fleet.lived_s, START_S + 86400) is None


def test_a_meter_that_knows_directions_counts_the_other_one_when_it_is_turned_round():
    honest, fleet = living(), living()
    order(fleet, "tamper_reverse", EXPORTING, 8, 16)
    for street in (honest, fleet):
        street.live_through(START_S + 24 * HOUR)
    meter, truth = fleet.meters[EXPORTING], honest.meters[EXPORTING]
    mirrored = ((Flow.IMPORT, Flow.EXPORT), (Flow.Q1, Flow.Q3), (Flow.Q2, Flow.Q4))
    for flow, other in (*mirrored, *((other, flow) for flow, other in mirrored)):
        assert used(meter, flow, 8, 16) == used(truth, other, 8, 16)
        assert used(meter, flow, 16, 24) == used(truth, flow, 16, 24)
    assert used(truth, Flow.IMPORT, 8, 16) != used(truth, Flow.EXPORT, 8, 16), "or nothing was shown"


def test_turned_round_the_phases_still_add_up_to_the_power():
    fleet = living()
    order(fleet, "tamper_reverse", EXPORTING, 1, 30)
    fleet.live_through(START_S + 13 * HOUR)
    meter = fleet.meters[EXPORTING]
    times = np.arange(START_S + 11 * HOUR, START_S + 13 * HOUR, 600)
    phases = [phase_power(meter, phase, times) for phase in range(meter.device.phases)]
    whole = power_at(meter, times)
    assert (np.sum([each.watts for each in phases], axis=0) == whole.watts).all()
    assert meter.history is not None
    assert (whole.watts == meter.history.rates(times, Flow.EXPORT) - meter.history.rates(times)).all()


def test_a_meter_without_export_registers_counts_whichever_way():
    honest, fleet = living(), living()
    order(fleet, "tamper_reverse", PLAIN, 1, 20)
    for street in (honest, fleet):
        street.live_through(START_S + 24 * HOUR)
    assert fleet.meters[PLAIN].register_at(fleet.lived_s) == honest.meters[PLAIN].register_at(fleet.lived_s)
    assert [event.code for event in fleet.meters[PLAIN].events] == [91], "but it is noticed"


@pytest.mark.parametrize(
    ("kind", "code", "name"),
    [("tamper_reverse", 91, "tamper.reverse_rotation"), ("tamper_bypass", 200, "tamper.bypass")],
)
def test_both_are_a_fraud_attempt_that_a_head_end_hears_of(kind: str, code: int, name: str):
    fleet = living()
    order(fleet, kind, PLAIN, 1, 2)
    fleet.live_through(START_S + 3 * HOUR)
    meter = fleet.meters[PLAIN]
    (logged,) = profiles.log_rows(meter.events, profiles.FRAUD_LOG)
    assert (logged.code, logged.at_s) == (code, START_S + HOUR)
    assert alarms.alarm_register(meter) == alarms.FRAUD_ATTEMPT
    assert announced(LoggedEvent(Stream.FRAUD_LOG, instant_of(logged.at_s), code)).name == name


def test_a_restart_remembers_who_was_tampered_with():
    fleet = living()
    order(fleet, "tamper_bypass", PLAIN, 1, 30)
    order(fleet, "tamper_reverse", EXPORTING, 1, 30)
    fleet.live_through(START_S + 5 * HOUR)
    facts, happenings = fleet.take_changes()
    again = Fleet(STREET, ZONE, START_S)
    again.replay(facts, happenings, fleet.lived_s)
    for street in (fleet, again):
        street.live_through(START_S + 40 * HOUR)
    for serial in (PLAIN, EXPORTING):
        for flow in (Flow.IMPORT, Flow.EXPORT):
            assert again.meters[serial].register_at(again.lived_s, flow) == fleet.meters[serial].register_at(
                fleet.lived_s, flow
            )
    assert again.meters[PLAIN].through_permille == ALL, "the bridge was taken away at hour thirty"


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 5 * HOUR), st.integers(0, ALL), st.booleans()), max_size=8), st.booleans())
def test_registers_only_rise_and_rows_add_up_whatever_is_done(changes: list[tuple[int, int, bool]], exporting: bool):
    fleet = living()
    meter, now_s = fleet.meters[EXPORTING if exporting else PLAIN], START_S
    assert meter.history is not None
    for pause_s, permille, turned in changes:
        now_s += pause_s
        meter.tamper(now_s, None, {"through_permille": permille, "turned": turned})
    times = np.arange(START_S, now_s + HOUR, 600)
    for flow in Flow:
        assert (np.diff(meter.history.registers(times, flow)) >= 0).all()
    rows = profiles.load_rows(meter, now_s, 0, now_s)
    end_s = int(rows.ends_s[-1]) if len(rows.ends_s) else START_S
    assert rows.energy_wh.sum() == meter.register_at(end_s) - meter.device.start_register
    assert rows.exported_wh.sum() == meter.register_at(end_s, Flow.EXPORT)


def test_how_much_still_goes_through_is_told_or_usual():
    usual = happening_of({"kind": "tamper_bypass", "serial": PLAIN, "at": at(1)}, STREET, ZONE)
    assert usual.detail["percent"] == str(BRIDGED_PERCENT)
    for percent in (100, -1, "half"):
        with pytest.raises(BadHappeningError, match="percent"):
            happening_of({"kind": "tamper_bypass", "serial": PLAIN, "at": at(1), "percent": percent}, STREET, ZONE)
