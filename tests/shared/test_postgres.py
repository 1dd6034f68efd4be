from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from openami.shared.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


async def test_a_fresh_database_answers(database: Database) -> None:
    async with database.begin() as transaction:
        assert (await transaction.execute(text("SELECT 40 + 2"))).scalar_one() == 42


def test_a_second_start_uses_the_running_server(postgres: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(postgres._folder, "test")
    second.start()
    assert second.port == postgres.port
    second.stop()
    assert postgres._answers(postgres.port), "whoever did not start the server does not stop it"


def test_a_second_run_finds_its_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("data") / "postgres"
    with EmbeddedPostgres(folder, "secret") as server, server._connect(server.port) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    with EmbeddedPostgres(folder, "secret") as server, server._connect(server.port) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
