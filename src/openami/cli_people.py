"""The commands that ask a running landscape, or order something of it: what a clerk or an operator does."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from openami.cli_settings import load_settings
from openami.shared.errors import OpenAmiError
from openami.shared.secrets import load_secrets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openami.demo.areas import Areas
    from openami.shared.settings import Settings

console = Console(markup=False)

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="The landscape's folder.", show_default=False)]
Port = Annotated[int | None, typer.Option("--port", "-p", help="Port of its console.", show_default=False)]
Why = Annotated[str, typer.Option(help="The reason, for the audit.")]


class TokenRole(StrEnum):
    """Whose token a script may have of the areas."""

    VIEWER = "viewer"
    ADMINISTRATOR = "administrator"


class NotRunningError(OpenAmiError):
    """No landscape was ever started on the folder."""


def devices(data_dir: DataDir = None, port: Port = None) -> None:
    """The devices of the utility: where they are and how far they have come."""
    rows = ask(data_dir, port, lambda areas: areas.get("office", "/api/devices"))
    _table(rows, "serial", "kind", "stage", "point_of_delivery", "interval_s")


def bills(data_dir: DataDir = None, port: Port = None) -> None:
    """The bills that were written."""
    rows = ask(data_dir, port, lambda areas: areas.get("office", "/api/bills"))
    _table(rows, "id", "name", "division", "first_day", "last_day", "total", "currency", "state")


def bill(
    month: Annotated[str, typer.Argument(help="The month to bill, for example 2026-03.")],
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Order the month-end readings and bill every contract of a month."""

    async def order(areas: Areas) -> Any:  # noqa: ANN401 - any JSON value
        await areas.post("office", "/api/reading-orders", {"month": month}, key=f"readings-{month}")
        return await areas.post("office", "/api/billing-runs", {"month": month}, key=f"bills-{month}")

    ask(data_dir, port, order)
    console.print(f"Ordered. The bills of {month} are written as the readings arrive; see: openami bills")


def read(
    serial: Annotated[str, typer.Argument(help="Serial number of an electricity meter.")],
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Read a meter now."""
    ask(data_dir, port, lambda areas: areas.post("headend", f"/api/read/{serial}", {}))
    console.print(f"{serial} is being read; the console shows what it says.")


def disconnect(
    device: Annotated[str, typer.Argument(help="Serial number or device number.")],
    reason: Annotated[str, typer.Option(help="customer request, non-payment, safety or moved out.")],
    why: Why = "",
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Cut off a home, if the safety rules permit it; the breaker is read back as proof."""
    typer.confirm(f"Disconnect {device}?", abort=True)
    body = {"device": device, "reason": reason, "why": why}
    told = ask(data_dir, port, lambda areas: areas.post("office", "/api/disconnections", body))
    console.print(f"Order {told['order']} is {told['state']}.")


def reconnect(
    device: Annotated[str, typer.Argument(help="Serial number or device number.")],
    why: Why = "",
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Give a home its light back."""
    body = {"device": device, "why": why}
    told = ask(data_dir, port, lambda areas: areas.post("office", "/api/reconnections", body))
    console.print(f"Order {told['order']} is {told['state']}.")


def add_to(app: typer.Typer) -> None:
    """Put the commands into the main one."""
    for command in (devices, bills, bill, read, disconnect, reconnect):
        app.command(rich_help_panel="A running landscape")(command)


def ask(data_dir: Path | None, port: int | None, call: Callable[[Areas], Awaitable[Any]]) -> Any:  # noqa: ANN401
    """Ask the areas of a landscape that runs, or order something of them."""
    from openami.demo.areas import Areas  # noqa: PLC0415 - other commands start faster without it

    settings = load_settings(data_dir=data_dir, base_port=port)
    token = token_of(settings)

    async def asked() -> Any:  # noqa: ANN401 - any JSON value
        async with Areas(settings, token, patience_s=2.0) as areas:
            return await call(areas)

    return asyncio.run(asked())


def token_of(settings: Settings, role: TokenRole = TokenRole.ADMINISTRATOR) -> str:
    """A token that a running landscape knows; a question must not make the secrets of one that never ran.

    Raises:
        NotRunningError: none was ever started there.
    """
    secrets = settings.data_dir / "secrets.json"
    if not secrets.exists():
        raise NotRunningError(
            f"No landscape was started on {settings.data_dir.resolve()}.",
            hint="Start one with: openami up (or name its folder with --data-dir, the demo's is data/demo).",
        )
    known = load_secrets(secrets)
    return known.service_token if role is TokenRole.ADMINISTRATOR else known.viewer_token


def _table(rows: list[dict[str, Any]], *columns: str) -> None:
    table = Table(*(column.replace("_", " ") for column in columns))
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    console.print(table)
