"""Every page over recorded areas: complete as HTML and as JSON, honest when an area is down, safe with hostile text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from lxml import html

if TYPE_CHECKING:
    from collections.abc import Callable

PATHS = [
    "/",
    "/devices",
    "/devices?q=lindenlaan+9&kind=electricity",
    "/devices/OAE0000009",
    "/devices/OAE0000009?view=day&day=2026-03-14",
    "/devices/OAE0000009?view=month&day=2026-03-14",
    "/devices/OAE0000007",
    "/devices/OAG0000001?view=month",
    "/meters",
    "/meters/OAE0000009",
    "/meters/OAG0000001",
    "/headend",
    "/files",
    "/files/1",
    "/files/2",
    "/values",
    "/values?channel=NMI0000001%2FE1&span=2026-03-01",
    "/values/virtual",
    "/values/virtual?name=street.7",
    "/events",
    "/inspections",
    "/orders",
    "/orders?show=connections",
    "/orders?show=commands",
    "/messages",
    "/messages?area=office&direction=in",
    "/bills",
    "/tariffs",
    "/customers",
]
VOID = {"meta", "link", "input", "br", "hr", "img", "rect", "line", "circle", "path"}


class Tree(HTMLParser):
    """Checks that what was opened is closed, and gathers links, headings and ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.feed(text)
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag in {"h1", "h2"}:
            self.headings.append(tag)
        if tag == "script":
            self.scripts.append(given)
        assert not [name for name in given if name.startswith("on")], "no inline script"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Elements of the drawing that close themselves."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def json_address(path: str) -> str:
    bare, _, query = path.partition("?")
    return ("/index.json" if bare == "/" else f"{bare}.json") + (f"?{query}" if query else "")


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_is_there_as_html(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 200
    tree = Tree(answer.text)
    assert tree.headings.count("h1") == 1
    assert json_address(path).replace("&", "&amp;") in answer.text
    assert all(script["src"] == "/static/live.js" for script in tree.scripts)
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "does not answer" not in answer.text


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_is_there_as_json_with_plain_values(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(json_address(path))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()


async def test_every_link_of_a_page_leads_to_a_page_of_ours(browser: httpx.AsyncClient) -> None:
    for path in PATHS:
        for link in Tree((await browser.get(path)).text).links:
            assert link.startswith(("/", "?", "#")), link


async def test_the_navigation_marks_where_one_is(browser: httpx.AsyncClient) -> None:
    for path, section in [("/", "/"), ("/devices/OAE0000009", "/devices"), ("/meters", "/meters")]:
        marked = re.findall(r'href="([^"]+)" aria-current="page"', (await browser.get(path)).text)
        assert marked == [section]


async def test_the_landscape_counts_what_crossed_the_seams(browser: httpx.AsyncClient, areas: Any) -> None:
    shown = (await browser.get("/index.json")).json()
    received = sum(
        row["count"]
        for row in areas.answers["mdus"]["messages/counts"]
        if (row["seam"], row["direction"]) == ("field", "in")
    )
    assert shown["links"]["field"]["up"] == received > 0
    assert [area["running"] for area in shown["areas"]] == [True] * 4
    office = {row["label"]: row["items"] for row in shown["areas"][3]["counters"]}
    assert {"name": "registered", "value": 14} in office["devices"]


async def test_a_device_shows_its_curve_with_measured_and_estimated_energy_apart(
    browser: httpx.AsyncClient, device: dict[str, Any]
) -> None:
    shown = (await browser.get("/devices/OAE0000009.json?view=month&day=2026-03-14")).json()
    assert shown["totals"]["estimated"]["intervals"] == 95
    total = sum(entry["value"] for entry in shown["totals"].values())
    first, last = (reading["value_milli"] for reading in device["readings"])
    assert total == last - first
    page = (await browser.get("/devices/OAE0000009?view=day&day=2026-03-14")).text
    assert page.count('class="q-estimated"') == 95 + 1  # an interval each, and the legend
    assert page.count('class="q-measured"') == 1 + 1


async def test_the_curve_shows_the_seven_days_before_today_when_nothing_is_asked(browser: httpx.AsyncClient) -> None:
    window = (await browser.get("/devices/OAE0000009.json")).json()["window"]
    assert (window["view"], window["first"], window["last"]) == ("week", "2026-03-25", "2026-03-31")


async def test_a_device_names_the_steps_of_its_commands_and_the_proof(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/devices/OAE0000007")).text
    assert "Breaker read back open" in page
    assert "Breaker read back closed" in page
    assert page.count("<strong>proven</strong>") == 2


async def test_devices_are_found_by_serial_address_and_customer(browser: httpx.AsyncClient) -> None:
    for words in ("OAE0000009", "lindenlaan 9", "ivo peters"):
        shown = (await browser.get("/devices.json", params={"q": words})).json()
        assert "OAE0000009" in [row["serial"] for row in shown["rows"]]
        assert len(shown["rows"]) < 4
    assert "No device like that" in (await browser.get("/devices?q=nothing+at+all")).text


async def test_devices_are_chosen_by_kind_and_stage(browser: httpx.AsyncClient) -> None:
    shown = (await browser.get("/devices.json?kind=gas&stage=registered")).json()
    assert {row["kind"] for row in shown["rows"]} == {"gas"}
    assert shown["pages"]["total"] == 2


async def test_failing_meters_come_first(browser: httpx.AsyncClient, areas: Any) -> None:
    failing = areas.answers["headend"]["meters"][6]
    failing |= {"failures": 3, "last_error": "ConnectionLostError"}
    rows = (await browser.get("/meters.json")).json()["rows"]
    assert (rows[0]["serial"], rows[0]["health"]) == (failing["serial"], "failing")
    assert "3× ConnectionLostError" in (await browser.get("/meters")).text  # noqa: RUF001 - a typographic times


async def test_the_status_says_who_is_silent_how_far_each_stage_is_and_who_works(
    browser: httpx.AsyncClient, areas: Any
) -> None:
    status = areas.answers["headend"]["status"]
    status["meters"]["failing"] = 7
    status["silent"] = [
        {
            "serial": "OAE0000002",
            "last_success_at": None,
            "last_error": "No <answer>",
            "failures": 3,
            "next_due_at": None,
        }
    ]
    status["retries"] = [{"failures": 3, "meters": 7, "next_due_at": "2026-04-01T11:00:00+00:00"}]
    status["permits"] = [{"segment": "10.0.0.1:4059", "open": 3, "of": 4, "waiting": 12}]
    status["lease"] = {"instance": "here", "held": False, "holder": "there"}
    page = (await browser.get("/headend")).text
    assert "No &lt;answer&gt;" in page
    assert 'href="/meters/OAE0000002"' in page
    for words in (
        "there reads and commands the meters; this one takes over",
        "the 1 that are silent longest",
        "10.0.0.1:4059",
        "12\u00a0h",
        "it was shipped",
    ):
        assert words in page, words
    assert (await browser.get("/headend.json")).json()["status"] == status
    assert 'href="/headend"' in (await browser.get("/meters")).text


async def test_inspections_say_why_and_who_and_what_next(browser: httpx.AsyncClient, areas: Any) -> None:
    found = (await browser.get("/inspections.json?device=OAE0000009")).json()
    assert [(row["serial"], row["rule"], row["state"]) for row in found["rows"]] == [("OAE0000009", "V03", "open")]
    text = (await browser.get("/inspections")).text
    assert "agrees with the reader" in text
    assert "failed in row 3" in text
    assert text.count('action="/inspections/') == 4, "assign and done, of two"
    for task in areas.answers["mdus"]["inspections"]["inspections"]:
        task |= {"state": "done", "note": "=clock <b>replaced"}
    text = (await browser.get("/inspections?state=done")).text
    assert 'action="/inspections/' not in text
    assert "=clock &lt;b&gt;replaced" in text
    assert areas.asked[-2].url.params["state"] == "done" or areas.asked[-1].url.params.get("state") == "done"
    areas.answers["mdus"]["inspections"] = {"inspections": []}
    assert "Nothing to be looked at" in (await browser.get("/inspections")).text


async def test_events_carry_the_offices_case(browser: httpx.AsyncClient) -> None:
    rows = (await browser.get("/events.json?device=OAE0000009")).json()["rows"]
    assert [(row["name"], row["case_state"]) for row in rows] == [("memory.failed", "open")]
    assert not (await browser.get("/events.json?severity=critical")).json()["rows"]


async def test_reading_orders_show_both_sides(browser: httpx.AsyncClient) -> None:
    shown = (await browser.get("/orders.json")).json()
    assert {row["middle"]["state"] for row in shown["rows"]} == {"result confirmed"}
    assert [tab["count"] for tab in shown["tabs"]] == [28, 2, 2]


async def test_the_bills_add_up_to_the_cent(browser: httpx.AsyncClient, areas: Any) -> None:
    shown = (await browser.get("/bills.json")).json()
    cents = sum(round(float(bill["total"]) * 100) for bill in areas.answers["office"]["bills"])
    assert shown["sums"] == {"EUR": f"{cents // 100}.{cents % 100:02}"}


async def test_a_bill_shows_its_lines_its_evidence_and_the_customers_document(
    browser: httpx.AsyncClient, areas: Any
) -> None:
    (bill,) = [value for key, value in areas.answers["office"].items() if key.startswith("bills/")]
    page = (await browser.get(f"/bills/{bill['id']}")).text
    assert bill["seal"] in page
    assert all(line["name"] in page for line in bill["document"]["lines"])
    assert 'class="tag good">yes' in page
    document = await browser.get(f"/bills/{bill['id']}/document")
    assert "<h1>A bill</h1>" in document.text
    assert document.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("area", ["office", "mdus", "headend"])
async def test_a_message_shows_its_payload_and_its_chain(browser: httpx.AsyncClient, areas: Any, area: str) -> None:
    (path,) = [key for key in areas.answers[area] if re.fullmatch(r"messages/(in|out)/\d+", key)]
    message = areas.answers[area][path]
    _, direction, sequence = path.split("/")
    page = (await browser.get(f"/messages/{area}/{direction}/{sequence}")).text
    assert message["operation"] in page
    assert "&lt;" in page.split('class="payload"')[1]
    assert (await browser.get(f"/messages/{area}/{direction}/{sequence}.json")).json()["message"]["id"] == message["id"]


async def test_lists_go_on_over_pages_and_keep_what_was_asked(browser: httpx.AsyncClient, areas: Any) -> None:
    one = areas.answers["office"]["devices"][0]
    areas.answers["office"]["devices"] = [one | {"serial": f"X{number:04}"} for number in range(120)]
    first = (await browser.get("/devices.json?kind=electricity")).json()
    assert first["pages"]["later"] == "/devices?kind=electricity&offset=50"
    last = (await browser.get("/devices.json?kind=electricity&offset=100")).json()
    assert [row["serial"] for row in last["rows"]] == [f"X{number:04}" for number in range(100, 120)]
    assert (
        last["pages"] | {"total": 120, "later": None, "earlier": "/devices?kind=electricity&offset=50"} == last["pages"]
    )
    assert "101–120 of 120" in (await browser.get("/devices?offset=100")).text  # noqa: RUF001 - an en dash


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/devices/OAE9999999", 404, "There is no devices/OAE9999999"),
        ("/bills/1", 404, "There is no bills/1"),
        ("/nowhere", 404, "There is no page /nowhere"),
        ("/messages?area=field", 422, "Choose one of mdus, office, headend"),
        ("/messages?offset=-1", 422, "whole number"),
        ("/messages?offset=99999999999999999999", 422, "whole number"),
        ("/messages?offset=00000000000099999999", 422, "whole number"),
        ("/devices?offset=" + "0" * 5000, 422, "whole number"),
        ("/devices?offset=٣", 422, "whole number"),
        ("/messages?reference=7", 422, "Message ids are UUIDs"),
        ("/orders?show=all", 422, "Choose one of readings"),
        ("/devices/OAE0000009?view=year", 422, "Choose one of week, day, month"),
        ("/devices/OAE0000009?day=tomorrow", 422, "Use 2026-03-14"),
        ("/devices/OAE0000009?day=9999-12-31", 422, "between 1970 and 2200"),
    ],
)
async def test_what_cannot_be_shown_says_why(browser: httpx.AsyncClient, path: str, status: int, said: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == status
    assert said in answer.text
    assert "To the landscape" in answer.text


async def test_an_area_that_is_down_is_named_and_the_rest_goes_on(browser: httpx.AsyncClient, areas: Any) -> None:
    areas.down = {"mdus", "headend"}
    landscape = await browser.get("/")
    assert landscape.status_code == 200
    assert landscape.text.count("does not answer") == 4  # a notice and the box, for each of them
    device = await browser.get("/devices/OAE0000009")
    assert device.status_code == 200
    assert "The MDUS does not answer" in device.text
    assert "Lindenlaan 9" in device.text
    events = await browser.get("/events")
    assert (events.status_code, "The area mdus does not answer" in events.text) == (503, True)
    assert (await browser.get("/events.json")).json()["error"] == "AreaDownError"


async def test_somebody_else_in_the_place_of_an_area_is_told(
    browser: httpx.AsyncClient, areas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SAP system whose URL was given for the office answers with pages of its own."""
    office = areas.settings.address("office").port
    ours: Callable[..., httpx.Response] = type(areas).__call__

    def other(self: Any, request: httpx.Request) -> httpx.Response:
        if request.url.port != office:
            return ours(self, request)
        status = 500 if request.url.path.endswith("bills") else 200
        return httpx.Response(status, text="<h1>SAP</h1>", headers={"content-type": "application/json"})

    monkeypatch.setattr(type(areas), "__call__", other)
    answer = await browser.get("/customers")
    assert (answer.status_code, "OPENAMI_OFFICE_URL" in answer.text) == (503, True)
    assert (await browser.get("/customers.json")).json()["error"] == "AreaDownError"
    assert "office answered 500" in (await browser.get("/bills")).text
    assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize("path", ["/login", *PATHS])
async def test_a_page_can_be_used_without_seeing_it_or_a_mouse(browser: httpx.AsyncClient, path: str) -> None:
    tree: Any = html.fromstring((await browser.get(path)).text)
    assert tree.get("lang") == "en"
    assert tree.xpath("//a[@class='skip']/@href") == ["#content"]
    assert len(tree.xpath("//main[@id='content']")) == 1
    for named in tree.xpath("//input[not(@type='hidden')] | //select | //textarea"):
        assert named.xpath("ancestor::label") or named.get("aria-label"), html.tostring(named)
    for button in tree.xpath("//button"):
        assert button.text_content().strip() or button.get("aria-label")
    for drawing in tree.xpath("//*[local-name()='svg'][not(ancestor::*[local-name()='svg'])]"):
        assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label") or drawing.get("aria-labelledby")
    for form in tree.xpath("//form[@method='post' and not(@action='/login')]"):
        assert form.xpath(".//input[@name='form_token']/@value")[0]
    assert len(set(tree.xpath("//@id"))) == len(tree.xpath("//@id")), "an id is given once"


async def test_all_areas_down_still_shows_the_landscape(browser: httpx.AsyncClient, areas: Any) -> None:
    areas.down = {"field", "headend", "mdus", "office"}
    assert (await browser.get("/")).status_code == 200
    assert (await browser.get("/customers")).status_code == 503


async def test_text_from_the_field_cannot_become_markup(browser: httpx.AsyncClient, areas: Any) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    office = areas.answers["office"]
    office["customers"][0]["name"] = hostile
    office["devices"][0]["serial"] = hostile
    office["bills"][0]["name"] = hostile
    office["devices/OAE0000009"]["installations"][0]["address"] = hostile
    areas.answers["mdus"]["events"]["events"][0] |= {"name": hostile, "severity": hostile, "note": hostile}
    areas.answers["mdus"]["messages"][0] |= {"operation": hostile, "error": hostile}
    for path in ("/", "/devices", "/devices/OAE0000009", "/events", "/messages", "/bills", "/customers"):
        page = (await browser.get(path)).text
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
    for path in ("/devices", "/events", "/bills", "/customers"):
        page = (await browser.get(path, params={"q": hostile, "name": hostile, "device": hostile})).text
        assert "<script>alert" not in page, path


async def test_the_areas_are_asked_with_the_service_token(browser: httpx.AsyncClient, areas: Any) -> None:
    await browser.get("/devices")
    assert {request.headers["authorization"] for request in areas.asked} == {"Bearer t"}


@pytest.mark.parametrize("name", ["..%2Fbills", "%2E%2E", "x%3Flimit=1", "x%23y", "%2e"])
async def test_a_name_in_an_address_stays_one_segment_on_its_way_to_an_area(
    browser: httpx.AsyncClient, areas: Any, name: str
) -> None:
    assert (await browser.get(f"/devices/{name}")).status_code in {404, 307}
    for request in areas.asked:
        assert request.url.query == b""
        assert request.url.path.startswith("/api/devices/")


async def test_a_message_leads_to_the_others_about_its_object(browser: httpx.AsyncClient, areas: Any) -> None:
    (path,) = [key for key in areas.answers["office"] if re.fullmatch(r"messages/(in|out)/\d+", key)]
    _, direction, sequence = path.split("/")
    rows = areas.answers["office"]["messages"]
    shown = areas.answers["office"][path] | {"business_key": "00000000000400000017 000000000100000015"}
    other = next(row for row in rows if row["id"] != shown["id"])
    other["business_key"] = "reading 00000000000400000017"
    areas.answers["office"][path] = shown
    page = (await browser.get(f"/messages/office/{direction}/{sequence}")).text
    assert "Others about 00000000000400000017" in page
    assert f"/messages/office/{other['direction']}/{other['sequence']}" in page
    assert "/messages?area=office&amp;about=00000000000400000017" in page
    listed = (await browser.get("/messages?area=office")).text
    assert 'title="reading 00000000000400000017"' in listed
    areas.answers["office"][path] = shown | {"business_key": "bulk"}
    assert "Others about" not in (await browser.get(f"/messages/office/{direction}/{sequence}")).text


async def test_what_could_not_be_read_is_shown_with_the_reason(browser: httpx.AsyncClient, areas: Any) -> None:
    kept = {
        "sequence": 1,
        "seam": "enterprise",
        "partner": "SAP100",
        "body": "<no <message>",
        "reason": "Not well-formed XML: line 1.",
        "received_at": "2026-03-31T12:00:00+00:00",
    }
    areas.answers["mdus"]["messages/quarantine"] = [kept]
    page = (await browser.get("/messages/mdus/quarantine")).text
    for text in ("SAP100", "Not well-formed XML: line 1.", "&lt;no &lt;message&gt;"):
        assert text in page
    areas.answers["mdus"]["messages/quarantine"] = []
    assert "Nothing is in quarantine" in (await browser.get("/messages/mdus/quarantine")).text
    assert (await browser.get("/messages/nowhere/quarantine")).status_code == 404
