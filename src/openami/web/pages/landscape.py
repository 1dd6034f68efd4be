"""The landscape: which areas run, what they have in hand, what crossed the seams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openami.web.areas import LANDSCAPE
from openami.web.page import Page

if TYPE_CHECKING:
    from starlette.requests import Request

    from openami.web.areas import Areas

NAMES = {
    "field": ("Field", "meters and concentrators"),
    "headend": ("Head-end", "reads and commands the meters"),
    "mdus": ("MDUS", "unifies, validates, keeps"),
    "office": ("Office", "orders, bills, answers"),
}


async def counters(areas: Areas) -> dict[str, Any]:
    """What changes while one looks: work in hand and counters of every area, messages on every seam."""
    work, status = await areas.from_all("/api/work"), await areas.from_all("/api/status")
    counts = {area: await areas.or_none(area, "/api/messages/counts") or [] for area in ("headend", "mdus", "office")}
    return {
        "areas": [_area(name, work[name], status[name]) for name in LANDSCAPE],
        "seams": {
            "field": _seam("field", {"down": counts["headend"], "up": counts["mdus"]}),
            "enterprise": _seam("enterprise", {"down": counts["mdus"], "up": counts["office"]}),
        },
    }


def _area(name: str, work: dict[str, Any] | None, status: dict[str, Any] | None) -> dict[str, Any]:
    title, role = NAMES[name]
    return {
        "name": name,
        "title": title,
        "role": role,
        "running": work is not None,
        "pending": work["pending"] if work else None,
        "next_due": work["next_due"] if work else None,
        "now": work["now"] if work else None,
        "counters": {key: value for key, value in (status or {}).items() if isinstance(value, int | str)},
    }


def _seam(seam: str, counts: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    """Messages a seam has carried, by direction: each area counts what it received (`in`)."""
    rows = {way: [row for row in rows if row["seam"] == seam] for way, rows in counts.items()}
    return {
        "down": sum(row["count"] for row in rows["down"] if row["direction"] == "in"),
        "up": sum(row["count"] for row in rows["up"] if row["direction"] == "in"),
        "waiting": sum(
            row["count"] for each in rows.values() for row in each if row["state"] in {"pending", "received", "parked"}
        ),
        "trouble": sum(row["count"] for each in rows.values() for row in each if row["state"] in {"dead", "refused"}),
    }


async def load(areas: Areas, _request: Request) -> dict[str, Any]:
    """Counters and the newest events."""
    data = await counters(areas)
    events = await areas.or_none("mdus", "/api/events", limit=8)
    data["events"] = (events or {}).get("events", []) if isinstance(events, dict) else events or []
    data["problems"] = [f"The area {area['title']} does not answer." for area in data["areas"] if not area["running"]]
    return data


PAGES = (Page("/", "landscape.html", "Landscape", load),)
