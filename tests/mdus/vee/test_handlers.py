from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series import Calendar, Channel, ChannelDays, Provenance, RegisterReadings, Series
from openami.mdus.vee.store import findings_of
from openami.mdus.vee.supply import supply_came_back, supply_went_off
from openami.shared.quality import EMPTY, MEASURED, VALID, Origin, Verdict, origins, verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.mdus.vee.handlers import Vee
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

CALENDAR = Calendar("Europe/Amsterdam", 1800)
AT = datetime(2026, 3, 20, tzinfo=UTC)
BY = Provenance(AT, "unify", "delivery", "d1")
EVENING = np.array([100] * 34 + [400] * 10 + [100] * 4, np.int64)


def march(day: int) -> int:
    return date(2026, 3, day).toordinal()


def shape(day: int) -> NDArray[np.int64]:
    """What the home uses on a day of March: the same evening, a little more each day."""
    whole = EVENING + day
    return np.delete(whole, [4, 5]) if CALENDAR.count(march(day)) == 46 else whole


async def deliver(
    mdus: Database, series: Series, days: list[int], channel: int = 1, lost: dict[int, slice] | None = None
) -> list[tuple[int, date]]:
    """The measured days of March, without the slots lost; and the registers at all midnights from the 1st on."""
    keys = []
    async with mdus.begin() as tx:
        for day in days:
            values = shape(day)[None]
            packed = np.full(values.shape, MEASURED, np.uint8)
            if lost and day in lost:
                packed[0, lost[day]] = EMPTY
            values = np.where(packed == EMPTY, 0, values)
            report = await series.merge(
                tx, ChannelDays.of(np.array([channel]), np.array([march(day)]), values, packed), BY
            )
            keys += report.keys
    return keys


async def read_registers(mdus: Database, series: Series, days: range, channel: int = 1) -> RegisterReadings:
    """The register at each midnight of these days: what was used in March before it."""
    readings = RegisterReadings.of(
        (
            channel + 100,
            CALENDAR.start_s(march(day)),
            50_000 + sum(int(shape(one).sum()) for one in range(1, day)),
            MEASURED,
        )
        for day in days
    )
    async with mdus.begin() as tx:
        return await series.merge_registers(tx, readings, BY)


async def current(mdus: Database, series: Series, day: int, channel: int = 1) -> ChannelDays:
    async with mdus.begin() as tx:
        (found,) = await series.days(tx, [channel], range(march(day), march(day) + 1))
    return found


async def test_good_days_are_kept_as_passed(mdus: Database, series: Series, vee: Vee) -> None:
    keys = await deliver(mdus, series, [1, 2])
    await read_registers(mdus, series, range(1, 4))
    async with mdus.begin() as tx:
        judged = await vee.validate_days(tx, keys, AT)
        again = await vee.validate_days(tx, keys, AT)
    assert judged.changed == ((1, date(2026, 3, 1)), (1, date(2026, 3, 2)))
    assert (judged.open, judged.findings, again.changed) == ((), 0, ())
    assert ((await current(mdus, series, 2)).quality == VALID).all()


async def test_accepting_keeps_what_merging_and_validating_keep(mdus: Database, series: Series, vee: Vee) -> None:
    await read_registers(mdus, series, range(1, 4))
    await read_registers(mdus, series, range(1, 4), channel=2)
    keys = await deliver(mdus, series, [1], lost={1: slice(3, 9)})
    values = np.where(np.isin(np.arange(48), range(3, 9)), 0, shape(1))[None]
    packed = np.where(np.isin(np.arange(48), range(3, 9)), EMPTY, MEASURED).astype(np.uint8)[None]
    async with mdus.begin() as tx:
        await vee.validate_days(tx, keys, AT)
        judged = await vee.accept(tx, ChannelDays.of(np.array([2]), np.array([march(1)]), values, packed), BY)
        again = await vee.accept(tx, ChannelDays.of(np.array([2]), np.array([march(1)]), values, packed), BY)
        (version,) = await series.versions(tx, 2, date(2026, 3, 1))
    two_steps, one_step = await current(mdus, series, 1), await current(mdus, series, 1, channel=2)
    np.testing.assert_array_equal(two_steps.quality, one_step.quality)
    np.testing.assert_array_equal(two_steps.values, one_step.values)
    assert (judged.changed, judged.open) == (((2, date(2026, 3, 1)),), ((2, date(2026, 3, 1)),))
    assert (again.days, version.delivery) == (0, "d1")
    assert version.cause.startswith("delivery; validated by default 2026.2 ")


