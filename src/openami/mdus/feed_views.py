"""The change feed over HTTP: what changed since a consumer last confirmed, with the values before and after.

    PUT    /api/changes/billing-lake              somebody asks under this name from now on, from the first value
    GET    /api/changes/billing-lake              changes, and a `confirm` for them
    POST   /api/changes/billing-lake              {"confirm": "..."}: they are kept, go on from there
    DELETE /api/changes/billing-lake              nobody asks any more

Looking twice gives the same again: a lost answer loses nothing. What a consumer has not confirmed is not sealed, so
only who may write begins one. A change names the virtual channels that it is part of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from starlette.routing import Route

from openami.mdus.answers import BadQueryError, as_response, limit_of, not_found
from openami.mdus.series.calendar import instant_of
from openami.mdus.series.feed import begin_at_first, confirm_changes, forget_consumer, is_consumer, look_at_changes
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.services.upload import CONSUMER
from openami.mdus.vee.review import NAME as REVIEW
from openami.mdus.virtual import store as virtual_store
from openami.shared.quality import has_value, label
from openami.shared.service import json_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.requests import Request
    from starlette.responses import Response

    from openami.mdus.middle import Middle
    from openami.mdus.series.feed import Change

_SNAPSHOT: Final = re.compile(r"\d{1,20}:\d{1,20}:[\d,]*")


class FeedViews:
    """The pages of the change feed."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle

    def routes(self) -> list[Route]:
        """Every page."""
        path = "/api/changes/{consumer}"
        return [
            Route(path, self.begin, methods=["PUT"]),
            Route(path, self.look, methods=["GET"]),
            Route(path, self.confirm, methods=["POST"]),
            Route(path, self.forget, methods=["DELETE"]),
        ]

    async def begin(self, request: Request) -> Response:
        """Somebody asks under this name from now on; one who did already goes on."""
        consumer = _consumer(request)
        async with self._middle.database.begin() as tx:
            await begin_at_first(tx, consumer)
        return as_response({"began": consumer})

    async def look(self, request: Request) -> Response:
        """About `limit` changed channel-days; intervals whose value or presence changed, before and after."""
        consumer = _consumer(request)
        async with self._middle.database.begin() as tx:
            if not await is_consumer(tx, consumer):
                return _nobody(consumer)
            limit = limit_of(request.query_params)
            changes, seen = await look_at_changes(tx, consumer, limit, lake=self._middle.lake)
            rows = [row for change in changes for row in await self._rows(tx, change)]
        return as_response({"changes": rows, "confirm": seen.snapshot})

    async def confirm(self, request: Request) -> Response:
        """The changes were kept: the next look goes on from there."""
        seen = str((await json_body(request)).get("confirm", ""))
        if not _SNAPSHOT.fullmatch(seen):
            raise BadQueryError(f"confirm={seen[:60]!r} is none of ours.", hint="Send what the changes came with.")
        consumer = _consumer(request)
        async with self._middle.database.begin() as tx:
            known = await confirm_changes(tx, consumer, Knowledge(seen))
        return as_response({"confirmed": seen}) if known else _nobody(consumer)

    async def forget(self, request: Request) -> Response:
        """Nobody asks under this name any more."""
        consumer = _consumer(request)
        async with self._middle.database.begin() as tx:
            gone = await forget_consumer(tx, consumer)
        return as_response({"forgotten": consumer}) if gone else _nobody(consumer)

    async def _rows(self, tx: AsyncConnection, change: Change) -> list[dict[str, Any]]:
        known = {one.id: one for one in await self._middle.series.channels(tx, np.unique(change.after.channel))}
        definitions = await virtual_store.load(tx)
        rows = []
        for row, (channel, day) in enumerate(change.after.keys()):
            slots = np.flatnonzero(change.cells[row])
            if not slots.size:
                continue
            begin_s, step_s = known[channel].calendar.start_s(day.toordinal()), known[channel].interval_s
            version = int(change.after.version[row])
            cells = list(_cells(change, row, slots.tolist(), begin_s, step_s))
            virtual = definitions.with_member(channel, day.toordinal())
            rows.append({"channel": channel, "day": day, "version": version, "virtual": virtual, "intervals": cells})
        return rows


def _cells(change: Change, row: int, slots: list[int], begin_s: int, step_s: int) -> Iterator[dict[str, Any]]:
    before, after = change.before, change.after
    had, has = has_value(before.quality[row]), has_value(after.quality[row])
    for slot in slots:
        yield {
            "start": instant_of(begin_s + slot * step_s),
            "before": int(before.values[row, slot]) if had[slot] else None,
            "after": int(after.values[row, slot]) if has[slot] else None,
            "quality": label(int(after.quality[row, slot])),
        }


def _nobody(consumer: str) -> Response:
    hint = "PUT to this path begins a consumer, with the service token; what it has not confirmed is not sealed."
    return not_found(BadQueryError(f"Nobody is {consumer!r}.", hint=hint))


def _consumer(request: Request) -> str:
    name = str(request.path_params["consumer"])
    if name in {CONSUMER, REVIEW}:
        raise BadQueryError(f"{name!r} is a feed of the MDUS itself.", hint="Choose another name.")
    return name
