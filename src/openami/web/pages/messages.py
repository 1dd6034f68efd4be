"""The messages on both seams: state, chain, payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree

from openami.web.areas import NotThereError
from openami.web.page import Page

if TYPE_CHECKING:
    from starlette.requests import Request

    from openami.web.areas import Areas

SEAM_AREAS = ("office", "mdus", "headend")
STATES = ("pending", "delivered", "dead", "received", "parked", "processed", "refused")
PAGE_SIZE = 50


async def load_list(areas: Areas, request: Request) -> dict[str, Any]:
    """The messages of one area (the middle sees both seams), newest first."""
    query = request.query_params
    area = query.get("area", "mdus")
    if area not in SEAM_AREAS:
        raise NotThereError(f"The area {area!r} has no messages.", hint=f"Choose one of {', '.join(SEAM_AREAS)}.")
    offset = max(int(query.get("offset", "0") or 0), 0)
    wanted = {name: query.get(name, "") for name in ("seam", "direction", "state", "operation", "reference")}
    found = await areas.get(area, "/api/messages", limit=PAGE_SIZE + 1, offset=offset, **wanted)
    messages = found["messages"]
    return {
        "area": area,
        "areas": list(SEAM_AREAS),
        "states": list(STATES),
        "wanted": wanted,
        "messages": messages[:PAGE_SIZE],
        "offset": offset,
        "page_size": PAGE_SIZE,
        "more": len(messages) > PAGE_SIZE,
    }


async def load_one(areas: Areas, request: Request) -> dict[str, Any]:
    """One message with its payload, and the chain it stands in (request, confirmation, result)."""
    area, direction = request.path_params["area"], request.path_params["direction"]
    if area not in SEAM_AREAS:
        raise NotThereError(f"The area {area!r} has no messages.")
    message = await areas.get(area, f"/api/messages/{direction}/{request.path_params['sequence']}")
    key = message["reference_id"] or message["id"]
    chain = (await areas.get(area, "/api/messages", reference=key))["messages"]
    return {"area": area, "message": message, "chain": sorted(chain, key=lambda each: each["at"])}


def dress_one(data: dict[str, Any]) -> dict[str, Any]:
    """The payload indented for reading."""
    message = data["message"]
    return {"payload": pretty(message["body"]), "answer": pretty(message["answer"] or "")}


def pretty(text: str) -> str:
    """XML indented; anything else as it is."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return text
    return etree.tostring(root, pretty_print=True, encoding="unicode")


PAGES = (
    Page("/messages", "messages.html", "Messages", load_list),
    Page(
        "/messages/{area}/{direction}/{sequence:int}",
        "message.html",
        "Message {direction}/{sequence}",
        load_one,
        section="/messages",
        dress=dress_one,
    ),
)
