"""The messages on both seams: state, chain, payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from lxml import etree

from openami.web.areas import NotThereError
from openami.web.page import Page
from openami.web.query import PAGE_SIZE, BadQueryError, choice, links, offset_of, words

if TYPE_CHECKING:
    from starlette.requests import Request

    from openami.web.areas import Areas

SEAM_AREAS = ("mdus", "office", "headend")
"""The middle first: it sees both seams."""
STATES = ("pending", "delivered", "dead", "received", "parked", "processed", "refused")


async def load_list(areas: Areas, request: Request) -> dict[str, Any]:
    """The messages of one area (the middle sees both seams), newest first."""
    area = choice(request, "area", SEAM_AREAS)
    offset = offset_of(request)
    wanted = words(request, "seam", "direction", "state", "operation", "reference")
    if wanted["reference"]:
        wanted["reference"] = _uuid(wanted["reference"])
    found = await areas.get(area, "/api/messages", limit=PAGE_SIZE + 1, offset=offset, **wanted)
    messages = found["messages"][:PAGE_SIZE]
    more = len(found["messages"]) > PAGE_SIZE
    return {
        "area": area,
        "areas": list(SEAM_AREAS),
        "states": list(STATES),
        "wanted": wanted,
        "messages": messages,
        "pages": links("/messages", {"area": area, **wanted}, offset, shown=len(messages), more=more),
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


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise BadQueryError(f"reference={text!r} is not the id of a message.", hint="Message ids are UUIDs.") from error


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
