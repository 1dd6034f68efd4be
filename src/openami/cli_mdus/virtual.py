"""Virtual channels: named sums of channels, with the days from which they hold."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any

import typer

from openami.cli_mdus.connect import AsJson, DataDir, Person, Port, ask, console, table_of
from openami.cli_mdus.edits import Why  # noqa: TC001 - typer reads annotations
from openami.cli_mdus.values import Span, made_of

app = typer.Typer(no_args_is_help=True, help="Virtual channels: named sums, differences and multiples of channels.")

Name = Annotated[str, typer.Argument(help="Its name: small letters, digits, dots.")]


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = None, port: Port = None) -> None:
    """Every virtual channel, with what it stands for and since when."""
    rows = ask(data_dir, port, lambda mdus: mdus.get("/api/virtual"))["virtual"]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))  # noqa: T201 - for another program
        return
    table = table_of("name", "from", "to", "stands for", "compared with", "why", "by")
    for row in rows:
        for one in row["definitions"]:
            with_ = f"{one['purpose']} of {one['of']}" if one["of"] else ""
            cells = (row["name"], one["from"], one["to"] or "", one["terms"] or "nothing", with_, one["reason"])
            table.add_row(*cells, one["author"])
    console.print(table)


@app.command()
def define(
    name: Name,
    terms: Annotated[str, typer.Argument(help="Such as 17+18-0.5*feeder.solar; nothing ends it.")] = "",
    first: Annotated[str, typer.Option("--from", help="First local day of it.")] = "",
    past_last: Annotated[str, typer.Option("--to", help="First local day after it.")] = "",
    purpose: Annotated[str, typer.Option(help="check: it measures the same as --of; children: of --of.")] = "",
    of: Annotated[str, typer.Option(help="The channel that it is compared with.")] = "",
    reason: Why = "",
    person: Person = "",
    preview: Annotated[bool, typer.Option("--preview", help="Show what would change; change nothing.")] = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Say what a name stands for; later definitions cover earlier ones on their days."""
    body: dict[str, Any] = {"name": name, "terms": terms, "from": first, "to": past_last, "purpose": purpose}
    body |= {"of": of, "reason": reason, "person": person}
    if preview:
        found = ask(data_dir, port, lambda mdus: mdus.post("/api/virtual/preview", body))
        table = table_of("", "stands for", f"brings on {found['day']}", "intervals without a value")
        for when in ("now", "then"):
            one = found[when]
            total = "" if one["total"] is None else f"{Decimal(one['total']).scaleb(one['scale']):f} {one['unit']}"
            table.add_row(when, one["terms"] or "nothing", total, "" if one["missing"] is None else str(one["missing"]))
        console.print(table)
        return
    ask(data_dir, port, lambda mdus: mdus.post("/api/virtual", body))
    console.print(f"{name} stands for {terms or 'nothing'}.", soft_wrap=True)


@app.command()
def undo(name: Name, reason: Why = "", person: Person = "", data_dir: DataDir = None, port: Port = None) -> None:
    """Bring back what a name stood for before it was last defined, on the days of that definition."""
    body = {"person": person, "reason": reason}
    found = ask(data_dir, port, lambda mdus: mdus.post(f"/api/virtual/{name}/undo", body))["definitions"]
    for one in found:
        console.print(f"From {one['first']} {name} stands for {one['terms'] or 'nothing'} again.", soft_wrap=True)


@app.command()
def show(name: Name, span: Span, as_json: AsJson = False, data_dir: DataDir = None, port: Port = None) -> None:
    """Its values, and those of the channels that they were made of."""
    found = ask(data_dir, port, lambda mdus: mdus.get("/api/explain", channel=name, span=span))
    if as_json:
        print(json.dumps(found, ensure_ascii=False))  # noqa: T201 - for another program
        return
    console.print(made_of(found))


def add_to(main: typer.Typer) -> None:
    """Put the commands into the main one."""
    main.add_typer(app, name="virtual", rich_help_panel="Meter data")
