"""All devices: what they are, where they are, how far they have come; searchable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from openami.web.page import Page, listed
from openami.web.query import paged, words
from openami.web.rights import Right

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from openami.web.areas import Areas

ALL = "any"


async def load(areas: Areas, request: Request) -> dict[str, Any]:
    """The devices of the office's books, each with its customer and what the MDUS and the head-end say of it."""
    wanted = words(request, "q", "kind", "stage")
    devices, customers, middle, meters = await asyncio.gather(
        areas.get("office", "/api/devices"),
        areas.or_none("office", "/api/customers"),
        areas.or_none("mdus", "/api/devices"),
        areas.or_none("headend", "/api/meters"),
    )
    places = places_of(customers or [])
    states = {one["device"]: one["state"] for one in (middle or {}).get("devices", [])}
    reads = {one["serial"]: one for one in meters or []}
    rows = [_row(one, places, states, reads.get(one["serial"])) for one in devices]
    found = [row for row in rows if _fits(row, wanted)]
    return paged(found, request, "/devices", wanted) | {
        "wanted": wanted,
        "kinds": sorted({row["kind"] for row in rows}),
        "stages": sorted({row["stage"] for row in rows}),
        "problems": _problems(middle, meters),
    }


def places_of(customers: Iterable[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Who lives at which point of delivery now."""
    return {
        contract["point_id"]: {"customer": customer["id"], "name": customer["name"], "address": customer["address"]}
        for customer in customers
        for contract in customer["contracts"]
        if contract["past_last_day"] is None
    }


def _row(
    device: dict[str, Any],
    places: dict[str, dict[str, str]],
    states: dict[str, str],
    meter: dict[str, Any] | None,
) -> dict[str, Any]:
    place = places.get(device["point_of_delivery"] or "", {})
    return {
        "id": device["id"],
        "serial": device["serial"],
        "kind": device["kind"],
        "stage": device["stage"],
        "mdus_state": states.get(device["id"]),
        "point_of_delivery": device["point_of_delivery"],
        "customer": place.get("name"),
        "address": place.get("address"),
        "last_read_at": meter["last_success_at"] if meter else None,
        "failures": meter["failures"] if meter else 0,
        "breaker": meter["breaker"] if meter else None,
    }


def _fits(row: dict[str, Any], wanted: dict[str, str]) -> bool:
    if any(wanted[name] and row[name] != wanted[name] for name in ("kind", "stage")):
        return False
    text = " ".join(str(value) for value in row.values() if value).casefold()
    return all(word in text for word in wanted["q"].casefold().split())


def _problems(middle: object, meters: object) -> list[str]:
    silent = [name for name, answer in (("The MDUS", middle), ("The head-end", meters)) if answer is None]
    return [f"{name} does not answer: its columns are empty." for name in silent]


PAGES = (Page("/devices", Right.LOOK, "devices.html", "Devices", load, table=listed),)
