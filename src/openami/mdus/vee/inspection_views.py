"""Inspections over HTTP: what the field crew has to look at, and how far it is.

GET  /api/inspections?state=              open, assigned or done; all that are not done where no state is named
GET  /api/inspections.csv?state=          the same as a table
POST /api/inspections/NUMBER/assign       {"person", "to"}
POST /api/inspections/NUMBER/done         {"person", "note"}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from openami.mdus.answers import as_response, limit_of
from openami.mdus.vee import inspections
from openami.shared.service import json_body
from openami.shared.spreadsheet import as_csv

if TYPE_CHECKING:
    from typing import Any

    from starlette.requests import Request

    from openami.mdus.middle import Middle


class InspectionViews:
    """The list of tasks for the field."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle

    def routes(self) -> list[Route]:
        """Every page, and what a person may do."""
        return [
            Route("/api/inspections", self.listed, methods=["GET"]),
            Route("/api/inspections.csv", self.table, methods=["GET"]),
            Route("/api/inspections/{number:int}/assign", self.assign, methods=["POST"]),
            Route("/api/inspections/{number:int}/done", self.done, methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """Inspections, the oldest first."""
        return as_response({"inspections": await self._rows(request)})

    async def table(self, request: Request) -> Response:
        """Inspections as CSV."""
        return Response(as_csv(await self._rows(request)), media_type="text/csv")

    async def assign(self, request: Request) -> Response:
        """Say who goes."""
        return await self._change(request, inspections.ASSIGNED, "to")

    async def done(self, request: Request) -> Response:
        """Say what was found."""
        return await self._change(request, inspections.DONE, "note")

    async def _rows(self, request: Request) -> list[dict[str, Any]]:
        query = request.query_params
        async with self._middle.database.read() as tx:
            return await inspections.listed(tx, query.get("state", ""), limit_of(query))

    async def _change(self, request: Request, state: str, words: str) -> Response:
        body = await json_body(request)
        number: int = request.path_params["number"]
        said, person = str(body.get(words, "")), str(body.get("person", ""))
        async with self._middle.database.begin() as tx:
            await inspections.change(tx, number, state, said, person, self._middle.clock.now())
        return as_response({"number": number, "state": state})
