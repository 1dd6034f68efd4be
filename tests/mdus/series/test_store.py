from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series import Calendar, Channel, ChannelDays, Provenance, Series
from openami.mdus.series.channels import UnknownChannelError
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.series.store import WrongDayLengthError
from openami.shared.quality import EMPTY, MEASURED, MISSING, Origin, Verdict, quality
from openami.shared.spans import Span, local_day

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

MARCH_1 = date(2026, 3, 1).toordinal()
CLOCK_CHANGE = date(2026, 3, 29).toordinal()
LIKE_DAY = quality(Origin.E03_LIKE_DAY_AVERAGE)
FAILED = quality(Origin.MEASURED, Verdict.FV)


def by(cause: str = "delivery", delivery: str = "d1", hour: int = 1) -> Provenance:
    return Provenance(datetime(2026, 3, 2, hour, tzinfo=UTC), "unify", cause, delivery)


def batch(channels: list[int], day: int, values: int | np.ndarray, packed: int = MEASURED, n: int = 48) -> ChannelDays:
    shape = (len(channels), n)
    return ChannelDays.of(
        np.array(channels, np.int64),
        np.full(len(channels), day, np.int64),
        np.broadcast_to(np.asarray(values, np.int64), shape).copy(),
        np.full(shape, packed, np.uint8),
    )


async def test_what_was_merged_is_read_back(mdus: Database, series: Series) -> None:
    values = np.arange(2 * 48).reshape(2, 48)
    values[1, 7] = 2**40  # this row alone needs eight bytes a value
    async with mdus.begin() as tx:
        report = await series.merge(tx, batch([1, 2], MARCH_1, values), by())
    async with mdus.begin() as tx:
        (found,) = await series.days(tx, [1, 2], range(MARCH_1, MARCH_1 + 1))
    order = np.argsort(found.channel)
    assert report.keys == [(1, date(2026, 3, 1)), (2, date(2026, 3, 1))]
    assert report.taken == 96
    np.testing.assert_array_equal(found.values[order], values)
    assert (found.quality == MEASURED).all()
    assert found.version.tolist() == [1, 1]
    assert not found.flags.any()


async def test_an_identical_repeat_makes_no_version(mdus: Database, series: Series) -> None:
    for delivery in ("d1", "d2"):
        async with mdus.begin() as tx:
            report = await series.merge(tx, batch([1], MARCH_1, 5), by(delivery=delivery))
    async with mdus.begin() as tx:
        versions = await series.versions(tx, 1, date(2026, 3, 1))
    assert not len(report.changed)
    assert [version.delivery for version in versions] == ["d1"]


async def test_late_data_fills_what_is_open_and_keeps_the_rest(mdus: Database, series: Series) -> None:
    first, late = batch([1], MARCH_1, 5), batch([1], MARCH_1, 7)
    first.quality[0, 24:] = MISSING
    first.values[0, 24:] = 0
    late.quality[0, :24] = EMPTY
    async with mdus.begin() as tx:
        await series.merge(tx, first, by(delivery="first"))
    async with mdus.begin() as tx:
        await series.merge(tx, late, by(delivery="late", hour=9))
        span = await series.read(tx, 1, local_day("Europe/Amsterdam", date(2026, 3, 1)))
        before = await series.read(
            tx, 1, local_day("Europe/Amsterdam", date(2026, 3, 1)), as_of=datetime(2026, 3, 2, 8, tzinfo=UTC)
        )
    assert span.values.tolist() == [5] * 24 + [7] * 24
    assert (span.quality == MEASURED).all()
    assert before.quality.tolist() == [MEASURED] * 24 + [MISSING] * 24


