"""The commands that keep a landscape: `settings`, `backup` and `restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from openami.cli_settings import load_settings

console = Console(markup=False)

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Where everything is kept.", show_default=False)]


def settings(
    every: Annotated[bool, typer.Option("--all", help="Also what was left at its default.")] = False,
) -> None:
    """What is set here, by `OPENAMI_...` variables and openami.toml; secrets are not shown."""
    from openami.shared.settings_reference import told, values  # noqa: PLC0415 - other commands start faster

    described = {one.name: one.description for one in told()}
    table = Table("setting", "value", "what it is", title="Settings", title_justify="left")
    for name, value, changed in values(load_settings()):
        if changed or every:
            table.add_row(Text(name, style="bold" if changed else ""), value, described[name])
    console.print(table if table.row_count else "Everything is at its default: openami settings --all shows what.")


def backup(
    target: Annotated[Path, typer.Argument(help="The folder to make; best on another disk.")],
    data_dir: DataDir = None,
) -> None:
    """Copy everything as it is now, while it runs: databases, deliveries, sealed series, secrets.

    Whoever has the copy has the keys of the meters: keep it as safe as the original.
    """
    from openami.backup import back_up  # noqa: PLC0415 - other commands start faster without it

    with console.status("Copying") as status:
        made = back_up(load_settings(data_dir=data_dir), target, lambda what: status.update(Text(f"Copying {what}")))
    console.print(f"Backed up to {target.resolve()}: the databases and {len(made.files)} files, as of {made.made_at}.")


def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `openami backup` made.")],
    data_dir: DataDir = None,
) -> None:
    """Make the landscape again from a backup, in an empty data folder; every byte is checked first."""
    from openami.backup import restore as restored  # noqa: PLC0415 - as above

    folder = load_settings(data_dir=data_dir).data_dir
    with console.status("Restoring") as status:
        made = restored(source, folder, lambda what: status.update(Text(f"Restoring {what}")))
    console.print(f"Restored to {folder.resolve()}, as of {made.made_at}. Start it with openami up.")


def add_to(app: typer.Typer) -> None:
    """Put the commands into the main one."""
    for command in (settings, backup, restore):
        app.command()(command)
