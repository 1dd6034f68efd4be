"""Billing quantities that the middle calculates (UC6): ordered by time of use, answered with the confirmation."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import Column, Date, Table, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.office.codes import time_zone_code
from openami.office.commands import BadFieldError, Command, record
from openami.office.devices.model import Category, task_of
from openami.office.devices.store import find_device, registers_by_profile, registers_of
from openami.office.readings.model import ItemStatus
from openami.office.readings.profile_store import current_days
from openami.office.services.letters import request_many
from openami.office.services.store import settle
from openami.office.tables import document_numbers, draw, instant, metadata, text
from openami.shared.contract.enterprise.messages.inferred_calculation import (
    UtilitiesTimeSeriesCalculationERPCancellationRequest as UsageCancel,
)
from openami.shared.contract.enterprise.messages.inferred_calculation import (
    UtilitiesTimeSeriesCalculationERPCreateRequest as UsageOrder,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Register
    from openami.shared.contract.enterprise.messages.common import Log, MessageHeader
    from openami.shared.contract.enterprise.messages.inferred_calculation import (
        UtilitiesTimeSeriesCalculationERPBulkCreateConfirmation as UsageBulkAnswer,
    )

NUMBER_WIDTH: Final = 20
usage_table: Final = Table(
    "usage_requests",
    metadata,
    text("id", primary_key=True),
    text("device_id", index=True),
    text("profile_id"),
    Column("first_day", Date, nullable=False),
    Column("past_last_day", Date, nullable=False),
    Column("times_of_use", JSONB, nullable=False),
    text("state"),
    Column("quantities", JSONB, nullable=False),
    text("note", server_default=""),
    instant("ordered_at", nullable=False),
    instant("answered_at"),
)


class UsageState(StrEnum):
    """An order for quantities; the numbers of SAP's billing order (01 must be created) come before it."""

    ORDERED = "ordered"
    RECEIVED = "received"
    REFUSED = "refused"
    CANCELLED = "cancelled"


