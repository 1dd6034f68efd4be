"""Intervals that begin off the grid, because a clock was wrong: V03's three bands, and that no energy is lost."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.unify import ChannelDescription, Directory, patterns_of, unify
from openami.mdus.unify.adapters.cim import Cim
from openami.mdus.unify.adapters.model import Batch
from openami.mdus.unify.columns import columns_of
from openami.shared.contract import field as cim
from openami.shared.contract.field.tables import event_table
from openami.shared.quality import EMPTY, Origin, origins
from openami.shared.spans import Span

if TYPE_CHECKING:
    from openami.mdus.unify.delivery import Unified

HALF_HOUR = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.1800s"].code)
START_S = int(datetime(2026, 2, 28, 23, tzinfo=UTC).timestamp())
RECEIVED = datetime(2026, 3, 4, tzinfo=UTC)
CHANNEL = ChannelDescription(
    channel=1, device="1", names=(("SerialNumber", "SN1"),), patterns=patterns_of("1-0:1.29.0", 1800), unit="Wh",
    scale=0, interval_s=1800, zone="Europe/Amsterdam", clock_tolerance_s=180, prorate_max_s=1700,
    span=Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)),
)  # fmt: skip


def block(values: list[int], shift_s: int = 0, first: int = 0) -> cim.IntervalBlock:
    """Half-hours from the start of the day on, each of them shifted; of a value below 0 the source has none."""
    starts = START_S + shift_s + (first + np.arange(len(values), dtype=np.int64)) * 1800
    number = np.array(values, np.int64)
    return cim.IntervalBlock.of(HALF_HOUR, starts, 1800, np.maximum(number, 0), missing=number < 0)


def unified(*blocks: cim.IntervalBlock, channel: ChannelDescription = CHANNEL) -> Unified:
    reading = cim.MeterReading(meter=cim.Identity.named("SN1", "SerialNumber"), blocks=blocks)
    return unify(cim.MeterReadings((reading,)), Directory([channel]), received_at=RECEIVED)


def kept(found: Unified) -> dict[int, int]:
    """The values that were taken, by the number of their half-hour from the start of the first day on."""
    first = datetime(2026, 3, 1, tzinfo=UTC).date().toordinal()
    return {
        (int(day) - first) * 48 + int(slot): int(group.values[row, slot])
        for group in found.days
        for row, day in enumerate(group.day.tolist())
        for slot in np.flatnonzero(group.quality[row] != EMPTY)
    }


def drifts(found: Unified) -> dict[int, int]:
    return {
        (at - START_S) // 1800: value
        for one in found.oddities
        if one.rule == "V03"
        for at, value in zip(one.start_s.tolist(), one.value.tolist(), strict=True)
    }


@pytest.mark.parametrize("shift_s", [-180, -1, 7, 180])
def test_v03_within_tolerance_the_nearest_interval_is_meant(shift_s: int) -> None:
    found = unified(block([10, 20, 30], shift_s, first=4))
    assert (kept(found), found.refusals, found.oddities) == ({4: 10, 5: 20, 6: 30}, (), ())
    assert set(origins(found.days[0].quality)[0, 4:7].tolist()) == {Origin.MEASURED}


def test_v03_beyond_it_the_energy_is_prorated_by_time() -> None:
    """Ten minutes late: a third of each interval belongs to the next one of the grid."""
    found = unified(block([300, 600, 0, 90], 600, first=4))
    assert kept(found) == {5: 100 + 400, 6: 200 + 0, 7: 0 + 60}
    assert drifts(found) == dict.fromkeys((5, 6, 7), 600)
    assert set(origins(found.days[0].quality)[0, 5:8].tolist()) == {Origin.DERIVED}, "computed from what was measured"
    (refusal,) = found.refusals
    assert refusal.reason == "the intervals of a wrong clock cover it only in part (2026-03-01T01:00:00Z)."
    assert refusal.position == "MeterReading[1]/IntervalBlocks[1]/IntervalReadings[1] and 1 more"


def test_v03_a_clock_that_is_ahead() -> None:
    """Ten minutes early is twenty minutes late in the interval before."""
    found = unified(block([300, 600, 90], -600, first=4))
    assert kept(found) == {4: 200 + 200, 5: 400 + 30}
    assert drifts(found) == {4: 600, 5: 600}


def test_v03_beyond_the_limit_nothing_is_prorated() -> None:
    found = unified(block([300, 600, 90], 800), channel=replace(CHANNEL, prorate_max_s=700))
    assert kept(found) == {}
    assert ["grid" in one.reason for one in found.refusals] == [True]
    nobody = unified(block([300, 600], 60), channel=replace(CHANNEL, clock_tolerance_s=0, prorate_max_s=0))
    assert kept(nobody) == {}, "where no rule asks for the clock, the grid is strict"


def test_what_the_source_does_not_have_leaves_open_what_it_would_have_covered() -> None:
    found = unified(block([300, -1, 300, 300], 600, first=4))
    assert kept(found) == {7: 300}


def test_blocks_of_one_clock_join_and_a_set_clock_leaves_one_interval_open() -> None:
    shifted = unified(block([300, 300], 600, first=4), block([300, 300], 600, first=6))
    assert kept(shifted) == {5: 300, 6: 300, 7: 300}
    found = unified(block([300, 300], 600, first=4), block([90, 90], first=7))
    assert kept(found) == {5: 300, 7: 90, 8: 90}


def test_a_clock_that_drifts_by_seconds_covers_the_grid_within_the_tolerance() -> None:
    one = block([300] * 6, 600, first=4)
    drifting = replace(one, starts=one.starts + np.arange(6) * 5)
    found = unified(drifting)
    assert sorted(kept(found)) == [5, 6, 7, 8, 9]
    assert drifts(found)[9] == 625


def test_days_are_not_shifted() -> None:
    code = replace(HALF_HOUR, measuring_period=4)
    daily = replace(CHANNEL, interval_s=86_400, patterns=patterns_of("1-0:1.29.0", 86_400))
    starts = np.array([START_S + 300])
    found = unified(cim.IntervalBlock.of(code, starts, 86_400, np.array([9])), channel=daily)
    assert (kept(found), len(found.refusals)) == ({}, 1)


@given(
    st.lists(st.integers(0, 10**12), min_size=2, max_size=40),
    st.integers(181, 1800 - 181),
)
def test_parts_sum_to_what_was_delivered(values: list[int], shift_s: int) -> None:
    """The energy up to any instant of the grid is that of the shifted intervals, to less than one unit."""
    found = kept(unified(block(values, shift_s, first=2)))
    assert sorted(found) == list(range(3, 2 + len(values)))
    share = Fraction(shift_s, 1800)
    for number in range(1, len(values)):
        so_far = sum(found[place] for place in range(3, 3 + number))
        exact = values[0] * share + sum(values[1:number]) + values[number] * (1 - share)
        assert abs(so_far - exact) <= 1


def told(ahead: str, *blocks: cim.IntervalBlock, device: cim.Identity | None = None) -> cim.MeterReadings:
    """Readings of a meter with the event of a head-end that has just looked at its clock."""
    code = cim.EventCode.parse(event_table()["clock.sync_needed"].code)
    details = (cim.EventDetail("value", ahead), cim.EventDetail("unit", "s"))
    event = cim.EndDeviceEvent(mrid="e1", created=RECEIVED, code=code, details=details, device=device)
    meter = cim.Identity.named("SN1", "SerialNumber")
    return cim.MeterReadings((cim.MeterReading(meter=meter, blocks=blocks, events=(event,)),))


def of_clock(ahead: str, *values: int, **more: cim.Identity) -> Unified:
    payload = told(ahead, block([*values], first=4), **more)
    return unify(payload, Directory([CHANNEL]), received_at=RECEIVED)


@pytest.mark.parametrize(
    ("ahead_s", "expected"),
    [
        pytest.param("180", {4: 300, 5: 600, 6: 90}, id="within tolerance"),
        pytest.param("-600", {5: 100 + 400, 6: 200 + 60}, id="slow: what it stamped happened later"),
        pytest.param("600", {4: 200 + 200, 5: 400 + 30}, id="fast: it happened before"),
        pytest.param("-1700", {5: 300, 6: 600, 7: 90}, id="slow by an interval, within tolerance"),
    ],
)
def test_v03_stamps_on_the_grid_of_a_clock_that_was_wrong_are_prorated(ahead_s: str, expected: dict[int, int]) -> None:
    found = of_clock(ahead_s, 300, 600, 90)
    assert kept(found) == expected
    beyond = abs(int(ahead_s)) > 180
    assert drifts(found) == (dict.fromkeys(expected, abs(int(ahead_s))) if beyond else {})
    assert len(found.events) == 1


@pytest.mark.parametrize("ahead_s", ["1701", "-3600", "7200"])
def test_v03_what_a_clock_beyond_the_limit_stamped_is_refused_for_estimation(ahead_s: str) -> None:
    found = of_clock(ahead_s, 300, 600, 90)
    assert kept(found) == {}
    (refusal,) = found.refusals
    assert refusal.reason.startswith("the clock that stamped it was too wrong to tell the time of it (2026-03-01T")
    assert refusal.position == "MeterReading[1]/IntervalBlocks[1]/IntervalReadings[1] and 2 more"


@pytest.mark.parametrize("ahead", ["", "soon", "1.5", "0"])
def test_an_event_that_tells_no_seconds_moves_nothing(ahead: str) -> None:
    assert kept(of_clock(ahead, 300, 600, 90)) == {4: 300, 5: 600, 6: 90}


def test_the_clock_of_another_device_moves_nothing() -> None:
    other = cim.Identity.named("DC1", "SerialNumber")
    assert kept(of_clock("600", 300, 600, 90, device=other)) == {4: 300, 5: 600, 6: 90}
    mine = cim.Identity.named("SN1", "SerialNumber")
    assert kept(of_clock("600", 300, 600, 90, device=mine)) == {4: 400, 5: 430}


def test_the_clock_is_known_wherever_the_readings_come_from() -> None:
    """Of a file, or of a delivery that is loaded in bulk, series are made: they must not go by columns."""
    payload = told("600", block([300, 600, 90], first=4))
    header = cim.Header(
        verb=cim.Verb.CREATED,
        noun="MeterReadings",
        timestamp=RECEIVED,
        source="AMS1",
        message_id="1",
        correlation_id="1",
    )
    body = cim.encode(cim.Envelope(header=header, payload=payload))
    batches = [one for one in Cim().columns(io.BytesIO(body)) if isinstance(one, Batch)]
    (series,) = [one for batch in batches for one in batch.series]
    assert series.block.clock_ahead_s == 600
    columns, _ = columns_of([series])
    assert columns.regular.tolist() == [False]
    found = unify(cim.MeterReadings((series.reading,)), Directory([CHANNEL]), received_at=RECEIVED)
    assert kept(found) == {4: 400, 5: 430}
