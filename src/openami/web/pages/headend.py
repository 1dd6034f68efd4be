"""The head-end's view: when each meter was last read, who is silent since when, the sessions of one meter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from openami.web.page import Page, listed
from openami.web.query import paged, words
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.requests import Request

    from openami.web.areas import Areas

HEALTH = ("failing", "fine", "waiting", "removed")


async def load_list(areas: Areas, request: Request) -> dict[str, Any]:
    """The meters, failing ones first, then the ones that were silent longest."""
    wanted = words(request, "q", "kind", "health")
    meters, status = await asyncio.gather(areas.get("headend", "/api/meters"), areas.get("headend", "/api/status"))
    rows = [meter | {"health": health_of(meter)} for meter in meters]
    rows.sort(key=lambda one: (HEALTH.index(one["health"]), one["last_success_at"] or "", one["serial"]))
    found = [row for row in rows if _fits(row, wanted)]
    return paged(found, request, "/meters", wanted) | {
        "wanted": wanted,
        "kinds": sorted({row["kind"] for row in rows}),
        "healths": list(HEALTH),
        "status": status,
    }


async def load_status(areas: Areas, _request: Request) -> dict[str, Any]:
    """How far each stage lags, who is silent since when, who holds the lease, retries, permits, counters."""
    return {"status": await areas.get("headend", "/api/status")}


async def load_one(areas: Areas, request: Request) -> dict[str, Any]:
    """One meter: what is known, how far it was told, sessions, orders, telegrams."""
    meter = await areas.get("headend", f"/api/meters/{request.path_params['serial']}")
    return {"meter": meter | {"health": health_of(meter)}}


def health_of(meter: dict[str, Any]) -> str:
    """One word on how it goes with a meter."""
    if meter["removed_at"]:
        return "removed"
    if meter["failures"]:
        return "failing"
    return "fine" if meter["last_success_at"] else "waiting"


def _fits(row: dict[str, Any], wanted: dict[str, str]) -> bool:
    if any(wanted[name] and row[name] != wanted[name] for name in ("kind", "health")):
        return False
    return wanted["q"].casefold() in f"{row['serial']} {row['usage_point']} {row['mbus_id']}".casefold()


PAGES = (
    Page("/meters", Right.LOOK, "meters.html", "Head-end", load_list, table=listed),
    Page("/headend", Right.LOOK, "headend.html", "Head-end status", load_status, section="/meters"),
    Page("/meters/{serial}", Right.LOOK, "meter.html", "Meter {serial}", load_one, section="/meters"),
)
