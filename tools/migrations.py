"""Writes the Alembic revisions that the areas' tables need: `python tools/migrations.py [MESSAGE]`."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from openami.shared.postgres import EmbeddedPostgres

PACKAGES = ("openami.ami.meter", "openami.ami.headend", "openami.mdus", "openami.office")
ENV = '''"""Alembic's entry: the tables of this area."""

from {package}.area import build as _all_tables  # noqa: F401 - imports every store
from {package}.tables import metadata

from openami.shared.migrations import run

run(metadata)
'''
TEMPLATE = '''"""${message}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''


def main() -> None:
    """Bring every area's folder `migrations` up to its tables."""
    message = sys.argv[1] if len(sys.argv) > 1 else "tables"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "postgres", "migrations") as server:
            for package in PACKAGES:
                write(package, server.ensure_database(package.replace(".", "_")), message)


def write(package: str, url: str, message: str) -> None:
    """One area's revision, if its tables differ from what its revisions make."""
    module = importlib.import_module(package)
    folder = Path(str(module.__file__)).parent / "migrations"
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    if not (folder / "env.py").exists():
        (folder / "env.py").write_text(ENV.format(package=package))
        (folder / "script.py.mako").write_text(TEMPLATE)
    importlib.import_module(f"{package}.area")
    metadata = importlib.import_module(f"{package}.tables").metadata
    config = Config()
    config.set_main_option("script_location", str(folder))
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if not compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata):
            print(f"{package}: up to date")
            return
        number = f"{len(list((folder / 'versions').glob('*.py'))) + 1:04}"
        command.revision(config, message=message, autogenerate=True, rev_id=number)
    print(f"{package}: wrote {number}")


if __name__ == "__main__":
    main()
