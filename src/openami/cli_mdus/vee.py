"""Rules: what a rule set says, and how wrong its estimates are on real recordings."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated, Any

import typer

from openami.cli_mdus.connect import AsJson, DataDir, Mdus, Person, Port, ask, console, table_of

app = typer.Typer(no_args_is_help=True, help="The rules of validation and estimation.")

RuleSet = Annotated[str, typer.Option("--rule-set", help="The rule set.")]
Kind = Annotated[str, typer.Option("--class", help="The class of channel.")]


@app.command()
def rules(rule_set: RuleSet = "default", kind: Kind = "residential", as_json: AsJson = False) -> None:
    """Every rule of a set in the order in which it acts, with its parameters, their evidence and source."""
    from openami.mdus.vee.catalogue import rule  # noqa: PLC0415 - other commands start faster
    from openami.mdus.vee.ruleset import load  # noqa: PLC0415

    found = load(rule_set)
    resolved = found.for_class(kind)
    order = (*resolved.checks, *resolved.chain, *resolved.scaling, *resolved.readings)
    rows: list[dict[str, Any]] = [
        {
            "id": one,
            "sentence": rule(one).sentence,
            "parameters": {
                name: {"value": str(each.value), "evidence": each.evidence, "source": each.source}
                for name, each in resolved.parameters[one].by_name.items()
            },
        }
        for one in order
    ]
    if as_json:
        print(json.dumps({"rule_set": found.stamp, "rules": rows}, ensure_ascii=False))  # noqa: T201 - for a program
        return
    table = table_of("rule", "what it says", "parameter", "value", "evidence", title=found.stamp)
    for row in rows:
        own = [item for item in row["parameters"].items() if item[0] not in {"enabled", "severity_when_sum_fails"}]
        for place, (name, each) in enumerate(own or [("", {"value": "", "evidence": "", "source": ""})]):
            first = (row["id"], row["sentence"]) if not place else ("", "")
            table.add_row(*first, name, each["value"], f"{each['evidence']} {each['source']}".strip())
    console.print(table)


@app.command()
def backtest(
    path: Annotated[
        Path | None, typer.Argument(help="A file of readings; without one the recordings of the street.")
    ] = None,
    rule_set: RuleSet = "default",
    kind: Kind = "residential",
    seed: Annotated[int, typer.Option(help="Which slots are hidden.")] = 1,
    temperatures: Annotated[
        Path | None,
        typer.Option(help="Temperatures of the days of the file (day,zone,celsius), for E06.", exists=True),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hide actual values of real recordings, estimate them, and say how wrong each method is, by length of gap.

    In brackets the error after scaling to the register. The default order of methods is the one with the least error.
    """
    from openami.cli_mdus.samples import from_file, from_recordings, weather_of  # noqa: PLC0415 - others start faster
    from openami.mdus.vee.backtest import backtest as test  # noqa: PLC0415 - as above
    from openami.mdus.vee.backtest import not_measured, recommended, table  # noqa: PLC0415
    from openami.mdus.vee.ruleset import load  # noqa: PLC0415

    if temperatures and not path:
        raise typer.BadParameter("The recordings of the street have no real days: name a file.")
    weather = weather_of(temperatures) if temperatures else ()
    samples = from_file(path) if path else from_recordings()
    rules_ = load(rule_set).for_class(kind)
    results: list[dict[str, Any]] = []
    for name, interval_s, days in samples:
        scores = test(days, interval_s, rules_, seed=seed, weather=weather)
        results.append({"sample": name, "interval_s": interval_s, "scores": scores})
        if not as_json:
            console.print(f"{name}: {len(days)} channel-days of {interval_s} s")
            console.print(table(scores), highlight=False)
            best = ", ".join(f"{gap_s / 3600:g} h {method}" for gap_s, method in recommended(scores).items())
            console.print(f"Least error after scaling: {best}")
            console.print(f"{not_measured(scores)}\n", highlight=False)
    if as_json:
        plain = [one | {"scores": [asdict(each) for each in one["scores"]]} for one in results]
        print(json.dumps(plain))  # noqa: T201 - for another program


@app.command()
def load(
    kind: Annotated[str, typer.Argument(help="holiday, temperature, profile, annual_use or tariff.")],
    path: Annotated[Path, typer.Argument(help="A CSV file; docs/reference/vee-rules.md has its columns.", exists=True)],
    person: Person = "",
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Load what rules and methods need beside readings: holidays, temperatures, profiles, annual use, tariffs."""
    body = path.read_bytes()

    async def sent(mdus: Mdus) -> Any:  # noqa: ANN401 - any JSON value
        return await mdus.post(f"/api/reference/{kind}", content=body, params={"person": person})

    found = ask(data_dir, port, sent)
    console.print(f"{found['rows']} lines of {found['kind']} are known now.")


@app.command()
def inspections(
    state: Annotated[str, typer.Option(help="open, assigned or done; without it all that are not done.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="As a table for a spreadsheet.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """What rules ask the field crew to look at: clocks that stay wrong, meters estimated for too long, leaks."""
    if as_csv:
        print(ask(data_dir, port, lambda mdus: mdus.text("/api/inspections.csv", state=state)), end="")  # noqa: T201
        return
    rows = ask(data_dir, port, lambda mdus: mdus.get("/api/inspections", state=state or None))["inspections"]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))  # noqa: T201 - for another program
        return
    table = table_of("number", "device", "rule", "does not hold", "since", "state", "who or what")
    for row in rows:
        names = ("number", "device", "rule", "sentence", "day", "state")
        table.add_row(*(str(row[name]) for name in names), row["note"] or row["assigned_to"])
    console.print(table)


Number = Annotated[int, typer.Argument(help="The inspection's number.")]


@app.command()
def assign(
    number: Number,
    to: Annotated[str, typer.Argument(help="Who goes.")],
    person: Person = "",
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Assign an inspection to somebody of the field crew."""
    body = {"person": person, "to": to}
    ask(data_dir, port, lambda mdus: mdus.post(f"/api/inspections/{number}/assign", body))
    console.print(f"Inspection {number} is assigned to {to}.", markup=False)


@app.command()
def done(
    number: Number,
    note: Annotated[str, typer.Argument(help="What was found.")],
    person: Person = "",
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Close an inspection; a rule that does not hold on a later day asks for another."""
    ask(data_dir, port, lambda mdus: mdus.post(f"/api/inspections/{number}/done", {"person": person, "note": note}))
    console.print(f"Inspection {number} is done.")


def add_to(main: typer.Typer) -> None:
    """Put the commands into the main one."""
    main.add_typer(app, name="vee", rich_help_panel="Meter data")
