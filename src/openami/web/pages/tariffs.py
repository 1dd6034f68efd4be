"""The tariffs: what is charged today and later; changing it from a day on, and taking back what has not begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openami.web.page import Action, Page
from openami.web.rights import Right

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from openami.web.areas import Areas


async def load(areas: Areas, _request: Request) -> dict[str, Any]:
    """All tariffs with their prices, those to come, and the history of changes."""
    return {"tariffs": await areas.get("office", "/api/tariffs")}


async def change(areas: Areas, request: Request, form: FormData, user: str) -> str:
    """Charge the prices that were filled in from a day on; what is left empty stays."""
    given = {name.removeprefix("price:"): str(value).strip() for name, value in form.items() if name[:6] == "price:"}
    body = {"from": str(form.get("from", "")), "why": str(form.get("why", "")).strip(), "who": user}
    prices = {name: value for name, value in given.items() if value}
    return await _post(areas, request, "/api/tariffs/prices", body | {"prices": prices})


async def withdraw(areas: Areas, request: Request, form: FormData, user: str) -> str:
    """Take back the prices of a day that has not come."""
    body = {"from": str(form.get("from", "")), "who": user}
    return await _post(areas, request, "/api/tariffs/prices/withdraw", body)


async def _post(areas: Areas, request: Request, path: str, body: dict[str, Any]) -> str:
    tariff = request.path_params["id"]
    await areas.post("office", path, body | {"tariff": tariff})
    return f"/tariffs#{tariff}"


PAGES = (Page("/tariffs", Right.LOOK, "tariffs.html", "Tariffs", load),)
ACTIONS = (
    Action("/tariffs/{id}/prices", Right.CHANGE_PRICES, change),
    Action("/tariffs/{id}/prices/withdraw", Right.CHANGE_PRICES, withdraw),
)
