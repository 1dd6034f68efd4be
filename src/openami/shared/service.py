"""How an area runs: one asyncio process with an HTTP door, background loops, and a truthful word on its work.

Every area serves `/healthz` (alive), `/readyz` (its database answers), `/metrics`, `/api/...` (bearer token; a viewer's
only looks) and `/api/work`: how much is in hand and when the next business timer is due. The conductor of a simulated
landscape moves the clock only when every area says that nothing is in hand.
"""

from __future__ import annotations

import asyncio
import gc
import hmac
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from datetime import datetime

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from openami.shared.clock import Clock
    from openami.shared.database import Database

log = structlog.get_logger()

MAX_BODY_BYTES = 128 * 1024 * 1024
"""A bulk of 100,000 reading results is about 80 MB."""
MAX_FILE_BYTES = 16 * 1024 * 1024 * 1024
"""Files are written to the disk as they come; a year of a large fleet in XML fits."""
LOOP_PAUSE_S = 1.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that only look (RFC 9110, 9.2.1), of those that areas answer."""


def settle_memory() -> None:
    """Spare the collector what was imported, which stays, and call it less often than for a short script."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@dataclass(frozen=True, slots=True)
class Work:
    """What one part of an area has in hand: items not finished, and the next business instant it waits for."""

    name: str
    pending: int
    next_due: datetime | None = None


@dataclass(slots=True)
class Area:
    """One area, wired: what it serves, what it does in the background, what it has in hand."""

    name: str
    clock: Clock
    database: Database | None = None
    routes: list[BaseRoute] = field(default_factory=list)
    loops: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    work: list[Callable[[], Awaitable[Work]]] = field(default_factory=list)
    on_start: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    activity: Callable[[], int] = lambda: 0
    takes_files_at: frozenset[str] = frozenset()
    """Paths whose bodies are files, streamed to the disk: they may be large."""


def create_app(area: Area, *, token: str, viewer_token: str | None = None) -> Starlette:
    """The ASGI application of an area; `/api` asks for the bearer token, and with a viewer's it only tells."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        for start in area.on_start:
            await start()
        tasks = [asyncio.create_task(_for_ever(area.name, loop)) for loop in area.loops]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if area.database is not None:
            await area.database.close()

    app = Starlette(
        routes=[*_house_routes(area), *area.routes],
        lifespan=lifespan,
        middleware=[Middleware(_Guard, token=token, viewer_token=viewer_token, takes_files_at=area.takes_files_at)],
        exception_handlers={OpenAmiError: _explain},
    )
    app.state.area = area
    return app


def _house_routes(area: Area) -> Sequence[Route]:
    measures = _Measures(area)
    started = time.monotonic()

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"area": area.name, "alive": True, "up_s": round(time.monotonic() - started)})

    async def readyz(_request: Request) -> Response:
        if area.database is not None:
            try:
                await area.database.answer()
            except Exception as error:  # noqa: BLE001 - whatever it is, we are not ready
                return JSONResponse({"area": area.name, "ready": False, "found": str(error)}, status_code=503)
        return JSONResponse({"area": area.name, "ready": True})

    async def work(_request: Request) -> Response:
        parts = await asyncio.gather(*(ask() for ask in area.work))
        dues = [part.next_due for part in parts if part.next_due is not None]
        return JSONResponse(
            {
                "area": area.name,
                "now": area.clock.now().isoformat(),
                "pending": sum(part.pending for part in parts),
                "next_due": min(dues).isoformat() if dues else None,
                "activity": area.activity(),
                "parts": {part.name: part.pending for part in parts},
            }
        )

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(await measures.told(), media_type="text/plain; version=0.0.4")

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/api/work", work),
    ]


class _Measures:
    """What a monitoring system asks of an area: work in hand, what is overdue, and what the process takes."""

    def __init__(self, area: Area) -> None:
        self._area = area
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        labels = ["area", "part"]
        self._pending = Gauge("openami_work_pending", "Items in hand.", labels, registry=registry)
        self._overdue = Gauge(
            "openami_work_overdue_seconds",
            "How late the next timer of a part is.",
            labels,
            registry=registry,
        )
        self._done = Gauge("openami_work_done", "Items done since the start.", ["area"], registry=registry)

    async def told(self) -> bytes:
        """The measures now, as Prometheus reads them."""
        name, now = self._area.name, self._area.clock.now()
        for part in await asyncio.gather(*(ask() for ask in self._area.work)):
            late = (now - part.next_due).total_seconds() if part.next_due is not None else 0
            self._pending.labels(name, part.name).set(part.pending)
            self._overdue.labels(name, part.name).set(max(0, late))
        self._done.labels(name).set(self._area.activity())
        return generate_latest(self._registry)


async def _for_ever(area: str, loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop; if it fails, say so and start it again: a service goes on."""
    while True:
        try:
            await loop()
        except Exception:  # the loop's own state is in the database
            log.exception("loop.failed", area=area, loop=getattr(loop, "__qualname__", repr(loop)))
        await asyncio.sleep(LOOP_PAUSE_S)


