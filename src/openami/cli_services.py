"""The command `services`: the contract for integrators, and what a customer changes of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from openami.cli_settings import load_settings
from openami.shared.errors import OpenAmiError

console = Console(markup=False)
services = typer.Typer(no_args_is_help=True, help="The enterprise services: what integrators need of the contract.")

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Where everything is kept.", show_default=False)]


class NoSuchTableError(OpenAmiError):
    """A code table that does not exist."""


@services.command("export")
def export(
    directory: Annotated[Path, typer.Argument(help="Folder to write to; made if it is not there.")],
    data_dir: DataDir = None,
    mdus: Annotated[str | None, typer.Option(help="Address of the MDUS's services for the WSDLs.")] = None,
    office: Annotated[str | None, typer.Option(help="Address of the SAP's services for the WSDLs.")] = None,
) -> None:
    """Write every WSDL, every schema, a valid example of every message and the reference, for SoapUI or an SAP team.

    Schemas that `use-schema` has put in place and code tables that you edited are shown instead of ours.
    """
    from openami.shared.contract.enterprise.catalogue import Side  # noqa: PLC0415 - others start faster
    from openami.shared.contract.enterprise.export import export as write  # noqa: PLC0415

    folder = _contract_folder(data_dir)
    overlay, tables = (each if each.is_dir() else None for each in (folder / "schemas", folder / "tables"))
    addresses = {side: url for side, url in ((Side.MDUS, mdus), (Side.OFFICE, office)) if url}
    files = write(directory, addresses=addresses, overlay=overlay, tables=tables)
    console.print(f"{len(files)} files in {directory.resolve()}: wsdl/, xsd/, examples/, reference/.", soft_wrap=True)
    for own in sorted(folder.glob("schemas/**/*.xsd")) + sorted(folder.glob("tables/*.toml")):
        console.print(f"Yours, in place of ours: {own.relative_to(folder)}", soft_wrap=True)


@services.command("use-schema")
def use_schema(
    schema: Annotated[Path, typer.Argument(help="Your schema file, with the real shape.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Argument(help="The file it stands in for, such as inferred/calculation.xsd.")],
    data_dir: DataDir = None,
) -> None:
    """Put a schema of yours in the place of one of ours, and say what it changes.

    It counts for messages received and sent, and for the WSDLs, when the areas start next.

    Fields that it wants and our messages do not have are named. Give a constant for each in
    `contract/schemas/constants.toml`, in the table `constants`: "ROOT-ELEMENT/Place/InTheMessage" = "text".
    """
    from openami.shared.contract.enterprise.overlay import use_schema as put  # noqa: PLC0415 - as above

    folder = _contract_folder(data_dir) / "schemas"
    changes = put(schema, name, folder)
    for change in changes:
        console.print(f"{change.root}/{change.path}: {change.what}", soft_wrap=True)
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


def add_to(app: typer.Typer) -> None:
    """Put the command into the main one."""
    app.add_typer(services, name="services")


def _contract_folder(data_dir: Path | None) -> Path:
    return load_settings(data_dir=data_dir).contract_folder
