"""The one metadata of the MDUS database: every `store.py` of the middle hangs its tables here."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData, Table

from openami.shared.audit import audit_table
from openami.shared.seam import SeamTables, seam_tables

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
seam: Final[SeamTables] = seam_tables(metadata)
audit: Final[Table] = audit_table(metadata)
