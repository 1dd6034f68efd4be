"""The commands for integrators: `services` (the contract, and what a customer changes of it) and `testkit`."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from openami.shared.errors import OpenAmiError

console = Console()
services = typer.Typer(no_args_is_help=True, help="The enterprise services: what integrators need of the contract.")
testkit = typer.Typer(no_args_is_help=True, help="A fake SAP and a fake MDUS, to test a system of yours against.")

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Where everything is kept.", show_default=False)]
User = Annotated[str, typer.Option(help="User that we call with.")]
Password = Annotated[str, typer.Option(help="Its password.", envvar="OPENAMI_TESTKIT_PASSWORD")]
Listen = Annotated[str, typer.Option(help="Host and port on which the other side reaches us.")]
FaultKinds = Annotated[
    list[str] | None, typer.Option("--fault", help="late, duplicate, reordered, refused or malformed; may be repeated.")
]
Share = Annotated[float, typer.Option(help="Share of the messages that a fault strikes.", min=0, max=1)]
Seed = Annotated[int, typer.Option(help="The same seed makes the same faults.")]


class NoSuchTableError(OpenAmiError):
    """A code table that does not exist."""


@services.command("export")
def export(
    directory: Annotated[Path, typer.Argument(help="Folder to write to; made if it is not there.")],
) -> None:
    """Write every WSDL, every schema and a valid example of every message, for SoapUI or an SAP team."""
    from openami.shared.contract.enterprise.export import export as write  # noqa: PLC0415 - others start faster

    files = write(directory)
    console.print(f"{len(files)} files in {directory.resolve()}: wsdl/, xsd/, examples/.")


@services.command("use-schema")
def use_schema(
    schema: Annotated[Path, typer.Argument(help="Your schema file, with the real shape.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Argument(help="The file it stands in for, such as inferred/calculation.xsd.")],
    data_dir: DataDir = None,
) -> None:
    """Put a schema of yours in the place of one of ours, and say what it changes.

    It counts for messages received and sent, and for the WSDLs, when the areas start next.
    """
    from openami.shared.contract.enterprise.overlay import use_schema as put  # noqa: PLC0415 - as above

    folder = _contract_folder(data_dir) / "schemas"
    changes = put(schema, name, folder)
    for change in changes:
        console.print(f"{change.root}/{change.path}: {change.what}", markup=False, soft_wrap=True)
    console.print(f"{len(changes)} differences; {folder / name} is in use when MDUS and office start next.")


@services.command("edit-table")
def edit_table(
    name: Annotated[str, typer.Argument(help="A code table, `capabilities` or `forwarding`.")],
    data_dir: DataDir = None,
) -> None:
    """Copy a table of codes (or of capabilities, or of events to forward) to where you may edit it."""
    from openami.shared.contract.enterprise.codes import FOLDER  # noqa: PLC0415 - as above

    folder = _contract_folder(data_dir)
    here = Path(__file__).parent
    places = {path.stem: (path, folder / "tables" / path.name) for path in sorted(FOLDER.glob("*.toml"))}
    places["capabilities"] = (here / "shared/capabilities.toml", folder / "capabilities.toml")
    places["forwarding"] = (here / "mdus/events/forwarding.csv", folder / "forwarding.csv")
    if name not in places:
        raise NoSuchTableError(f"There is no table {name!r}.", hint=f"Choose of {', '.join(places)}.")
    shipped, own = places[name]
    if not own.exists():
        own.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shipped, own)
    console.print(f"Edit {own.resolve()}; it counts when MDUS and office start next.", soft_wrap=True)


@testkit.command("processes")
def processes() -> None:
    """The processes that the fake SAP plays."""
    from openami.testing.scripts import PROCESSES  # noqa: PLC0415 - as above

    table = Table("process", "name", "operations", "MDUS setting")
    for name, script in sorted(PROCESSES.items(), key=lambda item: (int(item[1].number), item[0])):
        table.add_row(script.number, name, str(len(script.operations)), script.needs)
    console.print(table)


@testkit.command("sap")
def sap(
    mdus: Annotated[str, typer.Option(help="URL of the MDUS, up to the slash before `services`.")],
    user: User = "OFFICE",
    password: Password = "",
    listen: Listen = "127.0.0.1:8555",
    process: Annotated[
        list[str] | None, typer.Option(help="Name of a process; may be repeated; all by default.")
    ] = None,
    fault: FaultKinds = None,
    share: Share = 0.3,
    seed: Seed = 1,
    patience_s: Annotated[float, typer.Option(help="How long an answer may take.")] = 60.0,
) -> None:
    """Play SAP against an MDUS: scripted processes, with faults where you want them. Exit code 1 if one fails.

    The MDUS sends its messages to the address of --listen. What meters do is up to your field: a process ends, and says
    so, where it would need a meter to do something.
    """
    from openami.testing.faults import Faults  # noqa: PLC0415 - as above
    from openami.testing.run import Endpoint, play_sap  # noqa: PLC0415

    faults = Faults.of(fault or [], share=share, seed=seed)
    endpoint = Endpoint.parse(listen)
    told = asyncio.run(play_sap(mdus, user, password, endpoint, process or [], faults, patience_s=patience_s))
    table = Table("process", "name", "outcome")
    for one in told:
        table.add_row(one.number, one.name, f"[{'red' if one.failed else 'green'}]{one.outcome}[/]")
    console.print(table)
    raise typer.Exit(1 if any(one.failed for one in told) else 0)


@testkit.command("mdus")
def mdus(
    office: Annotated[str, typer.Option(help="URL of the SAP or office, up to the slash before `services`.")],
    user: User = "MDUS",
    password: Password = "",
    listen: Listen = "127.0.0.1:8556",
    fault: FaultKinds = None,
    share: Share = 0.3,
    seed: Seed = 1,
    for_s: Annotated[float | None, typer.Option(help="End after so many seconds; by default never.")] = None,
) -> None:
    """Play MDUS for a SAP or office: confirm, register devices, answer orders and queries, switch. Ctrl-C ends it."""
    from openami.testing.faults import Faults  # noqa: PLC0415 - as above
    from openami.testing.run import Endpoint, play_mdus  # noqa: PLC0415

    faults = Faults.of(fault or [], share=share, seed=seed)
    crossed = asyncio.run(play_mdus(office, user, password, Endpoint.parse(listen), faults, for_s=for_s))
    table = Table("operation", "messages")
    for name, count in sorted(crossed.items()):
        table.add_row(name, str(count))
    console.print(table)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the main one."""
    app.add_typer(services, name="services")
    app.add_typer(testkit, name="testkit")


def _contract_folder(data_dir: Path | None) -> Path:
    from openami.shared.settings import load_settings  # noqa: PLC0415 - as above

    return load_settings(data_dir=data_dir).contract_folder
