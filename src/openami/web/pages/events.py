"""What devices reported, with what the office made of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from openami.web.page import Page, listed
from openami.web.query import paged, words
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.requests import Request

    from openami.web.areas import Areas


async def load(areas: Areas, request: Request) -> dict[str, Any]:
    """The newest events of the MDUS; the office adds meaning and case, and the serial of the device."""
    wanted = words(request, "severity", "device", "name")
    found, office, devices = await asyncio.gather(
        areas.get("mdus", "/api/events"),
        areas.or_none("office", "/api/events"),
        areas.or_none("office", "/api/devices"),
    )
    cases = {one["id"]: one for one in office or []}
    serials = {one["id"]: one["serial"] for one in devices or []}
    rows = [_row(one, cases.get(one["enterprise_id"]), serials) for one in found["events"]]
    shown = [row for row in rows if _fits(row, wanted)]
    return paged(shown, request, "/events", wanted) | {
        "wanted": wanted,
        "severities": sorted({row["severity"] for row in rows}),
        "problems": [] if office is not None else ["The office does not answer: meanings and cases are not shown."],
    }


def _row(event: dict[str, Any], case: dict[str, Any] | None, serials: dict[str, str]) -> dict[str, Any]:
    return event | {
        "serial": serials.get(event["device"]),
        "meaning": case["meaning"] if case else None,
        "case": case["case"] if case else None,
        "case_state": case["case_state"] if case else None,
    }


def _fits(row: dict[str, Any], wanted: dict[str, str]) -> bool:
    if wanted["severity"] and row["severity"] != wanted["severity"]:
        return False
    if wanted["name"] and wanted["name"].casefold() not in f"{row['name']} {row['meaning']}".casefold():
        return False
    return wanted["device"].casefold() in f"{row['device']} {row['serial']}".casefold()


PAGES = (Page("/events", Right.LOOK, "events.html", "Events", load, table=listed),)
