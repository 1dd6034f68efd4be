"""Reference data over HTTP: which there are, and loading a file of one kind.

GET  /api/reference                 how much is known of each kind, key by key
POST /api/reference/KIND?person=    a CSV file as the body (`vee.reference_data` says which columns)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select
from starlette.routing import Route

from openami.mdus.answers import BadQueryError, as_response
from openami.mdus.vee import reference_data, tables

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from openami.mdus.middle import Middle


class ReferenceViews:
    """The pages of reference data."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle

    def routes(self) -> list[Route]:
        """Every page."""
        return [
            Route("/api/reference", self.known, methods=["GET"]),
            Route("/api/reference/{kind}", self.load, methods=["POST"]),
        ]

    async def known(self, _: Request) -> Response:
        """Kinds and keys with the days that they cover, and who loaded them last."""
        table = tables.reference
        days = func.count(table.c.day.distinct()).label("days")
        first, last = func.min(table.c.day).label("first"), func.max(table.c.day).label("last")
        loaded = func.max(table.c.recorded_at).label("loaded_at")
        query = select(table.c.kind, table.c.key, days, first, last, loaded).group_by(table.c.kind, table.c.key)
        async with self._middle.database.read() as tx:
            rows = (await tx.execute(query.order_by(table.c.kind, table.c.key).limit(1_000))).mappings()
            found = [dict(row) for row in rows]
        return as_response({"kinds": list(reference_data.KINDS), "reference": found})

    async def load(self, request: Request) -> Response:
        """Keep a file: all of it, or nothing where a line cannot be read."""
        person = request.query_params.get("person", "").strip()
        if not person:
            raise BadQueryError("Nobody is named.", hint="Say who you are: the audit keeps it.")
        kind = str(request.path_params["kind"])
        try:
            text = (await request.body()).decode()
        except UnicodeDecodeError as error:
            raise BadQueryError("The file is no UTF-8 text.", hint="Save it as CSV in UTF-8.") from error
        given = reference_data.parse(kind, text)
        async with self._middle.database.begin() as tx:
            rows = await reference_data.keep(tx, given, person, self._middle.clock.now())
        return as_response({"kind": kind, "rows": rows})
