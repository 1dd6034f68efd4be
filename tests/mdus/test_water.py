"""Water in a real run: a leak that never stops, a tap that drips, a burst above the overload flow of the meter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

BEARER = {"authorization": "Bearer token"}
MAPPING = (
    'name = "water"\nheader = ["quarter", "meter", "m3"]\nzone = "UTC"\n'
    '[[series]]\nmeter = [["meter", "SerialNumber"]]\nvalue = "m3"\nunit = "M3"\ntime = "quarter"\n'
    'commodity = "water"\nformat = "%Y-%m-%d %H:%M"\ninterval_s = 900\n'
)


def litres(day: int, slot: int) -> int:
    """A leak on the first day, a dripping tap on the second, a burst on the third, and then an ordinary day."""
    if day == 0:
        return 2
    if day == 1:
        return 1 if slot < 60 else 0
    if day == 2:
        return 900 if slot == 40 else 0
    return 20 if slot in {28, 29, 72} else 0


async def test_a_leak_a_dripping_tap_and_a_burst_are_told(world: Any):
    world.clock.advance_to(datetime(2026, 3, 6, 12, tzinfo=UTC))
    begin = datetime(2026, 3, 1, 23, tzinfo=UTC)
    lines = ["quarter,meter,m3"]
    for number in range(4 * 96):
        day, slot = divmod(number, 96)
        lines.append(f"{begin + timedelta(minutes=15 * number):%Y-%m-%d %H:%M},W1,{litres(day, slot) / 1000:.3f}")
    asked = {"name": "water.csv", "mapping": MAPPING, "register": "1", "zone": "Europe/Amsterdam"}
    answer = await world.client.post("/api/intake", params=asked, content="\n".join(lines).encode(), headers=BEARER)
    await world.settle()
    file = await world.api(f"/api/intake/{answer.json()['id']}")
    assert (file["readings"], file["refusals"]) == (4 * 96, [])
    found = {}
    for local in ("2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"):
        page = await world.api("/api/explain", channel="W1", span=local)
        found[local] = {one["rule"]: one["verdict"] for interval in page["intervals"] for one in interval["fired"]}
        assert (await world.api("/api/recompute", channel="W1", span=local))["equal"]
    assert found["2026-03-02"] == {"WA1": "WV"}
    assert found["2026-03-03"] == {"WA2": "PV"}
    assert found["2026-03-04"]["V18"] == "WV", "900 l in a quarter are 3.6 m3/h, Q4 of this meter is 3.125"
    assert "WA1" not in found["2026-03-05"]
    total = await world.api("/api/determinants", channel="W1", span="2026-03-02")
    assert (total["total"], total["unit"]) == (192, "m3")
