"""Alembic's entry: the tables of this area."""

from openami.mdus.area import build as _all_tables  # noqa: F401 - imports every store
from openami.mdus.tables import metadata

from openami.shared.migrations import run

run(metadata)
