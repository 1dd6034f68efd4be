"""Runs the story on a landscape of real processes, so that tests can look at what it left behind, or disturb it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console

from openami.app import CLOCK_FILE
from openami.demo import story
from openami.demo.areas import Areas
from openami.demo.run import tell
from openami.shared.clock import SharedClock
from openami.shared.secrets import load_secrets
from openami.shared.settings import Settings, load_settings
from openami.shared.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime
    from pathlib import Path

    from openami.demo.table import Line

    Disturb = Callable[[Supervisor, SharedClock], Coroutine[Any, Any, None]]

AREAS = ("field", "headend", "mdus", "office")  # the console has no part in the story
HOMES = 10


@dataclass
class Told:
    """What a story left behind."""

    lines: list[Line]
    street: dict[str, Any] = field(default_factory=dict)
    pages: dict[str, Any] = field(default_factory=dict)


def settings_for(folder: Path, port: int, **more: Any) -> Settings:
    """Settings of a small landscape of its own."""
    return load_settings(data_dir=folder, base_port=port, homes=HOMES, clock="shared", **more)


async def tell_story(
    settings: Settings,
    *,
    pages: Sequence[tuple[str, str]] = (),
    disturb: Disturb | None = None,
) -> Told:
    """Live through the month; `disturb` runs beside it; `pages` (area, path) are fetched at the end."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    settings.data_dir.chmod(0o755)
    clock = SharedClock.create(settings.data_dir / CLOCK_FILE, story.begin(settings.zone))
    async with Supervisor(settings, areas=AREAS) as landscape:
        token = load_secrets(settings.data_dir / "secrets.json").service_token
        async with Areas(settings, token) as areas:
            trouble: asyncio.Task[None] | None = asyncio.create_task(disturb(landscape, clock)) if disturb else None
            lines = await tell(settings, areas, clock, Console(file=io.StringIO()))
            if trouble is not None:
                await trouble
            told = Told(lines, await areas.get("field", "/api/street"))
            for area, path in pages:
                told.pages[f"{area}{path}"] = await areas.get(area, path)
    return told


def killer(area: str, instants: Sequence[datetime]) -> Disturb:
    """Kill the process of an area, without warning, at each of these business instants and a moment after."""

    async def kill(landscape: Supervisor, clock: SharedClock) -> None:
        for instant in instants:
            while clock.now() < instant:  # noqa: ASYNC110 - another process's clock
                await asyncio.sleep(0.005)
            for pause_s in (0.0, 0.15, 0.4):  # in the middle of what the instant sets off
                await asyncio.sleep(pause_s)
                pid = landscape.pid(area)
                if pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        await landscape.wait_ready()
        assert landscape.starts(area) > len(instants), "nothing was killed"

    return kill


def instants_of(zone_name: str, *days: int) -> list[datetime]:
    """Twenty-one minutes after midnight of days of the story's month: the meters are being read."""
    first = story.begin(zone_name) + timedelta(days=2) - timedelta(hours=8)
    return [first + timedelta(days=day - 1, minutes=20) for day in days]
