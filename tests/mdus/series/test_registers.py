from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series import Provenance, RegisterReadings, Series
from openami.mdus.series.channels import UnknownChannelError
from openami.shared.quality import EMPTY, MEASURED, Origin, quality
from openami.shared.spans import Span

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

MIDNIGHT = int(datetime(2026, 2, 28, 23, tzinfo=UTC).timestamp())
DAY = 86400
BY = Provenance(datetime(2026, 3, 2, tzinfo=UTC), "unify", "delivery", "d1")
PRORATED = quality(Origin.E15_REGISTER_PRORATION)


async def test_readings_come_back_by_instant_and_by_span(mdus: Database, series: Series) -> None:
    readings = RegisterReadings.of([(101, MIDNIGHT + i * DAY, 1000 + 7 * i, MEASURED) for i in range(3)])
    async with mdus.begin() as tx:
        assert len(await series.merge_registers(tx, readings, BY)) == 3
        at = await series.registers_at(tx, np.array([101, 102, 101]), np.array([MIDNIGHT + DAY, MIDNIGHT, MIDNIGHT]))
        span = Span(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC))
        within = await series.registers(tx, 101, span)
    assert at.value.tolist() == [1007, 0, 1000]
    assert at.quality.tolist() == [MEASURED, EMPTY, MEASURED]
    assert within.value.tolist() == [1007, 1014]


async def test_a_repeat_is_no_version_and_a_correction_is_one(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        await series.merge_registers(tx, RegisterReadings.of([(101, MIDNIGHT, 1000, MEASURED)]), BY)
        again = await series.merge_registers(tx, RegisterReadings.of([(101, MIDNIGHT, 1000, MEASURED)]), BY)
        estimate = await series.merge_registers(tx, RegisterReadings.of([(101, MIDNIGHT, 900, PRORATED)]), BY)
        later = Provenance(datetime(2026, 3, 3, tzinfo=UTC), "unify", "correction", "d2")
        correction = await series.merge_registers(tx, RegisterReadings.of([(101, MIDNIGHT, 1001, MEASURED)]), later)
        current = await series.registers_at(tx, np.array([101]), np.array([MIDNIGHT]))
        before = await series.registers_at(
            tx, np.array([101]), np.array([MIDNIGHT]), as_of=datetime(2026, 3, 2, 12, tzinfo=UTC)
        )
    assert (len(again), len(estimate), len(correction)) == (0, 0, 1)
    assert (current.value.tolist(), before.value.tolist()) == ([1001], [1000])


async def test_the_last_of_two_readings_in_one_delivery_stands(mdus: Database, series: Series) -> None:
    twice = RegisterReadings.of(
        [(101, MIDNIGHT, 1, MEASURED), (102, MIDNIGHT, 5, MEASURED), (101, MIDNIGHT, 2, MEASURED)]
    )
    async with mdus.begin() as tx:
        stored = await series.merge_registers(tx, twice, BY)
    assert dict(zip(stored.channel.tolist(), stored.value.tolist(), strict=True)) == {101: 2, 102: 5}


async def test_an_unknown_register_is_refused(mdus: Database, series: Series) -> None:
    async with mdus.begin() as tx:
        with pytest.raises(UnknownChannelError):
            await series.merge_registers(tx, RegisterReadings.of([(999, MIDNIGHT, 1, MEASURED)]), BY)
