"""Which files and row groups can have what is wanted: never one too few."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncCursor
from psycopg.sql import SQL
from sqlalchemy import text
from tests.mdus.series.test_sealed import FIRST, LATER, keep

from openami.mdus.series import Series, hot
from openami.mdus.series.catalog import NO_FILES, Bounds, Catalog
from openami.mdus.series.sealing import seal

if TYPE_CHECKING:
    from openami.mdus.series.lake import Lake
    from openami.shared.database import Database

numbers = st.integers(1, 30)
pairs = st.tuples(numbers, numbers).map(sorted)


@given(st.lists(st.tuples(pairs, pairs), max_size=8), st.lists(numbers, min_size=1, max_size=5, unique=True), pairs)
def test_touching_is_what_a_look_at_every_one_finds(
    boxes: list[tuple[list[int], list[int]]], channels: list[int], days: list[int]
) -> None:
    bounds = Bounds.of([(low, high, first, last) for (low, high), (first, last) in boxes])
    wanted = range(days[0], days[1])
    expected = [
        at
        for at, ((low, high), (first, last)) in enumerate(boxes)
        if any(low <= one <= high for one in channels) and any(first <= day <= last for day in wanted)
    ]
    assert bounds.touching(np.array(sorted(channels)), wanted).tolist() == expected


def test_no_files_touch_nothing() -> None:
    assert not len(Bounds.of([]).touching(np.array([1]), range(1, 9)))


pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


async def test_a_lake_that_nobody_has_made_is_not_looked_into(mdus: Database) -> None:
    """Its schema is made by the first sealing; until then there is nothing to ask."""
    async with mdus.begin() as tx:
        assert await Catalog().files(tx, FIRST) is NO_FILES
        assert (await tx.execute(text("SELECT to_regnamespace('lake')"))).scalar_one() is None


async def test_files_are_asked_for_again_only_when_something_new_was_sealed(mdus: Database, lake: Lake) -> None:
    catalog = Catalog()
    await keep(mdus, 0)
    await seal(mdus, lake, date.fromordinal(FIRST + 1), LATER)
    async with mdus.begin() as tx:
        first = await catalog.files(tx, FIRST)
        assert len(first.paths) == 1
        assert await catalog.files(tx, FIRST) is first
        assert await catalog.files(tx, FIRST + 1) is NO_FILES, "from there on nothing was ever sealed"
    await keep(mdus, 7)
    await seal(mdus, lake, date.fromordinal(FIRST + 8), LATER)
    async with mdus.begin() as tx:
        second = await catalog.files(tx, FIRST + 7)
        assert len(second.paths) == 2
        assert second.snapshot > first.snapshot


async def test_hot_rows_and_what_the_lake_has_are_one_statement(mdus: Database, lake: Lake) -> None:
    """Before anything is sealed, after, and of a lake that a reader has yet to meet."""
    series = Series(lake)
    await keep(mdus, 0)
    assert await statements(mdus, series, 0) == (1, [1])
    await seal(mdus, lake, date.fromordinal(FIRST + 1), LATER)
    met = 3  # one to the hot part and how far was sealed, one to the newest snapshot, one to its files
    assert await statements(mdus, series, 0) == (met, [1])
    assert await statements(mdus, series, 0) == (1, [1])
    await keep(mdus, 7)
    assert await statements(mdus, series, 7) == (1, [1]), "a hot day beside sealed ones"
    await seal(mdus, lake, date.fromordinal(FIRST + 8), LATER)
    assert await statements(mdus, series, 7) == (met - 1, [1]), "there is a newer snapshot"
    assert await statements(mdus, series, 8) == (1, [])


async def statements(mdus: Database, series: Series, day: int) -> tuple[int, list[int]]:
    """How many statements a read of one day of one channel takes, and how many rows each batch has."""
    asked: list[object] = []
    execute = AsyncCursor.execute

    def counted(cursor: Any, query: Any, *of: Any, **more: Any) -> Any:
        asked.append(query)
        return execute(cursor, query, *of, **more)

    async with mdus.read() as tx:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AsyncCursor, "execute", counted)
            found = await series.days(tx, [1], range(FIRST + day, FIRST + day + 1))
    return len(asked), [len(batch) for batch in found]


async def test_an_answer_from_before_the_lake_was_there_is_completed(mdus: Database, lake: Lake) -> None:
    """Two readers meet a lake at once: the question of one was put before the other had seen its files."""
    catalog = Catalog()
    await keep(mdus, 0)
    await seal(mdus, lake, date.fromordinal(FIRST + 1), LATER)
    async with mdus.begin() as tx:
        early = (await tx.execute(text(catalog.question))).one()
        assert tuple(early) == (date.fromordinal(FIRST + 1), None)
        seen = await catalog.files(tx, FIRST)
        assert await catalog.files(tx, FIRST, early) is seen
        assert tuple((await tx.execute(text(catalog.question))).one()) == (early[0], seen.snapshot)


async def test_an_answer_that_is_older_than_what_is_known_takes_nothing_back(mdus: Database, lake: Lake) -> None:
    catalog = Catalog()
    await keep(mdus, 0)
    await seal(mdus, lake, date.fromordinal(FIRST + 1), LATER)
    async with mdus.begin() as tx:
        await catalog.files(tx, FIRST)
        older = (await tx.execute(text(catalog.question))).one()
    await keep(mdus, 7)
    await seal(mdus, lake, date.fromordinal(FIRST + 8), LATER)
    async with mdus.begin() as tx:
        newer = await catalog.files(tx, FIRST)
        assert newer.snapshot > older[1]
        assert await catalog.files(tx, FIRST, older) is newer
        assert await catalog.files(tx, FIRST + 7, older) is NO_FILES, "those days were hot then"


async def test_hot_rows_come_with_the_row_of_what_is_asked_beside_them(mdus: Database) -> None:
    """The row comes also where there are no days, and once where there are days of several lengths."""
    await keep(mdus, 0)
    beside, channels = SQL("SELECT 7, 'seven'"), np.array([1, 2])
    async with mdus.read() as tx:
        found, answer = await hot.days_between(tx, channels, range(FIRST, FIRST + 1), beside=beside)
        assert (sum(map(len, found)), answer) == (2, (7, "seven"))
        assert await hot.days_between(tx, channels, range(FIRST + 1, FIRST + 2), beside=beside) == ([], (7, "seven"))
        exactly = await hot.latest_of(tx, channels, np.array([FIRST, FIRST + 1]), beside=beside)
        assert ([batch.channel.tolist() for batch in exactly[0]], exactly[1]) == ([[1]], (7, "seven"))
        assert await hot.latest_of(tx, channels, channels) == ([], ())
