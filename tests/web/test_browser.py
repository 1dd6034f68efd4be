"""The console in a real Chromium: phone and desktop, light and dark, with and without script.

The console runs on a real port over recorded areas; every page must fit its window, load without an error, and work
when scripts are off.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from openami.shared.service import create_app
from openami.web.session import COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    from openami.shared.service import Area

sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
CHROMIUM = os.environ.get("OPENAMI_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.enable_socket,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it, or name one in OPENAMI_CHROMIUM"),
]
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
PATHS = [
    "/",
    "/devices",
    "/devices/OAE0000009?view=day&day=2026-03-14",
    "/devices/OAE0000009?view=week&day=2026-03-17",
    "/devices/OAE0000009?view=month&day=2026-03-14",
    "/devices/OAE0000007",
    "/devices/OAG0000001",
    "/meters",
    "/meters/OAE0000009",
    "/meters/OAG0000001",
    "/headend",
    "/files",
    "/files/1",
    "/values",
    "/values?channel=NMI0000001%2FE1&span=2026-03-01",
    "/values/virtual?name=street.7",
    "/events",
    "/inspections",
    "/orders",
    "/orders?show=connections",
    "/orders?show=commands",
    "/messages?area=office",
    "/messages/office/in/90",
    "/messages/mdus/quarantine",
    "/bills",
    "/customers",
    "/users",
]
LEFT = "net::ERR_ABORTED"
"""What Chromium says of loads that ended because one went on to the next page."""
FITS = """() => {
  const seen = [...document.querySelectorAll('main *')].filter((one) => {
    if (one.closest('.scroll, pre, svg, .xaxis, .yaxis') || one.closest('details:not([open])')) return false;
    const box = one.getBoundingClientRect();
    return box.width > 0 && box.right > innerWidth + 1;
  });
  return {
    page: document.documentElement.scrollWidth, window: innerWidth,
    wide: seen.slice(0, 3).map((one) => one.outerHTML.slice(0, 120)),
    broken: [...document.images].filter((one) => !one.complete || !one.naturalWidth).map((one) => one.src),
    h1: document.querySelectorAll('h1').length,
    unstyled: getComputedStyle(document.body).fontFamily.includes('Times'),
  };
}"""


@dataclass(frozen=True)
class Served:
    """Where the console of a test is reached."""

    url: str
    areas: Any


@pytest.fixture(scope="module")
def chromium(cookie: str) -> Iterator[Browser]:
    """One browser for the module. The cookie is made first: its event loop cannot run inside this one's."""
    assert cookie
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def served(chromium: Browser, make_console: Callable[[], Area], areas: Any) -> Iterator[Served]:
    """The console on a port of its own, in a thread of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(make_console(), token="t"), log_level="error", lifespan="on", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            thread.join(0.01)
        yield Served(url, areas)
        for window in chromium.contexts:  # before the console stops: it waits for who still looks
            window.close()
        server.should_exit = True
        thread.join(20)


def visitor(browser: Browser, served: Served, cookie: str | None, size: str, **how: Any) -> BrowserContext:
    """A fresh browser window, logged in if it has a cookie."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, **how)
    context.set_default_timeout(15_000)
    if cookie:
        context.add_cookies(
            [{"name": COOKIE, "value": cookie, "url": served.url, "httpOnly": True, "sameSite": "Strict"}]
        )
    return context


