"""A bad line in front of a real area: requests get lost, answers get lost, messages come twice and out of order.

Only POSTs on the seams suffer (`/cim/...`, `/services/...`); everything else passes. The same seed loses the same
share, and no message for ever: each content is spared after it has been hit a few times.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Self

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

_METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD"]
_HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "host", "keep-alive"}
HITS_MAX = 3  # of the same content, so that a run with a seed always ends


@dataclass(slots=True)
class WireCounters:
    """What the wire did."""

    passed: int = 0
    requests_lost: int = 0
    answers_lost: int = 0
    doubled: int = 0
    delayed: int = 0


@dataclass(slots=True)
class LossyWire:
    """An HTTP proxy on loopback; use it as an async context manager."""

    target: str
    port: int
    seed: int = 1
    loss: float = 0.1
    doubling: float = 0.1
    delay_s: float = 0.05
    counters: WireCounters = field(default_factory=WireCounters)
    _chance: random.Random = field(init=False)
    _hits: Counter[bytes] = field(default_factory=Counter)
    _client: httpx.AsyncClient = field(init=False)
    _server: uvicorn.Server = field(init=False)
    _task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - faults on demand, not secrets

    @property
    def url(self) -> str:
        """The address to use instead of the target's."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(timeout=60.0, trust_env=False)
        app = Starlette(routes=[Route("/{path:path}", self._carry, methods=_METHODS)], lifespan=_nothing)
        config = uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="error", access_log=False)
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        await self._client.aclose()

    async def _carry(self, request: Request) -> Response:
        body = await request.body()
        on_seam = request.method == "POST" and request.url.path.startswith(("/cim/", "/services/"))
        if not on_seam or self._hits[_key(body)] >= HITS_MAX:
            return await self._forward(request, body)
        fate = self._chance.random()
        if fate < self.loss:
            return self._lose(body)
        if fate < 2 * self.loss:
            await self._forward(request, body)
            self.counters.requests_lost -= 1
            self.counters.answers_lost += 1
            return self._lose(body)
        if self._chance.random() < self.doubling:
            self.counters.doubled += 1
            await self._forward(request, body)
        if self._chance.random() < self.doubling:  # whoever is sent later may now arrive earlier
            self.counters.delayed += 1
            await asyncio.sleep(self._chance.random() * self.delay_s)
        return await self._forward(request, body)

    def _lose(self, body: bytes) -> Response:
        self._hits[_key(body)] += 1
        self.counters.requests_lost += 1
        return Response("the line went dead", status_code=503)

    async def _forward(self, request: Request, body: bytes) -> Response:
        url = self.target + request.url.path + (f"?{request.url.query}" if request.url.query else "")
        headers = {key: value for key, value in request.headers.items() if key not in _HOP_BY_HOP}
        try:
            answer = await self._client.request(request.method, url, content=body, headers=headers)
        except httpx.TransportError:
            return Response("nobody there", status_code=503)
        self.counters.passed += 1
        passed_on = {key: value for key, value in answer.headers.items() if key not in _HOP_BY_HOP}
        return Response(answer.content, status_code=answer.status_code, headers=passed_on)


@asynccontextmanager
async def _nothing(_app: Starlette) -> AsyncIterator[None]:
    yield


def _key(body: bytes) -> bytes:
    return sha256(body).digest()
