"""Campaigns: one that fails too often stops by itself, and spares whom it has not reached."""

from __future__ import annotations

from typing import Any

import pytest

from openami.ami.headend.campaigns import JUDGED_FROM, default_limit, must_stop

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


@pytest.mark.parametrize(
    ("progress", "limit", "stops"),
    [
        ({}, 10, False),
        ({"failed": JUDGED_FROM - 1, "waiting": 90}, 10, False),
        ({"failed": JUDGED_FROM, "waiting": 90}, 10, True),
        ({"failed": 1, "done": 9, "waiting": 90}, 10, False),
        ({"failed": 2, "done": 9, "waiting": 90}, 10, True),
        ({"failed": 1, "done": 99}, 0, True),
        ({"failed": 50, "waiting": 50}, 100, False),
        ({"failed": 50, "waiting": 1, "cancelled": 49}, 10, False),
    ],
)
def test_a_share_counts_from_a_few_meters_on(progress: dict[str, int], limit: int, stops: bool) -> None:
    assert must_stop(progress, limit) is stops


def test_what_may_break_meters_stops_early() -> None:
    assert {name: default_limit(name) for name in ("update_firmware", "generate_keys", "read_alarms")} == {
        "update_firmware": 10,
        "generate_keys": 10,
        "read_alarms": 100,
    }


async def street_of_sixty(bench: Any, make_meter: Any) -> list[str]:
    serials = [f"E{number:04d}" for number in range(60)]
    await bench.ship(*map(make_meter, serials))
    return serials


async def campaign(bench: Any, serials: list[str], **more: Any) -> dict[str, Any]:
    """A campaign that fails at every meter, for want of an image, carried out to its end."""
    order = {"function": "update_firmware", "serials": serials, "parameters": {"image": "NONE"}, **more}
    answer = await bench.http.post("/api/orders", json=order)
    assert answer.status_code == 202, answer.text
    async with bench.running():
        await bench.quiet()
    shown: dict[str, Any] = (await bench.http.get(f"/api/orders/{answer.json()['id']}")).json()
    return shown


async def test_a_campaign_stops_when_too_many_meters_fail(bench: Any, make_meter: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("openami.ami.headend.commands.IN_FLIGHT_MAX", 4)
    shown = await campaign(bench, await street_of_sixty(bench, make_meter))
    states = shown["states"]
    assert JUDGED_FROM <= states["failed"] < 20, states
    assert states["failed"] + states["cancelled"] == 60
    spared = {item["error"] for item in shown["items"] if item["state"] == "cancelled"}
    assert len(spared) == 1
    assert "The campaign stopped: 5 meters failed, 0 succeeded." in spared.pop()


async def test_a_campaign_whose_limit_is_all_goes_through(bench: Any, make_meter: Any) -> None:
    serials = await street_of_sixty(bench, make_meter)
    assert (await campaign(bench, serials, failures_percent_max=100))["states"] == {"failed": 60}


async def test_a_limit_is_a_percentage(bench: Any) -> None:
    from openami.ami.headend.functions.model import BadParametersError  # noqa: PLC0415

    order = {"function": "read_alarms", "serials": ["E1"], "failures_percent_max": 101}
    with pytest.raises(BadParametersError, match="failures_percent_max is 101"):
        await bench.http.post("/api/orders", json=order)
