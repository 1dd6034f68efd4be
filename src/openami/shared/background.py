"""Processes that do bulk work: they take what readers leave, their PostgreSQL servers too, and end with who began them.

They keep their memory: each batch takes and frees the same hundreds of megabytes, and pages that go back to the system
come again empty, one fault each; how long that takes swings with the machine more than all else does.

Linux shares processor time between sessions first, and looks only within a session at who is nicer; a worker and each
process of PostgreSQL are sessions of their own. Where a kernel does not do so, being nice is all there is.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import event
from sqlalchemy.pool import Pool

STEP_BACK: Final = 10
"""By how much nicer bulk work is than what readers wait for."""
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # <malloc.h> of the GNU C library
_KEPT_BYTES: Final = (1 << 31) - 1


def keep_memory() -> None:
    """Have this process keep what it frees for its next batch, of numpy and Arrow in one heap, before threads begin.

    A C library that has no such options goes on as ever.
    """
    options = getattr(ctypes.CDLL(None), "mallopt", None)
    if options is not None:
        for option, value in ((_M_TRIM_THRESHOLD, _KEPT_BYTES), (_M_MMAP_MAX, 0), (_M_ARENA_MAX, 1)):
            options(option, value)
        pa.set_memory_pool(pa.system_memory_pool())


def step_back() -> None:
    """Make this process one that does bulk work: to be called in it, before it opens connections."""
    os.setsid()
    yield_to_others(os.getpid())
    event.listen(Pool, "connect", _with_its_server)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def yield_to_others(process: int) -> None:
    """Make a process of this machine nicer; one that is gone, or somebody else's, stays as it is."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, max(STEP_BACK, os.getpriority(os.PRIO_PROCESS, process)))
        Path(f"/proc/{process}/autogroup").write_text(str(STEP_BACK))


def server_of(connection: Any) -> int | None:  # noqa: ANN401 - of psycopg, whatever it returns
    """The process of PostgreSQL at the other end of a connection; None if it does not run on this machine.

    Its number alone says nothing, for it may be one of another machine: its title names our end of the connection.
    """
    process = connection.info.backend_pid
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as ours:
        title = Path(f"/proc/{process}/cmdline").read_bytes()
        if title.startswith(b"postgres: ") and f"({ours.getsockname()[1]}) ".encode() in title:
            return int(process)
    return None


def _with_its_server(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's stand-in for psycopg's
    process = server_of(connection.driver_connection)
    if process is not None:
        yield_to_others(process)


def _end_with_parent() -> None:
    """A pool whose owner was killed hands out nothing any more, and its workers would wait for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
