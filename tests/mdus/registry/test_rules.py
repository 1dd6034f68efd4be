from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from openami.mdus.registry import errors, rules
from openami.mdus.registry.ids import DeviceId, PointId, ProfileId, SystemId, TaskId
from openami.mdus.registry.model import (
    Address,
    Device,
    DeviceMaster,
    DeviceState,
    Location,
    PointAssignment,
    Profile,
    ProfileRole,
    Register,
)
from openami.mdus.registry.slices import OPEN_DATE, OPEN_INSTANT, Period
from openami.shared.spans import Span

NOW = datetime(2026, 3, 16, 10, 20, tzinfo=UTC)
FOR_EVER = Period(date(2026, 2, 28), OPEN_DATE)
SINCE = datetime(2026, 2, 27, 23, tzinfo=UTC)
MASTER = DeviceMaster("SN1", "METER", FOR_EVER)
REGISTER = Register(TaskId("000042"), FOR_EVER, "1-0:1.8.0", "KWH", 8, 3)
INTERVALS = Register(TaskId("43"), FOR_EVER, "1-0:1.29.0", "KWH", 8, 3, recurrence="15")
PLACE = Location(FOR_EVER, "DL1", "CO1", Address("NL"))


def device(number: str = "4711", **facts: object) -> Device:
    return replace(rules.announce(None, DeviceId(number), MASTER, SystemId("AMS1")), **facts)  # type: ignore[arg-type]


def test_an_announced_device_belongs_to_the_ams_that_the_message_names():
    assert device().state is DeviceState.ANNOUNCED
    assert device().system_on(date(2026, 3, 1)) == "AMS1"


def test_the_same_announcement_twice_changes_nothing():
    known = device()
    assert rules.announce(known, known.id, MASTER, SystemId("AMS1")) is known


def test_another_announcement_of_a_known_device_is_refused():
    with pytest.raises(errors.DeviceExistsError, match=r"already known as serial 'SN1'.*change request"):
        rules.announce(device(), DeviceId("4711"), replace(MASTER, serial_id="SN2"), None)
    with pytest.raises(errors.DeviceExistsError):
        rules.announce(device(), DeviceId("4711"), MASTER, SystemId("AMS2"))


def test_states_follow_the_facts_whatever_order_they_come_in():
    facts = {
        "confirmed_at": (NOW, DeviceState.CONFIRMED),
        "registers": ((REGISTER,), DeviceState.REGISTERS_KNOWN),
        "locations": ((PLACE,), DeviceState.LOCATED),
        "registered_at": (NOW, DeviceState.REGISTERED),
    }
    for order in itertools.permutations(facts):
        one = device()
        for name in order:
            one = replace(one, **{name: facts[name][0]})  # type: ignore[arg-type]
            behind = [facts[fact][1] for fact in facts if not getattr(one, fact)]
            assert one.state == min(behind, default=DeviceState.REGISTERED + 1) - 1
        assert one.state is DeviceState.REGISTERED


def test_another_ams_counts_from_its_day_on():
    moved = rules.change(device(), MASTER, SystemId("AMS2"), date(2026, 3, 10))
    assert [moved.system_on(date(2026, 3, day)) for day in (9, 10)] == ["AMS1", "AMS2"]
    assert rules.assign_system(moved, SystemId("AMS2"), date(2026, 3, 12)) is moved


def test_a_message_for_another_ams_is_refused():
    rules.check_system(device(), SystemId("AMS1"), date(2026, 3, 1))
    rules.check_system(device(), None, date(2026, 3, 1))
    with pytest.raises(errors.SystemMismatchError, match="belongs to AMS 'AMS1', the message names 'AMS9'"):
        rules.check_system(device(), SystemId("AMS9"), date(2026, 3, 1))


def test_a_register_list_replaces_only_when_it_is_complete():
    both = rules.set_registers(device(), [REGISTER, INTERVALS], complete=False, owners={})
    shorter = replace(REGISTER, period=Period(date(2026, 2, 28), date(2026, 3, 10)))
    partly = rules.set_registers(both, [shorter], complete=False, owners={})
    assert {one.task: one.period for one in partly.registers} == {"000042": shorter.period, "43": FOR_EVER}
    assert rules.set_registers(both, [shorter], complete=True, owners={}).registers == (shorter,)


def test_no_register_at_all_is_the_reversal_of_the_allocation():
    both = rules.set_registers(device(), [REGISTER, INTERVALS], complete=False, owners={})
    linked = rules.assign_points(both, REGISTER.task, [point("PoD1", SINCE)], complete=True)
    reversed_ = rules.set_registers(linked, [], complete=False, owners={})
    assert reversed_.registers == ()
    assert reversed_.points == ()


def test_a_task_keeps_the_spelling_it_came_with_first():
    known = rules.set_registers(device(), [REGISTER], complete=False, owners={})
    again = rules.set_registers(
        known, [replace(REGISTER, task=TaskId("42"), obis="1-0:2.8.0")], complete=False, owners={}
    )
    assert [(one.task, one.obis) for one in again.registers] == [("000042", "1-0:2.8.0")]


