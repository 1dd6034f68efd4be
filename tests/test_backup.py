"""Backup and restore of a real data folder: what was kept is there again, and what was altered is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, insert, select
from typer.testing import CliRunner

from openami import cli
from openami.ami.headend.store import meter_table
from openami.backup import COUNTER_LEAP, MANIFEST, BackupError, back_up, restore
from openami.shared.postgres import EmbeddedPostgres, PostgresError
from openami.shared.secrets import load_secrets
from openami.shared.settings import Settings
from openami.shared.supervisor import DATABASES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

TREE = {
    "deliveries/raw/ab/abcd": b"<MeterReadings/>",
    "deliveries/quarantine/x": b"\x00\xff",
    "lake/main/part.parquet": b"PAR1" * 1000,
    "contract/tables/units.csv": b"code,unit\n",
    "console_users.json": b'{"admin": "salt:hash"}',
    "logs/mdus.log": b"a line",
    "lock": b"",
}
METER = {
    "serial": "OAE0000001",
    "kind": "electricity",
    "host": "127.0.0.1",
    "port": 4059,
    "physical_address": b"",
    "shipped_at": datetime(2026, 3, 1, tzinfo=UTC),
    "counter_reserved": 5000,
}


def nothing(_told: str) -> None:
    """Nobody listens."""


def server_of(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder / "postgres", load_secrets(folder / "secrets.json").token("postgres"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two databases and files in it."""
    folder = tmp_path_factory.mktemp("landscape") / "data"
    for name, content in TREE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "elsewhere").symlink_to("/etc")
    with server_of(folder) as server:
        engine = create_engine(server.ensure_database(DATABASES["headend"]))
        meter_table.metadata.create_all(engine)
        with engine.begin() as transaction:
            transaction.execute(insert(meter_table).values(METER))
        engine.dispose()
        for name in ("mdus", "office"):
            server.ensure_database(name)
        with server._connect(server.port) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    return folder


@pytest.fixture(scope="module")
def made(source: Path) -> Path:
    """A backup of it, taken while its databases are in use."""
    target = source.parent / "backup"
    with server_of(source) as server, server._connect(server.port) as connection:
        connection.execute("CREATE TABLE meanwhile AS SELECT 8 AS value")
        back_up(Settings(data_dir=source), target, nothing)
        assert connection.execute("SELECT 1").fetchone() == (1,), "whoever runs the databases keeps them"
    return target


def test_a_restored_landscape_has_the_databases_and_the_files(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    restore(made, folder, nothing)
    for name, content in TREE.items():
        if name.startswith("logs") or name == "lock":
            assert not (folder / name).exists()
        else:
            assert (folder / name).read_bytes() == content
    assert not (folder / "elsewhere").exists(), "links lead out of the folder"
    with server_of(folder) as server, server._connect(server.port) as connection:
        rows = connection.execute("SELECT k.value, m.value FROM kept k, meanwhile m").fetchall()
        names = connection.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
        engine = create_engine(server.url(DATABASES["headend"]))
        with engine.begin() as transaction:
            counter = transaction.execute(select(meter_table.c.counter_reserved)).scalar_one()
        engine.dispose()
    assert counter == 5000 + COUNTER_LEAP, "no counter that was used since the backup is used again"
    assert rows == [(7, 8)]
    assert {("mdus",), ("office",)} <= set(names)


def test_a_backup_is_for_its_owner_only(made: Path) -> None:
    assert made.stat().st_mode & 0o077 == 0


def test_there_is_no_restoring_over_data(made: Path, source: Path) -> None:
    with pytest.raises(BackupError, match="There is data in"):
        restore(made, source, nothing)


def test_a_folder_that_is_not_empty_is_no_target(made: Path, source: Path) -> None:
    with pytest.raises(BackupError, match="is not empty"):
        back_up(Settings(data_dir=source), made, nothing)


def test_a_backup_does_not_lie_in_what_it_copies(source: Path) -> None:
    with pytest.raises(BackupError, match="lies in the data folder"):
        back_up(Settings(data_dir=source), source / "backup", nothing)


@pytest.mark.parametrize("setting", [{"postgres_url": "postgresql://db/"}, {"object_store": "s3://meters/x"}])
def test_what_lies_on_other_servers_is_not_backed_up_by_half(
    source: Path, setting: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="on servers of yours"):
        back_up(Settings.model_validate({"data_dir": source} | setting), tmp_path / "backup", nothing)
    assert not (tmp_path / "backup").exists()


def test_an_altered_file_is_found_before_anything_is_written(made: Path, tmp_path: Path) -> None:
    altered = made / "files" / "deliveries/raw/ab/abcd"
    kept = altered.read_bytes()
    altered.write_bytes(kept.replace(b"Readings", b"readings"))
    try:
        with pytest.raises(BackupError, match="is not what was backed up"):
            restore(made, tmp_path / "again", nothing)
    finally:
        altered.write_bytes(kept)
    assert not (tmp_path / "again").exists()


def test_an_altered_database_is_found(made: Path, tmp_path: Path) -> None:
    altered = made / "postgres" / "PG_VERSION"
    kept = altered.read_bytes()
    altered.write_bytes(b"99\n")
    try:
        with pytest.raises(PostgresError, match="pg_verifybackup"):
            restore(made, tmp_path / "again", nothing)
    finally:
        altered.write_bytes(kept)


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        ("", "no whole backup"),
        ("{}", "no whole backup"),
        ("[1]", "no whole backup"),
        (json.dumps({"made_at": "", "openami": "", "files": [1]}), "no whole backup"),
        (json.dumps({"made_at": "", "openami": "", "files": {"../../etc/passwd": "0"}}), "names files outside it"),
        (json.dumps({"made_at": "", "openami": "", "files": {"/etc/passwd": "0"}}), "names files outside it"),
        (json.dumps({"made_at": "", "openami": "", "files": {}}), "holds no secrets.json"),
        (json.dumps({"made_at": "", "openami": "", "files": {"secrets.json": "0"}}), "is not what was backed up"),
    ],
)
def test_a_folder_that_is_no_backup_is_refused(tmp_path: Path, manifest: str, found: str) -> None:
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / MANIFEST).write_text(manifest)
    with pytest.raises(BackupError, match=found):
        restore(tmp_path / "backup", tmp_path / "again", nothing)


def test_a_file_in_the_way_is_told(made: Path, source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BackupError, match="no folder"):
        back_up(Settings(data_dir=source), tmp_path / "file", nothing)
    with pytest.raises(BackupError, match="data in"):
        restore(made, tmp_path / "file", nothing)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_backup_that_was_cut_off_is_none(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with pytest.raises(BackupError) as raised:
        restore(tmp_path, tmp_path / "again", nothing)
    assert "interrupted" in raised.value.hint


def test_the_commands_say_what_they_did(source: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    told = runner.invoke(cli.app, ["backup", str(tmp_path / "backup"), "--data-dir", str(source)])
    assert "Backed up to" in told.output
    told = runner.invoke(cli.app, ["restore", str(tmp_path / "backup"), "--data-dir", str(tmp_path / "again")])
    assert "Start it with openami up" in told.output
    nowhere = runner.invoke(cli.app, ["backup", str(tmp_path / "b"), "--data-dir", str(tmp_path / "none")]).exception
    assert isinstance(nowhere, BackupError)
    assert "There is no landscape in" in nowhere.found
