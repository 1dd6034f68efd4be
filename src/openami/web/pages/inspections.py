"""What the field crew has to look at: tasks that rules of validation ask for, until somebody says what was found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from openami.web.page import Action, Page, listed
from openami.web.query import paged, words
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.web.areas import Areas

STATES = ("open", "assigned", "done")


async def load(areas: Areas, request: Request) -> dict[str, Any]:
    """The inspections of a state, or all that are not done; the office adds the serial of the device."""
    wanted = words(request, "state", "device")
    found, devices = await asyncio.gather(
        areas.get("mdus", "/api/inspections", state=wanted["state"], limit=5_000),
        areas.or_none("office", "/api/devices"),
    )
    serials = {one["id"]: one["serial"] for one in devices or []}
    rows = [row | {"serial": serials.get(row["device"])} for row in found["inspections"]]
    named = wanted["device"].casefold()
    shown = [row for row in rows if named in f"{row['device']} {row['serial']}".casefold()]
    return paged(shown, request, "/inspections", wanted) | {"wanted": wanted, "states": STATES}


async def assign(areas: Areas, request: Request, form: FormData, user: str) -> str:
    """Say who goes."""
    body = {"person": user, "to": str(form.get("words", ""))}
    await areas.post("mdus", f"/api/inspections/{request.path_params['number']}/assign", body)
    return "/inspections"


async def done(areas: Areas, request: Request, form: FormData, user: str) -> str:
    """Say what was found."""
    body = {"person": user, "note": str(form.get("words", ""))}
    await areas.post("mdus", f"/api/inspections/{request.path_params['number']}/done", body)
    return "/inspections"


PAGES = (Page("/inspections", Right.LOOK, "inspections.html", "Inspections", load, section="/events", table=listed),)
ACTIONS = (
    Action("/inspections/{number:int}/assign", Right.INSPECT, assign),
    Action("/inspections/{number:int}/done", Right.INSPECT, done),
)
