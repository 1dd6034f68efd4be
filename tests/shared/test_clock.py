from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from openami.app import clock_of
from openami.shared.clock import ManualClock, RealClock, SharedClock
from openami.shared.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_sleepers_wake_when_the_clock_is_moved_past_their_instant() -> None:
    clock = ManualClock(NOON)
    woken: list[str] = []

    async def sleeper(name: str, hours: int) -> None:
        await clock.sleep_until(NOON + timedelta(hours=hours))
        woken.append(name)

    tasks = [asyncio.create_task(sleeper("late", 5)), asyncio.create_task(sleeper("soon", 1))]
    await asyncio.sleep(0)
    clock.advance(timedelta(hours=2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert woken == ["soon"]
    clock.advance(timedelta(hours=3))
    await asyncio.gather(*tasks)
    assert woken == ["soon", "late"]


def test_a_manual_clock_never_goes_back() -> None:
    clock = ManualClock(NOON)
    clock.advance_to(NOON - timedelta(days=1))
    assert clock.now() == NOON


def test_all_processes_read_the_instant_that_the_conductor_set(tmp_path: Path) -> None:
    conductor = SharedClock.create(tmp_path / "clock", NOON)
    reader = SharedClock(tmp_path / "clock")
    conductor.advance_to(NOON + timedelta(microseconds=1))
    assert reader.now() == NOON + timedelta(microseconds=1)
    conductor.advance_to(NOON)
    assert reader.now() == NOON + timedelta(microseconds=1), "time does not run backwards"


def test_an_existing_clock_keeps_its_instant(tmp_path: Path) -> None:
    SharedClock.create(tmp_path / "clock", NOON).advance_to(NOON + timedelta(days=3))
    assert SharedClock.create(tmp_path / "clock", NOON).now() == NOON + timedelta(days=3)
    assert [path.name for path in tmp_path.iterdir()] == ["clock"]


def test_of_two_that_make_the_clock_at_once_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.exists", lambda _: False)
    first, second = (SharedClock.create(tmp_path / "clock", NOON + timedelta(days=days)) for days in (0, 1))
    assert first.now() == second.now() == NOON
    assert [path.name for path in tmp_path.iterdir()] == ["clock"]


def test_a_shared_clock_that_nobody_has_set_starts_now(tmp_path: Path) -> None:
    assert isinstance(clock_of(load_settings(data_dir=tmp_path)), RealClock)
    shared = load_settings(data_dir=tmp_path, clock="shared")
    before = datetime.now(UTC)
    began = clock_of(shared).now()
    assert before <= began <= datetime.now(UTC)
    assert clock_of(shared).now() == began, "it stands until it is moved"


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants bounds without a zone
def test_every_instant_survives_the_file(tmp_path_factory: object, instant: datetime) -> None:
    folder = tmp_path_factory.mktemp("clock")  # type: ignore[attr-defined]
    assert SharedClock.create(folder / "clock", instant).now() == instant


async def test_a_sleeper_on_the_shared_clock_wakes(tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock", NOON)
    task = asyncio.create_task(clock.sleep_until(NOON + timedelta(days=1)))
    await asyncio.sleep(0)
    assert not task.done()
    clock.advance_to(NOON + timedelta(days=1))
    await asyncio.wait_for(task, 5)


async def test_the_real_clock_is_aware_and_does_not_wait_for_the_past() -> None:
    clock = RealClock()
    assert clock.now().tzinfo is UTC
    await clock.sleep_until(clock.now() - timedelta(seconds=1))
