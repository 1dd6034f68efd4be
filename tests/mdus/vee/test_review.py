"""What only the weeks before a day can tell: told by the review, kept with the version, and proven like all else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series import Calendar, ChannelDays, Provenance, Series
from openami.mdus.unify.oddities import Oddity
from openami.mdus.vee import inspections
from openami.mdus.vee.explain import recompute
from openami.mdus.vee.history import _spells
from openami.mdus.vee.review import Review
from openami.mdus.vee.store import findings_of
from openami.shared.quality import EMPTY, MEASURED, VALID, Origin, Verdict, origins, verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.mdus.vee.handlers import Vee
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

FIRST = date(2026, 3, 1)
AT = datetime(2026, 4, 20, tzinfo=UTC)
SHAPE = np.array([100] * 34 + [400] * 10 + [100] * 4, np.int64)


async def live(mdus: Database, vee: Vee, days: int, odd: dict[int, NDArray[np.int64]] | None = None) -> None:
    """Days of one home, the same every day but for the odd ones; of values below 0 nothing has come."""
    async with mdus.begin() as tx:
        for number in range(days):
            day = FIRST + timedelta(days=number)
            values = (odd or {}).get(number, SHAPE)
            if day == date(2026, 3, 29):
                values = np.delete(values, [4, 5])
            packed = np.where(values < 0, EMPTY, MEASURED).astype(np.uint8)[None]
            row = np.where(values < 0, 0, values)[None]
            batch = ChannelDays.of(np.array([1]), np.array([day.toordinal()]), row, packed)
            await vee.accept(tx, batch, Provenance(AT, "unify", "delivery", "d"))


async def rules_on(mdus: Database, number: int) -> dict[str, Verdict]:
    day = FIRST + timedelta(days=number)
    async with mdus.begin() as tx:
        found = await findings_of(tx, 1, day, day + timedelta(days=1))
    return {one.rule: one.verdict for _, _, one in found}


async def review(mdus: Database, vee: Vee, number: int) -> int:
    async with mdus.begin() as tx:
        judged = await vee.review_days(tx, [(1, FIRST + timedelta(days=number))], AT)
    return len(judged.written)


async def test_use_and_peak_far_above_the_weeks_before_are_warned_of(mdus: Database, series: Series, vee: Vee) -> None:
    await live(mdus, vee, 42, dict.fromkeys(range(35, 42), SHAPE * 3))
    assert "V17" not in await rules_on(mdus, 41), "on arrival a day is looked at alone"
    assert await review(mdus, vee, 41) == 1
    assert (await rules_on(mdus, 41))["V17"] is Verdict.WV
    await review(mdus, vee, 35)
    assert {rule: verdict for rule, verdict in (await rules_on(mdus, 35)).items() if rule in {"V17", "V20"}} == {
        "V20": Verdict.WV
    }, "a day of three times the use makes no week of twice the use, but a peak"
    async with mdus.begin() as tx:
        (kept,) = await series.days(tx, [1], range((FIRST + timedelta(days=41)).toordinal(), 1_000_000))
        proofs = await recompute(series, tx, 1, FIRST + timedelta(days=41))
    assert set(verdicts(kept.quality)[0].tolist()) == {Verdict.WV}
    assert [(one.version, one.equal) for one in proofs] == [(1, True), (2, True)]


@pytest.mark.parametrize(("whole_days", "fires"), [(7, False), (5, False), (4, True)])
async def test_v17_a_week_like_that_of_last_year_is_no_wonder(
    mdus: Database, series: Series, vee: Vee, whole_days: int, fires: bool
) -> None:
    """Three times the use of the weeks before, as in the same week a year ago, where that is known well enough."""
    await live(mdus, vee, 42, dict.fromkeys(range(35, 42), SHAPE * 3))
    last = (FIRST + timedelta(days=41)).toordinal()
    week = np.arange(last - 364 - 3, last - 364 - 3 + whole_days)
    values = np.repeat((SHAPE * 3)[None], whole_days, axis=0)
    async with mdus.begin() as tx:
        batch = ChannelDays.of(np.ones(whole_days, np.int64), week, values, np.full(values.shape, VALID, np.uint8))
        await series.merge(tx, batch, Provenance(AT, "unify", "delivery", "d"))
    await review(mdus, vee, 41)
    assert ("V17" in await rules_on(mdus, 41)) is fires
    async with mdus.begin() as tx:
        assert all(one.equal for one in await recompute(series, tx, 1, FIRST + timedelta(days=41)))


async def test_a_usual_day_is_left_as_it_is(mdus: Database, vee: Vee) -> None:
    await live(mdus, vee, 40)
    assert await review(mdus, vee, 39) == 0
    assert await rules_on(mdus, 39) == {}


async def test_estimates_day_after_day_are_noted_though_no_value_changes(
    mdus: Database, series: Series, vee: Vee
) -> None:
    holes = np.where(np.arange(48) < 12, -1, SHAPE)
    await live(mdus, vee, 34, dict.fromkeys((30, 31, 32, 33), holes))
    keys = [(1, FIRST + timedelta(days=number)) for number in (30, 31, 32, 33)]
    async with mdus.begin() as tx:
        await vee.estimate_days(tx, keys, AT)
    await review(mdus, vee, 33)
    noted = await rules_on(mdus, 33)
    assert (noted["V36"], noted["V27"]) == (Verdict.PV, Verdict.PV), "a task for the field, no verdict on a value"
    async with mdus.begin() as tx:
        (kept,) = await series.days(tx, [1], range(keys[-1][1].toordinal(), 1_000_000))
    assert set(verdicts(kept.quality)[0].tolist()) == {Verdict.PV}


async def test_v03_a_clock_that_is_wrong_three_times_in_a_row_is_to_be_inspected(
    mdus: Database, series: Series, vee: Vee
) -> None:
    """The second day brings nothing, which is no check."""
    calendar = Calendar("Europe/Amsterdam", 1800)
    for number, drift_s in ((0, 200), (2, 240), (3, 300)):
        day = (FIRST + timedelta(days=number)).toordinal()
        last = np.array([calendar.start_s(day + 1) - 1800])
        batch = ChannelDays.of(np.array([1]), np.array([day]), SHAPE[None], np.full((1, 48), MEASURED, np.uint8))
        async with mdus.begin() as tx:
            oddities = [Oddity.of("V03", 1, last, drift_s)]
            await vee.accept(tx, batch, Provenance(AT, "unify", "delivery", "d"), oddities)
        await review(mdus, vee, number)
    async with mdus.begin() as tx:
        said = {
            one.day: one.inputs
            for _, _, one in await findings_of(tx, 1, FIRST, FIRST + timedelta(days=9))
            if one.rule == "V03" and "inspect" in one.inputs
        }
        proofs = await recompute(series, tx, 1, FIRST + timedelta(days=3))
    assert said == {
        FIRST: {"drift_s": 200, "failed_in_row": 1, "inspect": False},
        FIRST + timedelta(days=2): {"drift_s": 240, "failed_in_row": 2, "inspect": False},
        FIRST + timedelta(days=3): {"drift_s": 300, "failed_in_row": 3, "inspect": True},
    }
    assert all(one.equal for one in proofs)
    async with mdus.begin() as tx:
        (task,) = await inspections.listed(tx)
    third = FIRST + timedelta(days=3)
    assert (task["rule"], task["device"], task["day"], task["said"]) == ("V03", "1", third, said[third])


async def test_without_a_like_day_the_average_load_stands_in(mdus: Database, series: Series, vee: Vee) -> None:
    """E08 where E03 has no day of the same kind: a Sunday after five working days."""
    everything = np.full(48, -1)
    await live(mdus, vee, 8, {0: everything, 6: everything, 7: everything})
    async with mdus.begin() as tx:
        await vee.estimate_days(tx, [(1, FIRST + timedelta(days=7))], AT)
        (kept,) = await series.days(tx, [1], range((FIRST + timedelta(days=7)).toordinal(), 1_000_000))
    assert set(origins(kept.quality)[0].tolist()) == {Origin.E08_AVERAGE_DAILY_LOAD}
    assert int(kept.values.sum()) == int(SHAPE.sum())


async def test_the_morning_goes_through_all_channels_in_pages_and_catches_up(mdus: Database, vee: Vee) -> None:
    await live(mdus, vee, 42, dict.fromkeys(range(35, 42), SHAPE * 3))
    last = FIRST + timedelta(days=41)
    review_ = Review(vee, channels_a_turn=1)
    async with mdus.begin() as tx:
        await review_.start(tx, datetime(last.year, last.month, last.day, tzinfo=UTC))
    turns = 0
    while True:
        async with mdus.begin() as tx:
            if not await review_.act(tx, last, AT):
                break
        turns += 1
    assert turns == 2 * 7, "seven days, each one page and the end of it"
    assert "V17" in await rules_on(mdus, 41)
    assert "V20" in await rules_on(mdus, 35)


async def mornings(mdus: Database, review_: Review, last: date) -> int:
    """All that a morning does about days up to `last`; how much it did."""
    done = 0
    while True:
        async with mdus.begin() as tx:
            some = await review_.act(tx, last, AT)
        if not some:
            return done
        done += some


async def late(mdus: Database, vee: Vee, number: int, values: NDArray[np.int64]) -> None:
    async with mdus.begin() as tx:
        day = (FIRST + timedelta(days=number)).toordinal()
        batch = ChannelDays.of(np.array([1]), np.array([day]), values[None], np.full((1, 48), MEASURED, np.uint8))
        await vee.accept(tx, batch, Provenance(AT, "unify", "late", "d"))


async def test_a_day_that_changes_after_its_review_is_reviewed_again_once(
    mdus: Database, series: Series, vee: Vee
) -> None:
    """An estimate gives way to late data, and what the weeks before say of them is asked anew."""
    await live(mdus, vee, 41, {40: np.full(48, -1)})
    day = FIRST + timedelta(days=40)
    review_ = Review(vee)
    async with mdus.begin() as tx:
        await review_.start(tx, datetime(2026, 4, 10, tzinfo=UTC))
        await vee.estimate_days(tx, [(1, day)], AT)
    await mornings(mdus, review_, day)
    assert "V20" not in await rules_on(mdus, 40)
    await late(mdus, vee, 40, SHAPE * 3)
    assert "V20" not in await rules_on(mdus, 40), "on arrival a day is looked at alone"
    await mornings(mdus, review_, day)
    assert (await rules_on(mdus, 40))["V20"] is Verdict.WV
    async with mdus.begin() as tx:
        versions = await series.versions(tx, 1, day)
        proofs = await recompute(series, tx, 1, day)
    assert (versions[-1].values == SHAPE * 3).all()
    assert all(one.equal for one in proofs)
    assert await mornings(mdus, review_, day) == 0
    async with mdus.begin() as tx:
        assert len(await series.versions(tx, 1, day)) == len(versions), "a review that finds the same writes nothing"


async def test_with_a_day_that_changes_its_neighbours_are_reviewed(mdus: Database, series: Series, vee: Vee) -> None:
    """The end of an evening was held at its last value; when the day after comes, a line over midnight is known."""
    evening = np.where(np.arange(48) >= 46, -1, SHAPE)
    await live(mdus, vee, 41, {39: evening, 40: np.full(48, -1)})
    day = FIRST + timedelta(days=39)
    review_ = Review(vee)
    async with mdus.begin() as tx:
        await review_.start(tx, datetime(2026, 4, 10, tzinfo=UTC))
        await vee.estimate_days(tx, [(1, day), (1, day + timedelta(days=1))], AT)
    await mornings(mdus, review_, day + timedelta(days=1))

    async def methods() -> set[int]:
        async with mdus.begin() as tx:
            (kept,) = await series.days(tx, [1], range(day.toordinal(), day.toordinal() + 1))
        return set(origins(kept.quality)[0, 46:].tolist())

    assert await methods() == {Origin.E02_FLAT_EDGE}
    await late(mdus, vee, 40, SHAPE)
    assert await methods() == {Origin.E02_FLAT_EDGE}
    await mornings(mdus, review_, day + timedelta(days=1))
    assert await methods() == {Origin.E01_LINEAR}
    async with mdus.begin() as tx:
        proofs = await recompute(series, tx, 1, day)
    assert all(one.equal for one in proofs)
    assert await mornings(mdus, review_, day + timedelta(days=1)) == 0


async def test_v20_a_record_that_is_corrected_makes_a_record_of_a_later_day(mdus: Database, vee: Vee) -> None:
    """Three weeks lie between them: the later day had been judged by a peak that was none."""
    await live(mdus, vee, 41, {10: SHAPE * 3, 31: SHAPE * 2})
    last = FIRST + timedelta(days=40)
    review_ = Review(vee)
    await review(mdus, vee, 31)
    async with mdus.begin() as tx:
        await review_.start(tx, datetime(2026, 4, 10, tzinfo=UTC))
    await mornings(mdus, review_, last)
    assert "V20" not in await rules_on(mdus, 31), "twice the use, yet not more than ever"
    await late(mdus, vee, 10, SHAPE)
    await mornings(mdus, review_, last)
    assert (await rules_on(mdus, 31))["V20"] is Verdict.WV
    assert await mornings(mdus, review_, last) == 0


async def test_v17_is_taken_back_when_the_weeks_before_are_corrected(mdus: Database, series: Series, vee: Vee) -> None:
    await live(mdus, vee, 42, dict.fromkeys(range(14, 35), SHAPE // 4))
    last = FIRST + timedelta(days=41)
    review_ = Review(vee)
    async with mdus.begin() as tx:
        await review_.start(tx, datetime(2026, 4, 11, tzinfo=UTC))
    await mornings(mdus, review_, last)
    assert "V17" in await rules_on(mdus, 41)
    for number in range(14, 35):
        if number != 28:  # the day of 46 half-hours
            await late(mdus, vee, number, SHAPE)
    await mornings(mdus, review_, last)
    async with mdus.begin() as tx:
        (kept,) = await series.days(tx, [1], range(last.toordinal(), last.toordinal() + 1))
        proofs = await recompute(series, tx, 1, last)
    assert set(verdicts(kept.quality)[0].tolist()) == {Verdict.PV}
    assert all(one.equal for one in proofs)


async def test_v27_and_v36_are_retracted_when_the_data_come(mdus: Database, vee: Vee) -> None:
    """They are notes, so no new version of the later day is made for them."""
    holes = np.where(np.arange(48) < 12, -1, SHAPE)
    numbers = (30, 31, 32, 33)
    await live(mdus, vee, 34, dict.fromkeys(numbers, holes))
    last = FIRST + timedelta(days=33)
    review_ = Review(vee)
    async with mdus.begin() as tx:
        await review_.start(tx, datetime(2026, 4, 3, tzinfo=UTC))
        await vee.estimate_days(tx, [(1, FIRST + timedelta(days=number)) for number in numbers], AT)
    await mornings(mdus, review_, last)
    assert {"V27", "V36"} <= set(await rules_on(mdus, 33))
    for number in (30, 31, 32):
        await late(mdus, vee, number, SHAPE)
    await mornings(mdus, review_, last)
    assert {"V27", "V36"}.isdisjoint(await rules_on(mdus, 33))
    assert "E03" in await rules_on(mdus, 33), "what a method has filled stays told"


async def test_v27_the_fourth_time_in_a_year(mdus: Database, series: Series, vee: Vee) -> None:
    """Days in a row are one time, and late data does not undo that it had to be done."""
    holes = np.where(np.arange(48) < 2, -1, SHAPE)
    times = (1, 2, 8, 15, 22)
    await live(mdus, vee, 24, dict.fromkeys(times, holes))
    for number in times:
        async with mdus.begin() as tx:
            await vee.estimate_days(tx, [(1, FIRST + timedelta(days=number))], AT)
    await late(mdus, vee, 1, SHAPE)
    told = {}
    for number in times[1:]:
        await review(mdus, vee, number)
        told[number] = "V27" in await rules_on(mdus, number)
    assert told == {2: False, 8: False, 15: False, 22: True}
    async with mdus.begin() as tx:
        assert all(one.equal for one in await recompute(series, tx, 1, FIRST + timedelta(days=22)))


@pytest.mark.parametrize(
    ("estimated", "day", "times"),
    [
        ([], 400, 1),
        ([399], 400, 1),
        ([398], 400, 2),
        ([30, 31, 32, 398, 399], 400, 1),
        ([30, 31, 32, 34, 35, 36, 37, 398], 400, 3),
        ([36, 400, 401], 400, 2),
    ],
    ids=[
        "never",
        "goes on",
        "once before",
        "more than a year ago",
        "a time that reaches into the year",
        "not what comes after",
    ],
)
def test_v27_counts_times(estimated: list[int], day: int, times: int) -> None:
    others = [(1, one) for one in range(390, 400)] + [(3, 36)]
    kept = np.array(sorted([*others, *((2, one) for one in estimated)]), np.int64)
    assert _spells(kept, np.array([2, 4]), np.array([day, day])).tolist() == [times, 1]


async def test_a_day_that_looks_at_many_changes_is_reviewed_once(mdus: Database, vee: Vee) -> None:
    await live(mdus, vee, 20)
    last = FIRST + timedelta(days=19)
    review_ = Review(vee, channels_a_turn=3)
    async with mdus.begin() as tx:
        await review_.start(tx, datetime(2026, 3, 28, tzinfo=UTC))
    await mornings(mdus, review_, last)
    for number in range(6):
        await late(mdus, vee, number, SHAPE + 1)
    looking = 7 + 20 + 1  # from the week before the first to the last that is reviewed, which has brought nothing yet
    assert await mornings(mdus, review_, last) == 6 + looking, "six changes, and each day once"


async def test_days_yet_to_be_reviewed_are_not_reviewed_twice(mdus: Database, vee: Vee) -> None:
    review_ = Review(vee)
    async with mdus.begin() as tx:
        await review_.start(tx, datetime(2026, 3, 7, tzinfo=UTC))
    await live(mdus, vee, 8)
    assert await mornings(mdus, review_, FIRST + timedelta(days=7)) == 8 * 3, "each day a page of one and its end"


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_changes_and_when_the_end_is_as_if_all_had_come_in_time(
    mdus: Database, series: Series, vee: Vee, seed: int
) -> None:
    """Gaps, estimates, late values and mornings in any order; then what is kept is right, proven, and at rest."""
    random = np.random.default_rng(seed)
    review_ = Review(vee)
    last = FIRST + timedelta(days=11)
    async with mdus.begin() as tx:
        await review_.start(tx, datetime(2026, 3, 7, tzinfo=UTC))
    truth = {number: SHAPE + random.integers(0, 5, 48) for number in range(12)}
    await live(mdus, vee, 12, {n: np.where(random.random(48) < 0.2, -1, values) for n, values in truth.items()})
    for number in random.permutation(12).tolist():
        if random.random() < 0.5:
            async with mdus.begin() as tx:
                await vee.estimate_days(tx, [(1, FIRST + timedelta(days=number))], AT)
        if random.random() < 0.3:
            await mornings(mdus, review_, last)
        await late(mdus, vee, number, truth[number])
    await mornings(mdus, review_, last)
    async with mdus.begin() as tx:
        (kept,) = await series.days(tx, [1], range(FIRST.toordinal(), last.toordinal() + 1))
        proofs = [one for number in range(12) for one in await recompute(series, tx, 1, FIRST + timedelta(days=number))]
    rows = np.argsort(kept.day)
    assert (kept.values[rows] == np.stack([truth[number] for number in range(12)])).all()
    assert set(origins(kept.quality).ravel().tolist()) == {Origin.MEASURED}
    assert all(one.equal for one in proofs)
    assert await mornings(mdus, review_, last) == 0