async def _explain(_request: Request, error: Exception) -> Response:
    """Every error of ours reaches a client as what was found and what to do."""
    found, hint = (error.found, error.hint) if isinstance(error, OpenAmiError) else (str(error), "")
    return JSONResponse({"error": type(error).__name__, "found": found, "hint": hint}, status_code=422)


class _Guard:
    """Refuses oversize bodies everywhere, and on `/api` strangers, and viewers who want more than to look."""

    def __init__(self, app: ASGIApp, token: str, viewer_token: str | None, takes_files_at: frozenset[str]) -> None:
        self._app = app
        self._takes_files_at = takes_files_at
        self._service = f"Bearer {token}".encode()
        self._viewer = f"Bearer {viewer_token}".encode() if viewer_token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        most = MAX_FILE_BYTES if scope["path"] in self._takes_files_at else MAX_BODY_BYTES
        if not length.isdigit() or int(length) > most:
            await _refusal(413, f"The body may have {most} bytes.", "Send less.")(scope, receive, send)
            return
        if scope["path"].startswith("/api/"):
            shown = headers.get(b"authorization", b"")
            if not hmac.compare_digest(shown, self._service) and (refusal := self._refused(scope["method"], shown)):
                await refusal(scope, receive, send)
                return
        await self._app(scope, _counted(receive, most), send)

    def _refused(self, method: str, shown: bytes) -> Response | None:
        """Why a request without the service token may not pass; None for a viewer who looks."""
        if self._viewer is None or not hmac.compare_digest(shown, self._viewer):
            return _refusal(401, "The bearer token is missing or wrong.", "Send the installation's service token.")
        if method not in SAFE_METHODS:
            hint = "openami token --role administrator shows it, on the machine of the installation."
            return _refusal(403, f"A viewer's token only looks: {method} asks for the administrator's.", hint)
        return None


def _counted(receive: Receive, most: int) -> Receive:
    """Receives the body of a request that did not say how long it is, up to what is allowed."""
    received_bytes = 0

    async def counted() -> Message:
        nonlocal received_bytes
        message = await receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > most:
            raise HTTPException(413, f"The body may have {most} bytes. Send less.")
        return message

    return counted


def _refusal(status: int, found: str, hint: str) -> Response:
    return JSONResponse({"error": "Refused", "found": found, "hint": hint}, status_code=status)


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object that a command carries.

    Raises:
        OpenAmiError: it is not JSON, not an object, or holds characters that no text has.
    """
    raw = await request.body()
    try:
        body = json.loads(raw)
        # half of a surrogate pair cannot be written anywhere, and PostgreSQL keeps no zero character
        keepable = b"\\u0000" not in json.dumps(body).encode().replace(b"\\\\", b"")
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise OpenAmiError(f"The body is not JSON: {error}.", hint="Send a JSON object.") from error
    if not keepable:
        raise OpenAmiError("The body holds a zero character.", hint="Send text without it.")
    if not isinstance(body, dict):
        raise OpenAmiError(f"The body is a JSON {type(body).__name__}.", hint="Send a JSON object.")
    return body
