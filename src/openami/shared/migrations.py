"""What the `env.py` of every area's migrations does: run revisions on a connection that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import context
from alembic.operations.ops import ExecuteSQLOp, MigrationScript
from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSequence

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData, Sequence

_DIALECT = postgresql.psycopg.PGDialect_psycopg()  # type: ignore[no-untyped-call] # SQLAlchemy has not typed it


def run(metadata: MetaData) -> None:
    """Run the revisions that Alembic chose, in one transaction, on `config.attributes["connection"]`."""
    connection = context.config.attributes["connection"]

    def add_sequences(_context: object, _revision: object, directives: list[MigrationScript]) -> None:
        for script in directives:
            operations = script.upgrade_ops
            assert operations is not None
            for sequence in missing_sequences(connection, metadata):
                statement = str(CreateSequence(sequence).compile(dialect=_DIALECT))
                operations.ops.insert(0, ExecuteSQLOp(statement))

    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        transactional_ddl=True,
        process_revision_directives=add_sequences,
    )
    with context.begin_transaction():
        context.run_migrations()


def missing_sequences(connection: Connection, metadata: MetaData) -> list[Sequence]:
    """Number ranges that the code declares and the database lacks; Alembic itself does not compare them."""
    present = set(inspect(connection).get_sequence_names())
    declared = [sequence for name, sequence in sorted(metadata._sequences.items()) if name not in present]  # noqa: SLF001 - SQLAlchemy offers no other list
    return [sequence for sequence in declared if not sequence.column]
