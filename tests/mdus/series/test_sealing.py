from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series import ChannelDays, Provenance, Series, sealing, upkeep
from openami.mdus.series.feed import take_changes
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.series.sealing import seal
from openami.shared.quality import EMPTY, MEASURED
from openami.shared.spans import local_month

if TYPE_CHECKING:
    from openami.mdus.series.lake import Lake
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

NOW = datetime(2026, 4, 2, tzinfo=UTC)
MARCH = local_month("Europe/Amsterdam", 2026, 3)
APRIL_1 = date(2026, 4, 1)
FILES = "SELECT data_file FROM ducklake_list_files('lake', 'series_day')"


def one_day(channel: int, day: date, value: int) -> ChannelDays:
    shape = (1, 46 if day == date(2026, 3, 29) else 48)
    flags = np.zeros(shape, np.uint8)
    flags[0, 3] = value % 2
    return ChannelDays.of(
        np.array([channel]),
        np.array([day.toordinal()]),
        np.full(shape, value),
        np.full(shape, MEASURED, np.uint8),
        flags,
    )


async def fill(mdus: Database, series: Series) -> None:
    """A March of two channels, the 10th corrected later."""
    async with mdus.begin() as tx:
        for day in range(1, 32):
            for channel in (1, 2):
                by = Provenance(datetime(2026, 3, day, 12, tzinfo=UTC), "unify", "delivery", f"d{day}")
                await series.merge(tx, one_day(channel, date(2026, 3, day), 100 * channel + day), by)
        by = Provenance(datetime(2026, 3, 20, tzinfo=UTC), "unify", "correction", "d-late")
        await series.merge(tx, one_day(1, date(2026, 3, 10), 70_000), by)


async def months(mdus: Database, series: Series) -> list[list[int]]:
    async with mdus.begin() as tx:
        spans = [await series.read(tx, channel, MARCH) for channel in (1, 2)]
        early = await series.read(tx, 1, MARCH, as_of=datetime(2026, 3, 15, tzinfo=UTC))
    return [column.tolist() for span in (*spans, early) for column in (span.values, span.quality, span.flags)]


async def hot_rows(mdus: Database) -> int:
    async with mdus.begin() as tx:
        return int((await tx.exec_driver_sql("SELECT count(*) FROM series_day")).scalar_one())


async def test_one_read_covers_hot_and_sealed(mdus: Database, lake: Lake) -> None:
    series = Series(lake)
    await fill(mdus, series)
    before = await months(mdus, series)
    moved = await seal(mdus, lake, date(2026, 3, 20), NOW)
    assert (moved, await hot_rows(mdus)) == (39, 24)
    assert await months(mdus, series) == before
    assert await seal(mdus, lake, APRIL_1, NOW) == 24
    assert await hot_rows(mdus) == 0
    assert await months(mdus, series) == before


async def test_history_survives_sealing(mdus: Database, lake: Lake) -> None:
    series = Series(lake)
    await fill(mdus, series)
    async with mdus.begin() as tx:
        knowledge = await Knowledge.now(tx)
        before = await series.versions(tx, 1, date(2026, 3, 10))
    await seal(mdus, lake, APRIL_1, NOW)
    async with mdus.begin() as tx:
        await series.merge(tx, one_day(1, date(2026, 3, 10), 5), Provenance(NOW, "unify", "late", "d-later"))
        after = await series.versions(tx, 1, date(2026, 3, 10))
        known = await series.read(tx, 1, MARCH, as_of=knowledge)
        current = await series.read(tx, 1, MARCH)
    assert [(one.version, one.recorded_at, one.author, one.cause, one.delivery) for one in after[:2]] == [
        (one.version, one.recorded_at, one.author, one.cause, one.delivery) for one in before
    ]
    assert [one.values.tolist() for one in after[:2]] == [one.values.tolist() for one in before]
    assert [(one.version, int(one.values[0])) for one in after] == [(1, 110), (2, 70_000), (3, 5)]
    assert (known.values[9 * 48], current.values[9 * 48]) == (70_000, 5)


async def test_a_repeat_of_a_sealed_day_is_still_a_repeat(mdus: Database, lake: Lake) -> None:
    series = Series(lake)
    await fill(mdus, series)
    await seal(mdus, lake, APRIL_1, NOW)
    async with mdus.begin() as tx:
        report = await series.merge(tx, one_day(2, date(2026, 3, 5), 205), Provenance(NOW, "unify", "again", "d"))
        partial = one_day(2, date(2026, 3, 5), 9)
        partial.quality[0, 1:] = EMPTY
        late = await series.merge(tx, partial, Provenance(NOW, "unify", "late", "d"))
    assert not len(report.changed)
    assert late.changed.values[0, :3].tolist() == [9, 205, 205]
    assert late.changed.version.tolist() == [2]


@pytest.mark.parametrize("step", ["_hot_rows", "_intend", "_write", "_forget"])
async def test_a_crash_at_any_step_loses_and_doubles_nothing(
    mdus: Database, lake: Lake, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = Series(lake)
    await fill(mdus, series)
    before = await months(mdus, series)

    class Killed(Exception):  # noqa: N818 - not an error of ours
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as crash:
        crash.setattr(sealing, step, die)
        with pytest.raises(Killed):
            await seal(mdus, lake, APRIL_1, NOW)
    assert await months(mdus, series) == before
    assert await seal(mdus, lake, APRIL_1, NOW) == 63
    assert await hot_rows(mdus) == 0
    assert await months(mdus, series) == before


async def test_what_a_consumer_has_not_seen_stays_hot(mdus: Database, lake: Lake) -> None:
    series = Series(lake)
    async with mdus.begin() as tx:
        await tx.exec_driver_sql("INSERT INTO series_cursor VALUES ('upload', '3:3:')")
    await fill(mdus, series)
    assert await seal(mdus, lake, APRIL_1, NOW) == 0
    async with mdus.begin() as tx:
        changes = await take_changes(tx, "upload", lake=lake)
    assert sum(len(change.after) for change in changes) == 62
    assert await seal(mdus, lake, APRIL_1, NOW) == 63
    async with mdus.begin() as tx:
        await series.merge(tx, one_day(2, date(2026, 3, 5), 9), Provenance(NOW, "unify", "late", "d"))
    async with mdus.begin() as tx:
        (change,) = await take_changes(tx, "upload", lake=lake)
    assert (int(change.before.values[0, 0]), int(change.after.values[0, 0])) == (205, 9)


async def test_many_small_seals_become_few_files_and_old_days_go(mdus: Database, lake: Lake) -> None:
    series = Series(lake)
    await fill(mdus, series)
    for day in range(2, 32, 3):
        await seal(mdus, lake, date(2026, 3, day), NOW)
    await seal(mdus, lake, APRIL_1, NOW)
    before = await months(mdus, series)
    files = await lake.run(lambda cursor: cursor.execute(FILES).fetchall())
    assert len(files) > 8, "a file for each seal and week"
    assert await upkeep.compact(lake) == 6, "a file for each week"
    assert await months(mdus, series) == before
    async with mdus.begin() as tx:
        assert await upkeep.forget(tx, lake, date(2026, 3, 20)) == 2 * 19 + 1
    async with mdus.begin() as tx:
        kept = await series.read(tx, 2, MARCH)
    assert (kept.values > 0).sum() == 11 * 48 + 46
