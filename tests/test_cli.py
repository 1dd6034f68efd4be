from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from openami import cli, cli_people
from openami.cli_people import NotRunningError
from openami.shared.secrets import load_secrets, password_matches

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()


@pytest.mark.parametrize(
    "command",
    [
        *(
            "demo",
            "up",
            "serve",
            "status",
            "password",
            "token",
            "logs",
            "reset",
            "version",
            "backup",
            "restore",
            "settings",
        ),
        *("devices", "bills", "bill", "read", "disconnect", "reconnect", "decode", "ingest", "services"),
    ],
)
def test_help_shows_the_commands_that_a_person_would_guess(command: str) -> None:
    assert command in runner.invoke(cli.app, ["--help"]).output
    assert runner.invoke(cli.app, [command, "--help"]).exit_code == 0


def test_without_a_command_it_helps() -> None:
    assert "Usage" in runner.invoke(cli.app, []).output


def test_an_error_says_what_was_found_and_what_to_do_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "openami", "serve", "moon", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "There is no area 'moon'" in done.stderr
    assert "field, headend, mdus, office, web" in done.stderr
    assert "Traceback" not in done.stderr


def test_scripts_get_the_token_that_the_areas_expect(tmp_path: Path) -> None:
    refused = runner.invoke(cli.app, ["token", "--data-dir", str(tmp_path)])
    assert isinstance(refused.exception, NotRunningError), "asking makes no secrets"
    assert list(tmp_path.iterdir()) == []
    secrets = load_secrets(tmp_path / "secrets.json")
    shown = runner.invoke(cli.app, ["token", "--data-dir", str(tmp_path)]).output
    assert shown == f"{secrets.token('service')}\n"


def test_a_password_is_shown_once_and_kept_hashed(tmp_path: Path) -> None:
    output = runner.invoke(cli.app, ["password", "--data-dir", str(tmp_path)]).output
    password = output.split(":")[-1].strip()
    kept = (tmp_path / "console_users.json").read_text()
    assert password not in kept
    assert password_matches(password, kept.split('"')[3])


def test_reset_asks_first_and_says_when_there_is_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "logs").mkdir(parents=True)
    assert runner.invoke(cli.app, ["reset", "--data-dir", str(folder)], input="n\n").exit_code == 1
    assert folder.exists()
    assert runner.invoke(cli.app, ["reset", "--data-dir", str(folder), "--yes"]).exit_code == 0
    assert not folder.exists()
    result = runner.invoke(cli.app, ["reset", "--data-dir", str(folder), "--yes"])
    assert "There is nothing at" in str(result.exception)


def test_logs_shows_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mdus.log").write_text("".join(f"line {n}\n" for n in range(100)))
    output = runner.invoke(cli.app, ["logs", "mdus", "-n", "2", "--data-dir", str(tmp_path)]).output
    assert output.split("\n")[:2] == ["line 98", "line 99"]


def test_people_are_told_when_nothing_runs(tmp_path: Path) -> None:
    never = runner.invoke(cli.app, ["devices", "--data-dir", str(tmp_path)]).exception
    assert isinstance(never, cli_people.NotRunningError)
    assert "openami up" in never.hint
