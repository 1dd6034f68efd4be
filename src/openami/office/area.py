"""The office as an area: commands and views as JSON, the door's handlers, the billing loop, its word on its work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from openami.office import views
from openami.office.billing.handlers import BillConflictError, BillingRuns, recompute, void
from openami.office.billing.model import json_value
from openami.office.billing.page import render
from openami.office.billing.price_handlers import change_prices, tariff_list, withdraw_prices
from openami.office.billing.store import bill_by_id
from openami.office.commands import BadFieldError, Command, note, once
from openami.office.connection import handlers as connection
from openami.office.context import Office, OfficeSettings
from openami.office.devices import handlers as devices
from openami.office.devices import upkeep
from openami.office.events import handlers as events
from openami.office.readings import corrections, orders, usage
from openami.office.services import field_facts
from openami.office.services.handlers import handlers
from openami.office.supply import handlers as supply
from openami.shared.contract.enterprise.codes import code_tables
from openami.shared.service import Area, json_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.requests import Request

    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.codes import CodeTable
    from openami.shared.database import Database
    from openami.shared.seam.enterprise import EnterpriseDoor

    Act = Callable[[Office, AsyncConnection, Command], Awaitable[dict[str, Any]]]
    View = Callable[[Office, AsyncConnection], Awaitable[Any]]

COMMANDS: dict[str, Act] = {
    "/api/devices/receive": devices.receive,
    "/api/devices/change": upkeep.change,
    "/api/devices/withdraw": upkeep.withdraw,
    "/api/replications": upkeep.replicate,
    "/api/texts": upkeep.send_text,
    "/api/measurement-tasks/change": field_facts.change_task,
    "/api/transformers": field_facts.assign_transformer,
    "/api/switch-notices": field_facts.tell_switch,
    "/api/switch-notices/undo": field_facts.undo_switch,
    "/api/own-values": field_facts.send_values,
    "/api/device-states/ask": field_facts.ask_state,
    "/api/series/ask": field_facts.ask_series,
    "/api/usage-requests": usage.order_usage,
    "/api/usage-requests/cancel": usage.cancel_usage,
    "/api/installations": devices.install,
    "/api/installations/reverse": upkeep.reverse,
    "/api/replacements": devices.swap,
    "/api/disconnections": connection.disconnect,
    "/api/reconnections": connection.reconnect,
    "/api/connections/cancel": connection.cancel,
    "/api/payments": connection.pay,
    "/api/reading-orders": orders.order_month,
    "/api/readings": orders.order_single,
    "/api/readings/correct": corrections.correct,
    "/api/reading-orders/cancel": orders.cancel_order,
    "/api/move-ins": supply.move_in,
    "/api/move-outs": supply.move_out,
    "/api/bills/void": void,
    "/api/tariffs/prices": change_prices,
    "/api/tariffs/prices/withdraw": withdraw_prices,
    "/api/cases/close": events.close,
    "/api/audit": note,
}
"""People's commands: path and what it does; the body of each carries an `id` of its own, or an Idempotency-Key."""

VIEWS: dict[str, View] = {
    "/api/status": views.status,
    "/api/devices": views.device_list,
    "/api/customers": views.customer_list,
    "/api/orders": views.order_list,
    "/api/connections": views.connection_list,
    "/api/usage-requests": usage.usage_list,
    "/api/events": views.event_list,
    "/api/bills": views.bill_list,
    "/api/billing-runs": views.run_list,
    "/api/tariffs": tariff_list,
}


class OfficeApi:
    """The HTTP side of the office."""

    def __init__(self, office: Office, runs: BillingRuns) -> None:
        self._office = office
        self._runs = runs

    def routes(self) -> list[BaseRoute]:
        """Commands, views, and the bills as pages."""
        commands = [Route(path, self._command(path, act), methods=["POST"]) for path, act in COMMANDS.items()]
        listed = [Route(path, self._view(view), methods=["GET"]) for path, view in VIEWS.items()]
        return [
            *commands,
            Route("/api/billing-runs", self._command("/api/billing-runs", self._start_run), methods=["POST"]),
            *listed,
            Route("/api/devices/{name}", self._device),
            Route("/api/devices/{name}/series", self._series),
            Route("/api/bills/{bill}.html", self._bill_page),
            Route("/api/bills/{bill}/document", self._bill_page),
            Route("/api/bills/{bill}/recompute", self._recompute),
            Route("/api/bills/{bill}", self._bill),
        ]

    def _command(self, path: str, act: Act) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = await json_body(request)
            key = str(body.get("id") or request.headers.get("idempotency-key") or "")
            command = Command(
                name=path.removeprefix("/api/"),
                body=body,
                key=key,
                actor=str(body.get("who") or request.headers.get("x-actor") or "operator"),
            )

            async def done(transaction: AsyncConnection, told: Command) -> dict[str, Any]:
                result: dict[str, Any] = json_value(await act(self._office, transaction, told))
                return result

            return JSONResponse(await once(self._office, command, done))

        return endpoint

    def _view(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(_request: Request) -> Response:
            async with self._office.database.begin() as transaction:
                return JSONResponse(await view(self._office, transaction))

        return endpoint

    async def _start_run(self, _office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
        return await self._runs.start(transaction, command)

    async def _device(self, request: Request) -> Response:
        async with self._office.database.begin() as transaction:
            return JSONResponse(await views.device_page(self._office, transaction, request.path_params["name"]))

    async def _series(self, request: Request) -> Response:
        query = request.query_params
        try:
            days = views.parse_days(query.get("first"), query.get("past_last"), self._office.clock.now())
        except ValueError as error:
            raise BadFieldError(f"The days cannot be read: {error}.", hint="Use first=2026-03-01.") from error
        async with self._office.database.begin() as transaction:
            page = await views.series_page(self._office, transaction, request.path_params["name"], *days)
        return JSONResponse(page)

    async def _bill(self, request: Request) -> Response:
        head, document = await self._found(request)
        return JSONResponse(head | {"document": document})

    async def _bill_page(self, request: Request) -> Response:
        head, document = await self._found(request)
        return HTMLResponse(render(document | {"state": head["state"]}))

    async def _recompute(self, request: Request) -> Response:
        async with self._office.database.begin() as transaction:
            return JSONResponse(await recompute(self._office, transaction, request.path_params["bill"]))

    async def _found(self, request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
        async with self._office.database.begin() as transaction:
            bill = await bill_by_id(transaction, request.path_params["bill"])
        if bill is None:
            raise BillConflictError(f"There is no bill {request.path_params['bill']!r}.", hint="See GET /api/bills.")
        return views.bill_head(bill), bill.document


def build(
    *,
    database: Database,
    clock: Clock,
    door: EnterpriseDoor,
    settings: OfficeSettings | None = None,
    codes: Mapping[str, CodeTable] | None = None,
) -> Area:
    """Wire the office; the caller joins the door's routes and the seam's loops to the area."""
    office = Office(database, clock, door, settings or OfficeSettings(), codes=codes or code_tables())
    runs = BillingRuns(office)
    door.handlers.update(handlers(office))
    return Area(
        "office",
        clock,
        database=database,
        routes=OfficeApi(office, runs).routes(),
        loops=[runs.run],
        work=[runs.pending],
    )
