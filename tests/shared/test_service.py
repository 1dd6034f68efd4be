from __future__ import annotations

import asyncio
import gc
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from openami.shared import service
from openami.shared.database import Database
from openami.shared.errors import OpenAmiError
from openami.shared.service import Area, Work, create_app, json_body, settle_memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Message

    from openami.shared.clock import ManualClock


async def echo(request: Request) -> Response:
    return JSONResponse({"size": len(await request.body())})


async def command(request: Request) -> Response:
    return JSONResponse(await json_body(request))


async def refuse(_request: Request) -> Response:
    raise OpenAmiError("There is no such meter.", hint="Look at the list.")


def client_of(area: Area, viewer_token: str | None = None, **headers: str) -> httpx.AsyncClient:
    app = create_app(area, token="secret", viewer_token=viewer_token)
    given = {"authorization": "Bearer secret"} | headers
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://area", headers=given)


@pytest.fixture
def area(clock: ManualClock) -> Area:
    async def busy() -> Work:
        return Work("readings", 3, clock.now() + timedelta(hours=2))

    async def waiting() -> Work:
        return Work("orders", 0, clock.now() + timedelta(hours=1))

    routes = [
        Route("/api/echo", echo, methods=["POST"]),
        Route("/api/command", command, methods=["POST"]),
        Route("/api/refuse", refuse),
    ]
    return Area("test", clock, routes=[*routes], work=[busy, waiting], activity=lambda: 7)


async def test_work_adds_up_and_the_first_timer_counts(area: Area, clock: ManualClock) -> None:
    told = (await client_of(area).get("/api/work")).json()
    assert (told["pending"], told["activity"], told["parts"]) == (3, 7, {"readings": 3, "orders": 0})
    assert told["next_due"] == (clock.now() + timedelta(hours=1)).isoformat()


async def test_metrics_show_what_is_in_hand(area: Area) -> None:
    text = (await client_of(area).get("/metrics")).text
    assert 'openami_work_pending{area="test",part="readings"} 3.0' in text


async def test_metrics_show_what_is_overdue_and_what_was_done(area: Area, clock: ManualClock) -> None:
    client = client_of(area)
    text = (await client.get("/metrics")).text
    assert 'openami_work_overdue_seconds{area="test",part="orders"} 0.0' in text
    assert 'openami_work_done{area="test"} 7.0' in text
    clock.advance(timedelta(hours=1, minutes=30))

    async def forgotten() -> Work:
        return Work("orders", 0, clock.now() - timedelta(minutes=30))

    area.work[1] = forgotten
    text = (await client.get("/metrics")).text
    assert 'openami_work_overdue_seconds{area="test",part="orders"} 1800.0' in text
    assert "process_resident_memory_bytes" in text


async def test_health_needs_no_token_but_the_rest_does(area: Area) -> None:
    stranger = client_of(area, authorization="Bearer guess")
    assert (await stranger.get("/healthz")).json()["alive"] is True
    assert (await stranger.get("/readyz")).status_code == 200
    assert (await stranger.get("/api/work")).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_viewers_token_looks(area: Area, method: str) -> None:
    viewer = client_of(area, viewer_token="looker", authorization="Bearer looker")
    answer = await viewer.request(method, "/api/work")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "get"])
async def test_a_viewers_token_does_nothing_and_is_told_what_is_asked_for(area: Area, method: str) -> None:
    app = create_app(area, token="secret", viewer_token="looker")
    said: list[Message] = []

    async def nothing_is_read() -> Message:
        raise AssertionError("the body of a refused request is not read")

    async def told(message: Message) -> None:
        said.append(message)

    headers = [(b"authorization", b"Bearer looker")]
    scope = {"type": "http", "method": method, "path": "/api/echo", "query_string": b"", "headers": headers}
    await app(scope, nothing_is_read, told)
    assert said[0]["status"] == 403
    assert f"A viewer's token only looks: {method} asks for the administrator's." in said[1]["body"].decode()
    assert b"openami token --role administrator" in said[1]["body"]


