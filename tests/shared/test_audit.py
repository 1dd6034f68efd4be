from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import MetaData, text

from openami.shared.audit import AuditRecord, ChainBrokenError, _plain, append, audit_table, verify

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


@pytest.mark.parametrize(
    "value",
    [
        1e22, -0.0, 0.1, 1e-300, float("nan"), float("inf"), 10**30, -(2**63), "1e22", "", "\u00e9\U0001d11e\\u0000",
        {"b": [1, {"a": None}], "a": True, "": 1}, [], {}, None, Decimal("1.50"), AT,
    ],
    ids=repr,
)  # fmt: skip
def test_what_was_done_is_sealed_as_the_database_gives_it_back(value: Any) -> None:
    """JSONB orders keys and rewrites numbers: what is sealed has to come through that unchanged."""
    plain = _plain({"is": value})
    assert json.loads(json.dumps(plain), parse_float=Decimal) == plain, "no float is left that could be rewritten"
    assert _plain(plain) == plain


async def test_a_chain_with_every_kind_of_value_holds(database: Database) -> None:
    metadata, _ = await _chain(database, 1)
    table = metadata.tables["audit"]
    async with database.begin() as transaction:
        for value in (1e22, -0.0, float("nan"), 10**30, Decimal("1.50"), {"z": 1, "a": [0.1]}, "\u00e9", None):
            await append(transaction, table, AuditRecord(AT, "clerk", "read", "H1", "", value, {"after": value}))
        assert await verify(transaction, table) == 9
