"""Values of a channel: each explained, every version, proof, what a bill is made from; and editing them."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from openami.shared.spans import local_date
from openami.web.page import Action, Page
from openami.web.query import is_whole, refuse_too_long, words
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.web.areas import Areas

_SHOWN = 400
"""Intervals of which a page shows each; the table has all."""


async def load(areas: Areas, request: Request) -> dict[str, Any]:
    """What was asked for, if anything was, and the edits that wait or were done."""
    wanted = words(request, "channel", "span", "as_of")
    edits = await areas.get("mdus", "/api/edits", limit="50")
    nothing = {"explained": None, "versions": None, "proof": None, "determinants": None}
    if not (wanted["channel"] and wanted["span"]):
        return {"wanted": wanted, **await _overview(areas, request), **nothing, **edits}
    asked = {"channel": wanted["channel"], "span": wanted["span"]}
    explained, determinants = await asyncio.gather(
        areas.get("mdus", "/api/explain", **asked),
        areas.get("mdus", "/api/determinants", **asked, as_of=wanted["as_of"]),
    )
    shown = (
        {"virtual": None}
        | explained
        | {"intervals": _shown(explained["intervals"], request), "all": len(explained["intervals"])}
    )
    found = {"wanted": wanted, "channels": [], "explained": shown, "determinants": determinants, **edits}
    if shown["virtual"]:  # it is computed when it is read: nothing is kept of it
        return found | {"versions": [], "proof": None}
    versions, proof = await asyncio.gather(
        areas.get("mdus", "/api/versions", **asked), areas.get("mdus", "/api/recompute", **asked)
    )
    return found | {"versions": versions["versions"], "proof": proof}


async def _overview(areas: Areas, request: Request) -> dict[str, Any]:
    """Which channels there are, real and virtual, and what rules know beside readings."""
    channels, virtual, reference = await asyncio.gather(
        areas.get("mdus", "/api/channels"), areas.get("mdus", "/api/virtual"), areas.get("mdus", "/api/reference")
    )
    yesterday = local_date(request.state.zone, request.state.now - timedelta(days=1))
    listed = [one | {"span": str(min(yesterday, _last_day(one)))} for one in channels["channels"] if one["interval_s"]]
    return {"channels": _shown(listed, request), "day": str(yesterday), **virtual, **reference}


def _shown(rows: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    if not is_whole(request):
        return rows[:_SHOWN]
    refuse_too_long(len(rows))
    return rows


def table(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The intervals of a channel with the rules that spoke; before one was asked for, the channels."""
    found = data["explained"]
    if found is None:
        channels: list[dict[str, Any]] = data["channels"]
        return channels
    known = {name: found.get(name) for name in ("channel", "virtual", "device", "obis", "unit")}
    return [
        known
        | one
        | {
            "value": None if one["value"] is None else Decimal(one["value"]).scaleb(found["scale"]),
            "fired": [f"{each['rule']} {each['verdict']}" for each in one.get("fired", [])],
        }
        for one in found["intervals"]
    ]


def _last_day(channel: dict[str, Any]) -> date:
    """The last local day that begins in the life of a channel."""
    return local_date(channel["zone"], datetime.fromisoformat(channel["valid_to"]) - timedelta(seconds=1))


async def load_preview(areas: Areas, request: Request) -> dict[str, Any]:
    """What an edit would change."""
    wanted = words(request, "channel", "span", "action", "values", "source", "reason")
    return {"wanted": wanted, "preview": await areas.post("mdus", "/api/edits/preview", _body(wanted))}


async def propose(areas: Areas, _request: Request, form: FormData, user: str) -> str:
    """Show what an edit would change first; keep it when that was seen."""
    wanted = {name: str(form.get(name, "")).strip() for name in ("channel", "span", "action", "values", "source")}
    wanted["reason"] = str(form.get("reason", "")).strip()
    if not form.get("seen"):
        return f"/values/preview?{urlencode(wanted)}"
    await areas.post("mdus", "/api/edits", _body(wanted) | {"person": user})
    return f"/values?{urlencode({'channel': wanted['channel'], 'span': wanted['span']})}"


async def approve(areas: Areas, request: Request, _form: FormData, user: str) -> str:
    """Apply somebody else's edit."""
    await areas.post("mdus", f"/api/edits/{request.path_params['edit']}/approve", {"person": user})
    return "/values"


async def undo(areas: Areas, request: Request, form: FormData, user: str) -> str:
    """Put back what was there before an edit."""
    body = {"person": user, "reason": str(form.get("reason", ""))}
    await areas.post("mdus", f"/api/edits/{request.path_params['edit']}/undo", body)
    return "/values"


def _body(wanted: dict[str, str]) -> dict[str, Any]:
    given = [one.strip() for one in wanted["values"].replace(";", ",").split(",") if one.strip()]
    return {**wanted, "values": given}


PAGES = (
    Page("/values", Right.LOOK, "values.html", "Values", load, table=table),
    Page("/values/preview", Right.EDIT_VALUES, "preview.html", "Edit values", load_preview, section="/values"),
)
ACTIONS = (
    Action("/values/edits", Right.EDIT_VALUES, propose),
    Action("/values/edits/{edit}/approve", Right.EDIT_VALUES, approve),
    Action("/values/edits/{edit}/undo", Right.EDIT_VALUES, undo),
)
