"""Values: which channels there are, why a value is what it is, proof of it, every version, what bills are made from."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from openami.cli_mdus.connect import AsJson, DataDir, Port, ask, console, table_of

if TYPE_CHECKING:
    from rich.table import Table

Channel = Annotated[str, typer.Argument(help="A channel's number, or the serial number or point of its meter.")]
Span = Annotated[str, typer.Argument(help="A local day (2026-03-01), a month (2026-03), or FROM/TO.")]


def channels(
    device: Annotated[str, typer.Argument(help="Only those of this device.")] = "",
    as_json: AsJson = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """The channels: one for each measured quantity of each device."""
    rows = ask(data_dir, port, lambda mdus: mdus.get("/api/channels", device=device or None))["channels"]
    if as_json:
        _print(rows)
        return
    table = table_of("channel", "device", "obis", "unit", "every", "zone", "from", "to")
    for row in rows:
        every = f"{row['interval_s']} s" if row["interval_s"] else "register"
        cells = (row["channel"], row["device"], row["obis"], row["unit"], every, row["zone"])
        table.add_row(*(str(cell) for cell in cells), row["valid_from"][:10], row["valid_to"][:10])
    console.print(table)


def explain(channel: Channel, span: Span, as_json: AsJson = False, data_dir: DataDir = None, port: Port = None) -> None:
    """Why each value is what it is: its delivery, every rule that fired, the method and its inputs, the rule set."""
    found = ask(data_dir, port, lambda mdus: mdus.get("/api/explain", channel=channel, span=span))
    if as_json:
        _print(found)
        return
    if "virtual" in found:
        console.print(made_of(found))
        return
    table = table_of("start", f"{found['unit']}", "quality", "came with", "what was said")
    for one in found["intervals"]:
        fired = "\n".join(_said(each) for each in one["fired"])
        source = f"{one['cause']} ({one['author']})" + _delivery(one["delivery"], found.get("forgotten", []))
        table.add_row(one["start"], _amount(one["value"], found["scale"]), one["quality"], source, fired)
    console.print(f"Channel {found['channel']}, {found['obis']} of {found['device']}")
    console.print(table)


def made_of(found: dict[str, Any]) -> Table:
    """The values of a virtual channel, with those of the channels that they were made of."""
    table = table_of("start", found["unit"], "quality", "made of")
    for one in found["intervals"]:
        parts = ", ".join(f"{each['factor']} x {each['value']} of {each['channel']}" for each in one["parts"])
        value = "" if one["value"] is None else _amount(one["value"], found["scale"])
        table.add_row(one["start"], value, one["quality"], parts)
    return table


def _delivery(digest: str, forgotten: list[str]) -> str:
    if not digest:
        return ""
    return f" {digest[:12]}" + (", bytes no longer kept" if digest in forgotten else "")


def recompute(
    channel: Channel, span: Span, as_json: AsJson = False, data_dir: DataDir = None, port: Port = None
) -> None:
    """Evaluate every kept judgement again with what was known then; exit code 1 if one bit differs."""
    found = ask(data_dir, port, lambda mdus: mdus.get("/api/recompute", channel=channel, span=span))
    if as_json:
        _print(found)
    else:
        table = table_of("day", "version", "rule set", "the same")
        for one in found["proofs"]:
            said = "yes" if one["equal"] else one["reason"] or f"no: slots {one['differing_slots']}"
            table.add_row(one["day"], str(one["version"]), one["rule_set"], said)
        console.print(table)
        count = len(found["proofs"])
        console.print(
            f"{count} judgements, every bit the same." if found["equal"] else "Not all judgements came out again."
        )
    if not found["equal"]:
        raise typer.Exit(1)


def versions(
    channel: Channel, span: Span, as_json: AsJson = False, data_dir: DataDir = None, port: Port = None
) -> None:
    """Every version of the days of a channel: when it was recorded, by whom, why, and how many values it changed."""
    found = ask(data_dir, port, lambda mdus: mdus.get("/api/versions", channel=channel, span=span))
    if as_json:
        _print(found)
        return
    table = table_of("day", "version", "recorded", "by", "why", "delivery", "changed")
    for one in found["versions"]:
        cells = (one["day"], one["version"], one["recorded_at"], one["author"], one["cause"], one["delivery"][:12])
        table.add_row(*(str(cell) for cell in cells), str(one["changed"]))
    console.print(table)


def determinants(
    channel: Annotated[
        str, typer.Argument(help="A channel, a meter, a virtual channel, or a sum such as 17-1.02*18-street.")
    ],
    span: Span,
    tou: Annotated[
        list[str] | None, typer.Option(help="A bucket, such as 'peak=mon-fri 07:00-23:00'; may be repeated.")
    ] = None,
    tiers: Annotated[str, typer.Option(help="Ascending bounds in the channel's unit, such as 100000,500000.")] = "",
    demand_s: Annotated[int, typer.Option(help="Length of the demand window in seconds; 0: the interval.")] = 0,
    max_estimated: Annotated[float, typer.Option(help="Share of estimates up to which the span is released.")] = 1.0,
    as_of: Annotated[str | None, typer.Option(help="As known at this instant.")] = None,
    calorific: Annotated[str | None, typer.Option(help="Of gas: kWh in a cubic metre; gives the energy.")] = None,
    z: Annotated[str | None, typer.Option("--z", help="Of gas: the state number, beside the calorific value.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """What a bill is made from: totals, buckets, tiers, demand, registers, losses, and whether it may be billed."""
    asked: dict[str, Any] = {"channel": channel, "span": span, "tou": tou or [], "tiers": tiers, "as_of": as_of}
    asked |= {"demand_s": demand_s or None, "max_estimated_share": max_estimated}
    asked |= {"calorific_kwh_m3": calorific, "z": z}
    found = ask(data_dir, port, lambda mdus: mdus.get("/api/determinants", **asked))
    if as_json:
        _print(found)
        return
    table = table_of("determinant", found["unit"])
    for name, value in _lines(found):
        table.add_row(name, value)
    console.print(table)
    for reason in found["not_yet"]:
        console.print(Text.assemble(("not to be billed yet:", "yellow"), f" {reason}"))


def add_to(app: typer.Typer) -> None:
    """Put the commands into the main one."""
    for command in (channels, explain, recompute, versions, determinants):
        app.command(rich_help_panel="Meter data")(command)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    scale = found["scale"]
    names = ("total", "measured", "estimated", "taken", "fed_in")
    lines = [(name.replace("_", " "), _amount(found[name], scale)) for name in names]
    lines += [(f"bucket {name}", _amount(value, scale)) for name, value in found["buckets"].items()]
    lines += [(f"tier {place}", _amount(value, scale)) for place, value in enumerate(found["tiers"], 1)]
    if found["demand"]:
        demand = found["demand"]
        lines.append((f"most in {demand['window_s']} s, from {demand['at']}", _amount(demand["energy"], scale)))
    if found.get("coincident"):
        lines.append((f"most together, at {found['coincident']['at']}", _amount(found["coincident"]["energy"], scale)))
    if found.get("losses"):
        losses = found["losses"]
        lines.append((f"losses, {losses['share']:.2%}", _amount(losses["energy"], scale)))
    if found.get("registers") and found["registers"]["advance"] is not None:
        by = "".join(f", {one}" for one in found["registers"]["methods"] if one != "read")
        lines.append((f"register advance{by}", _amount(found["registers"]["advance"], scale)))
    if "energy_kwh" in found:
        lines.append(("energy in kWh", found["energy_kwh"]))
    return [*lines, ("intervals", str(found["intervals"])), ("without a value", str(found["missing"]))]


def _said(fired: dict[str, Any]) -> str:
    inputs = ", ".join(f"{name} {value}" for name, value in fired["inputs"].items())
    return f"{fired['rule']} {fired['verdict']}: {fired['sentence']}" + (f" [{inputs}]" if inputs else "")


def _amount(value: int, scale: int) -> str:
    return f"{Decimal(value).scaleb(scale):f}"


def _print(found: Any) -> None:  # noqa: ANN401 - any JSON value
    print(json.dumps(found, ensure_ascii=False))  # noqa: T201 - for another program
