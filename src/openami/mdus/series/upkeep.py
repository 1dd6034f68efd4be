"""Upkeep of what is kept: small sealed files become large ones, and what the policy no longer wants is deleted.

Deleting is the one thing that leaves no version: the caller writes it into the audit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import date

    import duckdb
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.lake import Lake

GRACE: Final = "1 day"
"""Files that a reader may still look at stay for so long after they were replaced."""

_HOT: Final = ("series_day", "vee_finding", "vee_open_day")
_REGISTERS: Final = text("DELETE FROM series_register WHERE at < CAST(:before AS date)")


async def compact(lake: Lake) -> int:
    """Merge adjacent small files of the lake into large ones; returns how many files are left. Readers never wait."""
    return await lake.run(_compact)


async def forget(tx: AsyncConnection, lake: Lake | None, before: date) -> int:
    """Delete values, register readings and findings of days before one; returns how many channel-day versions."""
    deleted = 0
    for table in _HOT:
        result = await tx.execute(text(f"DELETE FROM {table} WHERE day < :before"), {"before": before})  # noqa: S608 - names of ours
        deleted += result.rowcount if table == "series_day" else 0
    await tx.execute(_REGISTERS, {"before": before})
    if lake is not None:
        deleted += await lake.run(lambda cursor: _forget(cursor, before.toordinal()))
    return deleted


def _compact(cursor: duckdb.DuckDBPyConnection) -> int:
    cursor.execute("CALL ducklake_merge_adjacent_files('lake')")
    cursor.execute(f"CALL ducklake_expire_snapshots('lake', older_than => now() - INTERVAL '{GRACE}')")
    cursor.execute(f"CALL ducklake_cleanup_old_files('lake', older_than => now() - INTERVAL '{GRACE}')")
    row = cursor.execute("SELECT count(*) FROM ducklake_list_files('lake', 'series_day')").fetchone()
    return int(row[0]) if row else 0


def _forget(cursor: duckdb.DuckDBPyConnection, before: int) -> int:
    row = cursor.execute("DELETE FROM lake.series_day WHERE day < ?", [before]).fetchone()
    return int(row[0]) if row else 0
