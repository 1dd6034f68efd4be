from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from openami import cli, cli_people
from openami.cli_people import NotRunningError
from openami.landscape import tell_console
from openami.shared.secrets import load_secrets, password_matches
from openami.shared.settings import load_settings
from openami.web.rights import Role
from openami.web.users import UnknownUserError, Users

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
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
            "user",
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
    assert shown == f"{secrets.service_token}\n"


def _user(folder: Path, *arguments: str) -> str:
    done = runner.invoke(cli.app, ["user", *arguments, "--data-dir", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_viewers_token_is_another_one(tmp_path: Path) -> None:
    secrets = load_secrets(tmp_path / "secrets.json")
    shown = runner.invoke(cli.app, ["token", "--role", "viewer", "--data-dir", str(tmp_path)]).output
    assert shown == f"{secrets.viewer_token}\n"
    assert secrets.viewer_token != secrets.service_token
    other = runner.invoke(cli.app, ["token", "--role", "clerk", "--data-dir", str(tmp_path)])
    assert other.exit_code == 2, "areas know no clerks"


def test_a_user_is_made_with_a_role_and_a_password_that_is_shown_once_and_kept_hashed(tmp_path: Path) -> None:
    output = _user(tmp_path, "add", "anna", "--role", "clerk")
    password = output.split("\n")[0].split(":")[-1].strip()
    assert "anna may log in as clerk." in output
    file = tmp_path / "console_users.json"
    assert password not in file.read_text()
    anna = Users(file).all()["anna"]
    assert (anna.role, password_matches(password, anna.password)) == (Role.CLERK, True)


def test_no_user_is_made_without_a_role(tmp_path: Path) -> None:
    for arguments in (["anna"], ["anna", "--role", "root"]):
        assert runner.invoke(cli.app, ["user", "add", *arguments, "--data-dir", str(tmp_path)]).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_users_are_listed_given_other_roles_and_removed(tmp_path: Path) -> None:
    assert "There are no users" in _user(tmp_path, "list")
    _user(tmp_path, "add", "bob", "--role", "viewer")
    _user(tmp_path, "add", "anna", "--role", "administrator")
    assert "bob is operator now" in _user(tmp_path, "role", "bob", "operator")
    rows = [line.strip("│ ").split() for line in _user(tmp_path, "list").splitlines() if "│" in line]
    assert [(row[0], row[-1]) for row in rows] == [("anna", "administrator"), ("bob", "operator")]
    assert "bob gets in no more" in _user(tmp_path, "remove", "bob")
    assert "bob" not in _user(tmp_path, "list")


def test_a_new_password_takes_the_place_of_the_old_one_and_makes_no_user(tmp_path: Path) -> None:
    file = tmp_path / "console_users.json"
    nobody = runner.invoke(cli.app, ["password", "--data-dir", str(tmp_path)]).exception
    assert isinstance(nobody, UnknownUserError)
    assert "openami user add" in nobody.hint
    assert not file.exists()
    _user(tmp_path, "add", "admin", "--role", "administrator")
    output = runner.invoke(cli.app, ["password", "--data-dir", str(tmp_path)]).output
    password = output.split("\n")[0].split(":")[-1].strip()
    admin = Users(file).all()["admin"]
    assert (admin.role, password_matches(password, admin.password)) == (Role.ADMINISTRATOR, True)


def test_each_change_of_a_user_is_in_the_audit_of_a_landscape_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[str, str, dict[str, str]]] = []

    class Areas:
        async def post(self, area: str, path: str, body: dict[str, str]) -> None:
            kept.append((area, path, body))

    def ask(_data_dir: Path, _port: int | None, call: Callable[[Areas], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(call(Areas()))

    monkeypatch.setattr(cli_people, "ask", ask)
    monkeypatch.setenv("USER", "root")
    monkeypatch.setenv("SUDO_USER", "carl")
    _user(tmp_path, "add", "anna", "--role", "clerk")
    _user(tmp_path, "role", "anna", "viewer")
    runner.invoke(cli.app, ["password", "anna", "--data-dir", str(tmp_path)])
    _user(tmp_path, "remove", "anna")
    runner.invoke(cli.app, ["user", "remove", "anna", "--data-dir", str(tmp_path)])
    whats = ["user.added anna clerk", "user.role anna viewer", "user.password anna", "user.removed anna"]
    assert [body["what"] for _, _, body in kept] == whats, "what was refused is not there"
    assert {(area, path) for area, path, _ in kept} == {("office", "/api/audit")}
    assert {(body["who"], body["source"]) for _, _, body in kept} == {("carl", "openami")}


def test_users_are_made_while_the_office_is_away_and_it_is_told(tmp_path: Path) -> None:
    assert "not in its audit" in _user(tmp_path, "add", "anna", "--role", "viewer")
    assert list(Users(tmp_path / "console_users.json").all()) == ["anna"]
    assert [one.name for one in tmp_path.iterdir()] == ["console_users.json"], "no secrets are made for it"


def test_the_first_start_makes_an_administrator_and_later_ones_nobody(tmp_path: Path) -> None:
    settings, said = load_settings(data_dir=tmp_path), io.StringIO()
    told = Console(file=said, width=200)
    tell_console(settings, told)
    tell_console(settings, told)
    text = said.getvalue()
    password = text.split("shown this once: ")[1].split()[0]
    (admin,) = Users(tmp_path / "console_users.json").all().values()
    assert (admin.name, admin.role) == ("admin", Role.ADMINISTRATOR)
    assert password_matches(password, admin.password)
    assert text.count("shown this once") == 1
    assert text.count("openami user add NAME --role ROLE") == 1


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
