"""A console over recorded areas: what a landscape answered once, served again without one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from openami.shared.clock import ManualClock
from openami.shared.secrets import hash_password
from openami.shared.service import Area, create_app
from openami.shared.settings import Settings
from openami.web.area import build
from openami.web.rights import Role
from openami.web.session import COOKIE, Sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

VECTORS = Path(__file__).parents[1] / "vectors" / "web"
AREAS = ("field", "headend", "mdus", "office")
NOW = datetime(2026, 4, 1, 10, tzinfo=UTC)
KEY = b"k" * 32
PASSWORD = "the right one"


@dataclass
class RecordedAreas:
    """Answers like the areas did when they were recorded; a test may bring one down or change what one says."""

    settings: Settings
    answers: dict[str, dict[str, Any]]
    down: set[str] = field(default_factory=set)
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        area = next(name for name in AREAS if request.url.port == self.settings.address(name).port)
        if area in self.down:
            raise httpx.ConnectError("refused", request=request)
        path = request.url.path.removeprefix("/api/")
        if path.endswith("/document"):
            return httpx.Response(200, html="<!doctype html><title>Bill</title><h1>A bill</h1>")
        answer = self.answers[area].get(path)
        if answer is None:
            return httpx.Response(404, json={"error": "NotFound", "found": f"There is no {path}.", "hint": "Look."})
        if path == "messages":
            return httpx.Response(200, json=_messages(answer, request.url.params))
        if path.startswith(("series/", "registers/")):
            answer = _during(answer, request.url.params)
        return httpx.Response(200, json=answer)


def _messages(rows: list[dict[str, Any]], asked: httpx.QueryParams) -> dict[str, Any]:
    for name in ("seam", "direction", "state"):
        rows = [row for row in rows if asked.get(name, row[name]) == row[name]]
    if "reference" in asked:
        rows = [row for row in rows if asked["reference"] in (row["id"], row["reference_id"])]
    if "about" in asked:
        rows = [row for row in rows if asked["about"] in row["business_key"]]
    offset, limit = int(asked.get("offset", 0)), int(asked.get("limit", 50))
    return {"messages": rows[offset : offset + limit], "limit": limit, "offset": offset}


def _during(packed: dict[str, Any], asked: httpx.QueryParams) -> dict[str, Any]:
    """The packed recording of a series, between the instants that were asked for."""
    start, end = (datetime.fromisoformat(asked[name]) for name in ("from", "to"))
    times = [datetime.fromisoformat(text) for text in packed["times"]]
    if packed["interval_s"]:
        step = timedelta(seconds=packed["interval_s"])
        times = [times[0] + index * step for index in range(len(packed["values"]))] if times else []
    qualities = [quality for quality, count in packed["qualities"] for _ in range(count)]
    rows = [row for row in zip(times, packed["values"], qualities, strict=True) if start <= row[0] < end]
    return packed | {
        "times": [at.isoformat().replace("+00:00", "Z") for at, _, _ in rows],
        "values": [value for _, value, _ in rows],
        "qualities": [quality for _, _, quality in rows],
    }


@pytest.fixture(scope="session")
def users() -> dict[str, dict[str, str]]:
    """One user a role, named like it, all with one password; the administrator is `admin`, as after a first start."""
    password = hash_password(PASSWORD)
    names = {"admin": Role.ADMINISTRATOR, "second": Role.OPERATOR} | {
        str(role): role for role in Role if role is not Role.ADMINISTRATOR
    }
    return {name: {"role": role, "password": password, "stamp": "0"} for name, role in names.items()}


@pytest.fixture
def users_file(users: dict[str, dict[str, str]], tmp_path: Path) -> Path:
    path = tmp_path / "users.json"
    path.write_text(json.dumps(users))
    return path


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture(scope="session")
def cookies(users: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Sessions of all users that began at the recorded instant."""
    path = tmp_path_factory.mktemp("console") / "users.json"
    path.write_text(json.dumps(users))
    sessions = Sessions(path, KEY, ManualClock(NOW))
    made = {name: asyncio.run(sessions.log_in(name, PASSWORD)) for name in users}
    return {name: value for name, value in made.items() if value is not None}


@pytest.fixture(scope="session")
def cookie(cookies: dict[str, str]) -> str:
    """The administrator's session."""
    return cookies["admin"]


@pytest.fixture
def areas() -> RecordedAreas:
    answers = {area: json.loads((VECTORS / f"{area}.json").read_text("utf-8")) for area in AREAS}
    return RecordedAreas(Settings(base_port=9100), answers)


@pytest.fixture
def make_console(areas: RecordedAreas, clock: ManualClock, users_file: Path) -> Callable[[], Area]:
    def make() -> Area:
        client = httpx.AsyncClient(transport=httpx.MockTransport(areas))
        return build(
            settings=areas.settings,
            clock=clock,
            token="t",
            session_key=KEY,
            users_file=users_file,
            client=client,
            wall_clock=clock,
        )

    return make


@pytest.fixture
async def stranger(make_console: Callable[[], Area]) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has not logged in."""
    transport = httpx.ASGITransport(create_app(make_console(), token="t"))
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        yield client


@pytest.fixture
async def browser(stranger: httpx.AsyncClient, cookie: str) -> httpx.AsyncClient:
    """A browser that has logged in."""
    stranger.cookies.set(COOKIE, cookie)
    return stranger


@pytest.fixture
def log_in(stranger: httpx.AsyncClient, cookies: dict[str, str]) -> Callable[[str], httpx.AsyncClient]:
    """The browser, logged in as somebody."""

    def as_user(name: str) -> httpx.AsyncClient:
        stranger.cookies.clear()
        stranger.cookies.set(COOKIE, cookies[name])
        return stranger

    return as_user


@pytest.fixture
def device(areas: RecordedAreas) -> dict[str, Any]:
    """The meter whose data was recorded whole: a day of it was estimated."""
    return cast("dict[str, Any]", areas.answers["office"]["devices/OAE0000009"])
