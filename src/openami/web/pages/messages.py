"""The messages on both seams: state, chain, payload."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lxml import etree

from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.spans import local_midnight
from openami.web.areas import NotThereError
from openami.web.page import Action, Page
from openami.web.query import (
    PAGE_SIZE,
    BadQueryError,
    choice,
    day_of,
    is_whole,
    links,
    offset_of,
    refuse_too_long,
    words,
)
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.web.areas import Areas

SEAM_AREAS = ("mdus", "office", "headend")
"""The middle first: it sees both seams."""
AT_ONCE = 500
"""Messages that an area gives in one answer at most."""
OTHERS = 20
"""How many other messages about the same object are shown with one."""
STATES = ("pending", "delivered", "dead", "received", "parked", "processed", "refused")


async def load_list(areas: Areas, request: Request) -> dict[str, Any]:
    """The messages of one area (the middle sees both seams), newest first."""
    area = choice(request, "area", SEAM_AREAS)
    offset = offset_of(request)
    wanted = words(request, "seam", "direction", "state", "operation", "reference", "object", "partner", "about")
    wanted |= {"first": _day(request, "first"), "last": _day(request, "last")}
    if wanted["reference"]:
        wanted["reference"] = _uuid(wanted["reference"])
    asked = {name: text for name, text in wanted.items() if name not in {"first", "last"}}
    asked |= _times(wanted["first"], wanted["last"], request.state.zone)
    if is_whole(request):
        messages, more, offset = await _all(areas, area, asked), False, 0
    else:
        found = (await areas.get(area, "/api/messages", limit=PAGE_SIZE + 1, offset=offset, **asked))["messages"]
        messages, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    return {
        "area": area,
        "areas": list(SEAM_AREAS),
        "states": list(STATES),
        "objects": list(catalogue().objects),
        "wanted": wanted,
        "messages": messages,
        "pages": links("/messages", {"area": area, **wanted}, offset, shown=len(messages), more=more),
    }


async def _all(areas: Areas, area: str, asked: dict[str, str]) -> list[dict[str, Any]]:
    """Every message that was asked for, as many at once as an area gives.

    Those that come meanwhile push the ones before them onto the next page: each counts once.
    """
    found: dict[tuple[str, int], dict[str, Any]] = {}
    offset = 0
    while True:
        page = (await areas.get(area, "/api/messages", limit=AT_ONCE, offset=offset, **asked))["messages"]
        found |= {(one["direction"], one["sequence"]): one for one in page}
        refuse_too_long(len(found))
        if len(page) < AT_ONCE:
            return list(found.values())
        offset += AT_ONCE


async def load_one(areas: Areas, request: Request) -> dict[str, Any]:
    """One message with its payload, and the chain it stands in (request, confirmation, result)."""
    area, direction = request.path_params["area"], request.path_params["direction"]
    if area not in SEAM_AREAS:
        raise NotThereError(f"The area {area!r} has no messages.")
    message = await areas.get(area, f"/api/messages/{direction}/{request.path_params['sequence']}")
    key = message["reference_id"] or message["id"]
    chain = (await areas.get(area, "/api/messages", reference=key))["messages"]
    about = _object_of(message["business_key"])
    same = (await areas.get(area, "/api/messages", about=about, limit=OTHERS))["messages"] if about else []
    known = {(each["direction"], each["sequence"]) for each in chain} | {(direction, message["sequence"])}
    others = [each for each in same if (each["direction"], each["sequence"]) not in known]
    return {
        "area": area,
        "message": message,
        "chain": sorted(chain, key=lambda each: each["at"]),
        "about": about,
        "others": sorted(others, key=lambda each: each["at"]),
    }


async def load_quarantine(areas: Areas, request: Request) -> dict[str, Any]:
    """What could not even be read: kept with the reason, as it came."""
    area = request.path_params["area"]
    if area not in SEAM_AREAS:
        raise NotThereError(f"The area {area!r} has no messages.")
    return {"area": area, "bodies": await areas.get(area, "/api/messages/quarantine")}


def _object_of(business_key: str) -> str:
    """The first id that a business key names; empty if it names none."""
    return next((word for word in business_key.split() if any(each.isdecimal() for each in word)), "")


async def resend(areas: Areas, request: Request, _form: FormData, _user: str) -> str:
    """A dead letter leaves once more."""
    return await _act(areas, request, "resend", {})


async def cancel(areas: Areas, request: Request, _form: FormData, user: str) -> str:
    """A message that waits is not sent any more."""
    return await _act(areas, request, "cancel", {"person": user})


async def _act(areas: Areas, request: Request, what: str, body: dict[str, Any]) -> str:
    area, sequence = request.path_params["area"], request.path_params["sequence"]
    if area not in SEAM_AREAS:
        raise NotThereError(f"The area {area!r} has no messages.")
    await areas.post(area, f"/api/messages/out/{sequence}/{what}", body)
    return f"/messages/{area}/out/{sequence}"


def _day(request: Request, name: str) -> str:
    day = day_of(request, name)
    return day.isoformat() if day else ""


def _times(first: str, last: str, zone_name: str) -> dict[str, str]:
    """The instants between which the wanted local days lie, both included."""
    times = {}
    if first:
        times["from"] = local_midnight(zone_name, date.fromisoformat(first)).isoformat()
    if last:
        times["until"] = local_midnight(zone_name, date.fromisoformat(last) + timedelta(days=1)).isoformat()
    return times


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


ACTIONS = (
    Action("/messages/{area}/out/{sequence:int}/resend", Right.SEND_MESSAGES, resend),
    Action("/messages/{area}/out/{sequence:int}/cancel", Right.SEND_MESSAGES, cancel),
)
PAGES = (
    Page("/messages", Right.LOOK, "messages.html", "Messages", load_list, table=lambda data: data["messages"]),
    Page(
        "/messages/{area}/quarantine",
        Right.LOOK,
        "quarantine.html",
        "Quarantine of {area}",
        load_quarantine,
        section="/messages",
    ),
    Page(
        "/messages/{area}/{direction}/{sequence:int}",
        Right.LOOK,
        "message.html",
        "Message {direction}/{sequence}",
        load_one,
        section="/messages",
        dress=dress_one,
    ),
)