def watched(context: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and what it complained about."""
    page, complaints = context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda sent: complaints.append(sent.url) if sent.failure != LEFT else None)
    return page, complaints


def paths_of(areas: Any) -> list[str]:
    """All pages, with the bill and the messages that were recorded."""
    bill = next(key for key in areas.answers["office"] if key.startswith("bills/"))
    message = next(key for key in areas.answers["mdus"] if key.startswith("messages/") and key[-1].isdecimal())
    return [*PATHS, f"/{bill}", f"/messages/mdus/{message.removeprefix('messages/')}", "/messages?area=mdus&state=dead"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_every_page_fits_its_window_and_loads_without_an_error(
    chromium: Browser, served: Served, cookie: str, size: str, scheme: str
) -> None:
    page, complaints = watched(visitor(chromium, served, cookie, size, color_scheme=scheme))
    for path in paths_of(served.areas):
        answer = page.goto(served.url + path, wait_until="load" if path != "/" else "domcontentloaded")
        assert answer is not None
        assert answer.status == 200, path
        found = page.evaluate(FITS)
        assert found["page"] <= found["window"], path
        assert found == found | {"wide": [], "broken": [], "h1": 1, "unstyled": False}, path
    assert complaints == []


@pytest.mark.parametrize("size", list(SIZES))
def test_the_pages_work_without_script_from_login_to_bill(chromium: Browser, served: Served, size: str) -> None:
    page, complaints = watched(visitor(chromium, served, None, size, java_script_enabled=False))
    page.goto(served.url + "/bills")
    page.get_by_label("Password").fill("not this")
    page.get_by_role("button", name="Log in").click()
    sync_api.expect(page.get_by_text("User or password is wrong")).to_be_visible()
    complaints.clear()  # Chromium counts the 401 as one
    page.get_by_label("Password").fill("the right one")
    page.get_by_role("button", name="Log in").click()
    sync_api.expect(page.get_by_role("heading", level=1)).to_have_text("Bills")
    for name in ("Landscape", "Head-end", "Events", "Orders", "Messages", "Customers", "Devices"):
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
        sync_api.expect(page.locator("nav[aria-label=Main] a[aria-current]")).to_have_text(name)
    page.get_by_label("Search").fill("ivo")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="OAE0000009").click()
    for name in ("Month", "Day", "7 days"):
        page.get_by_role("navigation", name="Days shown").get_by_role("link", name=name, exact=True).click()
        sync_api.expect(page.locator("nav[aria-label='Days shown'] a[aria-current]")).to_have_text(name)
        assert page.locator("svg.curve rect.q-measured").count() > 0
    page.get_by_role("link", name="Earlier").click()
    sync_api.expect(page.get_by_text("2026-03-18 to 2026-03-24")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    sync_api.expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert complaints == []


def test_on_a_phone_the_pages_are_one_row_and_the_shown_one_is_in_sight(
    chromium: Browser, served: Served, cookie: str
) -> None:
    page, _ = watched(visitor(chromium, served, cookie, "phone"))
    for path in ("/", "/customers"):
        page.goto(served.url + path, wait_until="domcontentloaded")
        row = page.get_by_role("navigation", name="Main")
        tops = row.locator("a").evaluate_all("all => all.map((one) => one.offsetTop)")
        assert len(set(tops)) == 1
        assert page.locator("header").evaluate("one => one.offsetHeight") < 100
        box = row.locator("[aria-current]").bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390


def test_a_day_of_the_month_leads_to_its_intervals(chromium: Browser, served: Served, cookie: str) -> None:
    page, _ = watched(visitor(chromium, served, cookie, "desktop"))
    page.goto(served.url + "/devices/OAE0000009?view=month&day=2026-03-20")
    page.locator("svg.curve a").nth(13).click()
    page.wait_for_url("**day=2026-03-14*")
    assert page.locator("svg.curve rect.q-estimated").count() == 95


def test_the_counters_live(chromium: Browser, served: Served, cookie: str) -> None:
    page, complaints = watched(visitor(chromium, served, cookie, "desktop"))
    page.goto(served.url + "/", wait_until="domcontentloaded")
    counter = page.locator('[data-live="street-frames"]')
    assert counter.inner_text() != "1\u202f234\u202f567"
    served.areas.answers["field"]["status"]["dlms_frames"] = 1234567
    sync_api.expect(counter).to_have_text("1\u202f234\u202f567")
    assert complaints == []


def test_the_keyboard_comes_to_the_content_first(chromium: Browser, served: Served, cookie: str) -> None:
    page, _ = watched(visitor(chromium, served, cookie, "desktop"))
    page.goto(served.url + "/devices")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_text_of_any_length_stays_in_its_place(chromium: Browser, served: Served, cookie: str) -> None:
    office, endless = served.areas.answers["office"], "W" * 300
    office["devices"][0]["serial"] = office["customers"][0]["name"] = office["bills"][0]["name"] = endless
    served.areas.answers["mdus"]["messages"][0] |= {"operation": endless, "error": endless, "partner": endless}
    served.areas.answers["mdus"]["events"]["events"][0] |= {"name": endless, "note": endless}
    page, _ = watched(visitor(chromium, served, cookie, "phone"))
    for path in ("/devices", "/customers", "/bills", "/messages", "/events"):
        page.goto(served.url + path)
        found = page.evaluate(FITS)
        assert (found["page"], found["wide"]) == (390, []), path
