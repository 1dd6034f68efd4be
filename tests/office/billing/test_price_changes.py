"""Prices that change in the office: stated, billed by the day, corrected, withdrawn; no bill is silently overtaken."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.office.billing.test_flow import _read_month, _upload_march

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = pytest.mark.postgres
CHANGE: dict[str, Any] = {"tariff": "home-electricity", "from": "2026-03-16", "prices": {"energy/night": "0.30000"}}


async def _billed_march(desk: Desk, middle: Middle) -> dict[str, Any]:
    home = await desk.home()
    await _upload_march(middle, home)
    await _read_month(desk, middle)
    await desk.bill("2026-03")
    bill: dict[str, Any] = (await desk.get("/api/bills"))[-1]
    return bill


def _nights(bill: dict[str, Any]) -> list[tuple[str, str]]:
    return [(line["name"], line["price"]) for line in bill["document"]["lines"] if line["id"] == "night"]


async def test_a_month_over_a_change_is_billed_at_both_prices_and_comes_out_again(desk: Desk, middle: Middle) -> None:
    stated = await desk.post("/api/tariffs/prices", **CHANGE, why="Decision 12", who="anna")
    assert stated["before"] == {"energy/night": "0.21937"}
    head = await _billed_march(desk, middle)
    bill = await desk.get(f"/api/bills/{head['id']}")
    assert _nights(bill) == [
        ("Night and weekend rate, 1 March to 15 March", "0.21937"),
        ("Night and weekend rate, 16 March to 31 March", "0.30000"),
    ]
    document = bill["document"]
    energy = sum(Decimal(line["quantity"]) for line in document["lines"] if line["kind"] == "energy")
    assert energy * 1000 == document["measured_milli"]
    assert (await desk.get(f"/api/bills/{bill['id']}/recompute"))["same"] is True
    assert "16 March to 31 March" in await desk.get(f"/api/bills/{bill['id']}.html")


async def test_prices_of_billed_days_change_after_the_bill_was_voided(desk: Desk, middle: Middle) -> None:
    bill = await _billed_march(desk, middle)
    refused = await desk.post("/api/tariffs/prices", expect=422, **CHANGE)
    assert f"on 1 bill of tariff home-electricity, the first is {bill['id']}" in refused["found"]
    assert "Void" in refused["hint"]
    await desk.post("/api/tariffs/prices", **CHANGE | {"from": "2026-04-01"})
    await desk.post("/api/bills/void", bill=bill["id"], why="price")
    await desk.post("/api/tariffs/prices", **CHANGE)
    await desk.bill("2026-03")
    again = (await desk.get("/api/bills"))[-1]
    assert len(_nights(await desk.get(f"/api/bills/{again['id']}"))) == 2
    for one in (bill, again):
        assert (await desk.get(f"/api/bills/{one['id']}/recompute"))["same"] is True, "each from the prices it saw"


async def test_tariffs_show_what_is_charged_and_what_is_to_come(desk: Desk) -> None:
    """It is the 28th of February."""
    await desk.post("/api/tariffs/prices", **CHANGE)
    await desk.post("/api/tariffs/prices", **CHANGE | {"from": "2026-05-01", "prices": {"vat_rate": "0.22"}})
    await desk.post("/api/tariffs/prices", **CHANGE | {"from": "2026-02-28", "prices": {"levy/energy-tax": "0.1"}})
    tariff = next(one for one in await desk.get("/api/tariffs") if one["id"] == "home-electricity")
    prices = {price["name"]: price for price in tariff["prices"]}
    assert prices["energy/night"] == {
        "name": "energy/night", "text": "Night and weekend rate", "unit": "EUR/kWh", "value": "0.21937",
        "to_come": [{"from": "2026-03-16", "value": "0.30000"}],
    }  # fmt: skip
    assert (prices["levy/energy-tax"]["value"], prices["levy/energy-tax"]["to_come"]) == ("0.1", [])
    assert prices["vat_rate"]["to_come"] == [{"from": "2026-05-01", "value": "0.22"}]
    assert [one["valid_from"] for one in tariff["changes"]] == ["2026-05-01", "2026-03-16", "2026-02-28"]
    assert (tariff["today"], tariff["division"]) == ("2026-02-28", "electricity")


async def test_what_is_to_come_is_withdrawn_and_what_has_begun_is_not(desk: Desk, middle: Middle) -> None:
    await desk.post("/api/tariffs/prices", **CHANGE)
    await desk.post("/api/tariffs/prices", **CHANGE | {"prices": {"energy/night": "0.29"}})
    day: dict[str, Any] = {"tariff": "home-electricity", "from": "2026-03-16"}
    assert (await desk.post("/api/tariffs/prices/withdraw", **day))["withdrawn"] == "2026-03-16"
    nothing = await desk.post("/api/tariffs/prices/withdraw", expect=422, **day)
    assert "No price of tariff home-electricity changes on 2026-03-16" in nothing["found"]
    begun = await desk.post("/api/tariffs/prices/withdraw", expect=422, **day | {"from": "2026-02-28"})
    assert "in force" in begun["found"]
    (tariff,) = [one for one in await desk.get("/api/tariffs") if one["id"] == "home-electricity"]
    assert all(one["withdrawn_at"] for one in tariff["changes"])
    bill = await _billed_march(desk, middle)
    assert _nights(await desk.get(f"/api/bills/{bill['id']}")) == [("Night and weekend rate", "0.21937")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prices": {"energy/moon": "1"}}, "no price energy/moon"),
        ({"prices": {"energy/night": 0.3}}, "'energy/night' is 0.3"),
        ({"prices": {"energy/night": None}}, "No price is given"),
        ({"prices": [1]}, "The field 'prices' is [1]"),
        ({"prices": {"vat_rate": "21"}}, "not a share"),
        ({"from": "soon"}, "'from' is 'soon'"),
        ({"tariff": "none"}, "There is no tariff 'none'"),
    ],
)
async def test_what_is_no_change_of_prices_is_refused(desk: Desk, wrong: dict[str, Any], said: str) -> None:
    assert said in (await desk.post("/api/tariffs/prices", expect=422, **CHANGE | wrong))["found"]
    (tariff,) = [one for one in await desk.get("/api/tariffs") if one["id"] == "home-electricity"]
    assert tariff["changes"] == []
    assert date.fromisoformat(tariff["today"]) < date(2026, 3, 16)
