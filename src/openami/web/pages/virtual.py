"""Virtual channels: what each stands for and ever stood for; defining, ending and undoing, seen before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from openami.web.page import Action, Page
from openami.web.query import words
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.web.areas import Areas

_SOMEBODY: Final = {"person": "preview"}
"""A preview keeps nobody's name."""
FIELDS: Final = ("name", "terms", "from", "to", "purpose", "of", "reason")


async def load(areas: Areas, request: Request) -> dict[str, Any]:
    """One virtual channel with its history, or a form for a new one."""
    name = words(request, "name")["name"]
    listed = (await areas.get("mdus", "/api/virtual"))["virtual"]
    return {"name": name, "found": next((one for one in listed if one["name"] == name), None)}


async def load_preview(areas: Areas, request: Request) -> dict[str, Any]:
    """What a definition would change."""
    wanted = words(request, *FIELDS)
    return {"wanted": wanted, "preview": await areas.post("mdus", "/api/virtual/preview", wanted | _SOMEBODY)}


async def define(areas: Areas, _request: Request, form: FormData, user: str) -> str:
    """Show what a definition would change first; keep it when that was seen."""
    wanted = {name: str(form.get(name, "")).strip() for name in FIELDS}
    if not form.get("seen"):
        return f"/values/virtual/preview?{urlencode(wanted)}"
    await areas.post("mdus", "/api/virtual", wanted | {"person": user})
    return f"/values/virtual?{urlencode({'name': wanted['name']})}"


async def undo(areas: Areas, request: Request, form: FormData, user: str) -> str:
    """Bring back what the name stood for before it was last defined."""
    name = request.path_params["name"]
    body = {"person": user, "reason": str(form.get("reason", "")).strip()}
    await areas.post("mdus", f"/api/virtual/{name}/undo", body)
    return f"/values/virtual?{urlencode({'name': name})}"


PAGES = (
    Page("/values/virtual", Right.LOOK, "virtual.html", "Virtual channel", load, section="/values"),
    Page(
        "/values/virtual/preview",
        Right.DEFINE_CHANNELS,
        "virtual_preview.html",
        "Virtual channel",
        load_preview,
        section="/values",
    ),
)
ACTIONS = (
    Action("/values/virtual", Right.DEFINE_CHANNELS, define),
    Action("/values/virtual/{name}/undo", Right.DEFINE_CHANNELS, undo),
)