async def test_a_lost_day_is_estimated_from_like_days_to_its_register(mdus: Database, series: Series, vee: Vee) -> None:
    keys = await deliver(mdus, series, [day for day in range(1, 18) if day != 14])
    await read_registers(mdus, series, range(1, 19))
    async with mdus.begin() as tx:
        await vee.validate_days(tx, keys, AT)
        judged = await vee.estimate_due(tx, date(2026, 3, 17), AT)
    lost = await current(mdus, series, 14)
    assert judged.changed == ((1, date(2026, 3, 14)),)
    assert int(lost.values.sum()) == int(shape(14).sum())
    np.testing.assert_allclose(lost.values[0], shape(14), atol=10)
    assert (origins(lost.quality) == Origin.E11_SCALE_ESTIMATED).all()
    async with mdus.begin() as tx:
        found = await findings_of(tx, 1, date(2026, 3, 14), date(2026, 3, 15))
    assert [(version, finding.rule) for version, _, finding in found] == [
        (1, "E03"),
        (1, "E11"),
        (1, "V05"),
        (1, "V26"),
    ]
    assert found[0][2].inputs["days"] == [-7, 1, -6, -13]
    assert found[0][1].startswith("default 2026.2 ")


async def test_late_actual_data_replace_the_estimate(mdus: Database, series: Series, vee: Vee) -> None:
    keys = await deliver(mdus, series, [day for day in range(1, 16) if day != 14])
    await read_registers(mdus, series, range(1, 17))
    async with mdus.begin() as tx:
        await vee.validate_days(tx, keys, AT)
        await vee.estimate_due(tx, date(2026, 3, 15), AT)
    keys = await deliver(mdus, series, [14], lost={14: slice(40, 48)})
    async with mdus.begin() as tx:
        await vee.validate_days(tx, keys, AT)
    late = await current(mdus, series, 14)
    assert late.values[0, :40].tolist() == shape(14)[:40].tolist()
    assert (late.quality[0, :40] == VALID).all()
    assert int(late.values.sum()) == int(shape(14).sum())  # what is still estimated was scaled anew
    assert (origins(late.quality)[0, 40:] >= Origin.E01_LINEAR).all()


async def test_registers_that_arrive_later_rescale_the_estimate(mdus: Database, series: Series, vee: Vee) -> None:
    keys = await deliver(mdus, series, [*range(1, 14), 15])
    async with mdus.begin() as tx:
        await vee.validate_days(tx, keys, AT)
        await vee.estimate_due(tx, date(2026, 3, 15), AT)
    before = await current(mdus, series, 14)
    readings = await read_registers(mdus, series, range(14, 16))
    async with mdus.begin() as tx:
        judged = await vee.validate_around(tx, readings, [], AT)
    after = await current(mdus, series, 14)
    assert (origins(before.quality) == Origin.E03_LIKE_DAY_AVERAGE).all()
    assert (1, date(2026, 3, 14)) in judged.changed
    assert int(after.values.sum()) == int(shape(14).sum())


async def test_a_day_of_which_nothing_came_is_found(mdus: Database, series: Series, vee: Vee) -> None:
    for channel in (1, 2, 3):
        await read_registers(mdus, series, range(1, 4), channel)
    async with mdus.begin() as tx:
        judged = await vee.estimate_due(tx, date(2026, 3, 2), AT)
    assert sorted(judged.changed) == [(channel, date(2026, 3, day)) for channel in (1, 2, 3) for day in (1, 2)]
    found = await current(mdus, series, 2, channel=3)
    assert int(found.values.sum()) == int(shape(2).sum())
    assert (origins(found.quality) == Origin.E13_FLAT_REMAINDER).all()


async def test_what_cannot_be_estimated_stays_open_and_is_not_tried_for_ever(
    mdus: Database, series: Series, vee: Vee
) -> None:
    async with mdus.begin() as tx:
        first = await vee.estimate_due(tx, date(2026, 3, 1), AT)
        second = await vee.estimate_due(tx, date(2026, 3, 1), AT)
    assert (len(first.open), first.changed, second.days) == (3, (), 0)


async def test_a_disconnected_home_used_nothing(mdus: Database, series: Series, vee: Vee) -> None:
    keys = await deliver(mdus, series, [1], lost={1: slice(20, 40)})
    async with mdus.begin() as tx:
        off, on = (datetime(2026, 3, 1, hour, 10, tzinfo=UTC) for hour in (9, 17))  # 10:10 to 18:10 local
        for _ in range(2):  # told twice
            await supply_went_off(tx, [1], off, "breaker read back")
        await supply_came_back(tx, [1], on)
        await vee.validate_days(tx, keys, AT)
        await vee.estimate_due(tx, date(2026, 3, 1), AT)
    found = await current(mdus, series, 1)
    assert np.flatnonzero(origins(found.quality)[0] == Origin.E17_ZERO).tolist() == list(range(21, 36))
    assert not found.values[0, 21:36].any()


