"""Quantities of the middle against the intervals that it has uploaded: both routes have to give the same energy."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import bulk_confirmation
from openami.shared.contract.enterprise.messages.common import Quantity
from openami.shared.contract.enterprise.messages.inferred_calculation import (
    UtilitiesTimeSeriesCalculationERPCreateConfirmation as Answer,
)
from openami.shared.contract.enterprise.messages.inferred_calculation import (
    UtilitiesTimeSeriesCalculationERPCreateRequest as Order,
)

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

FIRST = date(2026, 3, 28)
PAST_LAST = date(2026, 3, 30)
"""Two days, the second of 23 hours: 94 half-hours."""
ALL = Decimal("9.4")


async def requested(desk: Desk, middle: Middle, home: dict[str, Any], quantities: dict[str, str], **more: Any) -> Any:
    """Order the quantities of the two days and have them answered; what is kept of it."""
    await desk.post(
        "/api/usage-requests",
        device=home["serial"],
        first_day=FIRST.isoformat(),
        past_last_day=PAST_LAST.isoformat(),
        **more,
    )
    order = middle.of(Order)[-1]
    content = Answer.UtilitiesTimeSeriesCalculation
    results = tuple(
        content.Result(
            utilities_time_of_use_code=code or None,
            quantity=Quantity(value=Decimal(value), unit_code="KWH"),
            utilities_time_series_item_type_code="01",
        )
        for code, value in quantities.items()
    )
    asked = order.utilities_time_series_calculation
    head = middle.header()
    answer = Answer(
        message_header=type(head)(
            uuid=head.uuid, creation_date_time=head.creation_date_time, reference_uuid=order.message_header.uuid
        ),
        utilities_time_series_calculation=content(
            id=asked.id, utilities_time_series_id=asked.utilities_time_series_id, result=results
        ),
        log=logs.success(),
    )
    await middle.send(bulk_confirmation([answer], middle.header(), logs.success()))
    return (await desk.get("/api/usage-requests"))[0]


async def uploaded(desk: Desk, middle: Middle, *, status: str = "01") -> dict[str, Any]:
    home = await desk.home()
    middle.clock.advance_to(datetime(2026, 4, 2, 8, tzinfo=UTC))
    for day in (FIRST, FIRST + timedelta(days=1)):
        await middle.send(middle.upload((home["profile"], middle.day_items(day, 100, status=status))))
    return home


@pytest.mark.parametrize(
    ("quantities", "times_of_use"),
    [({"": "9.4"}, []), ({"PEAK": "1.4", "OFFPEAK": "8.0"}, ["PEAK", "OFFPEAK"]), ({"PEAK": "1.4"}, ["PEAK"])],
)
async def test_equal_quantities_are_taken_without_a_word(
    desk: Desk, middle: Middle, quantities: dict[str, str], times_of_use: list[str]
):
    home = await uploaded(desk, middle)
    kept = await requested(desk, middle, home, quantities, times_of_use=times_of_use)
    assert (kept["state"], kept["note"]) == ("received", "")


async def test_quantities_that_differ_from_the_upload_are_noted_with_both_sums(desk: Desk, middle: Middle):
    home = await uploaded(desk, middle)
    kept = await requested(desk, middle, home, {"PEAK": "1.4", "OFFPEAK": "8.001"}, times_of_use=["PEAK", "OFFPEAK"])
    assert kept["state"] == "received"
    assert kept["note"] == "The quantities add up to 9.401 KWH, the uploaded intervals to 9.400: look into both."
    assert Decimal("9.400") == ALL


@pytest.mark.parametrize("status", [None, "03"])
async def test_without_a_whole_upload_there_is_nothing_to_compare(desk: Desk, middle: Middle, status: str | None):
    home = await (uploaded(desk, middle, status=status) if status else desk.home())
    kept = await requested(desk, middle, home, {"": "1"})
    assert (kept["state"], kept["note"]) == ("received", "")
