"""Runs a landscape on one machine: PostgreSQL, one process per area, restarted when they fall, stopped together.

A child holds the read end of a pipe from us: when we are gone, however that happened, the pipe ends and so does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import httpx
import structlog
from pydantic import SecretStr

from openami.shared.areas import AREAS
from openami.shared.errors import OpenAmiError
from openami.shared.log import bound, last_error
from openami.shared.postgres import EmbeddedPostgres
from openami.shared.secrets import load_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from openami.shared.settings import Address, Settings

log = structlog.get_logger()

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
RESTART_PAUSE_S = 0.1
RESTART_PAUSE_LAST_S = 5.0
LOGS_EVERY_S = 60.0
STEADY_AFTER_S = 10.0  # a process that lived this long is not in a crash loop
DATABASES = {"field": "openami_field", "headend": "openami_headend", "mdus": "openami_mdus", "office": "openami_office"}


class FolderInUseError(OpenAmiError):
    """Another landscape runs on the same data folder."""


class PortTakenError(OpenAmiError):
    """Somebody else listens where an area is to listen."""


class NotReadyError(OpenAmiError):
    """An area did not come up in time."""


@dataclass(slots=True)
class _Child:
    area: str
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    watcher: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Supervisor:
    """A landscape as an async context manager: inside the block all areas are up."""

    settings: Settings
    areas: Sequence[str] = AREAS
    _children: dict[str, _Child] = field(default_factory=dict)
    _postgres: EmbeddedPostgres | None = None
    _lock: IO[str] | None = None
    _log_keeper: asyncio.Task[None] | None = None
    _stopping: bool = False

    async def __aenter__(self) -> Self:
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = _lock_folder(self.settings.data_dir)
        try:
            for area in self.areas:
                _assert_free(area, self.settings.address(area))
            environment = await asyncio.to_thread(self._prepare)
            for area in self.areas:
                child = self._children[area] = _Child(area)
                child.watcher = asyncio.create_task(self._keep_running(child, environment))
            self._log_keeper = asyncio.create_task(self._bound_logs())
            await self.wait_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def pid(self, area: str) -> int | None:
        """The process that stands for an area now."""
        child = self._children[area]
        return child.process.pid if child.process is not None else None

    def starts(self, area: str) -> int:
        """How often the process of an area was started."""
        return self._children[area].starts

    async def wait_ready(self) -> None:
        """Return when every area answers.

        Raises:
            NotReadyError: names the areas that do not, and where their logs are.
        """
        async with httpx.AsyncClient(trust_env=False) as client:
            deadline = time.monotonic() + READY_TIMEOUT_S
            waiting = list(self.areas)
            while waiting:
                waiting = [area for area in waiting if not await _is_ready(client, self.settings.address(area).url)]
                if waiting and time.monotonic() > deadline:
                    raise NotReadyError(
                        f"Not up after {READY_TIMEOUT_S:.0f} s: {', '.join(waiting)}.",
                        hint=f"Read the logs in {self.settings.data_dir / 'logs'}.",
                    )
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop the areas, then PostgreSQL; safe to call twice."""
        self._stopping = True
        if self._log_keeper is not None:
            self._log_keeper.cancel()
        await asyncio.gather(*(self._stop_child(child) for child in self._children.values()))
        self._children.clear()
        if self._postgres is not None:
            await asyncio.to_thread(self._postgres.stop)
            self._postgres = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _prepare(self) -> dict[str, str]:
        """PostgreSQL up, one database per area; the environment that the areas get."""
        settings = self.settings
        (settings.data_dir / "logs").mkdir(exist_ok=True)
        given = settings.model_dump(exclude_none=True, exclude={"data_dir"})
        environment = os.environ | {f"OPENAMI_{key.upper()}": as_variable(value) for key, value in given.items()}
        environment["OPENAMI_DATA_DIR"] = str(settings.data_dir.resolve())
        environment["PYTHONUNBUFFERED"] = "1"
        if settings.postgres_url is None:
            secrets = load_secrets(settings.data_dir / "secrets.json")
            self._postgres = EmbeddedPostgres(settings.data_dir / "postgres", secrets.token("postgres"))
            self._postgres.start(adopt=True)
            for name in DATABASES.values():
                self._postgres.ensure_database(name)
            environment["OPENAMI_POSTGRES_URL"] = self._postgres.url("").rstrip("/")
        return environment

    async def _keep_running(self, child: _Child, environment: dict[str, str]) -> None:
        pause_s = RESTART_PAUSE_S
        # -P: a module that lies in the folder where we were started is not ours
        command = (sys.executable, "-P", "-m", "openami", "serve", child.area, "--supervised")
        log_file = self.settings.data_dir / "logs" / f"{child.area}.log"
        while not self._is_stopping():
            started = time.monotonic()
            with log_file.open("ab") as output:
                begun_at = output.tell()
                child.process = await asyncio.create_subprocess_exec(
                    *command,
                    env=environment,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            child.starts += 1
            code = await child.process.wait()
            if self._is_stopping():
                return
            log.warning("supervisor.area_ended", area=child.area, exit_code=code, said=last_error(log_file, begun_at))
            lived_s = time.monotonic() - started
            pause_s = RESTART_PAUSE_S if lived_s > STEADY_AFTER_S else min(pause_s * 2, RESTART_PAUSE_LAST_S)
            await asyncio.sleep(pause_s)

    async def _bound_logs(self) -> None:
        while True:
            for area in self.areas:
                await asyncio.to_thread(bound, self.settings.data_dir / "logs" / f"{area}.log")
            await asyncio.sleep(LOGS_EVERY_S)

    def _is_stopping(self) -> bool:
        return self._stopping

    async def _stop_child(self, child: _Child) -> None:
        process = child.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if child.watcher is not None:
            child.watcher.cancel()
            await asyncio.gather(child.watcher, return_exceptions=True)


def _assert_free(area: str, address: Address) -> None:
    """Otherwise the area would fall again and again, and whoever answers there be taken for it."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what lingers of an ended one is not somebody
        try:
            attempt.bind(address)
        except OSError as error:
            raise PortTakenError(
                f"Somebody already listens on {address.host}:{address.port}, which {area} needs ({error.strerror}).",
                hint="Does another landscape run? Stop it, or choose other ports with --port (or OPENAMI_BASE_PORT).",
            ) from error


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/readyz", timeout=2.0)).is_success
    except httpx.TransportError:
        return False


def _lock_folder(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise FolderInUseError(
            f"Another landscape runs on {folder.resolve()}.", hint="Stop it, or choose another folder with --data-dir."
        ) from error
    return lock


def as_variable(value: object) -> str:
    """A setting as the text of an environment variable: tables as JSON, secrets as they are."""
    return json.dumps(value, default=_plain) if isinstance(value, dict | list) else _plain(value)


def _plain(value: object) -> str:
    return str(value.get_secret_value()) if isinstance(value, SecretStr) else str(value)
