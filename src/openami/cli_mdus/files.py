"""Files: what they hold, taking them in, what was refused of them, reading them once more."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from openami.cli_mdus.connect import AsJson, DataDir, Mdus, Person, Port, ask, console, table_of, told
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from openami.mdus.unify.adapters.mapping import FileMapping

_CHUNK: Final = 1 << 20
_LOOK_EVERY_S: Final = 0.2
_SHOWN: Final = 10
"""Refused parts that are shown of a file; the JSON and the console have all."""

Format = Annotated[str, typer.Option("--format", help="The format, where it cannot be told from the file.")]
MappingFile = Annotated[
    Path | None, typer.Option("--mapping", help="A TOML file that says what the columns of a delimited file mean.")
]
Register = Annotated[bool, typer.Option("--register", help="Register meters that nobody has registered yet.")]


def ingest(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Files with readings, or folders of them; compressed ones (gzip, zip, Zstandard) too."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look only: store nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file, one a line.")] = False,
    format_: Format = "",
    mapping: MappingFile = None,
    register: Register = False,
    zone: Annotated[str, typer.Option(help="Zone of the local days of meters that are registered.")] = "",
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Take files of readings in: NEM12, NEM13, Green Button, CMEP, MSCONS, IEC 61968-9, delimited, Arrow, Parquet.

    What a file holds is validated and stored; what cannot be taken is shown with its place in the file and the
    reason, and waits to be read once more. With --dry-run nothing is stored. Exit code 1 if a file could not be read.
    """
    text = _read(mapping) if mapping else ""
    files = list(_files(paths))
    if dry_run:
        read = [_look(path, format_, text, as_json=as_json) for path in files]
    else:
        asked = {"format": format_, "mapping": text, "zone": zone, "register": "1" if register else ""}
        read = ask(data_dir, port, lambda mdus: _take_all(mdus, files, asked, as_json=as_json))
    if not all(read):
        raise typer.Exit(1)


