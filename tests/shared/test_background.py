"""Bulk work steps back before readers, its database processes too, and ends with who began it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from openami.shared.background import STEP_BACK, server_of, yield_to_others
from openami.shared.database import psycopg_connection

if TYPE_CHECKING:
    from openami.shared.database import Database

FORGOTTEN_S = 30
"""A parent that starts a worker which steps back, tells of it, and is killed."""
PARENT = """
import multiprocessing, os, time
from openami.shared.background import step_back
def work(told):
    step_back()
    told.send((os.getpid(), os.getsid(0), os.nice(0)))
    time.sleep(600)
if __name__ == "__main__":
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.get_context("fork").Process(target=work, args=(theirs,)).start()
    print(*ours.recv(), flush=True)
    input()
    os.kill(os.getpid(), 9)
"""


def group_of(process: int) -> str:
    """How nice the session of a process is to others; empty where the kernel does not share by sessions."""
    try:
        return Path(f"/proc/{process}/autogroup").read_text().split()[-1]
    except OSError:
        return ""


@pytest.mark.enable_socket  # a pipe between processes is one
def test_a_worker_is_a_session_of_its_own_and_ends_when_its_parent_was_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        worker, session, nice = map(int, parent.stdout.readline().split())
        assert session == worker
        assert nice == max(os.nice(0), STEP_BACK)
        assert group_of(worker) in {"", str(STEP_BACK)}
        descriptor = os.pidfd_open(worker)
        parent.stdin.write("\n")
        parent.stdin.flush()
        ended, _, _ = select.select([descriptor], [], [], FORGOTTEN_S)
        os.close(descriptor)
    assert ended, "a worker of nobody would wait for ever"
    assert parent.returncode == -9


def test_what_is_gone_or_already_nicer_stays_as_it_is() -> None:
    with subprocess.Popen(["sleep", "600"], preexec_fn=lambda: os.nice(STEP_BACK + 5)) as nicer:  # noqa: PLW1509 - no threads here
        before = os.getpriority(os.PRIO_PROCESS, nicer.pid)
        yield_to_others(nicer.pid)
        assert os.getpriority(os.PRIO_PROCESS, nicer.pid) == before
        nicer.kill()
    yield_to_others(nicer.pid)  # nobody has this number any more


@pytest.mark.postgres
@pytest.mark.enable_socket
async def test_the_server_of_a_connection_is_known_by_its_title_and_steps_back(database: Database) -> None:
    async with database.engine.connect() as tx:
        connection = await psycopg_connection(tx)
        server = server_of(connection)
        assert server
        assert server == (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        yield_to_others(server)
        assert os.getpriority(os.PRIO_PROCESS, server) >= STEP_BACK
        assert group_of(server) in {"", str(STEP_BACK)}


@pytest.mark.postgres
@pytest.mark.enable_socket
async def test_a_process_of_that_number_that_serves_somebody_else_is_left_alone(database: Database) -> None:
    """As when the database is another machine: there the number may be that of anything here."""
    async with database.engine.connect() as mine, database.engine.connect() as other:
        ours, theirs = await psycopg_connection(mine), await psycopg_connection(other)
        for number in (os.getpid(), theirs.info.backend_pid, 2**22 + 1):
            claimed = SimpleNamespace(info=SimpleNamespace(backend_pid=number), fileno=ours.fileno)
            assert server_of(claimed) is None
