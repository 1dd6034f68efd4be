"""Structured logs: one line a fact, JSON in files, readable on a terminal."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from pathlib import Path

LOG_BYTES_MAX: Final = 64 * 1024 * 1024
"""A log of this size becomes `NAME.1`, in place of the one before: an area's logs take twice this at most."""
TAIL_BYTES: Final = 16 * 1024
_ERROR: Final = re.compile(r"(?:\w+\.)*(?P<said>\w+(?:Error|Exception): .+)")


def configure_logs(area: str, level: str = "info") -> None:
    """Set up the process's logs on standard error; `area` is on every line."""
    minimum = getattr(logging, level.upper())
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(minimum),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(area=area)
    logging.basicConfig(level=max(minimum, logging.WARNING), stream=sys.stderr)


def bound(file: Path, most: int = LOG_BYTES_MAX) -> bool:
    """Start a log anew when it has grown to `most` bytes; whether it had. Its writers append, and need not know.

    A line that is written between the copy and the cut is lost to the log: logs are no books.
    """
    if not file.exists() or file.stat().st_size < most:
        return False
    shutil.copy2(file, file.with_name(f"{file.name}.1"))
    os.truncate(file, 0)
    return True


def last_error(file: Path, since: int = 0) -> str:
    """The error that a process died of, as the last traceback in its log tells it; empty where there is none.

    `since` is where the log stood when the process began: what another one died of is not told again.
    """
    with file.open("rb") as log:
        end = log.seek(0, os.SEEK_END)
        log.seek(max(since if since <= end else 0, end - TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    found = [match for line in lines if (match := _ERROR.match(line))]
    return found[-1]["said"] if found else ""