def files(
    refused: Annotated[bool, typer.Option("--refused", help="Only those of which something was refused.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """The files that were taken in, and how far each has come."""
    rows = ask(data_dir, port, lambda mdus: mdus.get("/api/intake", refused="1" if refused else None))["files"]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))  # noqa: T201 - for another program
        return
    table = table_of("file", "name", "format", "from", "state", "readings", "events", "refused")
    for row in rows:
        cells = [row[key] for key in ("id", "name", "format", "source", "state", "readings", "events", "refused")]
        table.add_row(*(str(cell) for cell in cells))
    console.print(table)


def quarantine(as_json: AsJson = False, data_dir: DataDir = None, port: Port = None) -> None:
    """Everything that was refused and can be replayed: parts of files, and of deliveries of metering systems."""
    found = ask(data_dir, port, lambda mdus: mdus.get("/api/quarantine"))
    if as_json:
        print(json.dumps(found, ensure_ascii=False))  # noqa: T201 - for another program
        return
    table = table_of("replay with", "from", "where", "reason")
    for entry in found["files"]:
        for one in entry["refusals"] or [{"position": entry["name"], "reason": entry["reason"]}]:
            table.add_row(str(entry["id"]), entry["name"], one["position"], one["reason"])
    for entry in found["quarantine"]:
        for one in entry["refusals"]:
            table.add_row(entry["digest"][:12], entry["source"], one["position"], one["reason"])
    console.print(table)
    for one in found["messages"]:
        console.print(f"message {one['sequence']} of {one['partner']}: {one['reason']}")


def replay(
    what: Annotated[str, typer.Argument(help="A file's number, or the hash (or its beginning) of a delivery.")],
    register: Register = False,
    person: Person = "",
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Read a file, or a delivery, once more, because the cause of its refusals was mended."""

    async def again(mdus: Mdus) -> None:
        if what.isdecimal() and len(what) < 12:  # hashes are hexadecimal, and long
            body: dict[str, Any] = {"person": person, **({"register": True} if register else {})}
            await mdus.post(f"/api/intake/{what}/replay", body)
            _show(await _followed(mdus, int(what), lambda _share: None))
            return
        entries = (await mdus.get("/api/quarantine"))["quarantine"]
        digest = next((one["digest"] for one in entries if one["digest"].startswith(what)), what)
        left = (await mdus.post(f"/api/quarantine/{digest}/replay"))["refusals"]
        for one in left:
            console.print(_refused(one))
        console.print("Everything was taken." if not left else f"{len(left)} parts are still refused.")

    ask(data_dir, port, again)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the main one."""
    for command in (ingest, files, quarantine, replay):
        app.command(rich_help_panel="Meter data")(command)


async def _take_all(mdus: Mdus, paths: list[Path], asked: dict[str, str], *, as_json: bool) -> list[bool]:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    found = []
    with Progress(*columns, console=told, transient=True) as progress:
        for path in paths:
            bar = progress.add_task(path.name, total=2.0)

            def sent(share: float, bar: Any = bar) -> None:  # noqa: ANN401 - rich's own type
                progress.update(bar, completed=share)

            file = await _take(mdus, path, asked, sent)
            found.append(file["state"] != "refused")
            progress.update(bar, completed=2.0)
            if as_json:
                print(json.dumps({"file": str(path), **file}, ensure_ascii=False))  # noqa: T201 - a line for a program
            else:
                _show(file)
    return found


async def _take(mdus: Mdus, path: Path, asked: dict[str, str], sent: Callable[[float], None]) -> Any:  # noqa: ANN401
    """Send a file, then follow it until it is through: half of the bar each."""
    size = max((await asyncio.to_thread(path.stat)).st_size, 1)

    async def pieces() -> AsyncIterator[bytes]:
        done = 0
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _CHUNK):
                yield piece
                done += len(piece)
                sent(done / size)

    answer = await mdus.send("/api/intake", pieces(), name=path.name, source="openami ingest", **asked)
    return await _followed(mdus, answer["id"], lambda share: sent(1 + share))


async def _followed(mdus: Mdus, number: int, share: Callable[[float], None]) -> Any:  # noqa: ANN401 - JSON
    while True:
        file = await mdus.get(f"/api/intake/{number}")
        share(file["progress"])
        if file["state"] in {"done", "refused"}:
            return file
        await asyncio.sleep(_LOOK_EVERY_S)


def _show(file: dict[str, Any]) -> None:
    """What became of a file, in a line, and the first things that were refused."""
    counts = f"{file['readings']} readings, {file['events']} events, {file['refused']} parts refused"
    style = "green" if file["state"] == "done" and not file["refused"] else "yellow" if file["readings"] else "red"
    console.print(
        Text.assemble((file["name"], style), f" (file {file['id']}, {file['format'] or 'unknown format'}): {counts}.")
    )
    if file["reason"]:
        console.print(Text.assemble(("  not read:", "red"), f" {file['reason']}"), soft_wrap=True)
    for one in file["refusals"][:_SHOWN]:
        console.print(f"  refused at {one['position']}: {one['reason']}", soft_wrap=True)
    if file["refused"] > _SHOWN:
        console.print(f"  and {file['refused'] - _SHOWN} more: openami quarantine")
    if any("is registered" in one["reason"] for one in file["refusals"]):
        console.print(f"  → Register such meters with: openami replay {file['id']} --register")


def _look(path: Path, format_name: str, mapping_text: str, *, as_json: bool) -> bool:
    """A dry run; an unreadable file is told in the same form, and is no success."""
    from openami.mdus.unify.adapters import UnknownFormatError, dry_run  # noqa: PLC0415 - other commands start faster

    mapping = _mapping(mapping_text)
    try:
        facts, read = dry_run(path, format_name, mapping), True
    except UnknownFormatError as error:
        if not as_json:
            raise
        refusal = {"position": "the beginning of the file", "reason": error.found}
        facts, read = {"file": str(path), "format": "", "channels": [], "events": 0, "refused": [refusal]}, False
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))  # noqa: T201 - a line for another program
    else:
        _show_contents(facts)
    return read


def _mapping(text: str) -> FileMapping | None:
    from openami.mdus.unify.adapters.mapping import parse_mapping  # noqa: PLC0415 - as above

    return parse_mapping(text) if text else None


def _show_contents(facts: dict[str, Any]) -> None:
    title = f"{facts['file']} ({facts['format']}), {facts['events']} events"
    table = table_of("channel", "quantity", "every", "count", "sum", "first", "last", title=title)
    for channel in facts["channels"]:
        every = f"{channel['interval_s']} s" if channel["interval_s"] else "register"
        total = f"{channel['sum']} {channel['unit']}"
        span = (channel["first"] or "", channel["last"] or "")
        table.add_row(channel["id"], channel["quantity"], every, str(channel["count"]), total, *span)
    console.print(table)
    for refusal in facts["refused"]:
        console.print(_refused(refusal))


def _refused(one: dict[str, Any]) -> Text:
    return Text.assemble(("refused", "red"), f" at {one['position']}: {one['reason']}")


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
        elif path.is_file():
            yield path
        else:
            raise OpenAmiError(f"There is no file {path}.", hint="Name files or folders that exist.")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OpenAmiError(f"{path} cannot be read: {error}.", hint="Name a TOML file.") from error
