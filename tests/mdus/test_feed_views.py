"""The change feed over HTTP: each change until it is confirmed, then never again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.mdus.test_views import BEARER, DAY, delivery, street

__all__ = ["street"]
pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
PATH = "/api/changes/lake-of-billing"


async def confirm(world: Any, seen: str, expected: int = 200) -> None:
    answer = await world.client.post(PATH, json={"confirm": seen}, headers=BEARER)
    assert answer.status_code == expected, answer.text


async def begin(world: Any, path: str = PATH) -> None:
    answer = await world.client.put(path, headers=BEARER)
    assert answer.status_code == 200, answer.text


async def test_nobody_begins_by_looking_for_what_was_not_confirmed_is_not_sealed(street: Any, home: Any) -> None:
    await street.ams(delivery(street, home, [100] * 48))
    looked = await street.client.get(PATH, headers=BEARER)
    assert (looked.status_code, "PUT" in looked.json()["hint"]) == (404, True)
    await confirm(street, "1:1:", 404)
    async with street.middle.database.begin() as tx:
        names = (await tx.execute(text("SELECT consumer FROM series_cursor"))).scalars().all()
    assert "lake-of-billing" not in names


async def test_who_begins_again_goes_on(street: Any, home: Any) -> None:
    await street.ams(delivery(street, home, [100] * 48))
    await begin(street)
    await confirm(street, (await street.api(PATH))["confirm"])
    await begin(street)
    assert (await street.api(PATH))["changes"] == []


async def test_changes_come_until_they_are_confirmed_with_before_and_after(street: Any, home: Any) -> None:
    await street.ams(delivery(street, home, [100] * 48))
    await begin(street)
    first = await street.api(PATH)
    assert (await street.api(PATH))["changes"] == first["changes"], "a lost answer loses nothing"
    (day,) = first["changes"]
    assert (day["day"], len(day["intervals"])) == ("2026-03-01", 48)
    assert day["intervals"][0] == {
        "start": DAY.start.isoformat().replace("+00:00", "Z"), "before": None, "after": 100,
        "quality": "measured, passed",
    }  # fmt: skip
    await confirm(street, first["confirm"])
    assert (await street.api(PATH))["changes"] == []
    await street.later(timedelta(hours=1))
    await street.ams(delivery(street, home, [100] * 47 + [111]))
    (day,) = (await street.api(PATH))["changes"]
    assert [(one["before"], one["after"]) for one in day["intervals"]] == [(100, 111)]


async def test_consumers_are_apart_and_can_go(street: Any, home: Any) -> None:
    await street.ams(delivery(street, home, [100] * 48))
    for path in (PATH, "/api/changes/another"):
        await begin(street, path)
    await confirm(street, (await street.api(PATH))["confirm"])
    assert (await street.api("/api/changes/another"))["changes"]
    assert (await street.client.delete("/api/changes/another", headers=BEARER)).status_code == 200
    assert (await street.client.delete("/api/changes/another", headers=BEARER)).status_code == 404
    await confirm(street, "yesterday", 422)
    assert (await street.client.get("/api/changes/office", headers=BEARER)).status_code == 422
