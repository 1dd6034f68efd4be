"""What commands tell people: wrong input in words with an exit code, and text of others exactly as it is.

Rich reads `[words]` as a style: what areas, files and meters say would vanish, or end the command, if it were let.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from openami import cli, cli_files, cli_people
from openami.cli_mdus import connect
from openami.cli_mdus import files as cli_mdus_files
from openami.cli_mdus import values as cli_mdus_values
from openami.cli_mdus import virtual as cli_mdus_virtual
from openami.demo.table import Line, show
from openami.shared.secrets import load_secrets

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()
HOSTILE = "[/] [red]x[/red] [limit 5] [[table]] \\[y]"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for module in (cli, cli_files, cli_people, connect):
        monkeypatch.setattr(module.console, "_width", 400)


def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    """Exit code and error text of the command as a person types it."""
    monkeypatch.setattr(sys, "argv", ["openami", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (("serve", "moon"), "There is no area 'moon'", "The areas are field"),
        (("serve", HOSTILE), HOSTILE.replace("\\", "\\\\"), "The areas are field"),
        (("status",), "No landscape was started", "openami up"),
        (("devices",), "No landscape was started", "openami up"),
        (("bills",), "No landscape was started", "openami up"),
        (("bill", "2026-03"), "No landscape was started", "--data-dir"),
        (("read", "E1"), "No landscape was started", "openami up"),
        (("reconnect", "E1"), "No landscape was started", "openami up"),
        (("reset", "--yes"), "There is nothing at", "--data-dir"),
        (("logs", "mdus"), "There is no log", "field, headend"),
        (("logs", "../secrets"), "There is no log", "field, headend"),
        (("user", "add", "a|b", "--role", "viewer"), "'a|b' cannot be a user", "letters"),
        (("user", "add", "jörg", "--role", "clerk"), "'jörg' cannot be a user", "letters"),
        (("user", "role", HOSTILE, "viewer"), f"There is no user {HOSTILE}.", "openami user add"),
        (("user", "remove", "anna"), "There is no user anna.", "openami user add"),
        (("password", "anna"), "There is no user anna.", "openami user add"),
        (("backup", "copy"), "There is no landscape", "--data-dir"),
        (("restore", "copy"), "no whole backup", "openami backup"),
        (("decode", "nothing.bin"), "nothing.bin cannot be read: No such file", "- for input"),
        (("decode", "--key", "xyz", "nothing.bin"), "nothing.bin cannot be read", "Name a file"),
        (("decode", "--drivers", "none", "-"), "none is no folder", "drivers"),
        (("ingest", "none.csv"), "There is no file none.csv", "that exist"),
        (("ingest", "--mapping", "none.toml", "none.csv"), "none.toml cannot be read", "TOML"),
        (("services", "edit-table", "none"), "There is no table 'none'", "capabilities"),
    ],
)
def test_wrong_input_is_told_in_words_and_by_the_exit_code(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
    hint: str,
) -> None:
    code, text = told(capsys, monkeypatch, *words)
    assert code == 1
    assert said in text
    assert hint in text.partition("→")[2]
    assert "Traceback" not in text
    assert list(tmp_path.iterdir()) == [], "what is refused, or only asked, makes nothing"


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",), ("demo", "--homes", "9"), ("demo", "--homes", "501"), ("logs", "mdus", "-n", "0"), ("serve",),
        ("disconnect", "E1"), ("up", "--port", "high"), ("decode",), ("ingest",), ("services", "use-schema", "a", "b"),
        ("testkit", "sap"), ("testkit", "mdus", "--office", "http://x", "--share", "2"), ("--nonsense",),
    ],
)  # fmt: skip
def test_a_command_that_is_typed_wrong_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    code, text = told(capsys, monkeypatch, *words)
    assert code == 2
    assert "Usage" in text


@pytest.mark.parametrize("content", ["zone = ", "nonsense = 1", 'zone = "Mars"'])
def test_settings_that_cannot_be_are_told_by_any_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    (tmp_path / "openami.toml").write_text(content)
    code, text = told(capsys, monkeypatch, "settings")
    assert code == 1
    assert "SettingsError" in text


def test_secrets_that_are_none_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secrets.json").write_text("{}")
    code, text = told(capsys, monkeypatch, "devices")
    assert (code, "SecretsError" in text, "backup" in text) == (1, True, True)


@pytest.mark.enable_socket
def test_a_landscape_that_sleeps_is_shown_area_by_area(tmp_path: Path) -> None:
    load_secrets(tmp_path / "data" / "secrets.json")
    result = runner.invoke(cli.app, ["status", "--port", "1024"])
    assert result.exit_code == 0
    assert result.output.count("not running") == 5


def test_names_of_customers_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"id": "1", "name": HOSTILE, "total": "5.00"}
    monkeypatch.setattr(cli_people, "ask", lambda *_given: [row])
    assert HOSTILE in runner.invoke(cli.app, ["bills"]).output


def test_the_inputs_of_a_rule_are_part_of_its_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    fired = {"rule": "V11", "verdict": "failed", "sentence": "Too much.", "inputs": {"limit": 5}}
    interval = {
        "start": "2026-03-01", "value": 7, "quality": "measured", "cause": "delivery", "author": HOSTILE,
        "delivery": "ab" * 32, "fired": [fired],
    }  # fmt: skip
    head = {"channel": 1, "obis": "1.8.0", "device": "E1", "unit": "Wh", "scale": 0, "intervals": [interval]}
    monkeypatch.setattr(cli_mdus_values, "ask", lambda *_given: head)
    output = runner.invoke(cli.app, ["explain", "1", "2026-03-01"]).output
    assert "V11 failed: Too much. [limit 5]" in output
    assert HOSTILE in output


def test_a_virtual_channel_is_explained_by_what_it_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    part = {"channel": 17, "factor": "-1.02", "value": 40, "quality": "measured, passed"}
    row: dict[str, Any] = {"start": "2026-03-01T00:00:00Z", "value": None, "quality": "empty", "parts": []}
    made = row | {"start": "2026-03-01T00:30:00Z", "value": -408, "quality": "derived, passed", "parts": [part]}
    found = {"virtual": "street", "unit": "Wh", "scale": -1, "intervals": [row, made]}
    for module, words in (
        (cli_mdus_values, ["explain", "street", "2026-03-01"]),
        (cli_mdus_virtual, ["virtual", "show", "street", "2026-03-01"]),
    ):
        monkeypatch.setattr(module, "ask", lambda *_: found)
        shown = runner.invoke(cli.app, words)
        assert shown.exit_code == 0, shown.output
        for said in ("-40.8", "derived, passed", "-1.02 x 40 of 17", "empty"):
            assert said in shown.output


def test_a_definition_is_seen_before_it_is_made_and_undone_after(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"terms": "", "total": None, "missing": None}
    then = {"terms": "1+2", "total": 300, "missing": 4, "unit": "Wh", "scale": -1}
    monkeypatch.setattr(cli_mdus_virtual, "ask", lambda *_: {"day": "2026-03-02", "now": now, "then": then})
    shown = runner.invoke(cli.app, ["virtual", "define", "street", "1+2", "--preview"]).output
    for said in ("brings on 2026-03-02", "nothing", "1+2", "30.0 Wh", "4"):
        assert said in shown
    monkeypatch.setattr(cli_mdus_virtual, "ask", lambda *_: {"definitions": [{"first": "2026-03-02", "terms": ""}]})
    shown = runner.invoke(cli.app, ["virtual", "undo", "street", "--reason", "mistaken", "--as", "ann"]).output
    assert "From 2026-03-02 street stands for nothing again." in shown


def test_what_a_file_is_refused_for_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = {"position": "line 2 [/]", "reason": HOSTILE}
    file = {
        "id": 3, "name": HOSTILE, "format": "", "state": "refused", "readings": 0, "events": 0, "refused": 1,
        "reason": HOSTILE, "refusals": [refusal],
    }  # fmt: skip
    cli_mdus_files._show(file)
    shown = capsys.readouterr().out
    assert shown.count(HOSTILE) == 3
    entry = {"id": 3, "name": "a [b]", "refusals": [refusal], "reason": ""}
    monkeypatch.setattr(cli_mdus_files, "ask", lambda *_given: {"files": [entry], "quarantine": [], "messages": []})
    table = runner.invoke(cli.app, ["quarantine"]).output
    assert HOSTILE in table
    assert "a [b]" in table


def test_a_telegram_cannot_colour_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    reading = {"obis": "[red]1.8.0", "value": HOSTILE, "unit": "[b]", "time": None}
    cli_files._show_telegram(
        {"language": "p1", "meter": HOSTILE, "time": None, "error": "no [/] end", "readings": [reading]}
    )
    shown = " ".join(capsys.readouterr().out.split())  # a title is broken over the lines of its table
    assert shown.count(HOSTILE) >= 2
    assert "no [/] end" in shown
    assert "[red]1.8.0" in shown


def test_a_home_that_does_not_reconcile_is_named_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    right = Line("home 1", "electricity", ("E1",), 1000, 1000, 0, 1000, "5.00 EUR")
    wrong = Line("home 2", "electricity", ("E2", "E[3]"), 1000, 999, 0, 1000, "5.00 EUR")
    show([right, wrong], cli.console)
    shown = capsys.readouterr().out
    assert "home 2 electricity: " in shown
    assert "E2, E[3]" in shown
    assert "lines agree" not in shown
    show([right], cli.console)
    assert "All 1 lines agree: meter, series and bill" in capsys.readouterr().out


def test_json_for_programs_is_never_coloured_or_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect.console, "_width", 20)
    row: dict[str, Any] = {"name": HOSTILE * 20}
    monkeypatch.setattr(cli_mdus_files, "ask", lambda *_given: {"files": [row]})
    assert json.loads(runner.invoke(cli.app, ["files", "--json"]).output) == [row]


def test_ids_that_other_commands_ask_for_are_never_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connect.console, "_width", 24)
    table = connect.table_of("edit", "why", title="Edits")
    table.add_row("ab4591fa-5b8c-4aa6-9fd1-de3e9e445bd5", "read by hand")
    connect.console.print(table)
    shown = capsys.readouterr().out
    cells = [line.split("\u2502")[1].strip() for line in shown.splitlines() if line.startswith("\u2502")]
    assert "".join(cells) == "ab4591fa-5b8c-4aa6-9fd1-de3e9e445bd5"
    assert "\u2026" not in shown
