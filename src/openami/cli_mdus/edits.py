"""Editing: a person sets, accepts or substitutes values with a reason; previewed, approved, undone, audited."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any

import typer

from openami.cli_mdus.connect import AsJson, DataDir, Person, Port, ask, console, table_of
from openami.cli_mdus.values import Channel, Span  # noqa: TC001 - typer reads annotations

Why = Annotated[str, typer.Option("--reason", help="Why; the audit keeps it.")]
Number = Annotated[str, typer.Argument(help="The number of the edit.")]


def edit(
    channel: Channel,
    span: Span,
    values: Annotated[
        str, typer.Option("--set", help="Values in the channel's unit, with commas; one alone counts for all.")
    ] = "",
    accept: Annotated[bool, typer.Option("--accept", help="Take responsibility for the values as they are.")] = False,
    source: Annotated[str, typer.Option("--from", help="Take the values of another channel (a check meter).")] = "",
    reason: Why = "",
    person: Person = "",
    preview: Annotated[bool, typer.Option("--preview", help="Show what would change; change nothing.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Change, accept or substitute values. Where a second person must approve, it waits for `openami approve`."""
    action = "accept" if accept else "substitute" if source else "set"
    given = [one.strip() for one in values.split(",") if one.strip()]
    body: dict[str, Any] = {"channel": channel, "span": span, "action": action, "values": given, "source": source}
    body |= {"reason": reason, "person": person}
    path = "/api/edits/preview" if preview else "/api/edits"
    found = ask(data_dir, port, lambda mdus: mdus.post(path, body))
    if as_json:
        print(json.dumps(found, ensure_ascii=False))  # noqa: T201 - for another program
    elif preview:
        table = table_of("day", "slot", "now", "quality", "then")
        for one in found["cells"]:
            now, then = (f"{Decimal(one[name]).scaleb(found['scale']):f}" for name in ("before", "after"))
            table.add_row(one["day"], str(one["slot"]), now, one["before_quality"], then)
        console.print(table)
    else:
        state = "is applied" if found["applied"] else "waits for a second person: openami approve"
        console.print(f"Edit {found['edit']} {state}.", soft_wrap=True)


def edits(as_json: AsJson = False, data_dir: DataDir = None, port: Port = None) -> None:
    """The edits, with who proposed and approved them."""
    rows = ask(data_dir, port, lambda mdus: mdus.get("/api/edits"))["edits"]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))  # noqa: T201 - for another program
        return
    table = table_of("edit", "channel", "from", "to", "what", "why", "by", "approved by", "state")
    for row in rows:
        cells = [row[key] for key in ("id", "channel", "start", "end", "action", "reason", "author", "approved_by")]
        table.add_row(*("" if cell is None else str(cell) for cell in cells), row["state"])
    console.print(table)


def approve(number: Number, person: Person = "", data_dir: DataDir = None, port: Port = None) -> None:
    """Apply an edit that somebody else proposed."""
    ask(data_dir, port, lambda mdus: mdus.post(f"/api/edits/{number}/approve", {"person": person}))
    console.print(f"Edit {number} is applied.", soft_wrap=True)


def undo(number: Number, reason: Why = "", person: Person = "", data_dir: DataDir = None, port: Port = None) -> None:
    """Put back what was there before an edit, where nobody has edited since."""
    body = {"person": person, "reason": reason}
    ask(data_dir, port, lambda mdus: mdus.post(f"/api/edits/{number}/undo", body))
    console.print(f"Edit {number} is undone.", soft_wrap=True)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the main one."""
    for command in (edit, edits, approve, undo):
        app.command(rich_help_panel="Meter data")(command)
