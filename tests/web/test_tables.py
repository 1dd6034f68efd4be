"""Lists as tables for a spreadsheet: all rows that were asked for, local instants, one way for every page."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from openami.web import query
from openami.web.pages import PAGES, messages

if TYPE_CHECKING:
    import httpx

TABLES = {
    "/devices": ("serial", "OAE0000001"),
    "/meters": ("serial", "OAE0000009"),
    "/files": ("name", "letter.txt"),
    "/values": ("channel", "8"),
    "/events": ("name", "memory.failed"),
    "/inspections": ("rule", "V03"),
    "/orders": ("id", "00000000000400000030"),
    "/orders?show=connections": ("command.state", "proven"),
    "/orders?show=commands": ("ordered_by", "OFFICE"),
    "/messages": ("direction", "in"),
    "/bills": ("id", "700000001"),
    "/customers": ("contract.id", "000600000001"),
}


async def table(browser: httpx.AsyncClient, path: str) -> list[dict[str, str]]:
    bare, _, asked = path.partition("?")
    answer = await browser.get(f"{bare}.csv?{asked}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    name = bare.strip("/").replace("/", "-")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.csv"'
    assert answer.text.startswith("\ufeff"), "spreadsheets take it for an older code without this mark"
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize("path", list(TABLES))
async def test_every_list_is_there_as_a_table_and_its_page_says_so(browser: httpx.AsyncClient, path: str) -> None:
    rows = await table(browser, path)
    column, value = TABLES[path]
    assert value in [row[column] for row in rows]
    bare, _, asked = path.partition("?")
    assert f'href="{bare}.csv{"?" if asked else ""}{asked}"' in (await browser.get(path)).text


async def test_pages_that_are_no_list_offer_none(browser: httpx.AsyncClient) -> None:
    assert {page.path for page in PAGES if page.table} >= {path.partition("?")[0] for path in TABLES}
    for path in ("/", "/headend", "/tariffs"):
        assert "(CSV)" not in (await browser.get(path)).text
        assert (await browser.get(f"{path}.csv")).status_code == 404


async def test_a_table_has_all_rows_and_keeps_what_was_asked_for(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "PAGE_SIZE", 2)
    page = (await browser.get("/devices.json?kind=electricity")).json()
    rows = await table(browser, "/devices?kind=electricity&offset=4")
    assert (len(page["rows"]), len(rows)) == (2, page["pages"]["total"])
    assert {row["kind"] for row in rows} == {"electricity"}


async def test_energy_and_money_are_numbers_in_their_unit(browser: httpx.AsyncClient) -> None:
    first = (await table(browser, "/bills"))[0]
    assert (first["measured"], first["unit"], first["total"], first["currency"]) == (
        "255.313",
        "kWh",
        "153.14",
        "EUR",
    )
    assert first["as_of"] == "2026-04-01 09:00:00+02:00"


async def test_the_intervals_of_a_channel_are_all_there_in_their_unit(browser: httpx.AsyncClient, areas: Any) -> None:
    known = areas.answers["mdus"]["explain"]
    known["intervals"] = known["intervals"] * 30
    rows = await table(browser, "/values?channel=NMI0000001%2FE1&span=2026-03-01")
    assert len(rows) == len(known["intervals"]) > 400
    assert rows[0]["start"] == "2026-02-28 15:00:00+01:00"
    assert (rows[0]["value"], rows[0]["unit"], rows[0]["quality"]) == ("100", known["unit"], "measured, passed")


async def test_the_load_curve_of_the_days_shown_is_a_table(browser: httpx.AsyncClient) -> None:
    rows = await table(browser, "/devices/OAE0000009?view=day&day=2026-03-14")
    assert len(rows) == 96
    assert (rows[0]["device"], rows[0]["from"], rows[0]["unit"]) == ("OAE0000009", "2026-03-14 00:00:00+01:00", "Wh")
    assert sum(row["quality"].startswith("estimated") for row in rows) == 95


async def test_a_device_without_intervals_has_an_empty_table(browser: httpx.AsyncClient, areas: Any) -> None:
    areas.answers["mdus"]["devices/000000000100000013"]["channels"] = []
    assert await table(browser, "/devices/OAE0000009") == []


async def test_messages_are_gathered_answer_by_answer_and_each_once(
    browser: httpx.AsyncClient, areas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "AT_ONCE", 3)
    known = areas.answers["mdus"]["messages"][:8]
    areas.answers["mdus"]["messages"] = known[:3] + known[2:]  # one came meanwhile: the third moved on
    rows = await table(browser, "/messages")
    assert [(row["direction"], row["sequence"]) for row in rows] == [
        (one["direction"], str(one["sequence"])) for one in known
    ]
    assert [request.url.params.get("offset", "0") for request in areas.asked] == ["0", "3", "6", "9"]


@pytest.mark.parametrize("path", ["/devices", "/messages", "/values"])
async def test_what_is_too_long_is_refused_and_not_cut(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(query, "WHOLE_MAX", 1)
    answer = await browser.get(f"{path}.csv")
    assert answer.status_code == 422
    assert "more than 1 rows" in answer.text


async def test_a_table_is_for_who_has_logged_in_and_says_when_an_area_is_away(
    browser: httpx.AsyncClient, areas: Any
) -> None:
    areas.down.add("office")
    assert (await browser.get("/bills.csv")).status_code == 503
    browser.cookies.clear()
    answer = await browser.get("/bills.csv?state=posted")
    assert answer.headers["location"] == "/login?next=%2Fbills.csv%3Fstate%3Dposted"


async def test_a_customer_with_a_hostile_name_runs_nothing_in_a_spreadsheet(
    browser: httpx.AsyncClient, areas: Any
) -> None:
    areas.answers["office"]["customers"][0]["name"] = "=HYPERLINK(A1)"
    assert (await table(browser, "/customers"))[0]["customer.name"] == "'=HYPERLINK(A1)"
