"""Orders for quantities: each is confirmed once, with the quantities or with the number of the reason."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.mdus.processes.conftest import played_field

from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages.inferred_calculation import (
    UtilitiesTimeSeriesCalculationERPBulkCreateConfirmation as Quantities,
)
from openami.shared.contract.enterprise.messages.inferred_calculation import (
    UtilitiesTimeSeriesCalculationERPCancellationBulkConfirmation as Withdrawn,
)
from openami.testing import requests

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

DAY = date(2026, 3, 3)


def changed(item: Any, **facts: Any) -> Any:
    """An order with other facts."""
    content = item.utilities_time_series_calculation
    return dataclasses.replace(item, utilities_time_series_calculation=dataclasses.replace(content, **facts))


def reasons(answer: Any) -> list[list[tuple[str, str]]]:
    """Number and category of what was refused, by item."""
    return [
        [(one.type_id, one.category_code) for one in item.log.item if one.type_id != "0000"] for item in answer.items
    ]


@pytest.fixture
async def measured(world: Any, home: Any) -> Any:
    """A home whose series stays in the middle, on the day after DAY."""
    home.stored_remotely = True
    await world.office(*home.initialization())
    await played_field(world).discover(home)
    await world.settle()
    world.clock.advance_to(datetime(2026, 3, 4, 1, tzinfo=UTC))
    world.office_heard.clear()
    return home


async def order(world: Any, home: Any, *items: Any) -> Any:
    """Send orders as one message; its confirmation, if there is one by then, must be the only one."""
    whole = bulk(items, home.head())
    await world.office(whole)
    return whole


def answers(world: Any, whole: Any) -> list[Any]:
    """The confirmations of a message of orders."""
    uuid = whole.message_header.uuid
    return [one for one in world.heard(Quantities) if one.message_header.reference_uuid == uuid]


async def test_each_order_that_cannot_be_is_refused_with_its_number(
    world: Any, measured: Any, homes: Callable[..., Any]
):
    good = requests.calculation(measured, DAY, DAY)
    whole = await order(
        world,
        measured,
        requests.calculation(homes(9), DAY, DAY),
        changed(good, id="2", measure_unit_code="M3"),
        changed(good, id="3", measure_unit_code="XYZ"),
        changed(good, id="4", calculation_rule_code="NONE"),
        changed(good, id="5", utilities_time_of_use_code=("PEAK", "NIGHT")),
        changed(good, id="6", time_zone_code="MOON"),
        changed(good, id="7", end_date=DAY - timedelta(days=1)),  # to the last second of the day before: nothing
        changed(good, id="8", end_date=DAY - timedelta(days=2)),
    )
    (answer,) = answers(world, whole)
    assert answer.log.business_document_processing_result_code == "5"
    assert [one for (one,) in reasons(answer)] == [
        ("1010", "PRE.IDE"),
        ("4001", "PRE.VAE"),
        ("1007", "DCE.VME"),
        ("1007", "DCE.VME"),
        ("1007", "DCE.VME"),
        ("1007", "DCE.VME"),
        ("1006", "PRE.VAE"),
        ("1006", "PRE.VAE"),
    ]
    assert all(not one.utilities_time_series_calculation.result for one in answer.items)


async def test_an_order_waits_for_values_and_is_confirmed_once_with_those_that_were_refused(world: Any, measured: Any):
    waits = requests.calculation(measured, DAY, DAY)
    whole = await order(world, measured, waits, changed(waits, id="8", measure_unit_code="M3"))
    assert answers(world, whole) == []
    await played_field(world).deliver(measured, DAY, wh=250)
    await world.until(world.clock.now() + timedelta(hours=3))
    (answer,) = answers(world, whole)
    assert answer.log.business_document_processing_result_code == "4"
    assert reasons(answer) == [[], [("4001", "PRE.VAE")]]
    (result,) = answer.items[0].utilities_time_series_calculation.result
    assert (str(result.quantity.value), result.quantity.unit_code) == ("12.000", "KWH")
    await world.office(whole)
    await world.until(world.clock.now() + timedelta(days=8))
    assert len(answers(world, whole)) == 2, "the repeated request gets the confirmation that it had"
    assert answers(world, whole)[0] == answers(world, whole)[1]


async def test_values_that_never_come_end_the_patience(world: Any, measured: Any):
    whole = await order(
        world, measured, requests.calculation(measured, DAY + timedelta(days=1), DAY + timedelta(days=1))
    )
    await world.until(datetime(2026, 3, 9, 22, tzinfo=UTC))
    assert answers(world, whole) == [], "five days after the end of the period"
    await world.until(datetime(2026, 3, 9, 23, 30, tzinfo=UTC))
    (answer,) = answers(world, whole)
    assert reasons(answer) == [[("4003", "PRE.CVE")]]
    assert "48 intervals" in answer.items[0].log.item[0].note


async def test_quantities_are_told_by_time_of_use_and_by_period_sum_or_maximum(world: Any, measured: Any):
    await played_field(world).deliver(measured, DAY, wh=100)
    item = requests.calculation(measured, DAY, DAY, times_of_use=("OFFPEAK", "PEAK"))
    periods = [("A", datetime(2026, 3, 2, 23, tzinfo=UTC), datetime(2026, 3, 3, 23, tzinfo=UTC))]
    good = requests.calculation(measured, DAY, DAY, periods=periods, rule="MAX")
    whole = await order(world, measured, item, good)
    (answer,) = answers(world, whole)
    assert reasons(answer) == [[], []]
    found = [
        {
            one.utilities_time_of_use_code: str(one.quantity.value)
            for one in each.utilities_time_series_calculation.result
        }
        for each in answer.items
    ]
    assert found == [{"PEAK": "3.200", "OFFPEAK": "1.600"}, {"A": "0.100"}]


async def test_a_newer_order_takes_the_place_of_one_that_waits(world: Any, measured: Any):
    first = await order(world, measured, requests.calculation(measured, DAY, DAY))
    beside = await order(
        world, measured, requests.calculation(measured, DAY - timedelta(days=3), DAY - timedelta(days=3))
    )
    second = await order(world, measured, requests.calculation(measured, DAY, DAY))
    (answer,) = answers(world, first)
    assert reasons(answer) == [[("4006", "PRE")]]
    assert answers(world, beside) == answers(world, second) == []


async def test_an_order_is_withdrawn_once_and_confirmed_once(world: Any, measured: Any):
    item = requests.calculation(measured, DAY, DAY)
    number = item.utilities_time_series_calculation.id
    whole = await order(world, measured, item)
    for _ in range(2):
        await world.office(bulk([requests.calculation_cancelled(measured, number.lstrip("0"))], measured.head()))
    (answer,) = answers(world, whole)
    assert reasons(answer) == [[("4005", "PRE")]]
    assert [one.log.business_document_processing_result_code for one in world.heard(Withdrawn)] == ["3", "3"]
    await played_field(world).deliver(measured, DAY, wh=100)
    await world.until(world.clock.now() + timedelta(hours=3))
    assert len(answers(world, whole)) == 1


async def test_a_withdrawal_of_what_nobody_ordered_waits_for_the_order_and_is_then_refused(world: Any, measured: Any):
    await world.office(bulk([requests.calculation_cancelled(measured, "77")], measured.head()))
    assert (world.heard(Withdrawn), len(await world.parked())) == ([], 1)
    await world.until(world.clock.now() + timedelta(hours=2))
    (answer,) = world.heard(Withdrawn)
    assert reasons(answer) == [[("4004", "PRE.IDE")]]
