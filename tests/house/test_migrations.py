"""The revisions of every area make exactly the tables that its code declares."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from openami.shared.migrations import missing_sequences

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from openami.shared.database import Database

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("package", ["openami.ami.meter", "openami.ami.headend", "openami.mdus", "openami.office"])
async def test_the_revisions_make_the_declared_tables(database: Database, package: str) -> None:
    importlib.import_module(f"{package}.area")
    metadata = importlib.import_module(f"{package}.tables").metadata

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [*compare_metadata(context, metadata), *missing_sequences(connection, metadata)]

    await database.migrate(package)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == [], "run: make migrations"
    await database.migrate(package)
