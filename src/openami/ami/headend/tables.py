"""The one metadata of the head-end's database: every `store.py` of this process declares its tables on it."""

from __future__ import annotations

from sqlalchemy import MetaData

from openami.shared.seam import seam_tables

metadata = MetaData()
seam = seam_tables(metadata)
