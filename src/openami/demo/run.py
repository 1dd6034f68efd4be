"""`openami demo`: a fresh landscape, the story with a progress bar, the table, and the console left open."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from openami.app import CLOCK_FILE
from openami.demo import story
from openami.demo.areas import Areas
from openami.demo.conductor import Conductor
from openami.demo.table import reconcile, show
from openami.landscape import remove_data, tell_console, wait_for_signal
from openami.shared.clock import SharedClock
from openami.shared.secrets import load_secrets
from openami.shared.spans import local_date, local_month
from openami.shared.supervisor import Supervisor

if TYPE_CHECKING:
    from rich.console import Console

    from openami.demo.table import Line
    from openami.shared.settings import Settings


async def run_demo(settings: Settings, console: Console, *, stay: bool) -> int:
    """Run the whole demo; the exit code is 0 when every home reconciles."""
    started = time.monotonic()
    if settings.data_dir.exists():
        console.print(f"Clearing the last demo's data in {settings.data_dir}.", style="dim")
        remove_data(settings.data_dir)
    settings.data_dir.mkdir(parents=True)
    clock = SharedClock.create(settings.data_dir / CLOCK_FILE, story.begin(settings.zone))
    with console.status("Starting PostgreSQL and five areas"):
        landscape = await Supervisor(settings).__aenter__()
    try:
        async with Areas(settings, load_secrets(settings.data_dir / "secrets.json").service_token) as areas:
            lines = await tell(settings, areas, clock, console)
        show(lines, console)
        console.print(f"{time.monotonic() - started:.0f} s for a month of {settings.homes} homes.", style="dim")
        if stay:
            tell_console(settings, console)
            await wait_for_signal()
    finally:
        await landscape.stop()
    return 0 if all(line.agrees for line in lines) else 1


async def tell(settings: Settings, areas: Areas, clock: SharedClock, console: Console) -> list[Line]:
    """Live through the story and gather the table; the bar names the day and the step."""
    month = local_month(settings.zone, story.YEAR, story.MONTH)
    begin = clock.now()
    with Progress(
        TextColumn("[bold]{task.fields[day]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=False,
    ) as bar:
        task = bar.add_task("The street wakes up", total=(month.end - begin) / timedelta(hours=1) + 12, day="")
        title = "The street wakes up"

        def told(what: str) -> None:
            hours = (clock.now() - begin) / timedelta(hours=1)
            day = f"{local_date(settings.zone, clock.now()):%a %d %b}"
            bar.update(task, completed=hours, description=f"{title}: {what}", day=day)

        street = story.Street(settings.zone, await areas.get("field", "/api/street"))
        conductor = Conductor(areas, clock, told=told)
        for step in story.steps(street):
            await conductor.run_until(step.at)
            title = step.title
            told("begun")
            await step.act(areas, street)
            await conductor.settle()
        title = "The table is checked"
        await conductor.run_until(street.march(32, 12))
        bar.update(task, completed=bar.tasks[0].total, description="Done")
    return await reconcile(areas, street, month)
