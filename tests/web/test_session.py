"""Who gets in, and who does not."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from openami.shared.secrets import hash_password
from openami.web.session import COOKIE

if TYPE_CHECKING:
    from pathlib import Path

    from openami.shared.clock import ManualClock

PASSWORD = "the right one"


@pytest.mark.parametrize("path", ["/", "/devices", "/bills?q=a%20b&offset=50", "/bills/700000001/document", "/nowhere"])
async def test_strangers_are_sent_to_the_login_page_and_back_afterwards(stranger: httpx.AsyncClient, path: str) -> None:
    sent = await stranger.get(path)
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("/login?next=")
    form = await stranger.get(sent.headers["location"])
    assert form.status_code == 200
    wanted = form.text.split('name="next" value="')[1].split('"')[0].replace("&amp;", "&")
    assert httpx.URL("http://console" + wanted) == httpx.URL("http://console" + path)


@pytest.mark.parametrize("path", ["/index.json", "/devices.json", "/live"])
async def test_strangers_get_no_data(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 401


async def test_the_right_password_opens_a_session_that_scripts_and_other_sites_cannot_use(
    stranger: httpx.AsyncClient,
) -> None:
    form = {"user": "admin", "password": PASSWORD, "next": "/devices?kind=gas"}
    answer = await stranger.post("/login", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/devices?kind=gas"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (await stranger.get("/")).status_code == 200
    await stranger.get("/logout")
    assert (await stranger.get("/")).status_code == 303


@pytest.mark.parametrize(("user", "password"), [("admin", "wrong"), ("nobody", PASSWORD), ("", "")])
async def test_a_wrong_password_or_user_gets_the_form_again(
    stranger: httpx.AsyncClient, user: str, password: str
) -> None:
    answer = await stranger.post("/login", data={"user": user, "password": password, "next": "/bills"})
    assert answer.status_code == 401
    assert "wrong" in answer.text
    assert 'value="/bills"' in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("wanted", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "x"])
async def test_the_login_never_leads_to_another_site(stranger: httpx.AsyncClient, wanted: str) -> None:
    answer = await stranger.post("/login", data={"user": "admin", "password": PASSWORD, "next": wanted})
    assert answer.headers["location"] == "/"


async def test_a_session_ends_after_its_time(browser: httpx.AsyncClient, clock: ManualClock) -> None:
    assert (await browser.get("/")).status_code == 200
    clock.advance_to(clock.now() + timedelta(hours=12, seconds=1))
    assert (await browser.get("/")).status_code == 303


async def test_a_new_password_ends_all_sessions(browser: httpx.AsyncClient, users_file: Path) -> None:
    new = json.dumps({"admin": hash_password("a new one")})
    await asyncio.to_thread(users_file.write_text, new)
    assert (await browser.get("/")).status_code == 303


@pytest.mark.parametrize(
    "forged",
    [
        "", "admin", "admin|", "admin|never|x", "admin|2027-01-01T00:00:00|x", "admin|2027-01-01T00:00:00+00:00|x",
        "||", "admin|2027-01-01T00:00:00+00:00|\xfc", "j\xf6rg|2027-01-01T00:00:00+00:00|x",
    ],
)  # fmt: skip
async def test_a_forged_cookie_opens_nothing(stranger: httpx.AsyncClient, forged: str) -> None:
    answer = await stranger.get("/", headers={b"cookie": f"{COOKIE}={forged}".encode("latin-1")})
    assert answer.status_code == 303


async def test_a_longer_life_cannot_be_written_into_a_cookie(stranger: httpx.AsyncClient, cookie: str) -> None:
    user, until, signature = cookie.strip('"').split("|")
    stranger.cookies.set(COOKIE, f"{user}|{until.replace('2026', '2036')}|{signature}")
    assert (await stranger.get("/")).status_code == 303


async def test_without_users_nobody_gets_in(stranger: httpx.AsyncClient, users_file: Path) -> None:
    await asyncio.to_thread(users_file.unlink)
    assert (await stranger.post("/login", data={"user": "admin", "password": PASSWORD})).status_code == 401
    assert (await stranger.post("/login", data={"user": "nobody", "password": "nobody"})).status_code == 401


async def test_the_password_that_nobody_has_opens_nothing(stranger: httpx.AsyncClient) -> None:
    """An unknown user is checked against a password all the same, so that it takes as long."""
    for user in ("ghost", "", "admin|x"):
        assert (await stranger.post("/login", data={"user": user, "password": "nobody"})).status_code == 401


@pytest.mark.parametrize("form", [{}, {"user": "admin"}, {"password": PASSWORD}, {"user": ["admin", "x"]}])
async def test_half_a_login_is_none(stranger: httpx.AsyncClient, form: dict[str, str]) -> None:
    assert (await stranger.post("/login", data=form)).status_code == 401