def test_a_task_of_another_device_in_the_same_period_is_refused():
    other = rules.set_registers(device("4712"), [REGISTER], complete=False, owners={})
    with pytest.raises(errors.TaskTakenError, match="belongs to device 4712"):
        rules.set_registers(device(), [REGISTER], complete=False, owners={REGISTER.task: [other]})
    ended = replace(other, registers=(replace(REGISTER, period=Period(date(2026, 1, 1), date(2026, 2, 28))),))
    assert rules.set_registers(device(), [REGISTER], complete=False, owners={REGISTER.task: [ended]}).registers


def test_overlapping_slices_of_one_task_are_refused():
    with pytest.raises(errors.PeriodError, match="Measurement task 000042"):
        rules.set_registers(device(), [REGISTER, replace(REGISTER, time_of_use="NT")], complete=True, owners={})


def test_a_location_with_a_removal_ends_the_device():
    removed = replace(PLACE, period=Period(date(2026, 2, 28), date(2026, 3, 16)), removed_at=NOW)
    one = located(device(), [PLACE])
    assert one.removed_at() is None
    assert located(one, [removed]).removed_at() == NOW


def test_a_complete_list_without_a_location_is_a_removal_too():
    gone = located(located(device(), [PLACE]), [])
    assert gone.removed_at() == NOW
    assert gone.locations[0].period == Period(date(2026, 2, 28), date(2026, 3, 16))
    assert located(gone, []) == gone, "a repeat changes nothing"


def test_a_device_cannot_hang_in_two_places():
    elsewhere = replace(PLACE, installation_point="DL2", period=Period(date(2026, 3, 5), OPEN_DATE))
    with pytest.raises(errors.PeriodError, match="Locations of device 4711"):
        located(device(), [PLACE, elsewhere])


def test_points_of_delivery_replace_or_extend_those_of_the_same_task():
    one = rules.set_registers(device(), [REGISTER, INTERVALS], complete=False, owners={})
    one = rules.assign_points(one, TaskId("42"), [point("PoD1", SINCE)], complete=True)
    one = rules.assign_points(one, INTERVALS.task, [point("PoD1", SINCE)], complete=True)
    moved = rules.assign_points(one, REGISTER.task, [point("PoD1", SINCE, NOW), point("PoD2", NOW)], complete=False)
    assert [(p.task, p.point) for p in moved.points] == [("43", "PoD1"), ("000042", "PoD1"), ("000042", "PoD2")]
    assert rules.assign_points(moved, REGISTER.task, [], complete=True).points == (moved.points[0],)


def test_a_task_cannot_count_for_two_points_at_once():
    one = rules.set_registers(device(), [REGISTER], complete=False, owners={})
    with pytest.raises(errors.PeriodError, match="PoD1 and PoD2 at once"):
        rules.assign_points(one, REGISTER.task, [point("PoD1", SINCE), point("PoD2", NOW)], complete=True)
    with pytest.raises(errors.UnknownTaskError, match="no measurement task 99"):
        rules.assign_points(one, TaskId("99"), [point("PoD1", SINCE)], complete=True)


def test_a_profile_follows_a_meter_swap_from_task_to_task():
    first = rules.assign_profile(None, profile("P1", ("43", SINCE, OPEN_INSTANT)), complete=True, others=[])
    swap = profile("P1", ("43", SINCE, NOW), ("53", NOW, OPEN_INSTANT))
    swapped = rules.assign_profile(first, swap, complete=False, others=[])
    assert [(role.task, role.span.start) for role in swapped.roles] == [("43", SINCE), ("53", NOW)]
    with pytest.raises(errors.PeriodError, match="tasks 43 and 53 overlap"):
        rules.assign_profile(first, profile("P1", ("53", NOW, OPEN_INSTANT)), complete=False, others=[])


def test_a_task_feeds_one_profile_at_a_time():
    other = profile("P2", ("0043", SINCE, NOW))
    with pytest.raises(errors.ProfileTakenError, match="already feeds profile P2"):
        rules.assign_profile(None, profile("P1", ("43", SINCE, NOW)), complete=True, others=[other])
    assert rules.assign_profile(None, profile("P1", ("43", NOW, OPEN_INSTANT)), complete=True, others=[other])
    assert rules.assign_profile(other, replace(other, id=ProfileId("0P2")), complete=True, others=[other])


def test_the_back_office_is_told_once_and_only_when_all_is_known():
    ready = device(confirmed_at=NOW, registers=(REGISTER,), locations=(PLACE,), reported_at=NOW)
    assert rules.may_register(ready)
    for missing in ("confirmed_at", "reported_at"):
        assert not rules.may_register(replace(ready, **{missing: None}))  # type: ignore[arg-type]
    assert not rules.may_register(replace(ready, registers=()))
    assert not rules.may_register(replace(ready, locations=()))
    assert not rules.may_register(replace(ready, registered_at=NOW))


def test_the_first_report_of_the_ams_counts():
    assert rules.report(rules.report(device(), NOW), OPEN_INSTANT).reported_at == NOW


def located(one: Device, places: list[Location]) -> Device:
    return rules.locate(one, places, [], complete=True, logical_complete=True, now=NOW)


def point(name: str, start: datetime, end: datetime = OPEN_INSTANT) -> PointAssignment:
    return PointAssignment(REGISTER.task, Span(start, end), PointId(name))


def profile(number: str, *roles: tuple[str, datetime, datetime]) -> Profile:
    made = tuple(ProfileRole(TaskId(task), Span(start, end), "1") for task, start, end in roles)
    return Profile(ProfileId(number), "KWH", "15", roles=made)
