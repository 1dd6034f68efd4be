"""The middle's messages in any order, repeated, in one heap: the office ends in the same books."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.spans import days

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

    from openami.shared.contract.enterprise.model import HeadedMessage

pytestmark = pytest.mark.postgres


async def _everything(desk: Desk, middle: Middle) -> list[HeadedMessage]:
    """All that the middle says about two homes in March, in the right order, but nothing of it sent yet."""
    homes = []
    for number in (1, 2):
        received = await desk.post("/api/devices/receive", devices=[{"serial": f"E{number}"}])
        await desk.post(
            "/api/installations",
            device=f"E{number}",
            point_of_delivery=f"P{number}",
            installed_at="2026-02-28T10:00:00+01:00",
            customer={"id": f"K{number}", "name": "N", "address": "A"},
        )
        page = await desk.get(f"/api/devices/E{number}")
        homes.append((received["devices"][0]["id"], page["registers"]))
    messages = middle.confirmations()
    for day in days(date(2026, 3, 1), date(2026, 4, 1)):
        middle.clock.advance_to(datetime(day.year, day.month, day.day, 23, tzinfo=UTC))
        for _, registers in homes:
            profile = next(task["profile_id"] for task in registers if task["profile_id"])
            messages.append(middle.upload((profile, middle.day_items(day, 100))))
            if day.day == 14:
                middle.clock.advance_to(datetime(2026, 3, 14, 23, 30, tzinfo=UTC))
                gap = middle.day_items(day, 90, status="02")
                messages.append(middle.upload((profile, gap), change=True))
    middle.clock.advance_to(datetime(2026, 4, 2, 8, tzinfo=UTC))
    await desk.post("/api/reading-orders", month="2026-03")
    values = {date(2026, 2, 28): "500", date(2026, 3, 31): "648.120"}
    for order in middle.orders():
        value = values[order.meter_reading_document.scheduled_meter_reading_date]
        messages.append(middle.results(middle.result(order, value)))
    return messages + middle.confirmations()


async def _books(desk: Desk) -> dict[str, Any]:
    await desk.bill("2026-03")
    status = await desk.get("/api/status")
    bills = await desk.get("/api/bills")
    return {
        "devices": [(device["serial"], device["stage"]) for device in await desk.get("/api/devices")],
        "orders": sorted((order["id"], order["state"]) for order in await desk.get("/api/orders")),
        "open": status["requests_open"],
        "bills": [(bill["contract"], bill["total"], bill["measured_milli"], bill["estimated_milli"]) for bill in bills],
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
async def test_order_and_repetition_change_nothing(desk: Desk, middle: Middle, seed: int) -> None:
    messages = await _everything(desk, middle)
    heap = messages + random.Random(seed).sample(messages, len(messages) // 2)
    if seed:
        random.Random(seed).shuffle(heap)
    for start in range(0, len(heap), 7):
        await middle.send(*heap[start : start + 7], pump=start % 3 == 0)
    await middle.pump()
    books = await _books(desk)
    assert books["devices"] == [("E1", "installed"), ("E2", "installed")]
    assert {state for _, state in books["orders"]} == {"fulfilled"}
    assert books["open"] == 0
    march = (31 * 48 - 2) * 100
    assert [bill[2:] for bill in books["bills"]] == [(march - 4800, 4320)] * 2