async def test_an_estimate_never_replaces_an_actual(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        await series.merge(tx, batch([1], MARCH_1, 5), by())
        report = await series.merge(tx, batch([1], MARCH_1, 9, LIKE_DAY), by("estimate"))
    assert (report.keys, report.taken, report.refused) == ([], 0, 48)


async def test_a_different_actual_makes_a_version_with_its_cause(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        await series.merge(tx, batch([1], MARCH_1, 5), by())
        report = await series.merge(tx, batch([1], MARCH_1, 6), by("correction", "d2"))
        versions = await series.versions(tx, 1, date(2026, 3, 1))
    assert report.replaced == 48
    assert [(one.version, one.cause, one.delivery, int(one.values[0])) for one in versions] == [
        (1, "delivery", "d1", 5),
        (2, "correction", "d2", 6),
    ]


async def test_a_failed_value_that_comes_again_does_not_undo_its_estimate(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        await series.merge(tx, batch([1], MARCH_1, 999, FAILED), by())
        await series.merge(tx, batch([1], MARCH_1, 5, LIKE_DAY), by("estimate"))
        again = await series.merge(tx, batch([1], MARCH_1, 999), by(delivery="again"))
        better = await series.merge(tx, batch([1], MARCH_1, 6), by(delivery="better"))
    assert not len(again.changed)
    assert better.taken == 48


async def test_days_of_the_clock_change_keep_their_own_length(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        await series.merge(tx, batch([1], CLOCK_CHANGE - 1, 1), by())
        await series.merge(tx, batch([1], CLOCK_CHANGE, 2, n=46), by())
        found = await series.days(tx, [1], range(CLOCK_CHANGE - 1, CLOCK_CHANGE + 1))
        span = await series.read(
            tx, 1, Span(datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))
        )
    assert sorted(group.count for group in found) == [46, 48]
    assert span.values.tolist() == [2] * 46
    assert np.diff(span.start_s).tolist() == [1800] * 45


async def test_a_day_of_the_wrong_length_is_refused(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        with pytest.raises(WrongDayLengthError, match="2026-03-29 has 46 intervals"):
            await series.merge(tx, batch([1], CLOCK_CHANGE, 2), by())


async def test_an_unknown_channel_is_refused(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        with pytest.raises(UnknownChannelError, match="the first is 77"):
            await series.merge(tx, batch([1, 77], MARCH_1, 2), by())


async def test_a_gas_day_starts_at_six(mdus: Database, series: Series) -> None:
    day = date(2026, 3, 28).toordinal()  # the odd gas day starts on Saturday
    assert Calendar("Europe/Amsterdam", 3600, 21600).count(day) == 23
    async with mdus.begin() as tx:
        await series.merge(tx, batch([50], day, 12, n=23), by())
        span = await series.read(
            tx, 50, Span(datetime(2026, 3, 28, 4, tzinfo=UTC), datetime(2026, 3, 28, 6, tzinfo=UTC))
        )
    assert span.quality.tolist() == [EMPTY, MEASURED]


async def test_a_reader_finds_again_exactly_what_it_saw(mdus: Database, series: Series) -> None:
    """Two writers record at one business instant; only the snapshot tells what the reader saw."""
    span = local_day("Europe/Amsterdam", date(2026, 3, 1))
    async with mdus.begin() as tx:
        await series.merge(tx, batch([1], MARCH_1, 5), by())
    async with mdus.begin() as slow:
        await series.merge(slow, batch([1], MARCH_1, 6), by("correction"))
        async with mdus.begin() as reader:
            knowledge = await Knowledge.now(reader)
            seen = await series.read(reader, 1, span)
    async with mdus.begin() as tx:
        again = await series.read(tx, 1, span, as_of=knowledge)
        current = await series.read(tx, 1, span)
    assert seen.values.tolist() == again.values.tolist() == [5] * 48
    assert current.values.tolist() == [6] * 48


async def test_writers_of_one_channel_queue_and_lose_nothing(mdus: Database, series: Series) -> None:
    async def write(slot: int) -> None:
        one = batch([1], MARCH_1, slot)
        one.quality[0] = EMPTY
        one.quality[0, slot] = MEASURED
        async with mdus.begin() as tx:
            await series.merge(tx, one, by(delivery=f"d{slot}"))

    await asyncio.gather(*(write(slot) for slot in range(8)))
    async with mdus.begin() as tx:
        (found,) = await series.days(tx, [1], range(MARCH_1, MARCH_1 + 1))
    assert found.values[0, :8].tolist() == list(range(8))
    assert found.version.tolist() == [8]


async def test_declaring_again_changes_all_but_the_calendar(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        await series.declare(tx, [Channel(1, "Europe/London", 900, rating_w=17250, net=True)])
        channel = (await series.channels(tx, [1]))[0]
    assert (channel.zone, channel.interval_s, channel.rating_w, channel.net) == ("Europe/Amsterdam", 1800, 17250, True)
