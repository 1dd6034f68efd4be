"""The customers: what they are supplied with, what they owe, whether they have power."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from openami.web.page import Page
from openami.web.query import paged, words
from openami.web.rights import Right

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from openami.web.areas import Areas


async def load(areas: Areas, request: Request) -> dict[str, Any]:
    """All customers with their contracts, each with its device and its bills."""
    wanted = words(request, "q")
    customers, bills, devices = await asyncio.gather(
        areas.get("office", "/api/customers"), areas.get("office", "/api/bills"), areas.get("office", "/api/devices")
    )
    meters = {one["point_of_delivery"]: one for one in devices if one["point_of_delivery"]}
    for customer in customers:
        for contract in customer["contracts"]:
            meter = meters.get(contract["point_id"])
            contract["device"] = {"id": meter["id"], "serial": meter["serial"]} if meter else None
            contract["bills"] = [
                {key: bill[key] for key in ("id", "total", "currency", "state", "first_day", "last_day")}
                for bill in bills
                if bill["contract"] == contract["id"]
            ]
        customer["currency"] = next((bill["currency"] for one in customer["contracts"] for bill in one["bills"]), "")
        customer["owed"] = format(sum((Decimal(one["owed"]) for one in customer["contracts"]), Decimal(0)), ".2f")
    found = [customer for customer in customers if _fits(customer, wanted["q"])]
    return paged(found, request, "/customers", wanted) | {"wanted": wanted}


def _fits(customer: dict[str, Any], text: str) -> bool:
    known = [customer["id"], customer["name"], customer["address"]]
    known += [value for one in customer["contracts"] for value in (one["id"], one["point_id"])]
    return all(word in " ".join(known).casefold() for word in text.casefold().split())


def table(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each contract, beside its customer."""
    for customer in data["rows"]:
        who = {key: value for key, value in customer.items() if key != "contracts"}
        for contract in customer["contracts"]:
            bills = [bill["id"] for bill in contract["bills"]]
            yield {"customer": who, "contract": contract | {"bills": bills}}


PAGES = (Page("/customers", Right.LOOK, "customers.html", "Customers", load, table=table),)
