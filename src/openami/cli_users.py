"""The command `user`: who may log in at the console, and as what; and `password`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from openami import cli_people
from openami.cli_settings import load_settings
from openami.shared.errors import OpenAmiError
from openami.web.rights import Role

if TYPE_CHECKING:
    from openami.web.users import Users

console = Console(markup=False)
users = typer.Typer(no_args_is_help=True, help="The users of the console: who may log in, and what each may do.")

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="Where everything is kept.", show_default=False)]
Name = Annotated[str, typer.Argument(help="The user.", show_default=False)]
_ROLES = (
    "[bold]viewer[/] looks; [bold]clerk[/] also voids bills and changes prices; [bold]operator[/] takes in files, "
    "edits values, handles inspections and messages; [bold]administrator[/] does everything."
)
RoleOption = Annotated[Role, typer.Option(help=_ROLES, show_default=False)]
RoleArgument = Annotated[Role, typer.Argument(help=_ROLES, show_default=False)]


@users.command()
def add(
    name: Name,
    role: RoleOption,
    data_dir: DataDir = None,
    port: cli_people.Port = None,
) -> None:
    """Make a user, and show the password once."""
    _show_password(name, _users(data_dir).add(name, role))
    console.print(f"{name} may log in as {role}.")
    _note(data_dir, port, f"user.added {name} {role}")


@users.command("list")
def listed(data_dir: DataDir = None) -> None:
    """The users and their roles."""
    table = Table("user", "role")
    for user in sorted(_users(data_dir).all().values(), key=lambda one: one.name):
        table.add_row(user.name, user.role)
    console.print(table if table.row_count else "There are no users. Make one with: openami user add NAME --role ROLE")


@users.command("role")
def give_role(
    name: Name,
    role: RoleArgument,
    data_dir: DataDir = None,
    port: cli_people.Port = None,
) -> None:
    """Give a user another role; the user's sessions end."""
    _users(data_dir).give_role(name, role)
    console.print(f"{name} is {role} now; who was logged in as {name} has to log in again.")
    _note(data_dir, port, f"user.role {name} {role}")


@users.command()
def remove(name: Name, data_dir: DataDir = None, port: cli_people.Port = None) -> None:
    """Let a user in no more; the user's sessions end."""
    _users(data_dir).remove(name)
    console.print(f"{name} gets in no more.")
    _note(data_dir, port, f"user.removed {name}")


def password(
    user: Annotated[str, typer.Argument(help="Whose.")] = "admin",
    data_dir: DataDir = None,
    port: cli_people.Port = None,
) -> None:
    """Make a new password for a user of the console, and show it once; the user's sessions end."""
    _show_password(user, _users(data_dir).renew_password(user))
    _note(data_dir, port, f"user.password {user}")


def add_to(app: typer.Typer) -> None:
    """Put the commands into the main one."""
    app.add_typer(users, name="user")
    app.command()(password)


def _users(data_dir: Path | None) -> Users:
    from openami.shared.settings import CONSOLE_USERS  # noqa: PLC0415 - other commands start faster without both
    from openami.web.users import Users  # noqa: PLC0415

    return Users(load_settings(data_dir=data_dir).data_dir / CONSOLE_USERS)


def _show_password(name: str, made: str) -> None:
    console.print(Text.assemble("New password of user ", (name, "bold"), ": ", (made, "bold")))


def _note(data_dir: Path | None, port: int | None, what: str) -> None:
    """Into the office's audit, as logins are; users are made while the office is away, too."""
    who = os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"
    try:
        body = {"what": what, "who": who, "source": "openami"}
        cli_people.ask(data_dir, port, lambda areas: areas.post("office", "/api/audit", body))
    except OpenAmiError:
        console.print("The office does not answer: this is not in its audit.", style="dim")
