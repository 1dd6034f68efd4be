"""Which files and row groups can have what is wanted: never one too few."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text
from tests.mdus.series.test_sealed import FIRST, LATER, keep

from openami.mdus.series.catalog import NO_FILES, Bounds, Catalog
from openami.mdus.series.lake import Lake
from openami.mdus.series.sealing import seal

if TYPE_CHECKING:
    from pathlib import Path

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


async def test_files_are_asked_for_again_only_when_something_new_was_sealed(mdus: Database, tmp_path: Path) -> None:
    lake, catalog = Lake(mdus.url, tmp_path / "lake"), Catalog()
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
    lake.close()


async def test_how_far_was_sealed_and_the_newest_snapshot_are_one_question(mdus: Database, tmp_path: Path) -> None:
    lake, catalog = Lake(mdus.url, tmp_path / "lake"), Catalog()
    await keep(mdus, 0)
    await seal(mdus, lake, date.fromordinal(FIRST + 1), LATER)
    async with mdus.begin() as tx:
        await catalog.files(tx, FIRST)
        asked: list[str] = []
        event.listen(tx.sync_connection, "before_cursor_execute", lambda *of: asked.append(of[2]))
        await catalog.files(tx, FIRST)
    assert len(asked) == 1
    lake.close()
