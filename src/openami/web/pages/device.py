"""One device: what it is and where, its load curve, registers, readings, events, orders and messages."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openami.shared.spans import local_date
from openami.web.curve import draw, totals
from openami.web.page import Page
from openami.web.query import choice, day_of
from openami.web.rights import Right
from openami.web.window import View, Window, window_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from openami.web.areas import Areas


async def load(areas: Areas, request: Request) -> dict[str, Any]:
    """The device as the office, the MDUS and the head-end know it; the office's books decide that it exists."""
    name = request.path_params["id"]
    device = await areas.get("office", f"/api/devices/{name}")
    middle, meter, commands, orders, connections = await asyncio.gather(
        areas.or_none("mdus", f"/api/devices/{device['id']}"),
        areas.or_none("headend", f"/api/meters/{device['serial']}"),
        areas.or_none("mdus", "/api/commands"),
        areas.or_none("mdus", "/api/orders"),
        areas.or_none("office", "/api/connections"),
    )
    window = _window(request, device)
    channels = middle["channels"] if middle else []
    series, registers = await asyncio.gather(
        _series(areas, channels, window), _registers(areas, device["registers"], channels, window)
    )
    return {
        "device": device,
        "middle": middle,
        "meter": meter,
        "window": window.as_json(),
        "series": series,
        "totals": totals(series) if series else {},
        "registers": registers,
        "commands": _of(device["id"], (commands or {}).get("commands", [])),
        "orders": _of(device["id"], (orders or {}).get("orders", [])),
        "connections": [one for one in connections or [] if one["device_id"] == device["id"]],
        "problems": [
            f"{title} does not answer or does not know this device."
            for title, answer in (("The MDUS", middle), ("The head-end", meter))
            if answer is None
        ],
    }


def dress(data: dict[str, Any]) -> dict[str, Any]:
    """The drawing of the load curve."""
    if not data["series"]:
        return {"curve": None}
    return {"curve": draw(data["series"], window_of(data["window"]), f"/devices/{data['device']['id']}")}


def _window(request: Request, device: dict[str, Any]) -> Window:
    """What was asked for; without a word the seven days up to yesterday, or up to the removal of the device."""
    zone_name, now = request.state.zone, request.state.now
    view = View(choice(request, "view", [each.value for each in View]))
    day = day_of(request, "day")
    if day is None:
        removed = device["removed_at"]
        day = local_date(zone_name, datetime.fromisoformat(removed) if removed else now - timedelta(days=1))
    return Window(view, day, zone_name)


async def _series(areas: Areas, channels: list[dict[str, Any]], window: Window) -> dict[str, Any] | None:
    """The intervals of the device's newest interval channel over the window."""
    number = max((one["channel"] for one in channels if one["interval_s"]), default=None)
    if number is None:
        return None
    span = window.span
    found: dict[str, Any] | None = await areas.or_none(
        "mdus", f"/api/series/{number}", **{"from": _utc(span.start), "to": _utc(span.end)}
    )
    return found


async def _registers(
    areas: Areas, tasks: list[dict[str, Any]], channels: list[dict[str, Any]], window: Window
) -> list[dict[str, Any]]:
    """The office's registers, each with the readings that the MDUS keeps of it over the window."""
    span = window.span
    numbers = {one["task"]: one["channel"] for one in channels if not one["interval_s"]}

    async def one(task: dict[str, Any]) -> dict[str, Any]:
        number = numbers.get(task["id"])
        if number is None:
            return task | {"readings": None}
        query = {"from": _utc(span.start), "to": _utc(span.end + timedelta(seconds=1))}
        return task | {"readings": await areas.or_none("mdus", f"/api/registers/{number}", **query)}

    return await asyncio.gather(*(one(task) for task in tasks))


def _of(device: str, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["device"] == device]


def table(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The intervals of the days shown, each from its start."""
    series = data["series"] or {"times": [], "values": [], "qualities": []}
    return [
        {
            "device": data["device"]["serial"],
            "from": start,
            "value": Decimal(value).scaleb(series["scale"]),
            "unit": series["unit"],
            "quality": quality,
        }
        for start, value, quality in zip(series["times"], series["values"], series["qualities"], strict=True)
    ]


def _utc(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


PAGES = (
    Page("/devices/{id}", Right.LOOK, "device.html", "Device {id}", load, section="/devices", dress=dress, table=table),
)
