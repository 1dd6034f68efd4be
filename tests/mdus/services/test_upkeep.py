"""Withdrawals, changed tasks, transformers, texts, and switching by other means: what is done, and why it is not."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openami.mdus.registry import store
from openami.mdus.registry.ids import bare
from openami.mdus.services import upkeep_store
from openami.shared.contract import field as cim
from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages.event import UtilitiesSmartMeterEventERPBulkCreateRequest as Events
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterCancellationBulkConfirmation as Withdrawn,
)
from openami.shared.contract.enterprise.messages.inferred_measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPBulkChangeConfirmation as TasksChanged,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeConfirmation as Assigned,
)
from openami.testing import requests

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

PATIENCE = timedelta(hours=2)
"""Longer than a message waits for its predecessor."""


def within(message: Any, part: str, **facts: Any) -> Any:
    """A message whose content has other facts."""
    return dataclasses.replace(message, **{part: dataclasses.replace(getattr(message, part), **facts)})


def numbers(answer: Any) -> list[str]:
    """Of each item the number of its refusal, or nothing."""
    return ["".join(one.type_id for one in item.log.item if one.severity_code == "3") for item in answer.items]


def refused(world: Any) -> list[str]:
    """The numbers in the events that say which notifications were refused."""
    told = [one.utilities_smart_meter_event for message in world.heard(Events) for one in message.items]
    texts = [next(part.object_property_value.text for part in one.property if part.code == "TEXT") for one in told]
    return sorted(re.findall(r"\b([12]0[01]\d) [A-Z]", "\n".join(texts)))


async def kept(world: Any, home: Any) -> Any:
    async with world.database.read() as tx:
        return (await store.load_devices(tx, [home.device])).get(bare(home.device))


async def test_of_withdrawals_each_is_answered_for_itself(world: Any, homes: Callable[..., Any]):
    announced, installed, unknown = homes(1), homes(2), homes(3)
    await world.office(announced.create(), *installed.initialization())
    whole = bulk([requests.withdrawn(one) for one in (announced, installed, unknown)], announced.head())
    await world.office(whole)
    await world.until(world.clock.now() + PATIENCE)
    (answer,) = world.heard(Withdrawn)
    assert numbers(answer) == ["", "1011", "1001"]
    assert answer.log.business_document_processing_result_code == "4"
    assert "Remove an installed device" in answer.items[1].log.item[0].note
    assert await kept(world, announced) is None
    assert (await kept(world, installed)).id == installed.device
    await world.office(announced.create())
    assert await kept(world, announced), "it may be announced again"


async def test_of_changed_tasks_each_is_answered_for_itself(world: Any, homes: Callable[..., Any]):
    home, other, unknown = homes(1), homes(2), homes(3)
    await world.office(*home.initialization(), *other.initialization())
    day = date(2026, 4, 1)
    good = requests.task_changed(home, day, time_of_use="PEAK")
    content = good.utilities_measurement_task
    part = content.specifications[0]
    strange = dataclasses.replace(part, utilities_measurement_recurrence_code="77")
    early = dataclasses.replace(part, start_date=date(1999, 1, 1), end_date=date(1999, 2, 1))
    nobodys = within(good, "utilities_measurement_task", id=other.register, utilities_device=None)
    whole = bulk(
        [
            good,
            requests.task_changed(unknown, day, time_of_use="PEAK"),
            within(good, "utilities_measurement_task", id=other.register),
            within(good, "utilities_measurement_task", specifications=(strange,)),
            within(good, "utilities_measurement_task", specifications=(early,)),
            nobodys,
        ],
        home.head(),
    )
    await world.office(whole)
    await world.until(world.clock.now() + PATIENCE)
    (answer,) = world.heard(TasksChanged)
    assert numbers(answer) == ["", "1002", "1012", "1007", "1006", ""]
    for one in (home, other):
        slices = [each for each in (await kept(world, one)).registers if bare(each.task) == bare(one.register)]
        assert [(each.time_of_use, each.period.first == day) for each in slices] == [("", False), ("PEAK", True)]


async def test_transformers_are_kept_and_never_applied(world: Any, homes: Callable[..., Any]):
    home, other = homes(1), homes(2)
    await world.office(*home.initialization())
    first = requests.transformers(home, "CT1", "20.5")
    await world.office(first)
    later = within(first, "utilities_measurement_task", device_assignment_list_complete_transmission_indicator=False)
    assignment = later.utilities_measurement_task.device_assignment[0]
    moved = dataclasses.replace(assignment, start_date=date(2026, 5, 1), assigned_utilities_device_id="CT2")
    later = within(later, "utilities_measurement_task", device_assignment=(moved,))
    await world.office(dataclasses.replace(later, message_header=home.head()))

    async def known() -> list[tuple[str, Decimal]]:
        async with world.database.read() as tx:
            rows = (await upkeep_store.transformers_of_tasks(tx, [home.register])).get(bare(home.register), [])
        return [(row["transformer"], row["factor"]) for row in rows]

    assert await known() == [("CT1", Decimal("20.5")), ("CT2", Decimal("20.5"))]
    await world.office(
        within(requests.transformers(home, "-", "1"), "utilities_measurement_task", device_assignment=())
    )
    assert await known() == [], "a complete list that is empty takes all away"
    wrong = within(requests.transformers(other, "CT3", "1"), "utilities_measurement_task", id=home.register)
    reversed_ = within(
        requests.transformers(home, "CT4", "1"),
        "utilities_measurement_task",
        device_assignment=(dataclasses.replace(assignment, end_date=date(2020, 1, 1)),),
    )
    await world.office(wrong, reversed_)
    assert refused(world) == ["1006", "1012"]


async def test_a_text_goes_to_the_display_once(world: Any, homes: Callable[..., Any]):
    home, unknown = homes(1), homes(2)
    await world.office(*home.initialization())
    world.ams_heard.clear()
    text = requests.text(home, "Power will be off <tomorrow> & back soon.")
    named = dataclasses.replace(text, message_header=dataclasses.replace(text.message_header, uuid=None, id="T 1"))
    for message in (text, text, named, named):
        await world.office(message)
    async with world.database.read() as tx:
        rows = await upkeep_store.texts_of(tx, [home.device])
    assert [row["text"] for row in rows] == ["Power will be off <tomorrow> & back soon."] * 2
    controls = world.told(cim.Verb.CREATE, "EndDeviceControls")
    assert len(controls) == 2
    await world.office(requests.text(unknown, "Hello"))
    await world.until(world.clock.now() + PATIENCE)
    assert refused(world) == ["1001"]


async def test_what_was_switched_by_other_means_is_known_until_it_is_undone(world: Any, homes: Callable[..., Any]):
    home, unknown = homes(1), homes(2)
    await world.office(*home.initialization())
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    told = requests.switched_otherwise(home, "55", requests.DISCONNECT, at)
    for message in (told, dataclasses.replace(told, message_header=home.head())):
        await world.office(message)

    async def notices() -> list[tuple[bool, bool]]:
        async with world.database.read() as tx:
            rows = (await tx.execute(upkeep_store.notice_table.select())).mappings().all()
        return [(row["closes"], row["undone_at"] is None) for row in rows]

    assert await notices() == [(False, True)], "told twice, known once"
    for _ in range(2):
        await world.office(requests.switch_undone(home, "000055", requests.DISCONNECT))
    assert await notices() == [(False, False)]
    assert refused(world) == []
    await world.office(
        requests.switched_otherwise(home, "56", "3", at),
        requests.switched_otherwise(home, "57", "9", at),
        requests.switched_otherwise(unknown, "58", requests.DISCONNECT, at),
        requests.switch_undone(home, "59", requests.DISCONNECT),
    )
    await world.until(world.clock.now() + PATIENCE)
    assert refused(world) == ["1001", "1007", "2001", "2004"]


async def test_a_profile_is_not_fed_in_a_period_that_ends_before_it_begins(world: Any, home: Any):
    *others, series = home.initialization()
    await world.office(*others)
    content = series.utilities_time_series
    role = dataclasses.replace(content.measurement_task_assignment_role[0], end_date=date(2020, 1, 1))
    await world.office(within(series, "utilities_time_series", measurement_task_assignment_role=(role,)))
    (answer,) = world.heard(Assigned)
    assert [one.type_id for one in answer.log.item] == ["1006"]
    await world.office(home.series())
    assert world.heard(Assigned)[-1].log.business_document_processing_result_code == "3"
