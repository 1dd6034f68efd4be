"""The clock moves only when all is quiet, and stops at every timer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from openami.demo import conductor as conducting
from openami.demo.conductor import LANDSCAPE, Conductor, NeverQuietError, snapshot_of
from openami.shared.clock import SharedClock

if TYPE_CHECKING:
    from pathlib import Path

    from openami.demo.areas import Areas

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Landscape:
    """Areas that have timers, and work for a few looks after each of them."""

    clock: SharedClock
    timers: list[datetime] = field(default_factory=list)
    lived_to: list[datetime] = field(default_factory=list)
    fired: list[datetime] = field(default_factory=list)
    busy_looks: int = 0
    endless: bool = False
    activity: int = 0
    asked: list[str] = field(default_factory=list)

    async def get(self, area: str, path: str) -> dict[str, Any]:
        assert path == "/api/work"
        self.asked.append(area)
        due = next((timer for timer in self.timers if timer not in self.fired), None)
        if area == "mdus" and due is not None and due <= self.clock.now():
            self.fired.append(due)
            self.busy_looks = 3
            self.activity += 1
        if area == "office" and self.busy_looks:
            self.busy_looks -= 1
            return self._answer(area, 1, None)
        pending = int(self.endless and area == "field")
        return self._answer(area, pending, due if area == "mdus" else None)

    async def post(self, area: str, path: str, body: dict[str, str]) -> None:
        assert (area, path) == ("field", "/api/advance")
        step = datetime.fromisoformat(body["to"])
        assert self.clock.now() < step, "the field lives through the time before the clock shows it"
        self.lived_to.append(step)

    def _answer(self, area: str, pending: int, due: datetime | None) -> dict[str, Any]:
        return {
            "area": area,
            "pending": pending,
            "next_due": due.isoformat() if due else None,
            "activity": self.activity,
            "parts": {"work": pending},
        }


@pytest.fixture
def landscape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Landscape:
    monkeypatch.setattr(conducting, "LOOK_AGAIN_S", 0)
    monkeypatch.setattr(conducting, "ASSURE_S", 0)
    return Landscape(SharedClock.create(tmp_path / "clock", NOON))


def conductor(landscape: Landscape) -> Conductor:
    return Conductor(cast("Areas", landscape), landscape.clock)


async def test_the_clock_stops_at_every_timer_on_its_way(landscape: Landscape) -> None:
    landscape.timers = [NOON + timedelta(hours=hours) for hours in (1, 5, 30)]
    await conductor(landscape).run_until(NOON + timedelta(days=1))
    assert landscape.lived_to == [*landscape.timers[:2], NOON + timedelta(days=1)]
    assert landscape.fired == landscape.timers[:2]
    assert landscape.clock.now() == NOON + timedelta(days=1)


async def test_without_timers_the_clock_goes_straight_to_the_end(landscape: Landscape) -> None:
    await conductor(landscape).run_until(NOON + timedelta(days=31))
    assert landscape.lived_to == [NOON + timedelta(days=31)]


async def test_who_works_is_asked_alone_and_then_everybody_twice(landscape: Landscape) -> None:
    landscape.busy_looks = 3
    await conductor(landscape).settle()
    assert landscape.asked == [*LANDSCAPE, *["office"] * 3, *LANDSCAPE, *LANDSCAPE]


async def test_a_landscape_that_never_rests_is_named(landscape: Landscape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conducting, "QUIET_TIMEOUT_S", 0.01)
    landscape.endless = True
    with pytest.raises(NeverQuietError, match=r"'field': \{'work': 1\}"):
        await conductor(landscape).settle()


def test_a_timer_that_is_due_is_work_in_hand() -> None:
    answers: list[dict[str, Any]] = [
        {
            "area": area,
            "pending": 0,
            "next_due": NOON.isoformat() if area == "mdus" else None,
            "activity": 1,
            "parts": {},
        }
        for area in LANDSCAPE
    ]
    assert snapshot_of(answers, NOON).busy == ("mdus",)
    assert snapshot_of(answers, NOON - timedelta(seconds=1)).quiet
    assert snapshot_of(answers, NOON).next_due == NOON
