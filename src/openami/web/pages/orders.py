"""What was ordered of the field: readings, connections, and the commands that carry them out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from openami.web.page import Page, listed
from openami.web.query import choice, paged, words
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.requests import Request

    from openami.web.areas import Areas

SHOWN = {"readings": "Reading orders", "connections": "Connection orders", "commands": "Commands"}


async def load(areas: Areas, request: Request) -> dict[str, Any]:
    """One of the three lists; the number of each stands on its tab."""
    show = choice(request, "show", tuple(SHOWN))
    wanted = {"show": show, **words(request, "state")}
    orders, connections, commands, results, devices = await asyncio.gather(
        areas.get("office", "/api/orders"),
        areas.get("office", "/api/connections"),
        areas.or_none("mdus", "/api/commands"),
        areas.or_none("mdus", "/api/orders"),
        areas.or_none("office", "/api/devices"),
    )
    switched = (commands or {}).get("commands", [])
    lists = {
        "readings": _with_results(orders, (results or {}).get("orders", [])),
        "connections": _with_commands(connections, switched),
        "commands": switched,
    }
    rows = [row for row in lists[show] if not wanted["state"] or row["state"] == wanted["state"]]
    return paged(rows, request, "/orders", wanted) | {
        "show": show,
        "tabs": [{"name": name, "title": title, "count": len(lists[name])} for name, title in SHOWN.items()],
        "wanted": wanted,
        "states": sorted({row["state"] for row in lists[show]}),
        "serials": {one["id"]: one["serial"] for one in devices or []},
        "problems": [] if commands is not None else ["The MDUS does not answer: commands and results are not shown."],
    }


def _with_results(orders: list[dict[str, Any]], results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The office's orders, each with how far the MDUS has come with it."""
    known = {one["document"]: one for one in results}
    return [order | {"middle": known.get(order["id"])} for order in orders]


def _with_commands(documents: list[dict[str, Any]], commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The office's documents, newest first, each with the command that carried it out."""
    known = {one["request"]: one for one in commands}
    newest = sorted(documents, key=lambda one: one["created_at"], reverse=True)
    return [document | {"command": known.get(document["id"])} for document in newest]


PAGES = (Page("/orders", Right.LOOK, "orders.html", "Orders", load, table=listed),)
