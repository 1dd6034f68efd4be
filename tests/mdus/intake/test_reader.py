"""A file in batches: the same ones from wherever one begins, cut as its row says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.intake.reader import Reader
from openami.mdus.intake.store import File
from openami.mdus.unify.adapters import Batch
from openami.mdus.unify.parts import Part
from openami.testing.fleet import Fleet

if TYPE_CHECKING:
    from pathlib import Path

METERS = 40
READINGS = METERS * 2 * 96


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files") / "fleet.edi"
    made.write_bytes(Fleet(METERS).day(0).mscons())
    return made


def file(readings_a_part: int) -> File:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return File(digest="", name="fleet", size_bytes=0, source="", received_at=at, readings_a_part=readings_a_part)


async def every(reader: Reader) -> list[tuple[str, Part | Batch]]:
    found: list[tuple[str, Part | Batch]] = []
    while (one := await reader.batch(len(found))) is not None:
        found.append(one)
    return found


def total(one: Part | Batch) -> tuple[int, int]:
    if isinstance(one, Batch):
        return sum(len(each.block) for each in one.series), sum(int(each.block.values.sum()) for each in one.series)
    return len(one.columns.values), int(one.columns.values.sum())


async def test_a_file_is_cut_as_its_row_says(path: Path) -> None:
    batches, parts = await every(Reader(file(0), path)), await every(Reader(file(3_000), path))
    assert {name for name, _ in (*batches, *parts)} == {"mscons"}
    assert all(isinstance(one, Batch) for _, one in batches)
    assert all(isinstance(one, Part) for _, one in parts)
    for found in (batches, parts):
        assert sum(total(one)[0] for _, one in found) > 0.9 * READINGS  # some were never delivered


@pytest.mark.parametrize("readings_a_part", [0, 3_000, 1_000_000])
async def test_whoever_begins_anew_gets_the_same_batch_of_a_number(path: Path, readings_a_part: int) -> None:
    one_by_one = [total(one) for _, one in await every(Reader(file(readings_a_part), path))]
    for number, expected in enumerate(one_by_one):
        reader = Reader(file(readings_a_part), path)
        found = await reader.batch(number)
        assert found is not None
        assert total(found[1]) == expected
        assert await reader.batch(len(one_by_one)) is None
        again = await reader.batch(number)  # its transaction was rolled back
        assert again is not None
        assert total(again[1]) == expected
        reader.close()


async def test_what_was_left_is_forgotten_when_a_part_is_taken_once_more(path: Path) -> None:
    found = await Reader(file(1_000_000), path).batch(0)
    assert found is not None
    part = found[1]
    assert isinstance(part, Part)
    for _ in range(2):
        part.begin()
        assert len([*part.left(np.array([0, 1]))]) == 2
        assert len(part.series_of_left) == 2
