"""Gas: days that begin at six in the morning, and volumes that become energy on the way to a bill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from openami.mdus.middle import MdusSettings
from openami.mdus.registry.codes import CodeTables
from openami.mdus.services.codes import EnterpriseCodes

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

BEARER = {"authorization": "Bearer token"}
MAPPING = (
    'name = "gas"\nheader = ["hour", "meter", "m3"]\nzone = "UTC"\n'
    '[[series]]\nmeter = [["meter", "SerialNumber"]]\nvalue = "m3"\nunit = "M3"\ntime = "hour"\ncommodity = "gas"\n'
    'format = "%Y-%m-%d %H:%M"\ninterval_s = 3600\n'
)


@pytest.fixture
def mdus_settings() -> MdusSettings:
    codes = EnterpriseCodes(CodeTables(day_starts_s={"7": 6 * 3600}))
    return MdusSettings(upload_every=timedelta(), codes=codes)


@pytest.fixture
async def gas(world: Any) -> Any:
    """Four days around the change of clocks, an odd cubic metre in each."""
    world.clock.advance_to(datetime(2026, 3, 31, 12, tzinfo=UTC))
    begin = datetime(2026, 3, 27, 5, tzinfo=UTC)
    hours = [begin + timedelta(hours=n) for n in range(95)]
    lines = [f"{one:%Y-%m-%d %H:%M},G1,{1.5 if one.hour == 12 else 1}" for one in hours]
    asked = {"name": "gas.csv", "mapping": MAPPING, "register": "1", "zone": "Europe/Berlin"}
    body = "\n".join(["hour,meter,m3", *lines]).encode()
    answer = await world.client.post("/api/intake", params=asked, content=body, headers=BEARER)
    await world.settle()
    file = await world.api(f"/api/intake/{answer.json()['id']}")
    assert (file["readings"], file["refusals"]) == (95, [])
    return world


async def test_a_gas_day_begins_at_six_and_the_odd_one_is_a_saturday(gas: Any) -> None:
    """W20: the clocks change on Sunday the 29th at two, which is still the gas day of Saturday."""
    lengths = {}
    for day in ("2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30"):
        found = await gas.api("/api/determinants", channel="G1", span=day)
        lengths[day] = (found["intervals"], found["missing"], found["total"])
    assert lengths == {
        "2026-03-27": (24, 0, 24_500),
        "2026-03-28": (23, 0, 23_500),
        "2026-03-29": (24, 0, 24_500),
        "2026-03-30": (24, 0, 24_500),
    }
    told = (await gas.api("/api/versions", channel="G1", span="2026-03-28"))["versions"]
    assert [(one["day"], one["changed"]) for one in told] == [("2026-03-28", 23)]
    explained = await gas.api("/api/explain", channel="G1", span="2026-03-28")
    assert explained["intervals"][0]["start"] == "2026-03-28T05:00:00Z"
    assert (await gas.api("/api/recompute", channel="G1", span="2026-03-28"))["equal"]


async def test_a_volume_is_worth_its_energy(gas: Any) -> None:
    asked = {"channel": "G1", "span": "2026-03-28"}
    german = await gas.api("/api/determinants", **asked, calorific_kwh_m3="11.316", z="0.9427")
    assert Decimal(german["energy_kwh"]) == Decimal("23.5") * Decimal("0.9427") * Decimal("11.316")
    british = await gas.api("/api/determinants", **asked, calorific_mj_m3="39.3")
    assert round(Decimal(british["energy_kwh"]), 3) == round(
        Decimal("23.5") * Decimal("1.02264") * Decimal("39.3") / Decimal("3.6"), 3
    )
    for wrong in ({"z": "0.9427"}, {"calorific_mj_m3": "12"}, {"calorific_kwh_m3": "much"}):
        answer = await gas.client.get("/api/determinants", params=asked | wrong, headers=BEARER)
        assert answer.status_code == 422
