"""What is read straight from the files of the lake is what lies there, and no more than needed is looked at."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncCursor
from tests.mdus.series.conftest import by

from openami.mdus.series import ChannelDays, Series, packing, sealed, sealing
from openami.mdus.series.both import newest
from openami.mdus.series.catalog import Catalog
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.series.lake import Lake
from openami.mdus.series.sealed import _Wanted, batches
from openami.mdus.series.sealing import binaries, seal, week_of
from openami.shared.database import psycopg_connection
from openami.shared.quality import EMPTY, MEASURED

if TYPE_CHECKING:
    from pathlib import Path

    from openami.shared.database import Database

MONDAY = date(2026, 3, 2)
FIRST = MONDAY.toordinal()
LATER = datetime(2026, 4, 2, tzinfo=UTC)


def table_of(batch: ChannelDays) -> pa.Table:
    """The rows of a batch as the lake has them."""
    parts = []
    for rows, width, uniform, flagged in packing.layouts(batch):
        part, n = batch.rows(rows), len(rows)
        columns: dict[str, Any] = {
            "channel": part.channel,
            "day": part.day.astype(np.int32),
            "version": part.version.astype(np.int32),
            "intervals": np.full(n, batch.count, np.int16),
            "values": binaries(part.values.astype(f"<i{width}").tobytes(), n),
            "quality": binaries((part.quality[:, :1] if uniform else part.quality).tobytes(), n),
            "flags": binaries(part.flags.tobytes() if flagged else b"", n),
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


@st.composite
def days(draw: st.DrawFn) -> ChannelDays:
    rows, count = draw(st.integers(1, 6)), draw(st.sampled_from([1, 4, 92]))
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    limit = random.choice([100, 1 << 20, 1 << 40], size=(rows, 1))
    values = random.integers(-limit, limit, size=(rows, count))
    quality = random.integers(0, 255, size=(rows, count)).astype(np.uint8)
    quality[random.random(rows) < 0.5] = MEASURED
    flags = (random.random((rows, count)) < 0.1).astype(np.uint8)
    return ChannelDays(np.arange(rows), FIRST + np.arange(rows), values, quality, flags, np.ones(rows, np.int64))


@given(days(), days())
def test_rows_that_pack_in_any_way_come_back_as_they_were(first: ChannelDays, second: ChannelDays) -> None:
    second = ChannelDays(second.channel + 100, second.day, second.values, second.quality, second.flags, second.version)
    table = pa.concat_tables([table_of(first), table_of(second)])
    found = {group.count: group for group in newest(batches(table))}
    for expected in newest([first, second]):
        got = found.pop(expected.count)
        for name in ("channel", "day", "version", "values", "quality", "flags"):
            assert np.array_equal(getattr(got, name), getattr(expected, name))
    assert not found


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5),
)
def test_exactly_the_wanted_pairs_are_taken(kept: list[tuple[int, int]], wanted: list[tuple[int, int]]) -> None:
    channel, day = np.array(wanted).T
    have = np.array(kept)
    table = pa.table({"channel": have[:, 0], "day": have[:, 1]})
    assert _Wanted.exactly(channel, day, None).among(table).tolist() == [one in wanted for one in kept]


def test_knowledge_hides_what_was_not_yet_committed() -> None:
    table = pa.table({"channel": [1] * 5, "day": [1] * 5, "transaction": [3, 5, 6, 8, 9]})
    wanted = _Wanted(np.array([1]), range(1, 2), Knowledge("5:9:5,7", own=9))
    assert wanted.among(table).tolist() == [True, False, True, True, True]
    assert _Wanted(np.array([1]), range(1, 2), Knowledge("5:9:5,7")).among(table).tolist()[-1] is False


pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


async def keep(mdus: Database, *numbers: int, channels: tuple[int, ...] = (1, 2, 3, 4, 5)) -> None:
    """Some days, counted from a Monday; the value says channel and day."""
    async with mdus.begin() as tx:
        for number in numbers:
            values = np.repeat(np.array(channels)[:, None] * 100 + number, 48, axis=1)
            day = np.full(len(channels), FIRST + number)
            await Series().merge(
                tx, ChannelDays.of(np.array(channels), day, values, np.full(values.shape, MEASURED, np.uint8)), by()
            )


async def read(mdus: Database, lake: Lake, channels: list[int], numbers: range) -> list[tuple[int, int, int]]:
    async with mdus.begin() as tx:
        wanted = range(FIRST + numbers.start, FIRST + numbers.stop)
        groups = await lake.sealed.days_between(tx, np.array(channels), wanted)
    return sorted(
        (int(channel), int(day) - FIRST, int(value))
        for group in groups
        for channel, day, value in zip(group.channel, group.day, group.values[:, 0], strict=True)
    )


async def test_slices_and_weeks_are_files_and_one_read_covers_them(
    mdus: Database, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer days of a week, and so more channels in each slice: files are of about one size."""
    monkeypatch.setattr(sealing, "CHANNEL_DAYS_AT_ONCE", 2 * 7)
    await keep(mdus, *range(9))
    assert await seal(mdus, lake, date.fromordinal(FIRST + 9), LATER) == 45
    async with mdus.begin() as tx:
        files = await Catalog().files(tx, FIRST)
    weeks = [path.split("/")[2] for path in files.paths]
    assert [weeks.count(f"week={week_of(FIRST) + number}") for number in (0, 1)] == [3, 1], "of 2, 2, 1; and 5 channels"
    expected = [(channel, number, 100 * channel + number) for channel in (2, 5) for number in range(5, 8)]
    assert await read(mdus, lake, [2, 5], range(5, 8)) == expected


