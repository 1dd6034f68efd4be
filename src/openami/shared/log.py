"""Structured logs: one line a fact, JSON in files, readable on a terminal."""

from __future__ import annotations

import logging
import sys

import structlog


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
