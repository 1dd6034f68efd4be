"""What the head-end shows: how far every stage lags, which meters are silent since when, one meter in detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from openami.ami.collector.store import telegram_table
from openami.ami.headend.command_store import OPEN, command_table, item_table
from openami.ami.headend.model import Kind, Stream
from openami.ami.headend.store import mark_table, meter_table, session_table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

SILENT_MAX: Final = 200  # meters named in the status; their number is always whole
UNKNOWN_MAX: Final = 200
METERS_MAX: Final = 1000  # a page
_HIDDEN: Final = {
    *("sealed_password", "sealed_keys", "sealed_pending_keys"),
    *("system_title", "layouts", "physical_address"),
}


async def status(transaction: AsyncConnection, now: datetime) -> dict[str, Any]:
    """Counters and lag: meters by state, the oldest mark, who is silent, what waits."""
    table = meter_table.c
    electricity = table.kind == Kind.ELECTRICITY.value
    provisioned = table.provisioned_at.is_not(None)
    active = provisioned & table.removed_at.is_(None)
    counts = select(
        func.count().label("shipped"),
        func.count().filter(provisioned).label("provisioned"),
        func.count().filter(table.discovered_at.is_not(None)).label("discovered"),
        func.count().filter(table.removed_at.is_not(None)).label("removed"),
        func.count().filter(active & electricity & (table.failures > 0)).label("failing"),
        func.count().filter(table.next_due_at <= now).label("due"),
        func.min(table.next_due_at).label("next_due_at"),
    )
    meters = (await transaction.execute(counts)).one()._asdict()
    oldest = await _oldest_mark(transaction)
    failing = (
        select(table.serial, table.last_success_at, table.last_error, table.failures, table.next_due_at)
        .where(active & electricity & (table.failures > 0))
        .order_by(table.last_success_at.asc().nulls_first(), table.serial)
        .limit(SILENT_MAX)
    )
    return {
        "now": _text(now),
        "meters": {key: _text(value) for key, value in meters.items()},
        "oldest_profile": None if oldest is None else {"serial": oldest.serial, "until": _text(oldest.at)},
        "lag_s": None if oldest is None else round((now - oldest.at).total_seconds()),
        "silent": [plain_row(row) for row in await transaction.execute(failing)],
        "commands_open": await _count(transaction, select(command_table).where(command_table.c.state == OPEN)),
        "telegrams": await _telegrams(transaction),
    }


async def meters(transaction: AsyncConnection, *, after: str = "", limit: int = METERS_MAX) -> list[dict[str, Any]]:
    """All meters in the order of their serials, a page at a time."""
    query = (
        select(meter_table)
        .where(meter_table.c.serial > after)
        .order_by(meter_table.c.serial)
        .limit(min(limit, METERS_MAX))
    )
    return [plain_row(row) for row in await transaction.execute(query)]


async def meter(transaction: AsyncConnection, serial: str) -> dict[str, Any] | None:
    """One meter: what is known, how far it was told, its last sessions and orders."""
    row = (await transaction.execute(select(meter_table).where(meter_table.c.serial == serial))).one_or_none()
    if row is None:
        return None
    marks = await transaction.execute(select(mark_table).where(mark_table.c.serial == serial))
    sessions = select(session_table).where(session_table.c.serial == serial).order_by(session_table.c.id.desc())
    items = select(item_table).where(item_table.c.serial == serial).order_by(item_table.c.deadline_at.desc()).limit(20)
    answer = plain_row(row)
    answer["gateway_address"] = row.physical_address.hex().upper()
    answer["marks"] = {Stream(each.stream).name.lower(): {"obis": each.stream, "at": _text(each.at)} for each in marks}
    answer["sessions"] = [plain_row(each) for each in await transaction.execute(sessions)]
    answer["orders"] = [_order(each) for each in await transaction.execute(items)]
    if row.mbus_id is not None:
        answer["telegrams"] = await _telegrams_of(transaction, row.mbus_id)
    return answer


async def _oldest_mark(transaction: AsyncConnection) -> Row[*tuple[Any, ...]] | None:
    query = (
        select(mark_table.c.serial, mark_table.c.at)
        .join(meter_table, meter_table.c.serial == mark_table.c.serial)
        .where(mark_table.c.stream == Stream.LOAD_PROFILE.value, meter_table.c.removed_at.is_(None))
        .order_by(mark_table.c.at, mark_table.c.serial)
        .limit(1)
    )
    return (await transaction.execute(query)).one_or_none()


async def _telegrams(transaction: AsyncConnection) -> dict[str, Any]:
    table = telegram_table.c
    counts = select(
        func.count().label("kept"),
        func.count().filter(table.forwarded_at.is_not(None)).label("forwarded"),
        func.count().filter(table.error.is_not(None)).label("not_understood"),
        func.coalesce(func.sum(table.repeats), 0).label("repeats"),
    )
    found = {key: int(value) for key, value in (await transaction.execute(counts)).one()._asdict().items()}
    known = select(meter_table.c.mbus_id).where(
        meter_table.c.mbus_id.is_not(None), meter_table.c.provisioned_at.is_not(None)
    )
    unknown = (
        select(
            table.mbus_id,
            func.count().label("telegrams"),
            func.min(table.received_at).label("first_received_at"),
            func.max(table.received_at).label("last_received_at"),
        )
        .where(table.mbus_id.is_not(None), table.mbus_id.not_in(known))
        .group_by(table.mbus_id)
        .order_by(table.mbus_id)
        .limit(UNKNOWN_MAX)
    )
    return {**found, "unknown_meters": [plain_row(row) for row in await transaction.execute(unknown)]}


async def _telegrams_of(transaction: AsyncConnection, mbus_id: str) -> list[dict[str, Any]]:
    table = telegram_table.c
    query = (
        select(
            table.language,
            table.source,
            table.measured_at,
            table.received_at,
            table.volume_litres,
            table.energy_wh,
            table.readings,
            table.repeats,
            table.error,
            table.forwarded_at,
        )
        .where(table.mbus_id == mbus_id)
        .order_by(table.id.desc())
        .limit(48)
    )
    return [plain_row(row) for row in await transaction.execute(query)]


async def _count(transaction: AsyncConnection, query: Select[Any]) -> int:
    return int((await transaction.execute(select(func.count()).select_from(query.subquery()))).scalar_one())


def _order(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    shown = plain_row(row)
    shown.pop("outcome")
    if row.kind != "read":
        shown["outcome"] = row.outcome
    return shown


def plain_row(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """A row as JSON holds it, without what is secret."""
    return {key: _text(value) for key, value in row._asdict().items() if key not in _HIDDEN}


def _text(value: object) -> Any:  # noqa: ANN401 - what JSON can hold
    if value is None or isinstance(value, bool | int | float | str | dict | list):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
