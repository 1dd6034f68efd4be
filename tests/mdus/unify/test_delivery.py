"""Deliveries to channel-days: identity, time, scale, quality, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.mdus import unify
from openami.mdus.series import ChannelDays, Flag
from openami.mdus.unify.delivery import countable, instant_block
from openami.mdus.unify.matching import measures_a_dial
from openami.shared.contract import field
from openami.shared.quality import EMPTY, MEASURED, MISSING, Origin, origin_of
from openami.shared.spans import Span, local_midnight

ZONE = "Europe/Amsterdam"
ALWAYS = Span(datetime(2026, 2, 28, 10, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
NOW = datetime(2026, 4, 2, tzinfo=UTC)
KWH_900 = field.ReadingTypeCode.parse("0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0")
KWH_1800 = replace(KWH_900, measuring_period=5)
KWH_DIAL = field.ReadingTypeCode.parse("0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0")


def described(
    channel: int, obis: str, interval_s: int, *, device: str = "D1", **more: object
) -> unify.ChannelDescription:
    facts: dict[str, object] = {
        "channel": channel,
        "device": device,
        "names": (("mRID", f"mrid-{device}"), ("SerialNumber", f"M{device}"), ("UsagePoint", "UP-1")),
        "patterns": unify.patterns_of(obis, interval_s),
        "unit": "m3" if obis[0] in "78" else "Wh",
        "scale": -3 if obis[0] in "78" else 0,
        "interval_s": interval_s,
        "zone": ZONE,
        "span": ALWAYS,
        "differenced": measures_a_dial(obis) and interval_s > 0,
    }
    return unify.ChannelDescription(**(facts | more))  # type: ignore[arg-type] # the facts above with changes


QUARTERS = described(11, "1-0:1.29.0", 900)
REGISTER = described(12, "1-0:1.8.0", 0)
DIRECTORY = unify.Directory([QUARTERS, REGISTER])


def midnight_s(day: date) -> int:
    return int(local_midnight(ZONE, day).timestamp())


def day_block(day: date, code: field.ReadingTypeCode = KWH_900, interval_s: int = 900) -> field.IntervalBlock:
    begin, end = midnight_s(day), midnight_s(day + timedelta(days=1))
    starts = np.arange(begin, end, interval_s)
    return field.IntervalBlock.of(code, starts, interval_s, np.arange(len(starts)) + 1)


def delivery(
    *blocks: field.IntervalBlock,
    meter: field.Identity | None = field.Identity.named("MD1", "SerialNumber"),  # noqa: B008 - immutable
    readings: tuple[field.Reading, ...] = (),
    point: field.Identity | None = None,
) -> field.MeterReadings:
    return field.MeterReadings((field.MeterReading(meter=meter, usage_point=point, blocks=blocks, readings=readings),))


def only(groups: list[ChannelDays]) -> ChannelDays:
    (group,) = groups
    return group


@pytest.mark.parametrize(
    ("day", "count"), [(date(2026, 3, 28), 96), (date(2026, 3, 29), 92), (date(2025, 10, 26), 100)]
)
def test_a_local_day_has_as_many_quarter_hours_as_it_lasts(day: date, count: int) -> None:
    span = Span(datetime(2025, 1, 1, tzinfo=UTC), ALWAYS.end)
    directory = unify.Directory([replace(QUARTERS, span=span)])
    found = unify.unify(delivery(day_block(day)), directory, received_at=NOW)
    group = only(found.days)
    assert group.keys() == [(11, day)]
    assert group.values.tolist() == [list(range(1, count + 1))]
    assert (group.quality == MEASURED).all()
    assert (found.readings, found.refusals) == (count, ())


def test_days_of_many_lengths_are_groups_of_their_own() -> None:
    days = [day_block(date(2026, 3, 28)), day_block(date(2026, 3, 29)), day_block(date(2026, 3, 30))]
    found = unify.unify(delivery(*days), DIRECTORY, received_at=NOW)
    assert sorted((group.count, len(group)) for group in found.days) == [(92, 1), (96, 2)]


def test_a_gas_day_starts_when_the_channel_says() -> None:
    gas = described(21, "7-0:3.29.0", 3600, day_start_s=6 * 3600)
    code = field.ReadingTypeCode.parse(field.reading_type_table()["gas.volume.3600s"].code)
    block = day_block(date(2026, 3, 26), code, 3600)
    found = unify.unify(delivery(block), unify.Directory([gas]), received_at=NOW)
    group = only(found.days)
    assert group.keys() == [(21, date(2026, 3, 25)), (21, date(2026, 3, 26))]
    assert (group.quality[0] != EMPTY).sum() == 6


@pytest.mark.parametrize(
    ("scale", "kept", "value"), [(0, True, 412), (3, True, 412000), (-1, False, 0), (-18, False, 0), (19, False, 0)]
)
def test_values_are_brought_to_the_scale_of_the_channel_or_refused(scale: int, kept: bool, value: int) -> None:
    block = field.IntervalBlock.of(KWH_900, np.array([midnight_s(date(2026, 3, 2))]), 900, np.array([412]), scale=scale)
    found = unify.unify(delivery(block), DIRECTORY, received_at=NOW)
    if kept:
        assert only(found.days).values[0, 0] == value
    else:
        assert not found.days
        assert "scale" in found.refusals[0].reason


def test_a_value_that_is_finer_but_whole_is_taken() -> None:
    block = field.IntervalBlock.of(KWH_900, np.array([midnight_s(date(2026, 3, 2))]), 900, np.array([4120]), scale=-1)
    assert only(unify.unify(delivery(block), DIRECTORY, received_at=NOW).days).values[0, 0] == 412


def test_litres_and_cubic_metres_are_one_quantity() -> None:
    litres = replace(field.ReadingTypeCode.parse(field.reading_type_table()["water.volume.3600s"].code), unit=134)
    water = described(31, "8-0:1.29.0", 3600)
    block = field.IntervalBlock.of(litres, np.array([midnight_s(date(2026, 3, 2))]), 3600, np.array([17]), scale=0)
    found = unify.unify(delivery(block), unify.Directory([water]), received_at=NOW)
    assert only(found.days).values[0, 0] == 17  # a channel of 0.001 m3


@pytest.mark.parametrize(
    ("meter", "known"),
    [
        (field.Identity("mrid-D1"), True),
        (field.Identity("MD1"), True),  # the serial number in the place of the mRID
        (field.Identity.named("MD1", "SerialNumber", mrid="whatever"), True),
        (field.Identity.named("MD1", "meterID"), True),
        (field.Identity.named("MD1"), True),
        (field.Identity.named("X002"), False),
        (field.Identity(), False),
    ],
)
def test_a_meter_is_known_by_mrid_by_name_or_by_bare_name(meter: field.Identity, known: bool) -> None:
    found = unify.unify(delivery(day_block(date(2026, 3, 2)), meter=meter), DIRECTORY, received_at=NOW)
    assert bool(found.days) is known
    assert [refusal.code for refusal in found.refusals] == ([] if known else ["2.4"])


def test_an_unknown_meter_at_a_known_point_is_refused_not_guessed() -> None:
    point = field.Identity.named("UP-1", "UsagePoint")
    stranger = field.Identity.named("X002")
    found = unify.unify(delivery(day_block(date(2026, 3, 2)), meter=stranger, point=point), DIRECTORY, received_at=NOW)
    assert (found.days, found.refusals[0].code) == ([], "2.4")


def test_a_bare_name_that_two_devices_have_is_refused() -> None:
    twins = [replace(QUARTERS, names=(("SerialNumber", "1"),)), replace(QUARTERS, device="D2", names=(("Badge", "1"),))]
    directory = unify.Directory(twins)
    found = unify.unify(
        delivery(day_block(date(2026, 3, 2)), meter=field.Identity.named("1")), directory, received_at=NOW
    )
    assert "2 devices" in found.refusals[0].reason
    clear = delivery(day_block(date(2026, 3, 2)), meter=field.Identity.named("1", "Badge"))
    assert unify.unify(clear, directory, received_at=NOW).days


def test_a_meter_swap_at_mid_day_splits_the_series_of_the_point() -> None:
    swap = local_midnight(ZONE, date(2026, 3, 16)) + timedelta(hours=14, minutes=7)
    old = replace(QUARTERS, span=Span(ALWAYS.start, swap))
    new = replace(QUARTERS, channel=41, device="D9", span=Span(swap, ALWAYS.end))
    payload = delivery(day_block(date(2026, 3, 16)), meter=None, point=field.Identity.named("UP-1"))
    found = unify.unify(payload, unify.Directory([old, new]), received_at=NOW)
    group = only(found.days)
    filled = {key: (row != EMPTY).sum() for key, row in zip(group.keys(), group.quality, strict=True)}
    assert filled == {(11, date(2026, 3, 16)): 57, (41, date(2026, 3, 16)): 40}  # 14:00 to 14:15 belongs to both
    assert not found.refusals


def test_readings_outside_the_life_of_the_channel_are_refused_and_the_others_stand() -> None:
    removed = local_midnight(ZONE, date(2026, 3, 16)) + timedelta(hours=14)
    directory = unify.Directory([replace(QUARTERS, span=Span(ALWAYS.start, removed))])
    found = unify.unify(delivery(day_block(date(2026, 3, 16))), directory, received_at=NOW)
    assert found.readings == 56
    (refusal,) = found.refusals
    assert refusal.position == "MeterReading[1]/IntervalBlocks[1]/IntervalReadings[57] and 39 more"
    assert (refusal.code, refusal.object_name) == ("4.1", "MD1")
    assert "2026-03-16T13:00:00Z" in refusal.reason


@pytest.mark.parametrize("year", [1, 2027, 9998])
def test_stamps_of_an_impossible_clock_are_refused_at_once(year: int) -> None:
    at = int((datetime(year, 6, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    block = field.IntervalBlock.of(KWH_900, np.array([at, midnight_s(date(2026, 3, 2))]), 900, np.array([1, 2]))
    found = unify.unify(delivery(block), DIRECTORY, received_at=NOW)
    assert found.readings == 1
    assert [refusal.code for refusal in found.refusals] == ["4.1"]


def test_a_reading_off_the_grid_is_refused() -> None:
    block = field.IntervalBlock.of(KWH_900, midnight_s(date(2026, 3, 2)) + np.array([0, 907, 1800]), 900, np.arange(3))
    found = unify.unify(delivery(block), DIRECTORY, received_at=NOW)
    assert found.readings == 2
    assert "grid" in found.refusals[0].reason
    assert "IntervalReadings[2]" in found.refusals[0].position


def test_repeats_are_one_and_of_two_contradicting_values_the_later_stands() -> None:
    at = midnight_s(date(2026, 3, 2)) + np.array([0, 0, 900, 900])
    block = field.IntervalBlock.of(KWH_900, at, 900, np.array([5, 5, 6, 7]))
    found = unify.unify(delivery(block), DIRECTORY, received_at=NOW)
    assert only(found.days).values[0, :2].tolist() == [5, 7]
    (refusal,) = found.refusals
    assert ("IntervalReadings[3]" in refusal.position, refusal.code) == (True, "5.1")


def test_another_interval_length_is_another_channel() -> None:
    found = unify.unify(delivery(day_block(date(2026, 3, 2), KWH_1800, 1800)), DIRECTORY, received_at=NOW)
    assert (found.days, found.refusals[0].code) == ([], "2.6")
    halves = replace(QUARTERS, channel=13, interval_s=1800, patterns=unify.patterns_of("1-0:1.29.0", 1800))
    both = unify.Directory([QUARTERS, halves])
    found = unify.unify(delivery(day_block(date(2026, 3, 2), KWH_1800, 1800)), both, received_at=NOW)
    assert only(found.days).keys() == [(13, date(2026, 3, 2))]


def test_a_period_without_a_number_in_the_type_finds_its_channel_by_its_length() -> None:
    nameless = replace(KWH_900, measuring_period=0)
    found = unify.unify(delivery(day_block(date(2026, 3, 2), nameless)), DIRECTORY, received_at=NOW)
    assert found.readings == 96


def test_a_calculation_left_to_us_is_refused() -> None:
    block = replace(day_block(date(2026, 3, 2)), pending_calculation="scalarNumerator=40")
    found = unify.unify(delivery(block), DIRECTORY, received_at=NOW)
    assert "scalarNumerator=40" in found.refusals[0].reason


@pytest.mark.parametrize(
    ("codes", "origin", "flags"),
    [
        ((), Origin.MEASURED, Flag.NONE),
        (("1.0.0",), Origin.MEASURED, Flag.NONE),
        (("2.5.259",), Origin.MISSING, Flag.NONE),
        (("1.4.4",), Origin.MISSING, Flag.NONE),
        (("1.5.257",), Origin.MISSING, Flag.HARDWARE),
        (("1.2.32", "1.4.2"), Origin.MEASURED, Flag.OUTAGE | Flag.PARTIAL),
        (("1.4.9",), Origin.MEASURED, Flag.CLOCK_SET),
        (("1.4.5",), Origin.MEASURED, Flag.TEST_MODE),
        (("2.8.0",), Origin.SUBSTITUTED, Flag.NONE),
        (("2.7.0", "2.8.0"), Origin.SUBSTITUTED, Flag.NONE),
        (("2.8.1234",), Origin.SUBSTITUTED, Flag.NONE),
        (("3.8.1004",), Origin.E04_TWO_WEEK_LIKE_DAY, Flag.NONE),
        (("3.8.1021",), Origin.SUBSTITUTED, Flag.NONE),
        (("2.11.0",), Origin.DERIVED, Flag.NONE),
        (("9.99.99",), Origin.MEASURED, Flag.NONE),
    ],
)
def test_what_is_said_of_a_value_is_kept_with_it(codes: tuple[str, ...], origin: Origin, flags: Flag) -> None:
    sets = [tuple(map(field.QualityCode.parse, codes))] if codes else []
    block = field.IntervalBlock.of(
        KWH_900, np.array([midnight_s(date(2026, 3, 2))]), 900, np.array([1]), qualities=sets,
        quality_index=np.array([len(sets)]),
    )  # fmt: skip
    group = only(unify.unify(delivery(block), DIRECTORY, received_at=NOW).days)
    assert origin_of(int(group.quality[0, 0])) is origin
    assert group.flags[0, 0] == flags


def test_a_value_that_is_not_there_is_missing_not_zero() -> None:
    block = field.IntervalBlock.of(
        KWH_900,
        midnight_s(date(2026, 3, 2)) + 900 * np.arange(2),
        900,
        np.array([0, 3]),
        missing=np.array([True, False]),
    )
    group = only(unify.unify(delivery(block), DIRECTORY, received_at=NOW).days)
    assert group.quality[0, :3].tolist() == [MISSING, MEASURED, EMPTY]


def reading(at: datetime, value: str | None, code: field.ReadingTypeCode = KWH_DIAL) -> field.Reading:
    return field.Reading(reading_type=code, at=at, value=None if value is None else Decimal(value))


def test_registers_come_in_the_scale_of_their_channel() -> None:
    daily = replace(KWH_DIAL, macro_period=11)
    at = local_midnight(ZONE, date(2026, 3, 2))
    found = unify.unify(
        delivery(readings=(reading(at, "1234.567"), reading(at + timedelta(days=1), None, daily))),
        DIRECTORY, received_at=NOW,
    )  # fmt: skip
    assert found.registers.channel.tolist() == [12, 12]
    assert found.registers.value.tolist() == [1234567, 0]
    assert [origin_of(int(each)) for each in found.registers.quality] == [Origin.MEASURED, Origin.MISSING]
    assert found.registers.at_s.tolist() == [int(at.timestamp()), int(at.timestamp()) + 86400]
    assert (found.days, found.refusals) == ([], ())


def test_the_final_reading_at_the_moment_of_removal_is_taken() -> None:
    removed = local_midnight(ZONE, date(2026, 3, 16)) + timedelta(hours=14, minutes=7)
    directory = unify.Directory([replace(REGISTER, span=Span(ALWAYS.start, removed))])
    both = (reading(removed, "5.000"), reading(removed + timedelta(seconds=1), "6.000"))
    found = unify.unify(delivery(readings=both), directory, received_at=NOW)
    assert found.registers.value.tolist() == [5000]
    assert len(found.refusals) == 1


def test_rates_and_demand_have_channels_of_their_own() -> None:
    rate = described(14, "1-0:1.8.2", 0)
    demand = described(15, "1-0:1.6.0", 0, unit="W")
    directory = unify.Directory([REGISTER, rate, demand])
    at = local_midnight(ZONE, date(2026, 3, 2))
    codes = [KWH_DIAL, replace(KWH_DIAL, tou=2), field.ReadingTypeCode.parse("8.8.53.6.1.1.8.0.0.0.0.0.0.0.0.3.38.0")]
    found = unify.unify(delivery(readings=tuple(reading(at, "1", code) for code in codes)), directory, received_at=NOW)
    assert sorted(found.registers.channel.tolist()) == [12, 14, 15]
    assert not found.days


def test_an_unknown_register_is_refused_with_its_type() -> None:
    code = field.ReadingTypeCode.parse("0.0.0.12.0.1.54.0.0.0.0.0.0.0.129.0.29.0")
    at = local_midnight(ZONE, date(2026, 3, 2))
    found = unify.unify(delivery(readings=(reading(at, "230.1", code),)), DIRECTORY, received_at=NOW)
    assert (found.refusals[0].code, str(code) in found.refusals[0].reason) == ("2.6", True)


def test_a_register_beyond_all_counting_is_refused() -> None:
    at = local_midnight(ZONE, date(2026, 3, 2))
    found = unify.unify(delivery(readings=(reading(at, "9" * 19),)), DIRECTORY, received_at=NOW)
    assert "18 digits" in found.refusals[0].reason


def test_it_is_refused_alone_and_says_when_it_was() -> None:
    at = local_midnight(ZONE, date(2026, 3, 2))
    values = ("12.5", "9" * 19, "13.25", "0." + "1" * 25)
    sent = tuple(reading(at + timedelta(hours=hour), value) for hour, value in enumerate(values))
    found = unify.unify(delivery(readings=sent), DIRECTORY, received_at=NOW)
    assert found.registers.value.tolist() == [12_500, 13_250]
    assert [one.position for one in found.refusals] == [f"MeterReading[1]/Readings {KWH_DIAL}"] * 2
    assert "9999999999999999999 at 2026-03-02T00:00:00" in found.refusals[0].reason


def register_readings(values: list[Decimal | None]) -> list[field.Reading]:
    return [field.Reading(reading_type=KWH_DIAL, at=NOW, value=value) for value in values]


@given(st.lists(st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=3) | st.sampled_from(
    [Decimal("9" * 18), Decimal("9" * 19), Decimal("0." + "9" * 18), Decimal("0." + "9" * 19), Decimal(0)]
), max_size=8))  # fmt: skip
def test_what_counts_is_kept_exactly_and_all_else_is_told(values: list[Decimal | None]) -> None:
    readings = register_readings(values)
    fitting, beyond = countable(readings)
    assert sorted(map(id, [*fitting, *beyond])) == sorted(map(id, readings))
    if fitting:
        block = instant_block(KWH_DIAL, fitting)
        exact = [Decimal(int(one)).scaleb(block.scale - KWH_DIAL.multiplier) for one in block.values]
        assert exact == [one.value or 0 for one in fitting]
        assert block.missing.tolist() == [one.value is None for one in fitting]


def test_of_values_that_do_not_fit_together_the_longest_give_way() -> None:
    long, fine = Decimal(123456789012345678), Decimal("0.5")
    fitting, beyond = countable(register_readings([long, fine, None]))
    assert [one.value for one in fitting] == [fine, None]
    assert [one.value for one in beyond] == [long]


def test_events_that_ride_with_readings_are_of_their_meter() -> None:
    event = field.EndDeviceEvent(created=NOW, code=field.event_code("power.off"))
    meter = field.Identity.named("MD1")
    payload = field.MeterReadings((field.MeterReading(meter=meter, events=(event,)),))
    found = unify.unify(payload, DIRECTORY, received_at=NOW)
    assert [each.device for each in found.events] == [meter]
    assert not found.refusals


def test_what_to_look_up_is_every_name_in_the_delivery() -> None:
    event = field.EndDeviceEvent(created=NOW, code=field.event_code("power.off"), device=field.Identity("a"))
    assert unify.identities(field.EndDeviceEvents((event,))) == {"a"}
    payload = delivery(meter=field.Identity.named("MD1", mrid="m"), point=field.Identity.named("UP-1"))
    assert unify.identities(payload) == {"MD1", "m", "UP-1"}


def test_one_bad_meter_of_many_costs_only_itself() -> None:
    payload = field.MeterReadings(tuple(
        field.MeterReading(meter=field.Identity.named(f"M{number}"), blocks=(day_block(date(2026, 3, 2)),))
        for number in range(50)
    ))  # fmt: skip
    directory = unify.Directory(
        replace(QUARTERS, channel=number, device=str(number), names=(("", f"M{number}"),)) for number in range(49)
    )
    found = unify.unify(payload, directory, received_at=NOW)
    assert only(found.days).values.shape == (49, 96)
    assert [(each.object_name, each.position) for each in found.refusals] == [("M49", "MeterReading[50]")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-5, 250), st.integers(0, 10**9), st.booleans(), st.sampled_from([0, 0, 0, 7])),
        min_size=1, max_size=60,
    )
)  # fmt: skip
def test_every_reading_is_kept_refused_or_a_repeat(rows: list[tuple[int, int, bool, int]]) -> None:
    begin = int(ALWAYS.start.timestamp())
    starts = np.array([begin + 900 * slot + off for slot, _, _, off in rows])
    missing = np.array([row[2] for row in rows])
    values = np.where(missing, 0, np.array([row[1] for row in rows]))
    found = unify.unify(
        delivery(field.IntervalBlock.of(KWH_900, starts, 900, values, missing=missing)), DIRECTORY, received_at=NOW
    )
    refused = sum(int(each.position.split(" and ")[1].split()[0]) + 1 if " and " in each.position else 1
                  for each in found.refusals)  # fmt: skip
    distinct = {(int(at), int(value), bool(gone)) for at, value, gone in zip(starts, values, missing, strict=True)}
    on_grid = {each for each in distinct if each[0] % 900 == 0 and each[0] > begin - 900}
    assert found.readings == len({at for at, _, _ in on_grid})
    assert found.readings + refused >= len(distinct)
    kept = {}
    for group in found.days:
        for (_, day), row, quality in zip(group.keys(), group.values, group.quality, strict=True):
            filled = np.flatnonzero(quality != EMPTY)
            kept.update({midnight_s(day) + 900 * int(slot): int(row[slot]) for slot in filled})
    last = {int(at): int(value) for at, value in zip(starts, values, strict=True)}
    assert kept == {at: last[at] for at in {each[0] for each in on_grid}}
