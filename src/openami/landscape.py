"""The landscape as a whole: up against the real clock, its console password, and the end of its data."""

from __future__ import annotations

import asyncio
import shutil
import signal
from typing import TYPE_CHECKING

from rich.text import Text

from openami.demo.areas import Areas
from openami.demo.settling import settle_in
from openami.shared.clock import RealClock
from openami.shared.postgres import EmbeddedPostgres
from openami.shared.secrets import load_secrets
from openami.shared.settings import CONSOLE_USERS
from openami.shared.supervisor import Supervisor
from openami.web.rights import Role
from openami.web.users import Users

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from openami.shared.settings import Settings


async def run_landscape(settings: Settings, console: Console) -> None:
    """Run until a signal comes."""
    with console.status("Starting PostgreSQL and the areas"):
        landscape = await Supervisor(settings).__aenter__()
    try:
        await _settle_in(settings, console)
        tell_console(settings, console)
        await wait_for_signal()
    finally:
        with console.status("Stopping"):
            await landscape.stop()
    console.print(f"Stopped. The data stays in {settings.data_dir.resolve()}.")


async def _settle_in(settings: Settings, console: Console) -> None:
    """On the first start the simulated street gets its meters; later starts find them."""
    token = load_secrets(settings.data_dir / "secrets.json").service_token
    with console.status("Looking at the street"):
        async with Areas(settings, token) as areas:
            installed = await settle_in(areas, settings.zone, RealClock())
    if installed:
        console.print(f"A street of {settings.homes} homes begins to live: {installed} meters installed.")


def tell_console(settings: Settings, console: Console) -> None:
    """Say where the console is; on the first start also the password, this once."""
    url = settings.address("web").url
    console.print(Text.assemble("The console is at ", (url, "bold"), ", user ", ("admin", "bold"), "."))
    if not (settings.data_dir / CONSOLE_USERS).exists():
        password = Users(settings.data_dir / CONSOLE_USERS).add("admin", Role.ADMINISTRATOR)
        console.print(
            Text.assemble("Its password, shown this once: ", (password, "bold"), "  (a new one: openami password)")
        )
        console.print("Others come in with: openami user add NAME --role ROLE")
    console.print("Ctrl-C stops everything.")


def remove_data(data_dir: Path) -> None:
    """Delete a landscape's folder, its database included, wherever that had to lie."""
    postgres = EmbeddedPostgres(data_dir / "postgres", "")
    postgres.remove()
    shutil.rmtree(data_dir, ignore_errors=True)


async def wait_for_signal() -> None:
    """Return when somebody wants us to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