@pytest.mark.parametrize(
    ("viewer_token", "shown"),
    [
        ("looker", "Bearer lookers"),
        ("looker", "Bearer looke"),
        ("looker", "bearer looker"),
        ("looker", "looker"),
        ("looker", ""),
        (None, "Bearer None"),
        (None, "Bearer "),
        ("", "Bearer "),
    ],
)
async def test_what_is_not_quite_a_viewers_token_is_nothing(area: Area, viewer_token: str | None, shown: str) -> None:
    stranger = client_of(area, viewer_token=viewer_token, authorization=shown)
    assert (await stranger.get("/api/work")).status_code == 401
    assert (await stranger.post("/api/echo")).status_code == 401


async def test_the_service_token_does_everything_beside_a_viewers(area: Area) -> None:
    service = client_of(area, viewer_token="looker")
    assert (await service.post("/api/echo", content=b"abc")).json() == {"size": 3}
    assert (await service.get("/api/work")).status_code == 200


@pytest.mark.postgres
async def test_an_area_is_ready_while_its_database_answers(area: Area, database: Database) -> None:
    area.database = database
    assert (await client_of(area).get("/readyz")).status_code == 200
    area.database = Database("postgresql+psycopg://openami:opensesame@127.0.0.1:1/nowhere?connect_timeout=5")
    answer = await client_of(area).get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "127.0.0.1" in answer.json()["found"], "where nothing answers"
    assert "opensesame" not in answer.text


async def test_an_area_that_answers_everything_still_tells_its_health(area: Area) -> None:
    area.routes.append(Route("/{page:path}", echo))  # as the console sends everybody else to its login
    client = client_of(area)
    assert (await client.get("/readyz")).json() == {"area": "test", "ready": True}
    assert "openami_work_pending" in (await client.get("/metrics")).text


async def test_an_error_of_ours_reaches_the_client_in_words(area: Area) -> None:
    answer = await client_of(area).get("/api/refuse")
    assert answer.status_code == 422
    assert answer.json() == {
        "error": "OpenAmiError",
        "found": "There is no such meter.",
        "hint": "Look at the list.",
    }


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"[1]", "a JSON list"),
        (b"[" * 100_000, "not JSON"),
        (b'{"name": "\xff"}', "not JSON"),
        (b'{"name": "\\udfff"}', "not JSON"),
        (b'{"name": {"deep": ["a\\u0000"]}}', "zero character"),
        (b'{"\\u0000": 1}', "zero character"),
    ],
)
async def test_a_command_must_be_a_json_object(area: Area, body: bytes, found: str) -> None:
    assert found in (await client_of(area).post("/api/command", content=body)).json()["found"]


@pytest.mark.parametrize("name", ["\\u0000", "\\\\u0000", "𝄞", "\ufeff", "tab\t"])
async def test_a_text_that_only_looks_odd_is_kept(area: Area, name: str) -> None:
    assert (await client_of(area).post("/api/command", json={"name": name})).json() == {"name": name}


async def _drops(total: int) -> AsyncIterator[bytes]:
    for _ in range(total):
        yield b"x" * 100


async def test_an_oversize_body_is_refused_whether_it_says_so_or_not(
    area: Area, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_BODY_BYTES", 1000)
    client = client_of(area)
    assert (await client.post("/api/echo", content=b"x" * 1000)).json() == {"size": 1000}
    assert (await client.post("/api/echo", content=b"x" * 1001)).status_code == 413
    assert (await client.post("/api/echo", content=_drops(11))).status_code == 413
    assert (await client.post("/api/echo", content=_drops(10))).json() == {"size": 1000}


async def test_a_loop_that_fails_is_started_again(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LOOP_PAUSE_S", 0)
    again = asyncio.Event()
    runs: list[int] = []

    async def loop() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise RuntimeError("stumbled")
        again.set()
        await asyncio.Event().wait()

    app = create_app(Area("test", clock, loops=[loop]), token="secret")
    async with app.router.lifespan_context(app):
        await asyncio.wait_for(again.wait(), 5)
    assert len(runs) == 3


def test_what_was_imported_is_not_walked_by_the_collector_again() -> None:
    before = gc.get_threshold()
    try:
        settle_memory()
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold() > before
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
