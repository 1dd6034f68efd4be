"""The demo's wall time: the whole landscape, 50 homes, a month; QUICK=1: the first days of ten homes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from openami.app import CLOCK_FILE
from openami.demo import story
from openami.demo.areas import Areas
from openami.demo.conductor import LANDSCAPE, Conductor
from openami.shared.clock import SharedClock
from openami.shared.secrets import load_secrets
from openami.shared.settings import load_settings
from openami.shared.supervisor import Supervisor

GOAL_S = 120.0
PORT = 8700
QUICK_HOMES = 10
QUICK_UNTIL = 2  # day of the month at noon


def whole_month(folder: Path) -> None:
    """`openami demo --exit` as a newcomer runs it."""
    command = [sys.executable, "-m", "openami", "demo", "--exit", "--port", str(PORT), "--data-dir", str(folder)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - started
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    tell("demo, 50 homes, one month: wall time", wall_s, "s", goal="under 120 s on two cores", baseline_s=GOAL_S)


async def first_days(folder: Path) -> None:
    """Installation and the first days of a small street, inside a landscape that is already up."""
    settings = load_settings(data_dir=folder, base_port=PORT, homes=QUICK_HOMES, clock="shared")
    clock = SharedClock.create(folder / CLOCK_FILE, story.begin(settings.zone))
    started = time.perf_counter()
    async with Supervisor(settings, areas=LANDSCAPE):
        tell("landscape: from nothing to ready", time.perf_counter() - started, "s")
        async with Areas(settings, load_secrets(folder / "secrets.json").service_token) as areas:
            wall_s = await live_first_days(settings.zone, areas, Conductor(areas, clock))
    tell(f"demo, {QUICK_HOMES} homes: wall time of a day", wall_s, "s/day", baseline_s=GOAL_S / 33)


async def live_first_days(zone: str, areas: Areas, conductor: Conductor) -> float:
    """Install the street and live on; wall seconds of a day."""
    street = story.Street(zone, await areas.get("field", "/api/street"))
    for step in story.steps(street)[:3]:
        await conductor.run_until(step.at)
        await step.act(areas, street)
    await conductor.run_until(street.march(1, 12))
    started = time.perf_counter()
    await conductor.run_until(street.march(QUICK_UNTIL, 12))
    return (time.perf_counter() - started) / (QUICK_UNTIL - 1)


def tell(name: str, value: float, unit: str, *, goal: str | None = None, baseline_s: float | None = None) -> None:
    """One row."""
    row = {"name": name, "value": value, "unit": unit, "goal": goal}
    if baseline_s is not None:
        row |= {"baseline": "the goal", "baseline_value": baseline_s, "ratio": value / baseline_s}
    print(json.dumps(row), flush=True)


def main() -> None:
    """Measure in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "demo"
        if os.environ.get("QUICK") == "1":
            data.mkdir()
            asyncio.run(first_days(data))
        else:
            whole_month(data)


if __name__ == "__main__":
    main()
