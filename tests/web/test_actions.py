"""What people do on the pages of files and values: forms of ours only, each sent on in the user's name."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from openami.web.pages import ACTIONS

if TYPE_CHECKING:
    import httpx

    from openami.web.page import Action

VALUES = "/values?channel=NMI0000001%2FE1&span=2026-03-01"


async def token(browser: httpx.AsyncClient, path: str = "/files") -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', (await browser.get(path)).text)
    assert found
    return found[1]


def sent(areas: Any) -> tuple[str, Any]:
    """Path and JSON of the last command to an area."""
    last = next(one for one in reversed(areas.asked) if one.method == "POST")
    return last.url.path, json.loads(last.content or b"null")


async def test_a_file_is_passed_on_with_its_name_and_sender(browser: httpx.AsyncClient, areas: Any) -> None:
    areas.answers["mdus"]["intake"] = {**areas.answers["mdus"]["intake"], "id": 1}
    form = {"form_token": await token(browser), "register": "1"}
    answer = await browser.post("/files", data=form, files={"file": ("march.csv", b"100,NEM12\n900\n")})
    assert (answer.status_code, answer.headers["location"]) == (303, "/files/1")
    last = areas.asked[-1]
    assert last.content == b"100,NEM12\n900\n"
    assert dict(last.url.params) == {"name": "march.csv", "source": "admin", "register": "1"}
    nothing = await browser.post("/files", data={"form_token": form["form_token"]}, files={"file": ("", b"")})
    assert (nothing.status_code, "No file was chosen" in nothing.text) == (422, True)


async def test_files_and_deliveries_are_replayed(browser: httpx.AsyncClient, areas: Any) -> None:
    digest = "a" * 64
    areas.answers["mdus"] |= {"intake/2/replay": {}, f"quarantine/{digest}/replay": {}}
    form = {"form_token": await token(browser, "/files/2")}
    answer = await browser.post("/files/2/replay", data=form | {"register": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/files/2")
    assert sent(areas) == ("/api/intake/2/replay", {"person": "admin", "register": True})
    answer = await browser.post(f"/files/deliveries/{digest}/replay", data=form)
    assert answer.headers["location"] == "/files"
    assert sent(areas)[0] == f"/api/quarantine/{digest}/replay"


async def test_an_edit_is_seen_before_it_is_done(browser: httpx.AsyncClient, areas: Any) -> None:
    form = {
        "form_token": await token(browser, VALUES), "channel": "1", "span": "2026-03-01", "action": "set",
        "values": "120; 130", "source": "", "reason": "read by hand",
    }  # fmt: skip
    answer = await browser.post("/values/edits", data=form)
    assert answer.status_code == 303
    preview = await browser.get(answer.headers["location"])
    assert "Nothing has changed yet" in preview.text
    assert sent(areas)[0] == "/api/edits/preview"
    done = await browser.post("/values/edits", data=form | {"seen": "1"})
    assert done.headers["location"] == "/values?channel=1&span=2026-03-01"
    path, body = sent(areas)
    assert (path, body["values"], body["person"]) == ("/api/edits", ["120", "130"], "admin")


async def test_edits_are_approved_and_undone_in_the_users_name(browser: httpx.AsyncClient, areas: Any) -> None:
    edit = areas.answers["mdus"]["edits"]["edits"][0]
    edit["state"] = "proposed"
    assert "Approve" in (await browser.get("/values")).text
    areas.answers["mdus"] |= {f"edits/{edit['id']}/approve": {}, f"edits/{edit['id']}/undo": {}}
    form = {"form_token": await token(browser, VALUES)}
    await browser.post(f"/values/edits/{edit['id']}/approve", data=form)
    assert sent(areas) == (f"/api/edits/{edit['id']}/approve", {"person": "admin"})
    await browser.post(f"/values/edits/{edit['id']}/undo", data=form | {"reason": "mistaken"})
    assert sent(areas)[1] == {"person": "admin", "reason": "mistaken"}


async def test_an_inspection_is_assigned_and_done_in_the_users_name(browser: httpx.AsyncClient, areas: Any) -> None:
    areas.answers["mdus"] |= {"inspections/1/assign": {}, "inspections/1/done": {}}
    form = {"form_token": await token(browser, "/inspections")}
    answer = await browser.post("/inspections/1/assign", data=form | {"words": "Jansen"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/inspections")
    assert sent(areas) == ("/api/inspections/1/assign", {"person": "admin", "to": "Jansen"})
    await browser.post("/inspections/1/done", data=form | {"words": "Battery replaced"})
    assert sent(areas) == ("/api/inspections/1/done", {"person": "admin", "note": "Battery replaced"})


async def test_forms_of_others_and_of_strangers_do_nothing(
    browser: httpx.AsyncClient, areas: Any, make_console: Any
) -> None:
    answer = await browser.post("/files/2/replay", data={"form_token": "forged"})
    assert (answer.status_code, "not of this session" in answer.text) == (422, True)
    browser.cookies.clear()
    answer = await browser.post("/files/2/replay", data={})
    assert answer.headers["location"].startswith("/login")
    assert [one for one in areas.asked if one.method == "POST"] == []


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.path)
@pytest.mark.parametrize("forged", [{}, {"form_token": ""}, {"form_token": "x"}, {"form_token": "\xfc\u2603"}])
async def test_no_form_of_ours_is_done_for_somebody_else(
    browser: httpx.AsyncClient, areas: Any, action: Action, forged: dict[str, str]
) -> None:
    path = re.sub(r"{[a-z]+(:int)?}", "7", action.path)
    answer = await browser.post(path, data=forged)
    assert (answer.status_code, "not of this session" in answer.text) == (422, True)
    assert (await browser.get(path)).status_code in {200, 404}, "reading it does nothing"
    assert [one for one in areas.asked if one.method == "POST"] == []


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.path)
async def test_no_stranger_does_anything(stranger: httpx.AsyncClient, areas: Any, action: Action) -> None:
    answer = await stranger.post(re.sub(r"{[a-z]+(:int)?}", "7", action.path), data={"form_token": "x"})
    assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login")
    assert areas.asked == []


async def test_what_the_mdus_refuses_is_told(browser: httpx.AsyncClient) -> None:
    form = {"form_token": await token(browser)}
    answer = await browser.post("/files/99/replay", data=form)
    assert (answer.status_code, "There is no intake/99/replay" in answer.text) == (404, True)


@pytest.mark.parametrize("said", ["measured, passed", "edited, accepted by a person", "every bit the same"])
async def test_values_say_where_they_come_from(browser: httpx.AsyncClient, said: str) -> None:
    assert said in (await browser.get(VALUES)).text


async def test_channels_real_and_virtual_lead_to_their_values(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/values")).text
    assert '<a href="/values?channel=8&amp;span=2026-03-31">8</a>' in page
    assert '<a href="/values?channel=street.7&amp;span=2026-03-31">street.7</a>' in page
    assert "children of channel 8" in page
    assert "Europe/Amsterdam" in page, "what rules know beside readings"


async def test_a_virtual_channel_says_what_it_is_made_of_and_cannot_be_edited(
    browser: httpx.AsyncClient, areas: Any
) -> None:
    part = {"channel": 20, "factor": "-1/2", "value": 40, "quality": "measured, passed"}
    row: dict[str, Any] = {"start": "2026-03-01T00:00:00Z", "value": None, "quality": "empty", "parts": []}
    made = row | {"start": "2026-03-01T00:30:00Z", "value": -20, "quality": "derived, passed", "parts": [part]}
    head = {"virtual": "street.7", "unit": "Wh", "scale": 0, "interval_s": 1800, "zone": "Europe/Amsterdam"}
    areas.answers["mdus"] = areas.answers["mdus"] | {"explain": head | {"intervals": [row, made]}}
    page = (await browser.get("/values?channel=street.7&span=2026-03-01")).text
    assert "street.7</span>, a virtual channel" in page
    assert "-1/2 " in page
    assert "/values/edits" not in page.partition("<h2>Edits</h2>")[0]
    assert not [one for one in areas.asked if one.url.path.endswith(("/versions", "/recompute"))]


PREVIEW: dict[str, Any] = {
    "name": "street.7", "first": "2026-04-01", "past_last": None, "purpose": "children", "of": 8, "day": "2026-04-01",
    "now": {"terms": "1+20", "total": 12_000, "missing": 0, "unit": "Wh", "scale": 0},
    "then": {"terms": "1+1.02*20", "total": 12_100, "missing": 3, "unit": "Wh", "scale": 0},
    "members": [{"channel": 20, "device": "OAE0000009", "obis": "1-0:1.29.0", "factor": "1.02"}],
}  # fmt: skip


async def test_a_virtual_channel_is_seen_before_it_is_defined(browser: httpx.AsyncClient, areas: Any) -> None:
    areas.answers["mdus"] = areas.answers["mdus"] | {"virtual/preview": PREVIEW}
    page = (await browser.get("/values/virtual?name=street.7")).text
    assert 'value="1+20-0.5*24"' in page, "the form begins with what it stands for"
    assert "a roof with panels" in page
    form = {
        "form_token": await token(browser, "/values/virtual"), "name": "street.7", "terms": "1+1.02*20",
        "from": "2026-04-01", "to": "", "purpose": "children", "of": "8", "reason": "losses of the cable",
    }  # fmt: skip
    answer = await browser.post("/values/virtual", data=form)
    assert answer.headers["location"].startswith("/values/virtual/preview?")
    preview = (await browser.get(answer.headers["location"])).text
    assert sent(areas)[0] == "/api/virtual/preview"
    for said in ("Nothing has changed yet", "1+1.02*20", "12.1", "3 without a value", "OAE0000009", "children (V34)"):
        assert said in preview
    done = await browser.post("/values/virtual", data=form | {"seen": "1"})
    assert done.headers["location"] == "/values/virtual?name=street.7"
    path, body = sent(areas)
    wanted = {name: value for name, value in form.items() if name != "form_token"}
    assert (path, body) == ("/api/virtual", wanted | {"person": "admin"})


async def test_a_virtual_channel_is_ended_and_undone(browser: httpx.AsyncClient, areas: Any) -> None:
    nothing = {"terms": "", "total": None, "missing": None}
    ended: dict[str, Any] = PREVIEW | {"then": nothing, "members": [], "purpose": "", "of": None}
    areas.answers["mdus"] = areas.answers["mdus"] | {"virtual/preview": ended, "virtual/street.7/undo": {}}
    form = {"form_token": await token(browser, "/values/virtual"), "name": "street.7", "from": "2026-04-01"}
    answer = await browser.post("/values/virtual", data=form | {"reason": "rebuilt"})
    assert "End street.7" in (await browser.get(answer.headers["location"])).text
    answer = await browser.post("/values/virtual/street.7/undo", data=form | {"reason": "mistaken"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/values/virtual?name=street.7")
    assert sent(areas) == ("/api/virtual/street.7/undo", {"person": "admin", "reason": "mistaken"})


async def test_a_dead_letter_is_sent_again_and_a_waiting_one_withdrawn(browser: httpx.AsyncClient, areas: Any) -> None:
    form = {"form_token": await token(browser)}
    for what, body in (("resend", {}), ("cancel", {"person": "admin"})):
        areas.answers["mdus"] = areas.answers["mdus"] | {f"messages/out/7/{what}": {"sequence": 7}}
        answer = await browser.post(f"/messages/mdus/out/7/{what}", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/messages/mdus/out/7")
        assert sent(areas) == (f"/api/messages/out/7/{what}", body)
    assert (await browser.post("/messages/nowhere/out/7/resend", data=form)).status_code == 404


async def test_prices_change_from_a_day_in_the_users_name(browser: httpx.AsyncClient, areas: Any) -> None:
    areas.answers["office"] = areas.answers["office"] | {"tariffs/prices": {}, "tariffs/prices/withdraw": {}}
    form = {"form_token": await token(browser, "/tariffs"), "from": "2026-05-01", "why": " Decision 12 "}
    filled = form | {"price:energy/day": "0.3", "price:levy/energy-tax": " "}
    answer = await browser.post("/tariffs/home-electricity/prices", data=filled)
    assert (answer.status_code, answer.headers["location"]) == (303, "/tariffs#home-electricity")
    body = {"tariff": "home-electricity", "from": "2026-05-01", "why": "Decision 12", "who": "admin"}
    assert sent(areas) == ("/api/tariffs/prices", body | {"prices": {"energy/day": "0.3"}})
    await browser.post("/tariffs/home-electricity/prices/withdraw", data=form)
    assert sent(areas) == (
        "/api/tariffs/prices/withdraw",
        {"tariff": "home-electricity", "from": "2026-05-01", "who": "admin"},
    )


async def test_tariffs_say_what_changes_when_and_what_can_be_taken_back(browser: httpx.AsyncClient, areas: Any) -> None:
    page = (await browser.get("/tariffs")).text
    assert "<strong>0.28</strong> from 2026-05-01" in page
    assert "EUR/m³" in page, "water"
    assert page.count("Withdraw 2026-05-01") == 1
    assert "in force" in page, "a change that has begun stays"
    areas.answers["office"] = areas.answers["office"] | {"tariffs": []}
    assert "The office has no tariffs" in (await browser.get("/tariffs")).text


async def test_a_bill_is_voided_with_a_reason_and_leads_to_its_reversal(browser: httpx.AsyncClient, areas: Any) -> None:
    page = (await browser.get("/bills/700000013")).text
    assert "Void this bill" in page
    assert "openami bill 2026-03" in page
    areas.answers["office"] = areas.answers["office"] | {"bills/void": {"reversal": "700000099"}}
    form = {"form_token": await token(browser, "/bills/700000013"), "why": " wrong meter "}
    answer = await browser.post("/bills/700000013/void", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/bills/700000099")
    assert sent(areas) == ("/api/bills/void", {"bill": "700000013", "why": "wrong meter", "who": "admin"})


@pytest.mark.parametrize("changed", [{"state": "voided"}, {"reverses": "700000001"}])
async def test_what_cannot_be_voided_has_no_form_for_it(
    browser: httpx.AsyncClient, areas: Any, changed: dict[str, str]
) -> None:
    bill = areas.answers["office"]["bills/700000013"] | changed
    areas.answers["office"] = areas.answers["office"] | {"bills/700000013": bill}
    assert "Void this bill" not in (await browser.get("/bills/700000013")).text


async def test_what_was_not_billed_says_why_until_a_later_run_billed_it(browser: httpx.AsyncClient, areas: Any) -> None:
    why = [{"rule": "B02", "text": "Meter E1: 3 of 1486 intervals have not arrived."}]
    missing = {"contract": "000600000001", "state": "withheld", "findings": why, "bill": None}
    failed: dict[str, Any] = {"contract": "000600000002", "state": "failed", "findings": [], "bill": None}
    billed = missing | {"state": "billed", "findings": []}
    march = {"id": 1, "first_day": "2026-03-01", "items": [missing, failed]}
    areas.answers["office"] = areas.answers["office"] | {"billing-runs": [march]}
    page = (await browser.get("/bills")).text
    assert "3 of 1486 intervals have not arrived" in page
    assert "/customers?q=000600000002" in page
    again = march | {"id": 2, "items": [billed]}
    april = {"id": 3, "first_day": "2026-04-01", "items": [missing]}
    areas.answers["office"] = areas.answers["office"] | {"billing-runs": [april, again, march]}
    left = (await browser.get("/bills.json")).json()["not_billed"]
    assert [(one["contract"], one["month"]) for one in left] == [
        ("000600000001", "2026-04"),
        ("000600000002", "2026-03"),
    ]
    areas.answers["office"] = areas.answers["office"] | {"billing-runs": [again]}
    assert "Not billed" not in (await browser.get("/bills")).text


@pytest.mark.parametrize("query", ["state=voided", "division=steam", "q=nobody+at+all"])
async def test_bills_that_nobody_has_are_said_to_be_none(browser: httpx.AsyncClient, query: str) -> None:
    assert "No bills like that." in (await browser.get(f"/bills?{query}")).text


async def test_a_bill_has_units_everywhere_and_no_endless_fractions(browser: httpx.AsyncClient, areas: Any) -> None:
    bill = areas.answers["office"]["bills/700000013"]
    line = bill["document"]["lines"][0] | {
        "quantity": "0.3225806451612903225806451613", "unit": "months", "estimated": "0", "price_unit": "EUR/m3"
    }  # fmt: skip
    document = bill["document"] | {"lines": [line]}
    areas.answers["office"] = areas.answers["office"] | {"bills/700000013": bill | {"document": document}}
    page = (await browser.get("/bills/700000013")).text
    assert "0.323 months" in page
    assert "0.3225" not in page
    assert "EUR/m³" in page
    assert page.count("694.242 kWh") == 2, "the difference of the register and the sum of intervals"


async def test_messages_are_asked_for_by_local_days(browser: httpx.AsyncClient, areas: Any) -> None:
    query = "object=Utilities+Device&partner=sap&first=2026-03-01&last=2026-03-01"
    assert (await browser.get(f"/messages?area=mdus&{query}")).status_code == 200
    asked = dict(areas.asked[-1].url.params)
    assert (asked["object"], asked["partner"]) == ("Utilities Device", "sap")
    assert asked["from"].startswith("2026-02-28T23:00")
    assert asked["until"].startswith("2026-03-01T23:00")
    assert (await browser.get("/messages?first=yesterday")).status_code == 422
