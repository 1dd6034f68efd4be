"""The messages of an area as JSON: what a monitor shows, and the two things a person does to a message."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, literal, select, union_all, update
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.errors import OpenAmiError
from openami.shared.packing import true_octets
from openami.shared.seam.store import DEAD, PENDING
from openami.shared.service import json_body

if TYPE_CHECKING:
    from sqlalchemy import Select
    from starlette.requests import Request

    from openami.shared.database import Database
    from openami.shared.seam.store import SeamTables

PAGE = 50
PAGE_MAX = 500
NUMBER_MAX = 2**63 - 1  # what a number in the books can be
WHOLE_DIGITS_MAX = 12


class NoSuchMessageError(OpenAmiError):
    """The message is not in this area's books."""


class NotDeadError(OpenAmiError):
    """Only a dead letter can be sent again by hand."""


class NotPendingError(OpenAmiError):
    """Only a message that waits to be sent can be cancelled."""


class BadFilterError(OpenAmiError):
    """A filter of the list that cannot be read."""


class MessageViews:
    """Routes `/api/messages`, `/api/messages/counts`, `/api/messages/{direction}/{sequence}` and `.../resend`."""

    def __init__(self, database: Database, tables: SeamTables) -> None:
        self._database = database
        self._tables = tables

    def routes(self) -> list[Route]:
        """What an area serves of its messages."""
        return [
            Route("/api/messages", self._list),
            Route("/api/messages/counts", self._counts),
            Route("/api/messages/quarantine", self._quarantine),
            Route("/api/messages/{direction:str}/{sequence:int}", self._one),
            Route("/api/messages/out/{sequence:int}/resend", self._resend, methods=["POST"]),
            Route("/api/messages/out/{sequence:int}/cancel", self._cancel, methods=["POST"]),
        ]

    def _all(self) -> Select[Any]:
        out, inbox = self._tables.outbox, self._tables.inbox
        sent = select(
            literal("out").label("direction"),
            out.c.sequence,
            out.c.id,
            out.c.seam,
            out.c.partner,
            out.c.operation,
            out.c.business_key,
            out.c.reference_id,
            out.c.state,
            out.c.attempts,
            out.c.created_at.label("at"),
            out.c.delivered_at.label("done_at"),
            out.c.error,
            true_octets(out.c.body).label("size_bytes"),
        )
        received = select(
            literal("in").label("direction"),
            inbox.c.sequence,
            inbox.c.id,
            inbox.c.seam,
            inbox.c.partner,
            inbox.c.operation,
            inbox.c.business_key,
            inbox.c.reference_id,
            inbox.c.state,
            inbox.c.attempts,
            inbox.c.received_at.label("at"),
            inbox.c.processed_at.label("done_at"),
            inbox.c.error,
            true_octets(inbox.c.body).label("size_bytes"),
        )
        return select(union_all(sent, received).subquery("messages"))

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        selection = self._all()
        columns = selection.selected_columns
        for name in ("seam", "direction", "state", "partner", "operation"):
            if query.get(name):
                selection = selection.where(columns[name] == query[name])
        if query.get("object"):
            selection = selection.where(columns["operation"].in_(_operations_about(query["object"])))
        if query.get("about"):
            selection = selection.where(columns["business_key"].contains(query["about"], autoescape=True))
        if query.get("from"):
            selection = selection.where(columns["at"] >= _instant("from", query["from"]))
        if query.get("until"):
            selection = selection.where(columns["at"] < _instant("until", query["until"]))
        if query.get("reference"):
            reference = _uuid(query["reference"])
            selection = selection.where((columns["id"] == reference) | (columns["reference_id"] == reference))
        limit = min(_whole("limit", query.get("limit") or str(PAGE)), PAGE_MAX)
        offset = _whole("offset", query.get("offset") or "0")
        newest = selection.order_by(columns["at"].desc(), columns["sequence"].desc()).limit(limit).offset(offset)
        async with self._database.read() as connection:
            rows = [_plain(row) for row in (await connection.execute(newest)).mappings()]
        return JSONResponse({"messages": rows, "limit": limit, "offset": offset})

    async def _counts(self, _request: Request) -> Response:
        columns = self._all().subquery().c
        query = select(columns.seam, columns.direction, columns.state, func.count().label("count")).group_by(
            columns.seam, columns.direction, columns.state
        )
        async with self._database.read() as connection:
            return JSONResponse([_plain(row) for row in (await connection.execute(query)).mappings()])

    async def _quarantine(self, _request: Request) -> Response:
        table = self._tables.quarantine
        query = select(table).order_by(table.c.sequence.desc()).limit(PAGE)
        async with self._database.read() as connection:
            return JSONResponse([_plain(row) for row in (await connection.execute(query)).mappings()])

    async def _one(self, request: Request) -> Response:
        direction, sequence = request.path_params["direction"], request.path_params["sequence"]
        table = {"out": self._tables.outbox, "in": self._tables.inbox}.get(direction)
        if table is not None and sequence <= NUMBER_MAX:
            async with self._database.read() as connection:
                row = (await connection.execute(select(table).where(table.c.sequence == sequence))).mappings().first()
            if row is not None:
                return JSONResponse({"direction": direction} | _plain(row))
        raise NoSuchMessageError(f"There is no message {direction}/{sequence}.", hint="See GET /api/messages.")

    async def _resend(self, request: Request) -> Response:
        table, sequence = self._tables.outbox, request.path_params["sequence"]
        statement = (
            update(table)
            .where(table.c.sequence == min(sequence, NUMBER_MAX), table.c.state == DEAD)
            .values(state=PENDING, attempts=0, next_attempt_at=datetime.now(UTC), error=None)
        )
        async with self._database.begin() as transaction:
            if (await transaction.execute(statement)).rowcount == 0:
                raise NotDeadError(f"Message {sequence} is not a dead letter.", hint="Others are sent by themselves.")
        return JSONResponse({"sequence": sequence, "state": PENDING})

    async def _cancel(self, request: Request) -> Response:
        """A person withdraws a message that has not been delivered: it stays in the books, as a dead letter."""
        table, sequence = self._tables.outbox, request.path_params["sequence"]
        body = await json_body(request) if await request.body() else {}
        person = str(body.get("person") or "somebody")
        statement = (
            update(table)
            .where(table.c.sequence == min(sequence, NUMBER_MAX), table.c.state == PENDING)
            .values(state=DEAD, error=f"Cancelled by {person}.")
        )
        async with self._database.begin() as transaction:
            if (await transaction.execute(statement)).rowcount == 0:
                raise NotPendingError(f"Message {sequence} does not wait to be sent.", hint="It has left, or is dead.")
        return JSONResponse({"sequence": sequence, "state": DEAD})


def _operations_about(name: str) -> list[str]:
    """The operations of a business object of the enterprise services.

    Raises:
        BadFilterError: there is no such object.
    """
    if name not in catalogue().objects:
        raise BadFilterError(f"There is no business object {name!r}.", hint=f"One of {', '.join(catalogue().objects)}.")
    return [one.name for one in catalogue().operations if one.business_object == name]


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > WHOLE_DIGITS_MAX:
        raise BadFilterError(f"{name}={text!r} is no number.", hint="Use a whole number from 0 on.")
    return int(text)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadFilterError(f"reference={text!r} is not the id of a message.", hint="Ids are UUIDs.") from error


def _instant(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadFilterError(f"{name}={text!r} is no instant.", hint="Use 2026-03-01T00:00:00Z.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _plain(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row mapping
    return {key: _text(value) for key, value in row.items()}


def _text(value: object) -> object:
    """A value as JSON; bodies are UTF-8 text where they are text, base64 where not."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return value if value is None or isinstance(value, int | float | str) else str(value)