async def test_a_swapped_meter_is_only_expected_in_its_life(mdus: Database, series: Series, vee: Vee) -> None:
    """The old meter goes at 14:10 local; its register then and at midnight bound what its last intervals sum to."""
    swapped = datetime(2026, 3, 1, 13, 10, tzinfo=UTC)
    used = EVENING[:29].copy()
    used[28] = 33  # ten minutes of the interval that began at 14:00
    values, packed = np.zeros((1, 48), np.int64), np.full((1, 48), EMPTY, np.uint8)
    values[0, :29], packed[0, :29] = used, MEASURED
    bounds = RegisterReadings.of(
        [
            (101, CALENDAR.start_s(march(1)), 1000, MEASURED),
            (101, int(swapped.timestamp()), 1000 + int(used.sum()), MEASURED),
        ]
    )
    async with mdus.begin() as tx:
        await series.declare(tx, [Channel(1, "Europe/Amsterdam", 1800, register=101, until=swapped)])
        await series.merge_registers(tx, bounds, BY)
        report = await series.merge(tx, ChannelDays.of(np.array([1]), np.array([march(1)]), values, packed), BY)
        judged = await vee.estimate_days(tx, report.keys, AT)
    found = await current(mdus, series, 1)
    assert (judged.open, judged.findings) == ((), 0)
    assert (found.quality[0, :29] == VALID).all()
    assert (found.quality[0, 29:] == EMPTY).all()


async def test_the_short_day_of_the_clock_change_takes_its_like_days_by_local_time(
    mdus: Database, series: Series, vee: Vee
) -> None:
    keys = await deliver(mdus, series, list(range(8, 29)))
    await read_registers(mdus, series, range(29, 31))
    async with mdus.begin() as tx:
        await vee.validate_days(tx, keys, AT)
        await vee.estimate_days(tx, [(1, date(2026, 3, 29))], AT)
    found = await current(mdus, series, 29)
    assert found.count == 46
    assert int(found.values.sum()) == int(shape(29).sum())
    assert np.flatnonzero(found.values[0] > 300).tolist() == list(range(32, 42))  # the evening is where it belongs


async def test_an_odd_peak_is_warned_of_while_the_register_confirms_it(
    mdus: Database, series: Series, vee: Vee
) -> None:
    values = EVENING[None].copy()
    values[0, 10] = 5000
    packed = np.full((1, 48), MEASURED, np.uint8)
    bounds = [
        (101, CALENDAR.start_s(march(1)), 0, MEASURED),
        (101, CALENDAR.start_s(march(2)), int(values.sum()), MEASURED),
    ]
    async with mdus.begin() as tx:
        await series.merge_registers(tx, RegisterReadings.of(bounds), BY)
        report = await series.merge(tx, ChannelDays.of(np.array([1]), np.array([march(1)]), values, packed), BY)
        await vee.validate_days(tx, report.keys, AT)
    found = await current(mdus, series, 1)
    assert found.values[0, 10] == 5000
    assert np.flatnonzero(verdicts(found.quality)[0] == Verdict.WV).tolist() == [10]


@pytest.mark.parametrize(("shown", "verdict"), [(2, Verdict.PV), (3, Verdict.WV)])
async def test_a_register_that_shows_few_digits_is_compared_in_values_of_the_channel(
    mdus: Database, series: Series, vee: Vee, shown: int, verdict: Verdict
) -> None:
    """V16: register values are kept in watt-hours, whatever the display shows; its last digit is only the tolerance."""
    async with mdus.begin() as tx:
        coarse = Channel(1, "Europe/Amsterdam", 1800, register=101, register_step=1000, rating_w=17_250)
        await series.declare(tx, [coarse])
    used = int(shape(10).sum())
    difference = used + shown * 1000
    readings = [(101, CALENDAR.start_s(march(10 + n)), 50_000 + n * difference, MEASURED) for n in range(2)]
    async with mdus.begin() as tx:
        await series.merge_registers(tx, RegisterReadings.of(readings), BY)
    keys = await deliver(mdus, series, [10])
    async with mdus.begin() as tx:
        await vee.validate_days(tx, keys, AT)
    assert set(verdicts((await current(mdus, series, 10)).quality)[0].tolist()) == {verdict}


async def test_a_register_that_begins_anew_has_advanced_beyond_its_end(
    mdus: Database, series: Series, vee: Vee
) -> None:
    """V24 in the sum check: 99,990 to 5 of a display of five digits."""
    used = int(shape(10).sum())
    async with mdus.begin() as tx:
        rolling = Channel(1, "Europe/Amsterdam", 1800, register=101, modulus=100_000, rating_w=17_250)
        await series.declare(tx, [rolling])
        ends = [(101, CALENDAR.start_s(march(10)), 99_990, MEASURED), (101, CALENDAR.start_s(march(11)), 0, MEASURED)]
        ends[1] = (101, ends[1][1], (99_990 + used) % 100_000, MEASURED)
        await series.merge_registers(tx, RegisterReadings.of(ends), BY)
    keys = await deliver(mdus, series, [10], lost={10: slice(20, 30)})
    async with mdus.begin() as tx:
        await vee.estimate_days(tx, keys, AT)
    assert int((await current(mdus, series, 10)).values.sum()) == used
