"""The command that reads files and needs no running landscape: `decode`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from openami.shared.errors import OpenAmiError

console = Console(markup=False)


class BadKeyError(OpenAmiError):
    """A key that is not hexadecimal digits."""


_WHOLE: Final[dict[str, Any]] = {"no_wrap": True}
_COLUMNS: Final[dict[str, dict[str, Any]]] = {
    "OBIS": _WHOLE,
    "what": {},
    "value": {"max_width": 16},
    "unit": _WHOLE,
    "time": _WHOLE,
}
"""What is shown of a reading; what is too long goes on in the next line."""
_LINE_ENDS: Final = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
"""What JSON lets stand in a text, and some programs take for the end of a line."""


def decode(
    file: Annotated[str, typer.Argument(help="A file with telegrams, binary or hexadecimal; - for standard input.")],
    language: Annotated[str | None, typer.Option(help="Try this language only; by default all.")] = None,
    key: Annotated[str | None, typer.Option(help="The meter's key, in hexadecimal digits.")] = None,
    auth_key: Annotated[str | None, typer.Option(help="Its authentication key, where it has one.")] = None,
    zone: Annotated[str, typer.Option(help="Zone of telegrams that carry local time.")] = "Europe/Amsterdam",
    drivers: Annotated[Path | None, typer.Option(help="Folder with drivers of yours for M-Bus meters.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a telegram, one a line.")] = False,
) -> None:
    """What a meter's telegram says: DLMS/COSEM pushes, M-Bus, wireless M-Bus, P1, SML, IEC 62056-21."""
    from openami.ami.mbus.driver import add_drivers  # noqa: PLC0415 - other commands start faster
    from openami.ami.telegrams.decode import decode as decoded  # noqa: PLC0415

    if drivers is not None:
        if not drivers.is_dir():
            raise OpenAmiError(f"{drivers} is no folder.", hint="Name the folder that your drivers are in.")
        add_drivers(drivers)
    octets = sys.stdin.buffer.read() if file == "-" else _read(Path(file))
    own, authentication = _octets(key), _octets(auth_key)
    for telegram in decoded(octets, language=language, zone_name=zone, key=own, auth_key=authentication):
        told = telegram.as_json()
        if as_json:
            print(json.dumps(told, ensure_ascii=False).translate(_LINE_ENDS))  # noqa: T201 - for another program
        else:
            _show_telegram(told)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the main one."""
    app.command()(decode)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OpenAmiError(f"{path} cannot be read: {error.strerror}.", hint="Name a file, or - for input.") from error


def _octets(key: str | None) -> bytes | None:
    try:
        return bytes.fromhex(key) if key else None
    except ValueError as error:
        raise BadKeyError(f"The key {key!r} is not hexadecimal.", hint="Give 32 digits, 0-9 and a-f.") from error


def _show_telegram(told: dict[str, Any]) -> None:
    title = " ".join(part for part in (told["language"], told["meter"], told["time"]) if part)
    if told["error"]:
        console.print(Text.assemble((_safe(title), "bold"), "  ", (_safe(told["error"]), "red")))
    if told["readings"]:
        rows = [_words(reading) for reading in told["readings"]]
        table = Table(title=_safe(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for place, (column, form) in enumerate(_COLUMNS.items()):
            if any(row[place] for row in rows):
                table.add_column(column, overflow="fold", **form)
        for row in rows:
            kept = [text for place, text in enumerate(row) if any(each[place] for each in rows)]
            table.add_row(*map(_safe, kept))
        console.print(table)


def _words(reading: dict[str, Any]) -> tuple[str, ...]:
    """A reading in the columns that a person sees."""
    from openami.ami.telegrams.names import meaning  # noqa: PLC0415 - other commands start faster

    obis = reading.get("obis", "")
    value = "" if reading["value"] is None else str(reading["value"])
    time = (reading["time"] or "").replace("+00:00", "Z")
    return obis, meaning(obis) if obis else reading["quantity"], value, reading["unit"] or "", time


def _safe(text: str) -> str:
    """A text of a telegram as a terminal may show it: nothing in it moves the cursor."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
