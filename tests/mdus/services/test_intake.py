"""Values of the back office: many series of a message at once, each taken or refused by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from openami.mdus.vee.handlers import Vee
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages.inferred_time_series import (
    UtilitiesTimeSeriesBundleItemCreateConfirmation as Confirmation,
)
from openami.shared.errors import OpenAmiError
from openami.shared.spans import local_day
from openami.testing.requests import values

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series import ChannelDays

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

MARCH_1 = date(2026, 3, 1)
MIDNIGHT = datetime(2026, 2, 28, 23, tzinfo=UTC)


@pytest.fixture
async def street(world: Any, homes: Callable[..., Any]) -> tuple[Any, list[Any]]:
    """Three homes whose profiles are known."""
    found = [homes(number) for number in (1, 2, 3)]
    await world.office(*(message for home in found for message in home.initialization()))
    return world, found


async def shown(world: Any, home: Any, day: date = MARCH_1) -> dict[str, Any]:
    channels = (await world.api("/api/channels", device=home.device))["channels"]
    channel = next(one["channel"] for one in channels if one["interval_s"])
    span = local_day("Europe/Amsterdam", day)
    return dict(
        await world.api(f"/api/series/{channel}", **{"from": span.start.isoformat(), "to": span.end.isoformat()})
    )


async def versions(world: Any) -> int:
    return int((await world.api("/api/status"))["channel_day_versions"])


def outcomes(world: Any) -> list[bool]:
    return [logs.is_success(item.log) for message in world.heard(Confirmation) for item in message.items]


async def test_series_of_a_message_are_kept_together_and_confirmed_each(street: Any):
    world, homes = street
    sent = [values(home, MIDNIGHT, range(n, n + 96)) for n, home in enumerate(homes)]
    await world.office(bulk(sent, homes[0].head()))
    assert outcomes(world) == [True] * 3
    assert await versions(world) == 6, "two days of three channels, each once"
    for n, home in enumerate(homes):
        assert (await shown(world, home))["values"] == list(range(n, n + 48))
        assert (await shown(world, home, date(2026, 3, 2)))["values"] == list(range(n + 48, n + 96))


async def test_what_is_wrong_with_one_series_is_told_of_that_one_only(street: Any):
    world, homes = street
    good, off_grid, unit = (values(home, MIDNIGHT, [5, 6]) for home in homes)
    off_grid = values(homes[1], MIDNIGHT + timedelta(minutes=5), [5, 6])
    item = unit.utilities_time_series.item[0]
    wrong = replace(item, quantity=replace(item.quantity, unit_code="M3"))
    unit = replace(unit, utilities_time_series=replace(unit.utilities_time_series, item=(wrong,)))
    missing = values(homes[1], MIDNIGHT, [5])
    item = missing.utilities_time_series.item[0]
    missing = replace(
        missing, utilities_time_series=replace(missing.utilities_time_series, item=(replace(item, quantity=None),))
    )
    fine = values(homes[2], MIDNIGHT, [7], status="02")
    await world.office(bulk([good, off_grid, unit, missing, fine], homes[0].head()))
    assert outcomes(world) == [True, False, False, False, True]
    (confirmation,) = world.heard(Confirmation)
    notes = [logs.notes(item.log) for item in confirmation.items]
    assert "not on the grid" in notes[1]
    assert "The value is in M3" in notes[2]
    assert "no quantity" in notes[3]
    assert (await shown(world, homes[0]))["values"][:2] == [5, 6]
    found = await shown(world, homes[2])
    assert (found["values"][0], found["qualities"][0]) == (7, "substituted, passed")
    assert await versions(world) == 2


async def test_of_two_series_for_one_interval_the_later_counts(street: Any):
    world, homes = street
    first, second = values(homes[0], MIDNIGHT, [1, 2]), values(homes[0], MIDNIGHT + timedelta(minutes=30), [3])
    other = values(homes[1], MIDNIGHT, [4])
    await world.office(bulk([first, other, second], homes[0].head()))
    assert outcomes(world) == [True] * 3
    assert (await shown(world, homes[0]))["values"][:2] == [1, 3]
    assert await versions(world) == 3


async def test_a_series_without_values_is_nothing_to_do(street: Any):
    world, homes = street
    await world.office(bulk([values(homes[0], MIDNIGHT, [])], homes[0].head()))
    assert outcomes(world) == [True]
    assert await versions(world) == 0


async def test_an_unknown_profile_is_waited_for(street: Any, homes: Callable[..., Any]):
    world, known = street
    late = homes(4)
    await world.office(bulk([values(known[0], MIDNIGHT, [1]), values(late, MIDNIGHT, [2])], late.head()))
    assert outcomes(world) == []
    assert await world.parked() == ["UtilitiesTimeSeriesBundleItemCreateRequest_Out"]
    assert await versions(world) == 0, "all or nothing, while a part may still come"
    await world.office(*late.initialization())
    assert outcomes(world) == [True, True]
    assert (await shown(world, late))["values"][0] == 2


async def test_one_that_cannot_be_kept_does_not_take_the_others_with_it(street: Any, monkeypatch: pytest.MonkeyPatch):
    world, homes = street
    accept = Vee.accept
    marked = 4_242

    async def refuse_marked(vee: Vee, tx: AsyncConnection, batch: ChannelDays, *rest: Any) -> Any:
        if (batch.values == marked).any():
            await accept(vee, tx, batch, *rest)
            raise OpenAmiError("This one is not to be kept.")
        return await accept(vee, tx, batch, *rest)

    monkeypatch.setattr(Vee, "accept", refuse_marked)
    sent = [values(home, MIDNIGHT, [value]) for home, value in zip(homes, (1, marked, 3), strict=True)]
    await world.office(bulk(sent, homes[0].head()))
    assert outcomes(world) == [True, False, True]
    assert [(await shown(world, home))["values"][0] for home in homes] == [1, 0, 3]
    assert await versions(world) == 2, "the trace of the refused one is gone"
