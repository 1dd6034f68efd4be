"""The command `openami`: one command per thing a person does."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from openami import cli_files, cli_mdus, cli_people, cli_services, cli_testkit, cli_upkeep, cli_users
from openami.cli_settings import load_settings
from openami.shared.areas import AREAS
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.shared.settings import Settings

app = typer.Typer(
    name="openami",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="An open advanced metering infrastructure: from the kilowatt-hour in a meter to the line on a bill.\n\n"
    "Start with [bold]openami demo[/]: a street of 50 homes lives through a month, and every home's bill is checked "
    "to the watt-hour.",
)
console = Console(markup=False)  # what is told may hold brackets of its own
errors = Console(stderr=True, markup=False)

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Where everything is kept.", show_default=False)]
Port = Annotated[int | None, typer.Option("--port", "-p", help="Port of the console; areas take the ports after it.")]


@app.command()
def demo(
    data_dir: DataDir = None,
    port: Port = None,
    homes: Annotated[int, typer.Option(help="Homes in the street.", min=10, max=500)] = 50,
    street: Annotated[
        str | None,
        typer.Option(
            help="[bold]plain[/], or [bold]modern[/]: with three phases, solar roofs, charged cars and district heat.",
            show_default=False,
        ),
    ] = None,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End after the table instead of leaving the console open.")
    ] = False,
) -> None:
    """A street, a month, in minutes: meters, head-end, MDUS, office and bills, over real links, checked at the end.

    Exit code 0 when every home reconciles, 1 when one does not (the table says which and why). The demo starts
    afresh each time; its data lies in data/demo until the next one.
    """
    from openami.demo.run import run_demo  # noqa: PLC0415 - other commands start faster without it

    settings = load_settings(
        data_dir=data_dir or Path("data/demo"), base_port=port, homes=homes, street=street, clock="shared"
    )
    raise typer.Exit(asyncio.run(run_demo(settings, console, stay=not exit_)))


@app.command()
def up(data_dir: DataDir = None, port: Port = None) -> None:
    """The whole landscape on this machine, continuously, against the real clock. Ctrl-C stops it; data stays."""
    from openami.landscape import run_landscape  # noqa: PLC0415

    asyncio.run(run_landscape(_settings(data_dir, port), console))


@app.command()
def serve(
    area: Annotated[str, typer.Argument(help=f"One of: {', '.join(AREAS)}.")],
    data_dir: DataDir = None,
    port: Port = None,
    supervised: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """One area alone, for running areas on different machines or beside an SAP system."""
    import uvloop  # noqa: PLC0415

    from openami.app import serve_area  # noqa: PLC0415

    if area not in AREAS:
        raise OpenAmiError(f"There is no area {area!r}.", hint=f"The areas are {', '.join(AREAS)}.")
    uvloop.run(serve_area(area, _settings(data_dir, port), supervised=supervised))


@app.command()
def status(data_dir: DataDir = None, port: Port = None) -> None:
    """What the running areas have in hand, and their counters."""
    answers = asyncio.run(_ask_all(_settings(data_dir, port), "/api/work", "/api/status"))
    table = Table("area", "in hand", "next due", "counters", title="The landscape", title_justify="left")
    for area, (work, counters) in answers.items():
        if work is None:
            table.add_row(area, Text("not running", style="red"), "", "")
        else:
            shown = ", ".join(f"{key} {value}" for key, value in (counters or {}).items() if isinstance(value, int))
            table.add_row(area, str(work["pending"]), work["next_due"] or "", shown)
    console.print(table)


@app.command()
def token(
    role: Annotated[
        cli_people.TokenRole, typer.Option(help="[bold]viewer[/]: who has it may only ask, not change anything.")
    ] = cli_people.TokenRole.ADMINISTRATOR,
    data_dir: DataDir = None,
) -> None:
    """Show the token with which scripts ask the areas of this installation; who has it may do everything.

    For example: curl -H "authorization: Bearer $(openami token --role viewer)" http://127.0.0.1:8401/api/bills
    """
    print(cli_people.token_of(_settings(data_dir), role))  # noqa: T201 - for another program


@app.command()
def reset(
    data_dir: DataDir = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all data of a landscape: databases, files, secrets."""
    from openami.landscape import remove_data  # noqa: PLC0415

    folder = _settings(data_dir).data_dir
    if not folder.exists():
        raise OpenAmiError(f"There is nothing at {folder.resolve()}.", hint="Name the folder with --data-dir.")
    if not yes:
        typer.confirm(f"Delete everything in {folder.resolve()}?", abort=True)
    remove_data(folder)
    console.print(f"Deleted {folder.resolve()}.")


@app.command()
def logs(
    area: Annotated[str, typer.Argument(help=f"One of: {', '.join(AREAS)}.")],
    data_dir: DataDir = None,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.", min=1)] = 40,
) -> None:
    """The last lines of an area's log."""
    file = _settings(data_dir).data_dir / "logs" / f"{area}.log"
    if not file.exists():
        raise OpenAmiError(
            f"There is no log {file}.", hint=f"The areas are {', '.join(AREAS)}; was the landscape started?"
        )
    for line in file.read_text(errors="replace").splitlines()[-lines:]:
        console.print(line, highlight=False, soft_wrap=True)


@app.command()
def version() -> None:
    """The version of OpenAMI and of what it stands on."""
    from importlib.metadata import version as installed  # noqa: PLC0415

    console.print(f"openami {installed('openami')} on Python {sys.version.split()[0]}")


cli_upkeep.add_to(app)
cli_files.add_to(app)
cli_mdus.add_to(app)
cli_people.add_to(app)
cli_services.add_to(app)
cli_testkit.add_to(app)
cli_users.add_to(app)


def _settings(data_dir: Path | None, port: int | None = None) -> Settings:
    return load_settings(data_dir=data_dir, base_port=port)


async def _ask_all(settings: Settings, *paths: str) -> dict[str, tuple[Any, ...]]:
    import httpx  # noqa: PLC0415 - only commands that ask need it

    token = cli_people.token_of(settings)
    answers: dict[str, tuple[Any, ...]] = {}
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, trust_env=False) as client:
        for area in AREAS:
            answers[area] = tuple([await _ask(client, settings.url_of(area) + path) for path in paths])
    return answers


async def _ask(client: Any, url: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        response = await client.get(url)
        return response.json() if response.is_success else None
    except OSError:
        return None
    except Exception as error:
        if type(error).__module__.startswith("httpx"):
            return None
        raise


def main() -> None:
    """Run the command; an error of ours is told as what was found and what to do, not as a traceback."""
    try:
        app()
    except OpenAmiError as error:
        errors.print(Text.assemble((type(error).__name__, "red"), f": {error.found}"), soft_wrap=True)
        if error.hint:
            errors.print(Text.assemble(("→", "dim"), f" {error.hint}"), soft_wrap=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        errors.print("Stopped.")
        raise SystemExit(130) from None
