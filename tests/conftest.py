"""What all tests share: the jumping clock, a PostgreSQL of this run, and a fresh database for each test that asks."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
import uvloop  # noqa: F401 - keeps the socket class it finds when it is first imported: not the one of a test without any
from hypothesis import HealthCheck, settings
from tests.databases import fresh

from openami.shared.clock import ManualClock
from openami.shared.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from openami.shared.database import Database

# The short form runs with every change, the long one by `make test-long`: the same properties, many more examples.
# the short form asks the same questions at every run; the long one goes looking for new ones
settings.register_profile(
    "short", max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("OPENAMI_TEST_PROFILE", "short"))

# A traceback with every local variable takes seconds to draw, in the event loop that is being tested.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

START = datetime(2026, 3, 1, tzinfo=UTC)
SHARED = Path(__file__).parents[2] / "shared"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole landscapes first: they take longest, and a parallel run (one file, one worker) should not wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("landscape") is None)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One server for the run (one per worker when the run is parallel); its files go with it."""
    with (
        tempfile.TemporaryDirectory(prefix="openami-test-") as folder,
        EmbeddedPostgres(_open_to_all(Path(folder)) / "postgres", "test") as server,
    ):
        with server._connect(server.port) as connection:  # what a test wrote need not outlive the machine
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A fresh, empty database."""
    async with fresh(postgres, "test") as made:
        yield made


@pytest.fixture
def fixtures() -> Path:
    """Real inputs that are not ours to copy, read in place where they are present."""
    folder = SHARED / "fixtures"
    if not folder.exists():
        pytest.skip("the folder ../shared/fixtures is not beside this checkout")
    return folder


def _open_to_all(folder: Path) -> Path:
    folder.chmod(0o755)  # the server may run as another user
    return folder
