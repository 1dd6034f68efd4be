"""A meter's clock object makes its local time: against the zones of the world, and over DLMS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.queries import act, read, read_profile, write
from openami.ami.dlms.times import STATUS_DAYLIGHT_SAVING, CosemDate, CosemDateTime, CosemTime
from openami.ami.meter.clock import BEGIN, DEVIATION, ENABLED, END, TIME_ZONE, OwnZone, place_of, shown_rule
from openami.ami.meter.settings import CLOCK, Settings
from openami.ami.meter.times import seconds_of
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.ami.meter.fleet import Fleet

ZONES = ("Europe/Amsterdam", "Europe/London", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "UTC")
SUMMER_S = seconds_of(datetime(2026, 7, 1, 12, tzinfo=UTC))
instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def own(zone_name: str) -> OwnZone:
    """The zone of a meter whose fields were all written as its factory shows them."""
    factory, written = Settings(), Settings()
    for attribute in (TIME_ZONE, BEGIN, END, DEVIATION, ENABLED):
        written.put(CLOCK, attribute, encode(shown_rule(factory, zone_name, attribute, 2026)))
    place = place_of(written, zone_name)
    assert isinstance(place, OwnZone)
    return place


@pytest.mark.parametrize("zone_name", ZONES)
@given(instant=instants)
def test_the_fields_describe_the_zone(zone_name: str, instant: datetime):
    mine, theirs = instant.astimezone(own(zone_name)), instant.astimezone(zone(zone_name))
    assert mine.replace(tzinfo=None) == theirs.replace(tzinfo=None)
    assert (mine.utcoffset(), bool(mine.dst())) == (theirs.utcoffset(), bool(theirs.dst()))
    assert mine.astimezone(UTC) == instant


@pytest.mark.parametrize("zone_name", ZONES[:4])
@pytest.mark.parametrize("minutes", [-61, -60, -59, -1, 0, 1, 59, 60, 61])
def test_both_sides_of_each_switch(zone_name: str, minutes: int):
    place, civil = own(zone_name), zone(zone_name)
    year = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(8760)]
    for before, after in pairwise(year):
        if before.astimezone(civil).dst() != after.astimezone(civil).dst():
            instant = after + timedelta(minutes=minutes)
            assert str(instant.astimezone(place)) == str(instant.astimezone(civil))
            assert instant.astimezone(place).astimezone(UTC) == instant, "the hour that comes twice is told apart"


def test_a_factory_meter_keeps_the_zone_it_hangs_in():
    assert place_of(Settings(), ZONE) is zone(ZONE)


def test_the_clock_shows_summer_time_as_its_fields_say(fleet: Fleet, reader: Reader):
    fleet.live_through(SUMMER_S)
    shown = CosemDateTime.decode(reader.ask(read("0-0:1.0.0", 8)).octets())
    assert (shown.time.hour, shown.deviation_min, shown.status) == (14, -120, STATUS_DAYLIGHT_SAVING)
    assert reader.ask(read("0-0:1.0.0", 8, 3)).integer() == -60, "the zone is that of the winter"
    assert reader.ask(read("0-0:1.0.0", 8, 4)).integer() == STATUS_DAYLIGHT_SAVING
    begin = CosemDateTime.decode(reader.ask(read("0-0:1.0.0", 8, 5)).octets())
    assert (begin.date, begin.time.hour) == (CosemDate(month=3, day=0xFE, day_of_week=7), 2)
    assert reader.ask(read("0-0:1.0.0", 8, 7)).integer() == 60

    reader.ask(write("0-0:1.0.0", 8, 8, d.boolean(False)))
    shown = CosemDateTime.decode(reader.ask(read("0-0:1.0.0", 8)).octets())
    assert (shown.time.hour, shown.deviation_min, shown.status) == (13, -60, 0)
    assert shown.instant() == datetime(2026, 7, 1, 12, tzinfo=UTC), "the instant is the same"


def test_another_rule_changes_stamps_but_no_instant(fleet: Fleet, reader: Reader):
    fleet.live_through(SUMMER_S)
    day = datetime(2026, 6, 30, 22, tzinfo=UTC)
    before = reader.ask(read_profile("1-0:99.1.0", day, day + timedelta(hours=6), zone=zone(ZONE)))
    reader.ask(write("0-0:1.0.0", 8, 3, d.integer16(-330)))
    late = CosemDateTime(CosemDate(month=9, day=1, day_of_week=3), CosemTime(0, 0, 0, 0))
    reader.ask(write("0-0:1.0.0", 8, 5, d.octet_string(late)))
    after = reader.ask(read_profile("1-0:99.1.0", day, day + timedelta(hours=6), zone=zone(ZONE)))
    assert list(after.times_s) == list(before.times_s)
    shown = CosemDateTime.decode(reader.ask(read("0-0:1.0.0", 8)).octets())
    assert (shown.time.hour, shown.time.minute, shown.deviation_min) == (17, 30, -330)
    fleet.live_through(seconds_of(datetime(2026, 9, 1, 18, 29, tzinfo=UTC)))
    assert not CosemDateTime.decode(reader.ask(read("0-0:1.0.0", 8)).octets()).status
    fleet.live_through(seconds_of(datetime(2026, 9, 1, 18, 30, tzinfo=UTC)))
    assert CosemDateTime.decode(reader.ask(read("0-0:1.0.0", 8)).octets()).status, "a Wednesday"


def test_a_clock_far_from_any_place_is_not_believed(fleet: Fleet, reader: Reader):
    fleet.live_through(SUMMER_S)
    reader.ask(write("0-0:1.0.0", 8, 3, d.integer16(-20_000)))
    assert CosemDateTime.decode(reader.ask(read("0-0:1.0.0", 8)).octets()).deviation_min == -120


def test_drift_shift_and_summer_time_go_together(fleet: Fleet, reader: Reader):
    fleet.live_through(SUMMER_S)
    fleet.meters["OAE0000001"].drift(SUMMER_S, 45)
    shown = CosemDateTime.decode(reader.ask(read("0-0:1.0.0", 8)).octets())
    assert (shown.time.hour, shown.time.second) == (14, 45)
    reader.ask(act("0-0:1.0.0", 8, 6, d.integer16(-45)))
    shown = CosemDateTime.decode(reader.ask(read("0-0:1.0.0", 8)).octets())
    assert shown.instant() == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert shown.instant() > GENESIS
