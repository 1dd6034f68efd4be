"""Killing a process without warning changes nothing in the table at the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.flows.landscape import AREAS, instants_of, killer, settings_for, tell_story

if TYPE_CHECKING:
    from pathlib import Path

    from openami.demo.table import Line

pytestmark = [
    pytest.mark.landscape,
    pytest.mark.enable_socket,
    pytest.mark.timeout(900),
]

# when the meters are read, when a home is cut off, when the day after the swap is read, when bills are written
DAYS = (3, 11, 17, 32)


def facts(lines: list[Line]) -> list[tuple[object, ...]]:
    """What a table says, without what may differ from run to run."""
    return [(line.home, line.kind, line.measured, line.series, line.billed, line.agrees) for line in lines]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return facts(asyncio.run(tell_story(settings_for(folder / "data", 21100))).lines)


@pytest.mark.parametrize("area", AREAS)
def test_a_killed_process_changes_nothing(area: str, undisturbed: list[tuple[object, ...]], tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "data", 21200 + 100 * AREAS.index(area))
    told = asyncio.run(tell_story(settings, disturb=killer(area, instants_of(settings.zone, *DAYS))))
    assert facts(told.lines) == undisturbed
    assert all(line.agrees for line in told.lines)
