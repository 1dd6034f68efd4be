"""Homes with a roof and a car: what flows is what the home uses, generates and charges, to the watt-hour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, ZONE

from openami.ami.meter import profiles
from openami.ami.meter.breaker import Trigger
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.recordings import Behind, Flow, flows_of, load
from openami.ami.meter.recordings.flows import YEAR_WEEKS
from openami.ami.meter.street import MODERN, build_street
from openami.ami.meter.times import seconds_of

START_S = seconds_of(GENESIS)
QUARTERS = (Flow.Q1, Flow.Q2, Flow.Q3, Flow.Q4)
behinds = st.builds(
    Behind, st.sampled_from([0, 2400, 7200]), st.sampled_from([0, 3700, 11000]), st.integers(0, 2**32 - 1)
)


def over_a_year(name: str, rotate_weeks: int) -> np.ndarray:
    use = load(name)
    week = 7 * 86400 // use.slot_s
    return use.values[(np.arange(YEAR_WEEKS * week) + rotate_weeks * week) % len(use.values)]


@settings(deadline=None, max_examples=25)
@given(behinds, st.integers(0, 3))
def test_the_meter_sees_the_sum_and_nothing_gets_lost(behind: Behind, rotate_weeks: int):
    flows = flows_of(load("UCI-household", rotate_weeks=rotate_weeks), behind)
    imported = flows[Flow.IMPORT].values
    if not behind.solar_w:
        assert Flow.EXPORT not in flows
        return
    exported, generated = flows[Flow.EXPORT].values, flows[Flow.GENERATED].values
    assert not (imported * exported).any(), "a slot goes one way"
    charged = imported - exported + generated - over_a_year("UCI-household", rotate_weeks)
    slot_s = flows[Flow.IMPORT].slot_s
    assert charged.min() >= 0
    assert charged.max() <= behind.charger_w * slot_s // 3600
    assert bool(charged.any()) == bool(behind.charger_w)
    reactive = np.sum([flows[quadrant].values > 0 for quadrant in QUARTERS], axis=0)
    assert reactive.max() == 1, "each slot lies in one quadrant"
    giving = exported > 0
    assert not any(flows[quadrant].values[giving].any() for quadrant in (Flow.Q1, Flow.Q4))
    assert not any(flows[quadrant].values[~giving].any() for quadrant in (Flow.Q2, Flow.Q3))


def test_the_sun_shines_by_day_and_more_in_summer():
    flows = flows_of(load("AMPds2-electricity"), Behind(solar_w=4000, seed=3))
    generated = flows[Flow.GENERATED].values.reshape(-1, 96)
    assert not generated[:, :12].any(), "three hours after midnight it is dark all year round"
    assert generated.max() <= 4000 * 900 // 3600
    by_week = generated.sum(axis=1).reshape(YEAR_WEEKS, 7).sum(axis=1)  # from the end of February on
    june, december = by_week[14:19].mean(), by_week[40:45].mean()
    assert 4 < june / december < 15
    year_kwh = generated.sum() / 1000
    assert 700 < year_kwh / 4 < 1100, "kWh a year for each kW of peak power, in the Netherlands"
    noon = generated.sum(axis=0).argmax() * 0.25
    assert 11.5 <= noon <= 13.5


def test_the_seed_decides_the_weather():
    use = load("UCI-household")
    one, same, other = (flows_of(use, Behind(4000, 3700, seed)) for seed in (1, 1, 2))
    assert all((one[flow].values == same[flow].values).all() for flow in Flow)
    assert (one[Flow.GENERATED].values != other[Flow.GENERATED].values).any()


def test_a_home_with_nothing_behind_it_uses_its_recording():
    use = load("UCI-household")
    assert flows_of(use, Behind())[Flow.IMPORT].values is use.values


@pytest.fixture(scope="module")
def modern() -> Fleet:
    fleet = Fleet(build_street(10, 1, MODERN), ZONE, START_S)
    fleet.begin()
    fleet.live_through(START_S + 40 * 86400)
    return fleet


def test_registers_are_the_sum_of_their_rows_both_ways(modern: Fleet):
    for device in modern.street.devices:
        meter = modern.meters[device.serial]
        if not (device.home and device.exports):
            continue
        rows = profiles.load_rows(meter, modern.lived_s, 0, modern.lived_s)
        assert rows.energy_wh.sum() == meter.register_at(modern.lived_s) - device.start_register
        assert rows.exported_wh.sum() == meter.register_at(modern.lived_s, Flow.EXPORT) > 0


def test_an_open_breaker_stops_every_direction_and_a_restart_remembers(modern: Fleet):
    fleet = Fleet(modern.street, ZONE, START_S)
    fleet.begin()
    meter = next(each for each in fleet.meters.values() if each.device.exports and each.home)
    noon_s = START_S + 30 * 86400 + 12 * 3600
    fleet.live_through(noon_s)
    before = {flow: meter.register_at(noon_s, flow) for flow in Flow}
    meter.trigger(noon_s, Trigger.REMOTE_DISCONNECT)
    fleet.live_through(noon_s + 86400)
    assert {flow: meter.register_at(fleet.lived_s, flow) for flow in Flow} == before
    meter.trigger(fleet.lived_s, Trigger.REMOTE_RECONNECT)
    fleet.live_through(noon_s + 3 * 86400)
    after = {flow: meter.register_at(fleet.lived_s, flow) for flow in Flow}
    assert after[Flow.EXPORT] > before[Flow.EXPORT]
    facts, happenings = fleet.take_changes()
    again = Fleet(fleet.street, ZONE, fleet.genesis_s)
    again.replay(facts, happenings, fleet.lived_s)
    assert {flow: again.meters[meter.serial].register_at(fleet.lived_s, flow) for flow in Flow} == after


def test_equipment_leaves_the_rest_of_the_street_as_it_was():
    plain, modern = build_street(20, 5), build_street(20, 5, MODERN)
    assert [home.electricity for home in plain.homes] == [home.electricity for home in modern.homes]
    assert all(home.behind == Behind() and home.phases == 1 for home in plain.homes)
    assert replace(modern.homes[0], behind=Behind()) == plain.homes[0]
    assert {home.phases for home in modern.homes} == {1, 3}
    assert sum(home.behind.solar_w > 0 for home in modern.homes) == 6
    assert len({home.behind.seed for home in modern.homes if home.behind.solar_w}) == 6
