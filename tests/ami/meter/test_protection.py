"""Keys, titles and invocation counters of a meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.ami.dlms.errors import RemoteProtocolError, ReplayedCounterError, SecurityFailureError
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.protection import (
    RUNNING_LOW,
    STEP,
    InvocationCounters,
    code_of,
    factory_keys,
    system_title,
)

if TYPE_CHECKING:
    from openami.ami.meter.street import Street
from tests.ami.meter.conftest import ZONE

SERIAL = "OAE0000001"


def test_titles_and_keys_differ_between_meters_and_factories():
    assert system_title(SERIAL) == b"OAE\x00\x00\x00\x00\x01"
    keys = [factory_keys(secret, serial) for secret in ("a", "b") for serial in (SERIAL, "OAE0000002")]
    assert len({each.encryption for each in keys} | {each.authentication for each in keys}) == 8


def test_counters_are_reserved_before_they_run_out_and_never_used_twice(street: Street):
    fleet = Fleet(street, ZONE, 0)
    fleet.begin()
    meter = fleet.meters[SERIAL]
    used: list[int] = []
    for _ in range(3 * STEP):
        meter.reserve_counters(0)
        used.append(meter.counters.sent.take())
    facts, _ = fleet.take_changes()
    reservations = [fact for fact in facts if fact.kind == "counters reserved"]
    assert 3 <= len(reservations) <= 5, "not every message costs a write"
    again = Fleet(street, ZONE, 0)
    again.replay(facts, [], 0)
    twin = again.meters[SERIAL]
    twin.reserve_counters(0)
    assert twin.counters.sent.take() > max(used)
    assert twin.counters.running_low is False
    assert twin.counters.sent.remaining >= RUNNING_LOW


def test_after_a_restart_every_counter_of_the_step_is_old():
    counters = InvocationCounters()
    counters.reserved(**counters.next_step())
    for value in (5, 6, 900):
        counters.received.accept(value)
    assert not counters.running_low
    counters.received.accept(STEP + 1)
    assert counters.last_received > counters.received_until
    counters.reserved(**counters.next_step())
    counters.restarted()
    assert counters.last_received == 2 * STEP + 1
    assert counters.sent.next_value == 1 + STEP


def test_which_broken_rules_are_attacks():
    assert code_of(ReplayedCounterError("")) == 50
    assert code_of(SecurityFailureError("")) == 49
    assert code_of(RemoteProtocolError("")) is None
