"""The live counters: a stream that goes on while somebody looks, and the customer's bill in its frame."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openami.shared.service import create_app
from openami.web import area as module
from openami.web.session import COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    import pytest

    from openami.shared.service import Area


async def looked_at(make_console: Callable[[], Area], cookie: str, lines: int) -> list[dict[str, Any]]:
    """What the page of counters is sent until its reader has seen some lines and goes away."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http", "method": "GET", "path": "/live", "raw_path": b"/live", "query_string": b"", "root_path": "",
        "headers": [(b"cookie", f"{COOKIE}={cookie}".encode())], "scheme": "http", "server": ("console", 80),
        "http_version": "1.1", "asgi": {"version": "3.0", "spec_version": "2.4"},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        gone = sum(message["type"] == "http.response.body" for message in sent) >= lines
        return {"type": "http.disconnect"} if gone else {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await create_app(make_console(), token="t")(scope, receive, send)
    return sent


async def test_the_counters_come_again_and_again_until_nobody_looks(
    make_console: Callable[[], Area], cookie: str, areas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIVE_EVERY_S", 0.0)
    areas.down = {"mdus"}
    head, *bodies = await looked_at(make_console, cookie, lines=3)
    assert head["status"] == 200
    headers = dict(head["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-store"
    events = [body["body"].decode() for body in bodies if body["body"]]
    assert len(events) == 3
    assert all(event.startswith("data: {") and event.endswith("}\n\n") for event in events)
    told = json.loads(events[0].removeprefix("data: "))
    assert told["now"] == "2026-04-01 12:00", "as a person reads it, in the zone of the installation"
    assert "mdus" in json.dumps(told)


async def test_a_stranger_sees_no_counters(make_console: Callable[[], Area]) -> None:
    head, *_ = await looked_at(make_console, "admin|forged", lines=1)
    assert head["status"] == 401


async def test_the_bill_of_a_customer_runs_no_script_and_is_framed_by_us_only(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/bills/700000001/document")
    assert "A bill" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_bill_that_cannot_be_had_is_told(browser: httpx.AsyncClient, areas: Any) -> None:
    assert (await browser.get("/bills/%2e%2e/document")).status_code in {404, 307}
    areas.down = {"office"}
    answer = await browser.get("/bills/700000001/document")
    assert (answer.status_code, "The area office does not answer" in answer.text) == (503, True)
