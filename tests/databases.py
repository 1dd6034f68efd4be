"""Databases of tests: a fresh one for each that asks, made from a template where making its tables takes long."""

from __future__ import annotations

import asyncio
import itertools
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine

from openami.shared.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import MetaData

    from openami.shared.postgres import EmbeddedPostgres

_numbers = itertools.count()


def template_of(postgres: EmbeddedPostgres, name: str, metadata: MetaData) -> str:
    """A database with an area's tables, to be copied; its name."""
    engine = create_engine(postgres.ensure_database(name))
    with engine.begin() as connection:
        metadata.create_all(connection)
    engine.dispose()
    return name


@asynccontextmanager
async def fresh(postgres: EmbeddedPostgres, prefix: str, *, template: str | None = None) -> AsyncIterator[Database]:
    """A database that nobody has used, empty or a copy of a template; it goes with the block."""
    name = f"{prefix}_{os.getpid()}_{next(_numbers)}"
    made = Database(postgres.ensure_database(name, template=template))
    try:
        yield made
    finally:
        await made.close()
        # beside the loop: whatever a test left running may say goodbye, instead of holding the server up
        await asyncio.to_thread(postgres.drop_database, name)
