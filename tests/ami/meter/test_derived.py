"""Tariff registers, demand, billing rows and failures against plain sums over the rows of the load profile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.queries import read, read_entries, write
from openami.ami.meter import derived, profiles
from openami.ami.meter.breaker import Trigger
from openami.ami.meter.calendars import LOW, NORMAL
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.street import build_street
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.ami.meter.model import Meter

STREET = build_street(10, 1)
SERIAL, SPARE = "OAE0000001", "OAE0000011"
GENESIS_S = seconds_of(GENESIS)
APRIL = datetime(2026, 4, 1, 10, tzinfo=UTC)


def lived(until_s: int) -> tuple[Fleet, Meter]:
    fleet = Fleet(STREET, ZONE, GENESIS_S)
    fleet.begin()
    meter = fleet.meters[SERIAL]
    fleet.live_through(GENESIS_S + 40 * 3600)
    meter.trigger(fleet.lived_s, Trigger.REMOTE_DISCONNECT)
    fleet.live_through(GENESIS_S + 45 * 3600)
    meter.trigger(fleet.lived_s, Trigger.REMOTE_RECONNECT)
    fleet.live_through(max(until_s, fleet.lived_s))
    return fleet, meter


@settings(deadline=None, max_examples=30)
@given(st.integers(96, 96 * 33))
def test_tariff_registers_are_the_rows_of_their_hours(quarters: int):
    at_s = GENESIS_S + quarters // 2 * 1800 + 45 * 3600
    _, meter = lived(at_s)
    low, normal, *others = derived.tariff_registers(meter, at_s, ZONE)
    assert others == [0, 0]
    assert low + normal == meter.register_at(at_s)
    rows = profiles.load_rows(meter, at_s, 0, at_s)
    used = {LOW: 0, NORMAL: 0}
    for end_s, energy_wh in zip(rows.ends_s.tolist(), rows.energy_wh.tolist(), strict=True):
        local = instant_of(end_s - 1800).astimezone(zone(ZONE))
        working = 7 <= local.hour < 23 and local.isoweekday() <= 5
        used[NORMAL if working else LOW] += energy_wh
    start_low, start_normal, *_ = derived.tariff_registers(meter, GENESIS_S, ZONE)
    assert (low - start_low, normal - start_normal) == (used[LOW], used[NORMAL])


def test_maximum_demand_is_the_highest_row():
    fleet, meter = lived(seconds_of(APRIL))
    start_s, end_s = (
        seconds_of(datetime(2026, 2, 28, 23, tzinfo=UTC)),
        seconds_of(datetime(2026, 3, 31, 22, tzinfo=UTC)),
    )
    rows = profiles.load_rows(meter, fleet.lived_s, start_s + 1, end_s)
    demand = derived.maximum_demand(meter, start_s, end_s)
    peak = int(rows.energy_wh.argmax())
    assert (demand.watts, demand.end_s) == (int(rows.energy_wh[peak]) * 2, int(rows.ends_s[peak]))
    assert derived.maximum_demand(meter, end_s, end_s + 900) == derived.Demand(0, end_s)
    assert derived.maximum_demand(fleet.meters[SPARE], start_s, end_s).watts == 0


def test_billing_rows_stand_at_local_months():
    fleet, meter = lived(seconds_of(APRIL))
    rows = derived.billing_rows(meter, ZONE, fleet.lived_s, 0, fleet.lived_s)
    starts = [datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)]
    assert [instant_of(row.at_s) for row in rows] == starts
    assert [row.total_wh for row in rows] == [meter.register_at(row.at_s) for row in rows]
    assert [sum(row.tariffs_wh) for row in rows] == [row.total_wh for row in rows]
    assert derived.billing_rows(fleet.meters[SPARE], ZONE, fleet.lived_s, 0, fleet.lived_s) == []
    assert derived.tariff_registers(fleet.meters[SPARE], fleet.lived_s, ZONE)[0] >= 0


def test_short_failures_are_counted_but_not_listed(fleet: Fleet):
    meter = fleet.meters[SERIAL]
    for start, length in ((1000, 60), (5000, 180), (9000, 4000)):
        meter.power_down(GENESIS_S + start)
        meter.power_up(GENESIS_S + start + length)
    assert derived.long_failures(meter) == [(GENESIS_S + 5180, 180), (GENESIS_S + 13000, 4000)]
    fleet.live_through(GENESIS_S + 86400)
    reader = Reader(fleet, SERIAL).open()
    assert reader.ask(read("0-0:96.7.21", 1)).integer() == 3
    assert reader.ask(read("0-0:96.7.9", 1)).integer() == 2
    log = reader.ask(read_entries("1-0:99.97.0"))
    assert log.columns[1].values.tolist() == [180, 4000]


def test_the_objects_tell_the_same():
    fleet, meter = lived(seconds_of(APRIL))
    reader = Reader(fleet, SERIAL).open()
    tariffs = [reader.ask(read(f"1-0:1.8.{tariff}", 3)).integer() for tariff in (1, 2, 3, 4)]
    assert tuple(tariffs) == derived.tariff_registers(meter, fleet.lived_s, ZONE)
    assert reader.ask(read("0-0:96.14.0", 1)).text() == "0002", "Wednesday at noon"
    peak = derived.maximum_demand(meter, derived.month_start_s(fleet.lived_s, ZONE), fleet.lived_s)
    assert reader.ask(read("1-0:1.6.0", 4)).integer() == peak.watts
    assert reader.ask(read("1-0:1.6.0", 4, 5)).instant() == instant_of(peak.end_s)
    used_wh = meter.register_at(fleet.lived_s) - meter.register_at(fleet.lived_s - 1800)
    assert reader.ask(read("1-0:1.7.0", 3)).integer() >= 0 <= used_wh
    assert len(reader.ask(read_entries("1-0:98.1.0"))) == 2
    (assigned,) = reader.ask(read("0-0:41.0.0", 17)).elements()
    assert assigned.elements()[1].octets() == b"OAE0000001000000"
    assert reader.ask(read("1-0:0.2.0", 1)).octets().startswith(b"OPENAMI")


def test_power_is_what_the_slot_uses(fleet: Fleet):
    fleet.live_through(GENESIS_S + 12 * 3600 + 700)
    reader = Reader(fleet, SERIAL).open()
    meter = fleet.meters[SERIAL]
    slot_s = GENESIS_S + 12 * 3600
    fleet.live_through(slot_s + 1800)
    used_wh = meter.register_at(slot_s + 1800) - meter.register_at(slot_s)
    at_end = Reader(fleet, SERIAL).open()
    fleet.lived_s = slot_s + 700
    assert reader.ask(read("1-0:1.7.0", 3)).integer() == used_wh * 2
    meter.trigger(fleet.lived_s, Trigger.REMOTE_DISCONNECT)
    assert at_end.ask(read("1-0:1.7.0", 3)).integer() == 0


def test_alarms_are_set_by_events_and_cleared_by_a_head_end(fleet: Fleet):
    meter = fleet.meters[SERIAL]
    reader = Reader(fleet, SERIAL).open()
    assert reader.ask(read("0-0:97.98.0", 1)).integer() == 0
    meter.log(GENESIS_S, 44)
    meter.log(GENESIS_S, 14)
    assert reader.ask(read("0-0:97.98.0", 1)).integer() == 1 << 13 | 1 << 10
    with pytest.raises(AccessDeniedError):
        reader.ask(write("0-0:97.98.0", 1, 2, d.unsigned32(5)))
    reader.ask(write("0-0:97.98.0", 1, 2, d.unsigned32(0)))
    assert reader.ask(read("0-0:97.98.0", 1)).integer() == 0
    assert meter.events[-1].code == 11
    meter.log(GENESIS_S, 42)
    assert reader.ask(read("0-0:97.98.0", 1)).integer() == 1 << 13
    facts, _ = fleet.take_changes()
    again = Fleet(STREET, ZONE, GENESIS_S)
    again.replay(facts, [], fleet.lived_s)
    assert Reader(again, SERIAL).open().ask(read("0-0:97.98.0", 1)).integer() == 1 << 13


def test_a_month_begins_where_the_zone_says():
    assert derived.month_start_s(seconds_of(datetime(2026, 3, 31, 22, tzinfo=UTC)), ZONE) == seconds_of(
        datetime(2026, 3, 31, 22, tzinfo=UTC)
    )
    before = seconds_of(datetime(2026, 3, 31, 22, tzinfo=UTC) - timedelta(seconds=1))
    assert derived.month_start_s(before, ZONE) == seconds_of(datetime(2026, 2, 28, 23, tzinfo=UTC))
