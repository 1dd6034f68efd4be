"""Too much distortion for too long is logged once, and its end once, whatever the steps in which time is lived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.queries import read, read_entries, write
from openami.ami.meter.distortion import NORMAL, OVER, due_events
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.quality import harmonics
from openami.ami.meter.settings import THD_CONFIGURATION
from openami.ami.meter.street import MODERN, build_street
from openami.ami.meter.times import seconds_of

if TYPE_CHECKING:
    from openami.ami.meter.model import Meter

SERIAL = "OAE0000001"
START_S = seconds_of(GENESIS)
DAY_S = 86400


def limits(permille: int, hysteresis: int = 10, over_s: int = 600) -> d.Data:
    return d.structure(d.unsigned16(permille), d.unsigned16(hysteresis), d.unsigned16(over_s))


def limited(meter: Meter, *values: int) -> None:
    meter.write_setting(START_S, THD_CONFIGURATION, 2, encode(limits(*values)))


def found(meter: Meter) -> list[tuple[int, int]]:
    return [(event.at_s - START_S, event.code) for event in meter.events if event.code in (OVER, NORMAL)]


def slowly(meter: Meter, to_s: int, permille: int, hysteresis: int, over_s: int) -> list[tuple[int, int]]:
    """The same minute by minute, as one would write it in a meter."""
    is_over, events = False, []
    measured = harmonics(meter, 0, np.arange(START_S - over_s - 60, to_s + 1, 60))
    samples = max(-(-over_s // 60), 1)
    for minute in range(1, (to_s - START_S) // 60 + 1):
        at = minute + (over_s + 60) // 60
        window = measured[at - samples : at + 1]
        if (window < permille - hysteresis).all() if is_over else (window > permille).all():
            is_over = not is_over
            events.append((minute * 60, OVER if is_over else NORMAL))
    return events


def test_nothing_is_watched_while_nobody_has_set_a_limit(fleet: Fleet) -> None:
    meter = fleet.meters[SERIAL]
    assert due_events(meter, START_S, START_S + 30 * DAY_S) == []
    fleet.live_through(START_S + DAY_S)
    assert found(meter) == []


@given(
    st.integers(20, 74),
    st.integers(0, 60),
    st.sampled_from([1, 59, 60, 61, 600, 1800]),
    st.lists(st.integers(1, 20_000), min_size=1, max_size=6),
)
def test_what_is_logged_does_not_depend_on_the_steps_of_time(
    permille: int, hysteresis: int, over_s: int, steps: list[int]
) -> None:
    fleet = Fleet(build_street(1, 1), ZONE, START_S)
    fleet.begin()
    meter = fleet.meters[SERIAL]
    limited(meter, permille, hysteresis, over_s)
    for step in steps:
        fleet.live_through(fleet.lived_s + step)
    assert found(meter) == slowly(meter, fleet.lived_s, permille, hysteresis, -(-over_s // 60) * 60)


def test_both_codes_stand_in_the_quality_log_and_a_limit_above_all_says_nothing(fleet: Fleet, reader: Reader) -> None:
    reader.ask(write("0-1:94.31.23", 1, 2, limits(60)))
    fleet.live_through(START_S + DAY_S)
    logged = reader.ask(read_entries("0-0:99.98.4")).columns[1].values.tolist()
    assert logged[:2] in ([OVER, NORMAL], [NORMAL, OVER])
    assert set(logged) == {OVER, NORMAL}
    reader.ask(write("0-1:94.31.23", 1, 2, limits(1000)))
    before = len(fleet.meters[SERIAL].events)
    fleet.live_through(START_S + 3 * DAY_S)
    after = [event.code for event in fleet.meters[SERIAL].events[before:]]
    assert after in ([], [NORMAL]), "at most the end of what had begun"
    assert reader.ask(read("0-1:94.31.23", 1)).elements()[0].integer() == 1000


def test_without_mains_there_is_no_distortion(fleet: Fleet) -> None:
    meter = fleet.meters[SERIAL]
    limited(meter, 20, 0, 60)
    meter.power_down(START_S)
    fleet.live_through(START_S + DAY_S)
    assert found(meter) == []


def test_each_phase_has_codes_of_its_own() -> None:
    fleet = Fleet(build_street(10, 1, MODERN), ZONE, START_S)
    fleet.begin()
    meter = next(each for each in fleet.meters.values() if each.device.phases == 3 and each.hangs)
    limited(meter, 60)
    fleet.live_through(START_S + DAY_S)
    codes = {event.code for event in meter.events}
    assert {OVER, OVER + 1, OVER + 2, NORMAL, NORMAL + 1, NORMAL + 2} <= codes


@pytest.mark.parametrize("values", [(0, 0, 0), (1, 1000, 65535)])
def test_any_limit_can_be_lived_with(fleet: Fleet, values: tuple[int, int, int]) -> None:
    limited(fleet.meters[SERIAL], *values)
    fleet.live_through(START_S + 2 * DAY_S)