async def order_usage(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Order the quantities of a device for some local days. An open order for them is withdrawn first (UC6)."""
    device = await find_device(transaction, command.text("device"))
    office.check_capability(device, "intervals")
    first, past_last = command.date("first_day", None), command.date("past_last_day", None)
    if past_last <= first:
        raise BadFieldError(f"The period from {first} to {past_last} has no day.", hint="past_last_day comes after.")
    times_of_use = command.body.get("times_of_use", [])
    if not isinstance(times_of_use, list) or not all(isinstance(one, str) for one in times_of_use):
        raise BadFieldError(f"The field 'times_of_use' is {times_of_use!r}.", hint="Give a list of codes.")
    for code in times_of_use:
        office.codes["times_of_use"].of(code)  # one that the table does not have is refused here
    channel = task_of(await registers_of(transaction, [device.id]), Category.INTERVAL)
    assert channel.profile_id is not None
    await _withdraw(office, transaction, await _open_orders(transaction, device.id))
    number = await draw(transaction, document_numbers, NUMBER_WIDTH)
    row = {
        "id": number,
        "device_id": device.id,
        "profile_id": channel.profile_id,
        "first_day": first,
        "past_last_day": past_last,
        "times_of_use": times_of_use,
        "state": UsageState.ORDERED,
        "quantities": {},
        "ordered_at": office.clock.now(),
    }
    await transaction.execute(insert(usage_table).values(row))
    message = _order(office, number, channel, first, past_last, times_of_use)
    await request_many(office, transaction, [(message, number)])
    await record(office, transaction, command, device.id, after=number)
    return {"usage_request": number, "device": device.id, "state": UsageState.ORDERED.value}


async def cancel_usage(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Withdraw an order for quantities.

    Raises:
        BadFieldError: there is none of this number.
    """
    number = command.text("usage_request").rjust(NUMBER_WIDTH, "0")
    row = (await transaction.execute(select(usage_table).where(usage_table.c.id == number))).one_or_none()
    if row is None:
        raise BadFieldError(f"There is no usage request {number}.", hint="See GET /api/usage-requests.")
    await _withdraw(office, transaction, [number])
    await record(office, transaction, command, row.device_id, before=row.state, after=UsageState.CANCELLED)
    return {"usage_request": number, "state": UsageState.CANCELLED.value}


async def on_usage(office: Office, transaction: AsyncConnection, message: UsageBulkAnswer) -> None:
    """The quantities have come, or the reason why there are none."""
    for item in message.items:
        settled = await settle(office, transaction, item.message_header, item.log)
        answer = item.utilities_time_series_calculation
        quantities = {
            one.utilities_time_of_use_code or "": {
                "value": str(one.quantity.value),
                "unit": one.quantity.unit_code,
                "status": one.utilities_time_series_item_type_code,
            }
            for one in answer.result
        }
        differs = await _differs(office, transaction, settled.subject, quantities) if settled.ok else ""
        statement = (
            update(usage_table)
            .where(usage_table.c.id == settled.subject, usage_table.c.state == UsageState.ORDERED)
            .values(
                state=UsageState.RECEIVED if settled.ok else UsageState.REFUSED,
                quantities=quantities,
                note=differs or settled.note,
                answered_at=office.clock.now(),
            )
        )
        await transaction.execute(statement)


async def on_usage_cancelled(office: Office, transaction: AsyncConnection, header: MessageHeader, log: Log) -> None:
    """The middle has withdrawn an order for quantities, or it knows none."""
    await settle(office, transaction, header, log)


async def _differs(
    office: Office, transaction: AsyncConnection, number: str, quantities: Mapping[str, Mapping[str, str | None]]
) -> str:
    """What speaks against quantities: the intervals of the same days, where all of them were uploaded; else nothing.

    Both routes of SAP, upload and calculation, have to give the same energy.
    """
    row = (await transaction.execute(select(usage_table).where(usage_table.c.id == number))).one()
    channel = (await registers_by_profile(transaction, [row.profile_id]))[row.profile_id]
    days = await current_days(transaction, row.profile_id, row.first_day, row.past_last_day)
    usable = np.array([ItemStatus.VALID, ItemStatus.ESTIMATED], np.uint8)
    whole = len(days) == (row.past_last_day - row.first_day).days and all(
        np.isin(day.status, usable).all() for day in days
    )
    units = {one["unit"] for one in quantities.values()}
    if not whole or not _covers_all(office, row.times_of_use) or units != {channel.unit}:
        return ""
    uploaded = Decimal(sum(int(day.values_milli.sum()) for day in days)).scaleb(-3)
    calculated = sum((Decimal(one["value"] or 0) for one in quantities.values()), Decimal(0))
    if calculated == uploaded:
        return ""
    return (
        f"The quantities add up to {calculated} {channel.unit}, the uploaded intervals to {uploaded}: look into both."
    )


def _covers_all(office: Office, times_of_use: Sequence[str]) -> bool:
    """Whether every interval belongs to one of these times of use: none is asked for, or one takes the rest."""
    table = office.codes["times_of_use"]
    return not times_of_use or any(not table.of(code).values.get("from") for code in times_of_use)


async def usage_list(_office: Office, transaction: AsyncConnection) -> list[dict[str, Any]]:
    """The newest orders for quantities, with what came of them."""
    query = select(usage_table).order_by(usage_table.c.ordered_at.desc(), usage_table.c.id.desc()).limit(200)
    rows = (await transaction.execute(query)).mappings()
    return [{key: value if _plain(value) else value.isoformat() for key, value in row.items()} for row in rows]


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | list | dict)


async def _open_orders(transaction: AsyncConnection, device_id: str) -> list[str]:
    query = select(usage_table.c.id).where(
        usage_table.c.device_id == device_id, usage_table.c.state == UsageState.ORDERED
    )
    return list(await transaction.scalars(query))


async def _withdraw(office: Office, transaction: AsyncConnection, numbers: Sequence[str]) -> None:
    if not numbers:
        return
    await transaction.execute(
        update(usage_table).where(usage_table.c.id.in_(numbers)).values(state=UsageState.CANCELLED)
    )
    messages = [
        (
            UsageCancel(
                message_header=office.door.header(),
                utilities_time_series_calculation=UsageCancel.UtilitiesTimeSeriesCalculation(id=number),
            ),
            number,
        )
        for number in numbers
    ]
    await request_many(office, transaction, messages)


def _order(
    office: Office, number: str, channel: Register, first: date, past_last: date, times_of_use: Sequence[str]
) -> UsageOrder:
    content = UsageOrder.UtilitiesTimeSeriesCalculation
    assert channel.profile_id is not None
    return UsageOrder(
        message_header=office.door.header(),
        utilities_time_series_calculation=content(
            id=number,
            utilities_time_series_id=channel.profile_id,
            start_date=first,
            start_time=time(),
            end_date=past_last - timedelta(days=1),
            end_time=time(23, 59, 59),
            time_zone_code=time_zone_code(office.codes, office.settings.zone),
            measure_unit_code=channel.unit,
            utilities_time_of_use_code=tuple(times_of_use),
        ),
    )
