"""What the `env.py` of every area's migrations does: run revisions on a connection that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import context

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def run(metadata: MetaData) -> None:
    """Run the revisions that Alembic chose, in one transaction, on `config.attributes["connection"]`."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        compare_type=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
