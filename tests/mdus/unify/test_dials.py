"""Dial values of gas and water as hourly intervals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.mdus import unify
from openami.shared.contract import field
from openami.shared.quality import EMPTY
from openami.shared.spans import Span, local_midnight

ZONE = "Europe/Amsterdam"
NOW = datetime(2026, 4, 2, tzinfo=UTC)
DAY = date(2026, 3, 2)
BEGIN = int(local_midnight(ZONE, DAY).timestamp())
DIAL = field.ReadingTypeCode.parse(field.reading_type_table()["gas.volume.dial.3600s"].code)
REGISTER_CODE = field.ReadingTypeCode.parse(field.reading_type_table()["gas.volume.register"].code)
HOURS = unify.ChannelDescription(
    channel=21, device="G1", names=(("SerialNumber", "G1"),), patterns=unify.patterns_of("7-0:3.0.0", 3600), unit="m3",
    scale=-3, interval_s=3600, zone=ZONE, rollover=10**8, differenced=True, tolerance_s=60,
    span=Span(datetime(2026, 2, 28, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)),
)  # fmt: skip
REGISTER = replace(HOURS, channel=22, patterns=unify.patterns_of("7-0:3.0.0", 0), interval_s=0, differenced=False)
DIRECTORY = unify.Directory([HOURS, REGISTER])
METER = field.Identity.named("G1", "SerialNumber")


def block(instants: list[int], litres: list[int], code: field.ReadingTypeCode = DIAL) -> field.MeterReadings:
    starts = np.array(instants, np.int64) - 3600
    made = field.IntervalBlock.of(code, starts, 3600, np.array(litres), scale=-3)
    return field.MeterReadings((field.MeterReading(meter=METER, blocks=(made,)),))


def telegrams(instants: list[int], cubic_metres: list[str]) -> field.MeterReadings:
    found = tuple(
        field.Reading(reading_type=REGISTER_CODE, at=field.from_seconds(at), value=Decimal(value))
        for at, value in zip(instants, cubic_metres, strict=True)
    )
    return field.MeterReadings((field.MeterReading(meter=METER, readings=found),))


def hours(found: unify.Unified) -> dict[int, int]:
    """Start of each interval, in hours from the beginning of the day -> litres."""
    kept: dict[int, int] = {}
    for group in found.days:
        for (_, day), values, quality in zip(group.keys(), group.values, group.quality, strict=True):
            first = int(local_midnight(ZONE, day).timestamp()) - BEGIN
            kept |= {first // 3600 + int(at): int(values[at]) for at in np.flatnonzero(quality != EMPTY)}
    return kept


def instants(*numbers: int) -> list[int]:
    return [BEGIN + 3600 * number for number in numbers]


def test_what_the_dial_moved_is_the_interval() -> None:
    found = unify.unify(block(instants(0, 1, 2), [1000, 1004, 1011]), DIRECTORY, received_at=NOW)
    assert hours(found) == {0: 4, 1: 7}
    assert found.registers.channel.tolist() == [22] * 3
    assert found.registers.at_s.tolist() == instants(0, 1, 2)
    assert not found.refusals


def test_single_telegrams_are_dial_values_too() -> None:
    found = unify.unify(telegrams(instants(0, 1, 2), ["1.000", "1.004", "1.011"]), DIRECTORY, received_at=NOW)
    assert hours(found) == {0: 4, 1: 7}
    assert found.registers.value.tolist() == [1000, 1004, 1011]


def test_a_gap_stays_a_gap_and_is_closed_when_its_value_arrives_late() -> None:
    first = unify.unify(block(instants(0, 1, 3, 4), [0, 4, 20, 21]), DIRECTORY, received_at=NOW)
    assert hours(first) == {0: 4, 3: 1}
    kept = unify.Anchors.of([(21, at, value) for at, value in zip(instants(0, 1, 3, 4), [0, 4, 20, 21], strict=True)])
    late = unify.unify(block(instants(2), [9]), DIRECTORY, received_at=NOW, anchors=kept)
    assert hours(late) == {1: 5, 2: 11}


def test_what_must_be_at_hand_is_one_interval_around_the_delivery() -> None:
    (need,) = unify.dial_needs(block(instants(5, 6), [1, 2]), DIRECTORY, NOW)
    assert (need.channel, need.home) == (21, 22)
    around = timedelta(seconds=3660)
    begin = local_midnight(ZONE, DAY)
    assert need.span == Span(begin + timedelta(hours=5) - around, begin + timedelta(hours=6, seconds=1) + around)
    assert unify.dial_needs(field.MeterReadings(), DIRECTORY, NOW) == []


def test_without_a_register_the_interval_channel_keeps_its_own_dial() -> None:
    directory = unify.Directory([HOURS])
    (need,) = unify.dial_needs(block(instants(5), [1]), directory, NOW)
    assert need.home == 21
    found = unify.unify(block(instants(5), [1]), directory, received_at=NOW)
    assert found.registers.channel.tolist() == [21]


def test_the_first_value_of_a_delivery_meets_the_last_that_was_kept() -> None:
    kept = unify.Anchors.of([(21, instants(0)[0], 1000)])
    found = unify.unify(block(instants(1), [1004]), DIRECTORY, received_at=NOW, anchors=kept)
    assert hours(found) == {0: 4}


def test_a_repeat_changes_nothing() -> None:
    kept = unify.Anchors.of([(21, at, value) for at, value in zip(instants(0, 1, 2), [0, 4, 9], strict=True)])
    again = unify.unify(block(instants(0, 1, 2), [0, 4, 9]), DIRECTORY, received_at=NOW, anchors=kept)
    assert hours(again) == {0: 4, 1: 5}


def test_a_dial_turns_over() -> None:
    found = unify.unify(block(instants(0, 1), [10**8 - 3, 4]), DIRECTORY, received_at=NOW)
    assert hours(found) == {0: 7}
    assert not found.refusals


@pytest.mark.parametrize(("before", "after"), [(5000, 4000), (5000, 0), (10**8 // 2, 0)])
def test_a_dial_that_falls_without_turning_over_is_refused_and_kept_as_register(before: int, after: int) -> None:
    found = unify.unify(block(instants(0, 1, 2), [before, after, after + 2]), DIRECTORY, received_at=NOW)
    assert hours(found) == {1: 2}
    assert len(found.registers) == 3
    (refusal,) = found.refusals
    assert (refusal.code, f"fell from {before} to {after}" in refusal.reason) == ("5.1", True)


def test_without_a_known_range_every_fall_is_refused() -> None:
    directory = unify.Directory([replace(HOURS, rollover=None), REGISTER])
    found = unify.unify(block(instants(0, 1), [10**8 - 3, 4]), directory, received_at=NOW)
    assert hours(found) == {}
    assert len(found.refusals) == 1


def test_two_meters_are_never_differenced_against_each_other() -> None:
    swap = local_midnight(ZONE, DAY) + timedelta(hours=2)
    names = (("UsagePoint", "UP-7"),)
    old = replace(HOURS, names=names, span=Span(HOURS.span.start, swap))
    new = replace(HOURS, channel=31, device="G2", names=names, span=Span(swap, HOURS.span.end))
    starts = np.array(instants(0, 1, 2, 3, 4)) - 3600
    made = field.IntervalBlock.of(DIAL, starts, 3600, np.array([9000, 9004, 9009, 3, 8]), scale=-3)
    point = field.Identity.named("UP-7", "UsagePoint")
    payload = field.MeterReadings((field.MeterReading(usage_point=point, blocks=(made,)),))
    found = unify.unify(payload, unify.Directory([old, new]), received_at=NOW)
    # At the instant of the swap the value stands for both dials; the old one ends there, so the new one falls.
    assert {(key[0], int(value)) for group in found.days for key, row, quality in
            zip(group.keys(), group.values, group.quality, strict=True)
            for value in row[quality != EMPTY]} == {(21, 4), (21, 5), (31, 5)}  # fmt: skip
    assert [refusal.code for refusal in found.refusals] == ["5.1"]


def test_a_stamp_close_to_the_hour_counts_for_the_hour_and_others_are_refused() -> None:
    at = [BEGIN + 40, BEGIN + 3600 - 59, BEGIN + 7200 + 61]
    found = unify.unify(telegrams(at, ["1", "1.004", "1.011"]), DIRECTORY, received_at=NOW)
    assert hours(found) == {0: 4}
    assert found.registers.at_s.tolist() == at  # the register keeps what was said
    assert "grid" in found.refusals[0].reason


def test_the_grid_of_a_half_hour_zone_is_its_own() -> None:
    zone = "Asia/Kolkata"
    begin = int(local_midnight(zone, DAY).timestamp())
    directory = unify.Directory([replace(HOURS, zone=zone)])
    found = unify.unify(block([begin, begin + 3600], [0, 4]), directory, received_at=NOW)
    (group,) = found.days
    assert group.keys() == [(21, DAY)]
    assert group.values[0, 0] == 4


def test_a_register_of_electricity_never_makes_intervals() -> None:
    code = field.ReadingTypeCode.parse("0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
    quarters = replace(
        HOURS, patterns=unify.patterns_of("1-0:1.29.0", 900), unit="Wh", scale=0, interval_s=900, differenced=False
    )
    register = replace(REGISTER, patterns=unify.patterns_of("1-0:1.8.0", 0), unit="Wh", scale=0)
    found = tuple(
        field.Reading(reading_type=code, at=field.from_seconds(BEGIN + 900 * n), value=Decimal(n)) for n in range(3)
    )
    payload = field.MeterReadings((field.MeterReading(meter=METER, readings=found),))
    unified = unify.unify(payload, unify.Directory([quarters, register]), received_at=NOW)
    assert (unified.days, len(unified.registers)) == ([], 3)


def test_a_profile_of_dial_values_is_differenced_whatever_the_medium() -> None:
    snapshot = field.ReadingTypeCode.parse("0.0.2.9.1.2.12.0.0.0.0.0.0.0.0.3.72.0")  # Taiwan: 15 min, summation
    quarters = replace(
        HOURS, patterns=unify.patterns_of("1-0:1.29.0", 900), unit="Wh", scale=0, interval_s=900, differenced=False
    )
    made = field.IntervalBlock.of(snapshot, BEGIN - 900 + 900 * np.arange(3), 900, np.array([5, 9, 20]))
    payload = field.MeterReadings((field.MeterReading(meter=METER, blocks=(made,)),))
    found = unify.unify(payload, unify.Directory([quarters]), received_at=NOW)
    assert found.days[0].values[0, :2].tolist() == [4, 11]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 500), min_size=2, max_size=40), st.integers(0, 10**8 - 1), st.data())
def test_however_a_dial_is_cut_into_deliveries_its_intervals_are_the_same(
    steps: list[int], first: int, data: st.DataObject
) -> None:
    values = [(first + sum(steps[:count])) % 10**8 for count in range(len(steps) + 1)]
    order = data.draw(st.permutations(range(len(values))))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(values) - 1), max_size=5)))
    kept: dict[int, int] = {}
    made: dict[int, int] = {}
    for begin, end in zip([0, *cuts], [*cuts, len(values)], strict=True):
        part = list(order[begin:end])
        anchors = unify.Anchors.of([(21, BEGIN + 3600 * number, value) for number, value in kept.items()])
        found = unify.unify(
            block(instants(*part), [values[number] for number in part]), DIRECTORY, received_at=NOW, anchors=anchors
        )
        assert not found.refusals
        made |= hours(found)
        kept |= {number: values[number] for number in part}
    assert made == dict(enumerate(steps))
