"""A register where nobody read it: E14 from intervals, E15 between readings, E19 from its past; never over one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series import Channel, ChannelDays, Provenance, RegisterReadings, Series
from openami.mdus.vee.readings import RegisterValue, register_at
from openami.shared.quality import EMPTY, MEASURED

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

ZONE = "Europe/Amsterdam"
START = datetime(2026, 3, 1, 23, tzinfo=UTC)
AT = datetime(2026, 4, 20, tzinfo=UTC)


async def read(mdus: Database, *readings: tuple[int, int]) -> None:
    """Readings so many days after the start."""
    async with mdus.begin() as tx:
        rows = [(101, int((START + timedelta(days=day)).timestamp()), value, MEASURED) for day, value in readings]
        await Series().merge_registers(tx, RegisterReadings.of(rows), Provenance(AT, "unify", "d", "d"))


async def bring(mdus: Database, day: int, values: list[int], missing: int = 0) -> None:
    async with mdus.begin() as tx:
        quality = np.array([EMPTY] * missing + [MEASURED] * (48 - missing), np.uint8)[None]
        number = (START + timedelta(days=day, hours=1)).date().toordinal()
        batch = ChannelDays.of(np.array([1]), np.array([number]), np.array(values, np.int64)[None], quality)
        await Series().merge(tx, batch, Provenance(AT, "unify", "d", "d"))


async def found(mdus: Database, day: int, hours: int = 0) -> RegisterValue | None:
    async with mdus.begin() as tx:
        return await register_at(Series(), tx, (1, 101), START + timedelta(days=day, hours=hours))


async def test_a_reading_is_a_reading(mdus: Database) -> None:
    await read(mdus, (0, 1_000), (1, 1_048))
    assert await found(mdus, 1) == RegisterValue(1_048, "read")


async def test_e14_the_reading_before_and_what_was_used_since(mdus: Database) -> None:
    """W66, in Wh."""
    await read(mdus, (0, 1_000_000), (3, 2_000_000))
    for day in (0, 1):
        await bring(mdus, day, [500] * 48)
    assert await found(mdus, 2) == RegisterValue(1_048_000, "E14")
    assert await found(mdus, 1, 6) == RegisterValue(1_030_000, "E14")


async def test_e15_between_two_readings_where_intervals_are_missing(mdus: Database) -> None:
    """W67, by days."""
    await read(mdus, (0, 500), (30, 620))
    await bring(mdus, 0, [1] * 48, missing=1)
    assert await found(mdus, 10) == RegisterValue(540, "E15")


async def test_e19_the_daily_use_goes_on(mdus: Database) -> None:
    """W70: 3.345 kWh a day rounds to 3.35, and 31 days of it are 103.85."""
    await read(mdus, (0, 0), (200, 669_000))
    assert await found(mdus, 231) == RegisterValue(669_000 + 103_850, "E19")


async def of_digits(mdus: Database, modulus: int) -> None:
    """The register begins anew at so many watt-hours; its connection takes 17.25 kW."""
    async with mdus.begin() as tx:
        await Series().declare(tx, [Channel(101, ZONE, 0, modulus=modulus, rating_w=17_250)])


async def test_e14_beyond_the_last_digit(mdus: Database) -> None:
    await of_digits(mdus, 100_000)
    await read(mdus, (0, 99_900))
    await bring(mdus, 0, [5] * 48)
    assert await found(mdus, 1) == RegisterValue(140, "E14")


async def test_e15_on_both_sides_of_a_rollover(mdus: Database) -> None:
    """W12 with a reading between: 1120 in thirty days."""
    await of_digits(mdus, 100_000)
    await read(mdus, (0, 99_500), (30, 620))
    assert await found(mdus, 10) == RegisterValue(99_873, "E15")
    assert await found(mdus, 20) == RegisterValue(247, "E15")


async def test_e19_with_a_rollover_behind_and_one_ahead(mdus: Database) -> None:
    await of_digits(mdus, 10_000_000)
    await read(mdus, (0, 9_980_000), (100, 30_000))
    assert await found(mdus, 110) == RegisterValue(35_000, "E19")
    await read(mdus, (100, 9_990_000))
    assert await found(mdus, 300) == RegisterValue(10_000, "E19"), "a hundred a day, over the last digit"


async def test_a_fall_that_the_connection_cannot_explain_is_a_reset(mdus: Database) -> None:
    """W13: nothing is drawn across it, and what was before it tells nothing of what comes after."""
    await of_digits(mdus, 10_000_000)
    await read(mdus, (0, 45_000), (10, 45_210), (11, 12), (21, 112))
    assert await found(mdus, 10, 12) == RegisterValue(45_210, "E19"), "from the readings before"
    assert await found(mdus, 16) == RegisterValue(62, "E15")
    assert await found(mdus, 31) == RegisterValue(212, "E19"), "ten a day since the reset"


async def test_a_register_along_which_nothing_counts_has_its_readings(mdus: Database) -> None:
    await read(mdus, (0, 500), (30, 620))
    async with mdus.begin() as tx:
        found = await register_at(Series(), tx, (None, 101), START + timedelta(days=10))
    assert found == RegisterValue(540, "E15")


async def test_nothing_is_invented(mdus: Database) -> None:
    assert await found(mdus, 1) is None
    await read(mdus, (5, 100))
    assert await found(mdus, 1) is None, "a reading after tells nothing of before"
    assert await found(mdus, 6) is None, "one reading tells of no use"