async def test_a_reader_needs_neither_duckdb_nor_files_it_does_not_want(
    mdus: Database, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(mdus, *range(14))
    await seal(mdus, lake, date.fromordinal(FIRST + 14), LATER)
    reader = Lake(mdus.url, tmp_path / "lake")
    opened: list[str] = []
    plain = sealed.Sealed._open

    def noting(self: sealed.Sealed, path: str) -> pa.NativeFile:
        opened.append(path)
        return plain(self, path)

    monkeypatch.setattr(sealed.Sealed, "_open", noting)
    assert len(await read(mdus, reader, [3], range(7))) == 7
    assert reader._connection is None
    assert len(set(opened)) == 1, "of two weeks one was wanted"
    del opened[:]
    await read(mdus, reader, [3], range(7))
    assert opened == [], "its footer is remembered, and it stays open"
    assert await read(mdus, reader, [77], range(7)) == []


async def test_footers_are_forgotten_when_there_are_too_many(
    mdus: Database, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "FOOTERS", 1)
    await keep(mdus, 0, 7, 14)
    await seal(mdus, lake, date.fromordinal(FIRST + 15), LATER)
    assert len(await read(mdus, lake, [1], range(15))) == 3
    assert len(lake.sealed._footers) == 1


async def test_many_row_groups_are_read_piece_by_piece(
    mdus: Database, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "GROUPS_AT_ONCE", 1)
    async with mdus.begin() as tx:
        await tx.exec_driver_sql(
            "INSERT INTO series_channel (id, zone, interval_s, day_start_s, unit, scale, register_step, rule_set, kind,"
            " net) SELECT i, 'Europe/Amsterdam', 1800, 0, 'Wh', 0, 1, 'default', 'residential', false"
            " FROM generate_series(1000, 5999) AS i"
        )
    await keep(mdus, 3, channels=tuple(range(1000, 6000)))
    await seal(mdus, lake, date.fromordinal(FIRST + 7), LATER)
    found = await read(mdus, lake, [*range(1000, 6000)], range(7))
    assert found == [(channel, 3, channel * 100 + 3) for channel in range(1000, 6000)]
    (footer,) = lake.sealed._footers.values()
    assert footer.metadata.num_row_groups == 3, "of 2,048 rows"


async def test_columns_of_one_value_are_not_read_and_those_of_several_are(mdus: Database, lake: Lake) -> None:
    """Version, length of day and flags are alike in most row groups: their footers say so, and are right."""
    await keep(mdus, 0, 1)
    flagged = ChannelDays.of(np.array([5]), np.array([FIRST + 7]), np.full((1, 48), 7), np.full((1, 48), MEASURED))
    flagged.flags[0, 3] = 16
    flagged.quality[0, 5] = EMPTY
    async with mdus.begin() as tx:
        first = await Series().merge(tx, flagged, by())
        await Series().revise(tx, first.changed.with_results(first.changed.values + 1, first.changed.quality), by())
    await keep(mdus, 7, channels=(1, 2, 3, 4))
    await seal(mdus, lake, date.fromordinal(FIRST + 14), LATER)
    async with mdus.begin() as tx:
        (found,) = newest(await lake.sealed.days_between(tx, np.arange(1, 6), range(FIRST, FIRST + 14)))
    assert found.channel.tolist() == sorted(3 * [1, 2, 3, 4, 5])
    assert found.version.tolist() == [1] * 14 + [2]
    assert np.argwhere(found.flags).tolist() == [[14, 3]]
    assert np.argwhere(found.quality == EMPTY).tolist() == [[14, 5]]
    assert np.delete(found.values[-1], 5).tolist() == [8] * 47
    alike = [dict(one) for footer in lake.sealed._footers.values() for one in footer.alike]
    said = sorted([sorted((name, value.as_py()) for name, value in one.items()) for one in alike], key=len)
    assert said == [[("intervals", 48)], [("flags", b""), ("intervals", 48), ("version", 1)]]


async def test_a_reader_that_failed_is_not_used_again(mdus: Database, lake: Lake) -> None:
    await keep(mdus, 0)
    await seal(mdus, lake, date.fromordinal(FIRST + 7), LATER)
    assert len(await read(mdus, lake, [1], range(1))) == 1
    ((path, footer),) = lake.sealed._footers.items()
    (kept,) = footer.idle
    with lake.sealed._reader(path, footer) as first, lake.sealed._reader(path, footer) as second:
        assert first is kept, "what is idle is taken"
        assert second is not kept, "and one reader serves one thread"
    assert len(footer.idle) == 2

    def fail() -> None:
        with lake.sealed._reader(path, footer):
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        fail()
    assert len(footer.idle) == 1
    assert len(await read(mdus, lake, [1], range(1))) == 1


async def test_rows_that_somebody_deletes_by_sql_are_gone(mdus: Database, lake: Lake) -> None:
    await keep(mdus, *range(7))
    await seal(mdus, lake, date.fromordinal(FIRST + 7), LATER)
    await lake.run(lambda cursor: cursor.execute("DELETE FROM lake.series_day WHERE channel = 2 AND day % 2 = 0"))
    left = [number for number in range(7) if (FIRST + number) % 2]
    assert await read(mdus, lake, [1, 2], range(7)) == [
        *((1, number, 100 + number) for number in range(7)),
        *((2, number, 200 + number) for number in left),
    ]
    assert await read(mdus, Lake(mdus.url, lake.place), [2], range(7)) == [(2, n, 200 + n) for n in left]


async def test_processes_that_open_a_new_lake_at_once_make_it_once(mdus: Database, tmp_path: Path) -> None:
    lakes = [Lake(mdus.url, tmp_path / "lake") for _ in range(3)]
    await asyncio.gather(*(one.run(lambda cursor: cursor.execute("SELECT 1")) for one in lakes))
    await keep(mdus, 0)
    assert await seal(mdus, lakes[1], date.fromordinal(FIRST + 7), LATER) == 5
    assert len(await read(mdus, lakes[2], [1, 2, 3, 4, 5], range(1))) == 5
    for one in lakes:
        one.close()


async def test_a_delivery_that_comes_while_a_slice_is_read_changes_no_author(
    mdus: Database, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows and who wrote them are two queries: both see the same rows."""
    await keep(mdus, 0, channels=(3, 4))

    class Meddling(AsyncCursor[Any]):
        """Between the two queries somebody else commits."""

        async def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            if query is sealing._SOURCES:
                values, quality = np.full((1, 48), 7), np.full((1, 48), EMPTY, np.uint8)
                other = ChannelDays.of(np.array([1]), np.array([FIRST]), values, quality)
                async with mdus.begin() as tx:
                    await Series().revise(tx, other, by("a delivery between", "a"))
            return await super().execute(query, *arguments, **options)

    async def meddling(tx: Any) -> Any:
        connection = await psycopg_connection(tx)
        connection.cursor_factory = Meddling
        return connection

    monkeypatch.setattr(sealing, "psycopg_connection", meddling)
    await seal(mdus, lake, date.fromordinal(FIRST + 7), LATER)
    async with mdus.begin() as tx:
        (version,) = await Series(lake).versions(tx, 3, MONDAY)
    assert (version.cause, version.delivery) == ("delivery", "d1")
