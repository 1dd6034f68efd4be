"""Uploads of many series: each is taken or refused by itself, a value counts once, the later word counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openami.office.readings.model import ItemStatus
from openami.office.readings.profile_store import current_days, days_kept
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.messages.common import Quantity
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPItemBulkCreateConfirmation as Confirmation,
)

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

    from openami.office.readings.series import DayBlock
    from openami.shared.database import Database

pytestmark = pytest.mark.postgres

SHORT, NORMAL = date(2026, 3, 29), date(2026, 3, 30)


async def kept(database: Database, profile: str) -> list[DayBlock]:
    async with database.read() as connection:
        return await current_days(connection, profile, SHORT, NORMAL + timedelta(days=1))


def outcomes(middle: Middle) -> list[bool]:
    return [logs.is_success(item.log) for message in middle.of(Confirmation) for item in message.items]


async def profiles(desk: Desk, count: int) -> list[str]:
    return [(await desk.home(number))["profile"] for number in range(1, count + 1)]


async def test_each_series_is_taken_or_refused_by_itself(desk: Desk, middle: Middle, database: Database) -> None:
    first, second, third = await profiles(desk, 3)
    days = [*middle.day_items(SHORT, 100), *middle.day_items(NORMAL, 200)]
    fine = middle.day_items(NORMAL, 50, unit="MWH")
    fine[0] = replace(fine[0], quantity=Quantity(value=Decimal("0.0000000001"), unit_code="MWH"))
    await middle.send(
        middle.upload(
            (first, days), ("4711", days), (second, middle.day_items(NORMAL, 7, unit="M3")), (third, fine), (second, [])
        )
    )
    assert outcomes(middle) == [True, False, False, False, True]
    (message,) = middle.of(Confirmation)
    assert logs.is_success(message.log) is False
    notes = [logs.notes(item.log) for item in message.items]
    assert "feeds the profile 4711" in notes[1]
    assert "in M3" in notes[2]
    assert "finer than a thousandth" in notes[3]
    short, normal = await kept(database, first)
    assert (short.day, set(short.values_milli.tolist()), len(short.status)) == (SHORT, {100}, 46)
    assert (normal.day, set(normal.values_milli.tolist()), len(normal.status)) == (NORMAL, {200}, 48)
    assert await kept(database, second) == await kept(database, third) == []


async def test_what_is_said_twice_makes_no_version(desk: Desk, middle: Middle, database: Database) -> None:
    (profile,) = await profiles(desk, 1)
    message = middle.upload((profile, middle.day_items(NORMAL, 100)))
    for sent in (message, message, middle.upload((profile, middle.day_items(NORMAL, 100)))):
        await middle.send(sent)
    assert outcomes(middle) == [True, True, True], "the first one's stored answer once more"
    assert len({item.message_header.uuid for message in middle.of(Confirmation) for item in message.items}) == 2
    async with database.read() as connection:
        assert await days_kept(connection) == 1


async def test_parts_of_a_day_in_one_message_are_one_version(desk: Desk, middle: Middle, database: Database) -> None:
    (profile,) = await profiles(desk, 1)
    morning, evening = middle.day_items(NORMAL, 1, hours=(0, 12)), middle.day_items(NORMAL, 2, hours=(18, 24))
    await middle.send(middle.upload((profile, morning), (profile, evening)))
    (block,) = await kept(database, profile)
    assert block.version == 1
    assert block.values_milli.tolist() == [1] * 24 + [0] * 12 + [2] * 12
    assert block.status.tolist() == [ItemStatus.VALID] * 24 + [ItemStatus.EMPTY] * 12 + [ItemStatus.VALID] * 12


@pytest.mark.parametrize("change_first", [False, True])
async def test_a_replacement_counts_whichever_comes_first(
    desk: Desk, middle: Middle, database: Database, *, change_first: bool
) -> None:
    (profile,) = await profiles(desk, 1)
    created: Any = middle.upload((profile, middle.day_items(NORMAL, 1)))
    middle.clock.advance(timedelta(minutes=1))
    changed: Any = middle.upload((profile, middle.day_items(NORMAL, 2, hours=(0, 6), status="02")), change=True)
    await middle.send(*((changed, created) if change_first else (created, changed)))
    (block,) = await kept(database, profile)
    assert block.values_milli.tolist() == [2] * 12 + [1] * 36
    assert block.status.tolist() == [ItemStatus.ESTIMATED] * 12 + [ItemStatus.VALID] * 36
