"""Who gets in, and who does not."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.requests import Request
from structlog.testing import capture_logs
from tests.web.conftest import KEY, PASSWORD

from openami.shared.service import create_app
from openami.web.rights import Role
from openami.web.session import COOKIE, LIFETIME, Sessions
from openami.web.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.web.conftest import RecordedAreas

    from openami.shared.clock import ManualClock
    from openami.shared.service import Area


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
    assert "secure" not in cookie, "over plain HTTP no browser would send it back"
    assert (await stranger.get("/")).status_code == 200


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


async def _log_out(browser: httpx.AsyncClient) -> httpx.Response:
    token = re.search(r'action="/logout".*?name="form_token" value="([^"]+)"', (await browser.get("/")).text)
    assert token
    return await browser.post("/logout", data={"form_token": token[1]})


async def test_logging_out_ends_the_session_wherever_its_cookie_was_copied_to(
    browser: httpx.AsyncClient, cookie: str
) -> None:
    answer = await _log_out(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    browser.cookies.set(COOKIE, cookie)
    assert (await browser.get("/")).status_code == 303
    assert (await browser.post("/logout")).headers["location"] == "/login", "who is out is led on"


async def test_nobody_is_logged_out_by_a_link_or_by_another_site(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/logout")).status_code == 404
    refused = await browser.post("/logout", data={"form_token": "forged"})
    assert (refused.status_code, "not of this session" in refused.text) == (422, True)
    assert (await browser.get("/")).status_code == 200


async def test_ended_sessions_are_remembered_as_long_as_they_could_live(
    make_console: Callable[[], Area], browser: httpx.AsyncClient, cookie: str, clock: ManualClock, users_file: Path
) -> None:
    sessions = Sessions(users_file, KEY, clock)
    request = Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}={cookie}".encode())]})
    user = sessions.user_of(request)
    assert user is not None
    assert (user.name, user.role) == ("admin", Role.ADMINISTRATOR)
    sessions.end(request)
    assert sessions.user_of(request) is None
    clock.advance_to(clock.now() + LIFETIME)
    other = Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}=x".encode())]})
    sessions.end(other)
    assert list(sessions._ended) == ["x"]


async def test_guessing_is_braked_told_and_kept(
    stranger: httpx.AsyncClient, areas: RecordedAreas, clock: ManualClock
) -> None:
    wrong = {"user": "admin", "password": "guess", "next": "/bills"}
    with capture_logs() as logs:
        for _ in range(5):
            assert (await stranger.post("/login", data=wrong)).status_code == 401
        braked = await stranger.post("/login", data=wrong | {"password": PASSWORD})
    assert braked.status_code == 429
    assert braked.headers["retry-after"] == "1"
    assert "Too many wrong passwords. Try again in 1 seconds." in braked.text
    assert 'value="/bills"' in braked.text, "where one wanted to go is not lost"
    clock.advance_to(clock.now() + timedelta(seconds=1))
    assert (await stranger.post("/login", data=wrong | {"password": PASSWORD})).status_code == 303
    told = [json.loads(one.content) for one in areas.asked if one.url.path == "/api/audit"]
    assert [one["what"] for one in told] == ["login.refused"] * 5 + ["login"]
    assert {(one["who"], one["source"]) for one in told} == {("admin", "127.0.0.1")}
    assert [line["event"] for line in logs][-1] == "login.braked"
    for text in (str(logs), str(told)):
        assert PASSWORD not in text
        assert "guess" not in text


async def test_a_password_typed_as_the_user_is_kept_nowhere(stranger: httpx.AsyncClient, areas: RecordedAreas) -> None:
    with capture_logs() as logs:
        await stranger.post("/login", data={"user": PASSWORD, "password": ""})
    assert PASSWORD not in str(logs)
    assert PASSWORD.encode() not in b"".join(one.content for one in areas.asked)
    assert "nobody" in str(logs)


async def test_people_get_in_while_the_office_is_away(stranger: httpx.AsyncClient, areas: RecordedAreas) -> None:
    areas.down.add("office")
    with capture_logs() as logs:
        answer = await stranger.post("/login", data={"user": "admin", "password": PASSWORD})
    assert answer.status_code == 303
    assert [line["event"] for line in logs] == ["login", "audit.not_kept"]


async def test_over_tls_the_cookie_travels_over_tls_alone(make_console: Callable[[], Area]) -> None:
    transport = httpx.ASGITransport(create_app(make_console(), token="t"))
    async with httpx.AsyncClient(transport=transport, base_url="https://console") as client:
        answer = await client.post("/login", data={"user": "admin", "password": PASSWORD})
    assert "; secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.renew_password("viewer"),
        lambda users: users.give_role("viewer", Role.OPERATOR),
        lambda users: (users.give_role("viewer", Role.OPERATOR), users.give_role("viewer", Role.VIEWER)),
        lambda users: users.remove("viewer"),
        lambda users: (users.remove("viewer"), users.add("viewer", Role.VIEWER)),
    ],
    ids=["password", "role", "role and back", "removed", "removed and made again"],
)
async def test_a_change_of_a_user_ends_the_users_sessions_and_no_others(
    log_in: Callable[[str], httpx.AsyncClient], users_file: Path, change: Callable[[Users], object]
) -> None:
    assert (await log_in("viewer").get("/")).status_code == 200
    await asyncio.to_thread(change, Users(users_file))
    assert (await log_in("viewer").get("/")).status_code == 303
    assert (await log_in("clerk").get("/")).status_code == 200


async def test_a_user_who_is_removed_while_the_password_is_checked_does_not_get_in(
    users_file: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed_meanwhile(_password: str, _hashed: str) -> bool:
        Users(users_file).remove("viewer")
        return True

    monkeypatch.setattr("openami.web.session.password_matches", removed_meanwhile)
    assert await Sessions(users_file, KEY, clock).log_in("viewer", PASSWORD) is None


async def test_a_role_written_into_the_file_by_hand_ends_sessions_too(
    log_in: Callable[[str], httpx.AsyncClient], users_file: Path, users: dict[str, dict[str, str]]
) -> None:
    raised = users | {"viewer": users["viewer"] | {"role": "administrator"}}
    await asyncio.to_thread(users_file.write_text, json.dumps(raised))
    assert (await log_in("viewer").get("/")).status_code == 303


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
