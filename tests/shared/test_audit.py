from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import MetaData, text

from openami.shared.audit import AuditRecord, ChainBrokenError, append, audit_table, verify

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = pytest.mark.postgres
AT = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)


async def _chain(database: Database, length: int) -> tuple[MetaData, list[AuditRecord]]:
    metadata = MetaData()
    table = audit_table(metadata)
    records = [
        AuditRecord(AT + timedelta(hours=n), "clerk", "disconnect", f"H{n:02}", "unpaid", {"open": False}, {"n": n})
        for n in range(length)
    ]
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
        for record in records:
            await append(transaction, table, record)
    return metadata, records


async def test_an_untouched_chain_holds(database: Database) -> None:
    metadata, records = await _chain(database, 5)
    async with database.begin() as transaction:
        assert await verify(transaction, metadata.tables["audit"]) == len(records)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET actor = 'nobody' WHERE sequence = 3",
        "UPDATE audit SET after = '{\"n\": 99}' WHERE sequence = 3",
        "UPDATE audit SET at = at + interval '1 second' WHERE sequence = 3",
        "DELETE FROM audit WHERE sequence = 3",
    ],
)
async def test_whoever_alters_or_removes_a_record_breaks_the_chain(database: Database, tampering: str) -> None:
    metadata, _ = await _chain(database, 5)
    async with database.begin() as transaction:
        await transaction.execute(text(tampering))
    with pytest.raises(ChainBrokenError, match=r"record [34] "):
        async with database.begin() as transaction:
            await verify(transaction, metadata.tables["audit"])
