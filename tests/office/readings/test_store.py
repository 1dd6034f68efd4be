"""How reading orders lie in the database: what becomes of them costs no index anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from tests.databases import fresh

from openami.office.readings.store import OrderState, conclude_orders, orders, orders_by_state

if TYPE_CHECKING:
    from openami.shared.database import Database
    from openami.shared.postgres import EmbeddedPostgres

pytestmark = pytest.mark.postgres

COUNT = 500
AT = datetime(2026, 3, 20, tzinfo=UTC)
_DEVICE = (
    "INSERT INTO devices (id, serial, material, kind, ams_id, interval_s, received_at)"
    " VALUES ('1', 'SN1', 'METER-E', 'electricity', 'AMS1', 900, now())"
)
_REGISTER = (
    "INSERT INTO registers (id, device_id, category, obis, unit, total_digits, fraction_digits, interval_s)"
    " VALUES ('1', '1', '5', '1-0:1.8.0', 'KWH', 9, 3, 0)"
)
_ORDERS = (
    "INSERT INTO reading_orders"
    " (id, register_id, device_id, reason, scheduled_date, source, wanted_at, state, created_at)"
    " SELECT lpad(i::text, 20, '0'), '1', '1', '01', DATE '2026-03-19', '0', now(), 'accepted', now()"
    " FROM generate_series(1, :count) AS i"
)
_PAGES = "SELECT id, (ctid::text::point)[0]::int AS page FROM reading_orders"


async def pages(database: Database) -> dict[str, int]:
    """The page of each order."""
    async with database.read() as connection:
        return {row.id: row.page for row in await connection.execute(text(_PAGES))}


async def test_an_order_with_its_result_stays_on_its_page(database: Database) -> None:
    """PostgreSQL then leaves its indexes alone (a heap-only tuple), whichever of many orders are concluded at once."""
    async with database.begin() as transaction:
        for statement in (_DEVICE, _REGISTER):
            await transaction.execute(text(statement))
        await transaction.execute(text(_ORDERS), {"count": COUNT})
    before = await pages(database)
    assert len(set(before.values())) > 10
    async with database.begin() as transaction:
        concluded = list(before)
        await conclude_orders(transaction, concluded, [""] * (COUNT - 1) + ["P02"], AT)
        assert await orders_by_state(transaction) == {OrderState.FULFILLED: COUNT - 1, OrderState.IMPLAUSIBLE: 1}
    assert await pages(database) == before


def test_no_index_holds_what_a_result_changes() -> None:
    """Else the room beside an order would be of no use."""
    indexed = {column.name for index in orders.indexes for column in index.columns}
    assert "register_id" in indexed
    assert indexed.isdisjoint({"state", "note", "result_at"})


async def test_orders_of_an_older_database_get_the_same_room(postgres: EmbeddedPostgres) -> None:
    """The revisions say of the table what its declaration does, which Alembic does not compare."""
    async with fresh(postgres, "revised") as database:
        await database.migrate("openami.office")
        async with database.read() as connection:
            query = text("SELECT reloptions FROM pg_class WHERE relname = 'reading_orders'")
            assert await connection.scalar(query) == ["fillfactor=50"]
    assert orders.dialect_options["postgresql"]["with"] == {"fillfactor": 50}
