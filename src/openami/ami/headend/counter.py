"""The counter where a person orders functions, one meter or many (a campaign), and sees what became of it."""

from __future__ import annotations

import base64
import binascii
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openami.ami.headend import command_store, store, views
from openami.ami.headend.campaigns import default_limit
from openami.ami.headend.command_handlers import FUNCTION_WITHIN
from openami.ami.headend.command_store import CANCELLED, DONE, FUNCTION, OPEN, WAITING
from openami.ami.headend.functions.catalogue import FUNCTIONS, function_of
from openami.ami.headend.functions.firmware import check_image
from openami.ami.headend.functions.model import BadParametersError, number
from openami.shared.database import after_commit
from openami.shared.service import json_body

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.requests import Request

    from openami.shared.clock import Clock
    from openami.shared.database import Database

SERIALS_MAX: Final = 100_000


class OrderDoor:
    """Orders of functions by a person, as JSON."""

    def __init__(self, database: Database, clock: Clock, wake: asyncio.Event) -> None:
        self._database, self._clock, self._wake = database, clock, wake

    def routes(self) -> list[Route]:
        """What is served under `/api`."""
        return [
            Route("/api/functions", self.functions),
            Route("/api/images", self.image, methods=["POST"]),
            Route("/api/orders", self.order, methods=["POST"]),
            Route("/api/orders/{id:uuid}", self.shown),
            Route("/api/orders/{id:uuid}/cancel", self.cancel, methods=["POST"]),
            Route("/api/orders/{id:uuid}/rollback", self.roll_back, methods=["POST"]),
        ]

    async def functions(self, _request: Request) -> Response:
        """What can be ordered."""
        return JSONResponse(
            [
                {
                    "name": each.name,
                    "says": each.says,
                    "wanted": each.wanted,
                    "optional": each.optional,
                    "where": each.where,
                }
                for each in FUNCTIONS.values()
            ]
        )

    async def image(self, request: Request) -> Response:
        """Take a firmware image: `version`, `content` in base64."""
        body = await json_body(request)
        try:
            content = base64.b64decode(str(body.get("content")), validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadParametersError(f"The content is no base64: {error}.") from error
        check_image(content)
        async with self._database.begin() as transaction:
            await store.keep_image(transaction, str(body["version"]), content, self._clock.now())
        return JSONResponse({"version": body["version"], "octets": len(content)})

    async def order(self, request: Request) -> Response:
        """Order a function: `function`, `serials`, `parameters`; `not_before`, `deadline` in ISO 8601.

        `failures_percent_max`: a campaign in which more than that share has failed stops by itself (default 10 for
        firmware and keys, 100 for all else).
        """
        body = await json_body(request)
        function = function_of(str(body.get("function")))
        parameters = body.get("parameters") or {}
        serials = body.get("serials") or []
        if not isinstance(parameters, dict) or not isinstance(serials, list) or not 0 < len(serials) <= SERIALS_MAX:
            raise BadParametersError("The order names no meters, or parameters that are no object.")
        function.check(parameters)
        limit = number(body, "failures_percent_max", 0, 100, default_limit(function.name))
        async with self._database.begin() as transaction:
            key = await self._add(transaction, function.name, serials, parameters, body, limit)
        return JSONResponse({"id": str(key), "items": len(serials)}, status_code=202)

    async def shown(self, request: Request) -> Response:
        """How an order stands: how many items in which state, and each of them."""
        key = request.path_params["id"]
        async with self._database.begin() as transaction:
            items = await command_store.items_of_command(transaction, key)
            counts = await command_store.progress(transaction, key)
        return JSONResponse({"id": str(key), "states": counts, "items": [views.plain_row(each) for each in items]})

    async def cancel(self, request: Request) -> Response:
        """Take back what no meter was told yet."""
        key, now = request.path_params["id"], self._clock.now()
        async with self._database.begin() as transaction:
            taken = await command_store.withdraw(transaction, key, reason=None, at=now)
            if set(await command_store.progress(transaction, key)) == {CANCELLED}:
                await command_store.close_command(transaction, key, result=CANCELLED, at=now)
        return JSONResponse({"id": str(key), "cancelled": taken})

    async def roll_back(self, request: Request) -> Response:
        """Give the meters of a firmware order back what they ran before; images of those versions must be here."""
        key = request.path_params["id"]
        async with self._database.begin() as transaction:
            before: dict[str, list[str]] = {}
            for row in await command_store.items_of_command(transaction, key):
                if row.action == "update_firmware" and row.state == DONE and row.outcome["blocks_sent"]:
                    before.setdefault(row.outcome["previous"], []).append(row.serial)
            for version in before:
                if await store.image(transaction, version) is None:
                    raise BadParametersError(f"There is no image {version!r}.", hint="POST /api/images brings one.")
            orders = [
                str(await self._add(transaction, "update_firmware", serials, {"image": version}, {}, 100))
                for version, serials in before.items()
            ]
        return JSONResponse({"orders": orders}, status_code=202)

    async def _add(
        self,
        transaction: AsyncConnection,
        function: str,
        serials: Sequence[str],
        parameters: Mapping[str, Any],
        body: Mapping[str, Any],
        failures_percent_max: int,
    ) -> uuid.UUID:
        key, now = uuid.uuid4(), self._clock.now()
        start = max(_instant(body, "not_before") or now, now)
        deadline = _instant(body, "deadline") or start + FUNCTION_WITHIN
        if deadline <= now:
            raise BadParametersError(f"The deadline {deadline.isoformat()} is over.", hint="Choose a later one.")
        for serial in serials:
            if await store.meter_row(transaction, str(serial)) is None:
                raise BadParametersError(f"There is no meter {serial}.", hint="See /api/meters.")
        command = {
            "id": key,
            "kind": FUNCTION,
            "correlation_id": str(key),
            "message_id": str(key),
            "received_at": now,
            "state": OPEN,
            "request": {
                "noun": "order",
                "verb": "create",
                "source": "person",
                "refused": [],
                "local": True,
                "failures_percent_max": failures_percent_max,
            },
        }
        items: list[dict[str, object]] = [
            {
                "command_id": key,
                "control_mrid": str(key),
                "serial": str(serial),
                "kind": FUNCTION,
                "action": function,
                "detail": {"parameters": dict(parameters)},
                "digest": "",
                "state": WAITING,
                "next_due_at": start,
                "deadline_at": deadline,
            }
            for serial in serials
        ]
        await command_store.add(transaction, command, items)
        after_commit(transaction, self._wake)
        return key


def _instant(body: Mapping[str, Any], name: str) -> datetime | None:
    if not body.get(name):
        return None
    try:
        found = datetime.fromisoformat(str(body[name]))
    except ValueError as error:
        raise BadParametersError(f"{name} is {body[name]!r}: {error}.", hint="Send 2026-03-09T14:00Z.") from error
    if found.tzinfo is None:
        raise BadParametersError(f"{name} has no zone.", hint="Send 2026-03-09T14:00Z.")
    return found
