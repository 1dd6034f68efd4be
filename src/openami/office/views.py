"""What the office shows: plain dictionaries for the console and for scripts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openami.office.billing.model import json_value
from openami.office.billing.store import all_bills, bills_by_state, open_items_count, run_report
from openami.office.connection.model import OPEN, DocumentState
from openami.office.connection.rules import is_connected
from openami.office.connection.store import all_documents, balances
from openami.office.devices.model import Category, task_of
from openami.office.devices.store import (
    all_devices,
    find_device,
    installations_of_device,
    points_by_id,
    registers_of,
)
from openami.office.events.store import events_of
from openami.office.readings.profile_store import current_days, days_kept
from openami.office.readings.store import orders_by_state, orders_of, readings_of
from openami.office.services.store import open_requests, requests_of
from openami.office.supply.store import all_contracts, customers_by_id

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.billing.store import KeptBill
    from openami.office.context import Office
    from openami.office.devices.model import Device

_LAST = 200
_LATEST = date.max - timedelta(days=7)


async def status(office: Office, transaction: AsyncConnection) -> dict[str, Any]:
    """Counters."""
    devices = await all_devices(transaction)
    documents = await all_documents(transaction)
    events = await events_of(transaction)
    return {
        "now": office.clock.now().isoformat(),
        "devices": len(devices),
        **_counted("devices", [device.stage.value for device in devices]),
        "requests_open": await open_requests(transaction),
        **{f"orders_{state}": count for state, count in (await orders_by_state(transaction)).items()},
        "interval_days": await days_kept(transaction),
        "events": len(events),
        "cases_open": sum(event["case_state"] == "open" for event in events),
        "switch_orders_open": sum(document.state in OPEN for document in documents),
        "switch_orders_executed": sum(document.state is DocumentState.EXECUTED for document in documents),
        "billing_open": await open_items_count(transaction),
        **{f"bills_{state}": count for state, count in (await bills_by_state(transaction)).items()},
    }


async def device_list(_office: Office, transaction: AsyncConnection) -> list[dict[str, Any]]:
    """All devices, each with where it is."""
    listed = []
    for device in await all_devices(transaction):
        places = await installations_of_device(transaction, device.id)
        current = next((place for place in places if place.end is None), None)
        listed.append(_device(device) | {"point_of_delivery": current.point_id if current else None})
    return listed


async def device_page(_office: Office, transaction: AsyncConnection, name: str) -> dict[str, Any]:
    """All about one device: tasks, places, readings, orders, events, messages."""
    device = await find_device(transaction, name)
    tasks = await registers_of(transaction, [device.id])
    places = await installations_of_device(transaction, device.id)
    points = await points_by_id(transaction, {place.point_id for place in places})
    task_ids = [task.id for task in tasks]
    orders = await orders_of(transaction, task_ids)
    page: dict[str, Any] = _device(device) | {
        "registers": json_value(tasks),
        "installations": [
            json_value(place)
            | {"feeder": points[place.point_id].feeder, "address": str(points[place.point_id].address)}
            for place in places
        ],
        "readings": [
            json_value(reading) | {"value": _units(reading.value_milli)}
            for reading in await readings_of(transaction, task_ids)
        ],
        "orders": json_value(orders),
        "events": json_value(await events_of(transaction, device.id)),
        "requests": json_value(await requests_of(transaction, [device.id, *(order.id for order in orders)])),
    }
    return page


async def series_page(
    office: Office, transaction: AsyncConnection, name: str, first: date, past_last: date
) -> dict[str, Any]:
    """The interval values of a device for some local days: starts, thousandths of the unit, status."""
    device = await find_device(transaction, name)
    channel = task_of(await registers_of(transaction, [device.id]), Category.INTERVAL)
    assert channel.profile_id is not None
    days = [
        {
            "day": block.day.isoformat(),
            "version": block.version,
            "starts": block.starts(office.settings.zone).tolist(),
            "values_milli": block.values_milli.tolist(),
            "status": block.status.tolist(),
        }
        for block in await current_days(transaction, channel.profile_id, first, past_last)
    ]
    head = {"device": device.id, "profile": channel.profile_id, "unit": channel.unit, "interval_s": channel.interval_s}
    return head | {"days": days}


async def customer_list(_office: Office, transaction: AsyncConnection) -> list[dict[str, Any]]:
    """All customers with their contracts, what they owe and whether they have power."""
    customers = await customers_by_id(transaction)
    documents = await all_documents(transaction)
    listed: dict[str, dict[str, Any]] = {
        customer.id: json_value(customer) | {"contracts": []} for customer in customers.values()
    }
    contracts, owed = await all_contracts(transaction), await balances(transaction)
    point_of = {contract.id: contract.point_id for contract in contracts}
    for contract in contracts:
        own = [document for document in documents if document.contract_id == contract.id]
        here = [document for document in documents if point_of[document.contract_id] == contract.point_id]
        listed[contract.customer_id]["contracts"].append(
            json_value(contract)
            | {
                "owed": format(owed.get(contract.id, Decimal(0)), ".2f"),
                "connected": is_connected(here),
                "switch_orders": json_value(own),
            }
        )
    return list(listed.values())


async def order_list(_office: Office, transaction: AsyncConnection) -> list[dict[str, Any]]:
    """All reading orders, newest first."""
    orders: list[dict[str, Any]] = json_value(await orders_of(transaction))
    return orders


async def connection_list(_office: Office, transaction: AsyncConnection) -> list[dict[str, Any]]:
    """All disconnections and reconnections."""
    documents: list[dict[str, Any]] = json_value(await all_documents(transaction))
    return documents


async def event_list(_office: Office, transaction: AsyncConnection) -> list[dict[str, Any]]:
    """The newest events."""
    events: list[dict[str, Any]] = json_value((await events_of(transaction))[:_LAST])
    return events


async def bill_list(_office: Office, transaction: AsyncConnection) -> list[dict[str, Any]]:
    """All bills, without their documents."""
    return [bill_head(bill) for bill in await all_bills(transaction)]


async def run_list(_office: Office, transaction: AsyncConnection) -> list[dict[str, Any]]:
    """All billing runs with their items."""
    reports: list[dict[str, Any]] = json_value(await run_report(transaction))
    return reports


def bill_head(bill: KeptBill) -> dict[str, Any]:
    """A bill in one line, with its energy: measured and estimated apart."""
    document = bill.document
    return {
        "id": bill.id,
        "contract": bill.contract_id,
        "customer": document["party"]["customer_id"],
        "name": document["party"]["name"],
        "point_of_delivery": document["party"]["point_of_delivery"],
        "division": document["division"],
        "first_day": bill.first_day.isoformat(),
        "last_day": (bill.past_last_day - timedelta(days=1)).isoformat(),
        "state": bill.state.value,
        "reverses": bill.reverses,
        "total": document["total"],
        "currency": bill.currency,
        "measured_milli": document["measured_milli"],
        "estimated_milli": document["estimated_milli"],
        "fed_in_milli": document["fed_in_milli"],
        "unit": document["measured_unit"],
        "meters": list(dict.fromkeys(meter["serial"] for meter in document["meters"])),
        "as_of": document["as_of"],
        "seal": bill.seal,
    }


def _device(device: Device) -> dict[str, Any]:
    shown: dict[str, Any] = json_value(device)
    return shown | {"stage": device.stage.value}


def _counted(name: str, values: list[str]) -> dict[str, int]:
    return {f"{name}_{value}": values.count(value) for value in sorted(set(values))}


def _units(value_milli: int) -> str:
    return f"{Decimal(value_milli).scaleb(-3):f}"


def parse_days(first: str | None, past_last: str | None, today: datetime) -> tuple[date, date]:
    """The days that a query asks for: by default the last seven.

    Raises:
        ValueError: one of them is no day, or the last comes before the first.
    """
    start = date.fromisoformat(first) if first else today.date() - timedelta(days=7)
    end = date.fromisoformat(past_last) if past_last else min(start, _LATEST) + timedelta(days=7)
    if end < start:
        raise ValueError(f"{start} comes after {end}")
    return start, end
