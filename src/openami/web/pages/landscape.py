"""The landscape: which areas run, what they have in hand, what crossed the seams."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from openami.web.areas import LANDSCAPE
from openami.web.page import Page
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.requests import Request

    from openami.web.areas import Areas

NAMES = {
    "field": ("Field", "meters and concentrators"),
    "headend": ("Head-end", "reads and commands the meters"),
    "mdus": ("MDUS", "unifies, validates, keeps"),
    "office": ("Office", "orders, bills, answers"),
}


_GROUPS = ("switch_orders", "devices", "orders", "bills")
"""Prefixes of flat counters that belong together; the longer name first."""
_ELSEWHERE = {"now", "lag_s", "lease", "stages", "retries", "permits"}
"""What is no count: the head-end's own page says it in words."""


async def counters(areas: Areas) -> dict[str, Any]:
    """What changes while one looks: work in hand and counters of every area, messages on every seam."""
    work, status, headend, mdus, office = await asyncio.gather(
        areas.from_all("/api/work"),
        areas.from_all("/api/status"),
        *(areas.or_none(area, "/api/messages/counts") for area in ("headend", "mdus", "office")),
    )
    field = status["field"] or {}
    return {
        "areas": [_area(name, work[name], status[name]) for name in LANDSCAPE],
        "links": {
            "street": {"frames": field.get("dlms_frames"), "telegrams": field.get("telegrams_heard")},
            "field": _seam("field", down=headend or [], up=mdus or []),
            "enterprise": _seam("enterprise", down=mdus or [], up=office or []),
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
        "parts": work["parts"] if work else {},
        "next_due": work["next_due"] if work else None,
        "counters": grouped(status or {}),
    }


def grouped(status: dict[str, Any]) -> list[dict[str, Any]]:
    """An area's counters as a person reads them: one row a subject, with its parts beside one another."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for key, value in status.items():
        if key in _ELSEWHERE:
            continue
        if key == "concentrators":
            items = [{"name": one["transformer"], "value": "down" if one["link_down"] else "up"} for one in value]
            rows["links to transformers"] = items
        elif isinstance(value, dict):
            rows[_plain(key)] = [
                {
                    "name": "" if isinstance(one, str) else _plain(name),
                    "value": len(one) if isinstance(one, list | dict) else one,
                }
                for name, one in value.items()
                if one is not None and name != "port" and not name.endswith("_at")
            ]
        elif isinstance(value, list):
            rows[_plain(key)] = [{"name": "", "value": len(value)}]
        elif value is not None:
            group = next((each for each in _GROUPS if key == each or key.startswith(f"{each}_")), key)
            rows.setdefault(_plain(group), []).append({"name": _plain(key[len(group) :]), "value": value})
    return [{"label": label, "items": items} for label, items in rows.items() if items]


def _plain(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ").replace("dlms", "DLMS").strip()


def _seam(seam: str, *, down: list[dict[str, Any]], up: list[dict[str, Any]]) -> dict[str, int]:
    """Messages that a seam has carried, by direction: the area at each end counts what it received."""
    below, above = ([row for row in rows if row["seam"] == seam] for rows in (down, up))
    both = [*below, *above]
    return {
        "down": sum(row["count"] for row in below if row["direction"] == "in"),
        "up": sum(row["count"] for row in above if row["direction"] == "in"),
        "waiting": sum(row["count"] for row in both if row["state"] in {"pending", "received", "parked"}),
        "trouble": sum(row["count"] for row in both if row["state"] in {"dead", "refused"}),
    }


async def load(areas: Areas, _request: Request) -> dict[str, Any]:
    """Counters and the newest events."""
    shown, events, devices = await asyncio.gather(
        counters(areas), areas.or_none("mdus", "/api/events", limit=8), areas.or_none("office", "/api/devices")
    )
    serials = {one["id"]: one["serial"] for one in devices or []}
    data: dict[str, Any] = shown
    data["events"] = [one | {"serial": serials.get(one["device"])} for one in (events or {}).get("events", [])]
    data["problems"] = [f"The area {area['title']} does not answer." for area in data["areas"] if not area["running"]]
    return data


PAGES = (Page("/", Right.LOOK, "landscape.html", "Landscape", load),)
