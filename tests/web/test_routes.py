"""A walk over all routes of the console: who may what, what a form must carry, what every answer says to the browser.

New routes are walked as soon as they are there: nobody has to think of them here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from starlette.routing import Mount, Route

from openami.shared.service import create_app
from openami.web.headers import HEADERS
from openami.web.session import COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx
    from starlette.routing import BaseRoute

    from openami.shared.service import Area

HOUSE = {"/healthz", "/readyz", "/metrics", "/api/work"}
"""Of every area alike; tested with the service."""
OPEN = {"/login"}
"""What a stranger may ask for."""


def _routes(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif isinstance(route, Mount):
            yield from _routes(route.routes or [])


def _ways(area: Area) -> list[tuple[str, str]]:
    """Every method and path, with something in the place of names."""
    ways = [
        (method, re.sub(r"{[a-z]+(:[a-z]+)?}", "7", route.path))
        for route in _routes(create_app(area, token="t").routes)
        for method in sorted(route.methods or set())
        if route.path not in HOUSE
    ]
    assert len(ways) > 60
    return ways


async def test_strangers_see_the_login_and_nothing_else(
    stranger: httpx.AsyncClient, areas: Any, make_console: Callable[[], Area]
) -> None:
    for method, path in _ways(make_console()):
        if path in OPEN:
            continue
        answer = await stranger.request(method, path)
        assert answer.status_code in {303, 401}, (method, path)
        assert answer.status_code == 401 or answer.headers["location"].startswith("/login"), (method, path)
    assert areas.asked == [], "no area was asked for them"


async def test_whoever_is_logged_in_changes_something_with_a_form_of_this_session_alone(
    browser: httpx.AsyncClient, areas: Any, make_console: Callable[[], Area]
) -> None:
    for method, path in _ways(make_console()):
        if path in {*OPEN, "/live"}:
            continue
        answer = await browser.request(method, path)
        if method == "POST":
            assert (answer.status_code, "not of this session" in answer.text) == (422, True), path
    previews = {"/api/edits/preview", "/api/virtual/preview", "/api/explain"}
    assert {one.url.path for one in areas.asked if one.method != "GET"} <= previews
    assert (await browser.get("/")).status_code == 200, "and is still logged in"


@pytest.mark.parametrize("logged_in", [False, True])
async def test_every_answer_tells_the_browser_to_be_careful(
    stranger: httpx.AsyncClient, cookie: str, make_console: Callable[[], Area], *, logged_in: bool
) -> None:
    if logged_in:
        stranger.cookies.set(COOKIE, cookie)
    ways = [("GET", "/static/style.css"), ("GET", "/nowhere"), *_ways(make_console())]
    for method, path in ways:
        if path == "/live" and logged_in:
            continue  # it has no end
        answer = await stranger.request(method, path)
        for name in HEADERS:
            assert name in answer.headers, (method, path, name)
        assert "frame-ancestors" in answer.headers["content-security-policy"]
        kept = "no-cache" if path.startswith("/static/") else "no-store"
        assert answer.headers["cache-control"] == kept, (method, path)
        assert "strict-transport-security" not in answer.headers, "not over plain HTTP"
