"""The bills: all of them, what could not be billed and why, and one with its lines and what it rests on."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openami.web.page import Action, Page, listed
from openami.web.query import paged, words
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.web.areas import Areas


async def load_list(areas: Areas, request: Request) -> dict[str, Any]:
    """All bills, and their sums by currency; a voided bill and its reversal cancel out in them by themselves."""
    wanted = words(request, "q", "state", "division")
    bills, runs = await asyncio.gather(areas.get("office", "/api/bills"), areas.or_none("office", "/api/billing-runs"))
    found = [bill for bill in bills if _fits(bill, wanted)]
    sums: dict[str, Decimal] = {}
    for bill in found:
        sums[bill["currency"]] = sums.get(bill["currency"], Decimal(0)) + Decimal(bill["total"])
    return paged(found, request, "/bills", wanted) | {
        "wanted": wanted,
        "states": sorted({bill["state"] for bill in bills}),
        "divisions": sorted({bill["division"] for bill in bills}),
        "not_billed": _not_billed(runs or []),
        "sums": {currency: format(total, ".2f") for currency, total in sums.items()},
    }


async def load_one(areas: Areas, request: Request) -> dict[str, Any]:
    """One bill, with the document that it was made from."""
    return {"bill": await areas.get("office", f"/api/bills/{request.path_params['id']}")}


async def void(areas: Areas, request: Request, form: FormData, user: str) -> str:
    """Take a bill back by a reversal, with a reason."""
    bill = request.path_params["id"]
    body = {"bill": bill, "why": str(form.get("why", "")).strip(), "who": user}
    reversal = (await areas.post("office", "/api/bills/void", body))["reversal"]
    return f"/bills/{reversal}"


def _not_billed(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The contracts that the last run of their month left without a bill, with the reasons; runs come newest first."""
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        for item in run["items"]:
            last.setdefault((run["first_day"], item["contract"]), item | {"month": run["first_day"][:7]})
    return [item for item in last.values() if item["state"] in {"withheld", "failed"}]


def _fits(bill: dict[str, Any], wanted: dict[str, str]) -> bool:
    if any(wanted[name] and bill[name] != wanted[name] for name in ("state", "division")):
        return False
    text = " ".join([bill["id"], bill["name"], bill["contract"], bill["point_of_delivery"], *bill["meters"]]).casefold()
    return all(word in text for word in wanted["q"].casefold().split())


PAGES = (
    Page("/bills", Right.LOOK, "bills.html", "Bills", load_list, table=listed),
    Page("/bills/{id}", Right.LOOK, "bill.html", "Bill {id}", load_one, section="/bills"),
)
ACTIONS = (Action("/bills/{id}/void", Right.VOID_BILLS, void),)
