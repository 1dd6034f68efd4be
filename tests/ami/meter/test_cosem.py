"""The object model over a fake wire, asked by our own client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.ami.meter.conftest import GENESIS, PASSWORD, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.classes import CLASSES
from openami.ami.dlms.enums import ActionResult, DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError, AssociationRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.queries import act, read, read_entries, read_profile, write
from openami.ami.dlms.selection import CaptureObject, EntrySelection, capture_objects
from openami.ami.dlms.times import CosemDateTime
from openami.ami.meter import cosem, profiles
from openami.ami.meter.cosem import ElectricityDevice
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.objects import further_parts
from openami.ami.meter.street import STREETS, build_street
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.ami.meter.parts import Part

SERIAL = "OAE0000001"
AMSTERDAM = zone(ZONE)


def hours(count: float) -> int:
    return int(count * 3600)


def test_what_a_head_end_reads_first(fleet: Fleet, reader: Reader):
    fleet.live_through(fleet.genesis_s + hours(30))
    assert reader.ask(read("0-0:42.0.0", 1)).octets() == b"OAE0000001000000"
    assert reader.ask(read("0-0:96.1.0", 1)).text() == SERIAL
    assert reader.ask(read("0-0:1.0.0", 8)).instant() == instant_of(fleet.lived_s)
    assert reader.ask(read("0-0:1.0.0", 8, 3)).integer() == -60
    scaler, unit = reader.ask(read("1-0:1.8.0", 3, 3)).elements()
    assert (scaler.integer(), unit.integer()) == (0, 30)
    assert reader.ask(read("1-0:1.8.0", 3)).integer() == fleet.meters[SERIAL].register_at(fleet.lived_s)
    columns = capture_objects(reader.ask(read("1-0:99.1.0", 7, 3)))
    assert [str(column.obis) for column in columns] == ["0-0:1.0.0.255", "0-0:96.10.1.255", "1-0:1.29.0.255"]
    assert reader.ask(read("1-0:99.1.0", 7, 4)).integer() == 1800
    assert reader.ask(read("1-0:99.1.0", 7, 7)).integer() == 60
    objects = {element.elements()[2].obis() for element in reader.ask(read("0-0:40.0.0", 15)).elements()}
    assert {Obis.of("1-0:1.8.0"), Obis.of("0-0:96.3.10"), Obis.of("0-0:99.98.1")} <= objects


def test_a_regular_reading_has_no_further_parts_made_and_whatever_needs_them_has(
    fleet: Fleet, reader: Reader, monkeypatch: pytest.MonkeyPatch
):
    made: list[str] = []

    def counted(*arguments: Any) -> Part:
        made.append("further parts")
        return further_parts(*arguments)

    monkeypatch.setattr(cosem, "further_parts", counted)
    fleet.live_through(fleet.genesis_s + hours(30))
    device = cosem.ElectricityDevice(fleet.meters[SERIAL], PASSWORD, ZONE, lambda: fleet.lived_s, privileged=True)
    regular = [(1, "0-0:96.1.0", 2), (8, "0-0:1.0.0", 2), (3, "1-0:1.8.0", 2), (70, "0-0:96.3.10", 3)]
    for class_id, obis, attribute in regular:
        device.get(class_id, Obis.of(obis), attribute, None)
    for profile in (*cosem.EVENT_LOGS, cosem.LOAD_PROFILE, cosem.DAILY_PROFILE):
        device.get(7, profile, 2, EntrySelection(1, 2).selection())
    assert made == []
    device.get(3, Obis.of("1-0:3.8.0"), 2, None)  # reactive energy
    device.get(15, Obis.of("0-0:40.0.0"), 2, None)
    with pytest.raises(AccessDeniedError):
        device.get(3, Obis.of("1-0:99.99.99"), 2, None)
    assert made == ["further parts"], "once, for all that comes after"
    fresh = cosem.ElectricityDevice(fleet.meters[SERIAL], PASSWORD, ZONE, lambda: fleet.lived_s, privileged=True)
    assert fresh.attributes == device.attributes, "the list of objects is whole, whatever was asked before"


def test_the_load_profile_is_what_the_register_counted(fleet: Fleet, reader: Reader):
    fleet.live_through(fleet.genesis_s + hours(48.2))
    start, end = GENESIS + timedelta(hours=1), GENESIS + timedelta(hours=24)
    profile = reader.ask(read_profile("1-0:99.1.0", start, end, zone=AMSTERDAM))
    assert len(profile) == 47
    assert profile.times_s[0] == seconds_of(start)
    assert profile.times_s[-1] == seconds_of(end)
    meter = fleet.meters[SERIAL]
    counted = meter.register_at(seconds_of(end)) - meter.register_at(seconds_of(start) - 1800)
    assert profile.columns[2].values.sum() == counted
    whole = reader.ask(read_entries("1-0:99.1.0"))
    assert len(whole) == 96
    partial = meter.register_at(fleet.lived_s) - meter.register_at(fleet.genesis_s + hours(48))
    assert whole.columns[2].values.sum() + partial == meter.register_at(fleet.lived_s) - meter.device.start_register


def test_the_summer_day_has_twenty_three_hours_and_says_so(fleet: Fleet, reader: Reader):
    day = datetime(2026, 3, 28, 23, tzinfo=UTC)
    fleet.live_through(seconds_of(day) + hours(30))
    profile = reader.ask(
        read_profile("1-0:99.1.0", day + timedelta(minutes=30), day + timedelta(hours=23), zone=AMSTERDAM)
    )
    assert len(profile) == 46
    np.testing.assert_array_equal(np.diff(profile.times_s), 1800)
    summer = profile.columns[1].values & profiles.STATUS_DAYLIGHT_SAVING > 0
    np.testing.assert_array_equal(summer, profile.times_s >= seconds_of(datetime(2026, 3, 29, 1, tzinfo=UTC)))


def test_daily_registers_stand_at_local_midnights(fleet: Fleet, reader: Reader):
    fleet.live_through(seconds_of(datetime(2026, 3, 31, 12, tzinfo=UTC)))
    first = datetime(2026, 3, 27, 23, tzinfo=UTC)
    profile = reader.ask(read_profile("1-0:98.2.0", first, first + timedelta(days=9), zone=AMSTERDAM))
    shown = [f"{instant_of(second):%d %H:%M}" for second in profile.times_s.tolist()]
    assert shown == ["27 23:00", "28 23:00", "29 22:00", "30 22:00"]
    meter = fleet.meters[SERIAL]
    assert profile.columns[1].values.tolist() == [meter.register_at(second) for second in profile.times_s.tolist()]


def test_selected_columns_and_entries(fleet: Fleet, reader: Reader):
    fleet.live_through(fleet.genesis_s + hours(10))
    energy = CaptureObject(3, Obis.of("1-0:1.29.0"), 2)
    clock = CaptureObject(8, Obis.of("0-0:1.0.0"), 2)
    some = read_profile("1-0:99.1.0", GENESIS, GENESIS + timedelta(hours=2), zone=AMSTERDAM, columns=(clock, energy))
    assert len(reader.ask(some).columns) == 2
    last = reader.ask(read_entries("1-0:99.1.0", EntrySelection(19, 20, 1, 2)))
    assert (len(last), len(last.columns)) == (2, 2)
    assert last.times_s[-1] == fleet.lived_s
    nothing = read_profile("1-0:99.1.0", GENESIS - timedelta(days=9), GENESIS, zone=AMSTERDAM)
    assert len(reader.ask(nothing)) == 0
    wrong = CaptureObject(3, Obis.of("1-0:2.8.0"), 2)
    with pytest.raises(AccessDeniedError):
        reader.ask(read_profile("1-0:99.1.0", GENESIS, GENESIS, zone=AMSTERDAM, columns=(wrong,)))


def test_an_open_breaker_stops_the_register_and_is_logged(fleet: Fleet, reader: Reader):
    meter = fleet.meters[SERIAL]
    fleet.live_through(fleet.genesis_s + hours(9.25))
    reader.ask(act("0-0:96.3.10", 70, 1))
    at_cut = meter.register_at(fleet.lived_s)
    fleet.live_through(fleet.genesis_s + hours(20))
    assert reader.ask(read("1-0:1.8.0", 3)).integer() == at_cut
    assert reader.ask(read("0-0:96.3.10", 70, 2)).boolean() is False
    assert reader.ask(read("0-0:96.3.10", 70, 3)).integer() == 0
    reader.ask(act("0-0:96.3.10", 70, 1))  # once more changes nothing
    reader.ask(act("0-0:96.3.10", 70, 2))
    assert reader.ask(read("0-0:96.3.10", 70, 3)).integer() == 1
    fleet.live_through(fleet.genesis_s + hours(30))
    assert reader.ask(read("1-0:1.8.0", 3)).integer() > at_cut
    log = reader.ask(read_entries("0-0:99.98.2"))
    assert log.columns[1].values.tolist() == [62, 63]
    whole = reader.ask(read_entries("1-0:99.1.0"))
    assert whole.columns[2].values.sum() == meter.register_at(fleet.lived_s) - meter.device.start_register
    assert (whole.columns[2].values[20:39] == 0).all()  # rows of a live meter whose output is open


def test_a_mode_without_remote_reconnect_waits_for_the_button(fleet: Fleet, reader: Reader):
    reader.ask(write("0-0:96.3.10", 70, 4, d.enum(3)))
    reader.ask(act("0-0:96.3.10", 70, 1))
    reader.ask(act("0-0:96.3.10", 70, 2))
    assert reader.ask(read("0-0:96.3.10", 70, 3)).integer() == 2
    reader.ask(write("0-0:96.3.10", 70, 4, d.enum(0)))
    with pytest.raises(ActionRefusedError) as caught:
        reader.ask(act("0-0:96.3.10", 70, 1))
    assert caught.value.result is ActionResult.OTHER_REASON
    assert reader.ask(read("0-0:96.11.2", 1)).integer() == 68


def test_strangers_see_little(fleet: Fleet):
    public = Reader(fleet, SERIAL).open(password="", client_sap=16)
    assert public.ask(read("0-0:96.1.0", 1)).text() == SERIAL
    with pytest.raises(AccessDeniedError) as caught:
        public.ask(read("1-0:1.8.0", 3))
    assert caught.value.result is DataAccessResult.OBJECT_UNDEFINED
    with pytest.raises(AccessDeniedError):
        public.ask(write("0-0:1.0.0", 8, 2, d.octet_string(bytes(12))))
    with pytest.raises(ActionRefusedError):
        public.ask(act("0-0:1.0.0", 8, 6, d.integer16(1)))


def test_wrong_passwords_are_refused_and_the_third_is_logged(fleet: Fleet):
    for _ in range(4):
        with pytest.raises(AssociationRefusedError):
            Reader(fleet, SERIAL).open(password="wrong")
    log = Reader(fleet, SERIAL).open().ask(read_entries("0-0:99.98.1"))
    assert log.columns[1].values.tolist() == [46]
    with pytest.raises(AssociationRefusedError):
        Reader(fleet, SERIAL).open(password=PASSWORD, client_sap=2)


def test_what_is_not_there_is_refused_with_its_reason(reader: Reader):
    for query, reason in [
        (read("1-0:2.8.0", 3), DataAccessResult.OBJECT_UNDEFINED),
        (read("1-0:1.8.0", 4), DataAccessResult.OBJECT_CLASS_INCONSISTENT),
        (read("1-0:1.8.0", 3, 9), DataAccessResult.READ_WRITE_DENIED),
    ]:
        with pytest.raises(AccessDeniedError) as caught:
            reader.ask(query)
        assert caught.value.result is reason
    with pytest.raises(AccessDeniedError):
        reader.ask(write("1-0:1.8.0", 3, 2, d.unsigned32(0)))
    with pytest.raises(ActionRefusedError):
        reader.ask(act("1-0:1.8.0", 3, 1))
    assert reader.ask(read("1-0:1.8.0", 3, 1)).obis() == Obis.of("1-0:1.8.0")


def test_the_clock_can_be_set_and_shifted(fleet: Fleet, reader: Reader):
    ahead = instant_of(fleet.lived_s) + timedelta(seconds=90)
    reader.ask(write("0-0:1.0.0", 8, 2, d.octet_string(CosemDateTime.of(ahead, zone=AMSTERDAM))))
    assert reader.ask(read("0-0:1.0.0", 8)).instant() == ahead
    reader.ask(act("0-0:1.0.0", 8, 6, d.integer16(-90)))
    assert reader.ask(read("0-0:1.0.0", 8)).instant() == instant_of(fleet.lived_s)
    assert reader.ask(read_entries("0-0:99.98.0")).columns[1].values.tolist() == [4, 5, 4, 5]


@pytest.mark.parametrize("name", STREETS)
def test_whatever_a_meter_serves_is_of_the_type_that_its_class_gives_it(name: str):
    street = Fleet(build_street(10, 1, STREETS[name]), ZONE, seconds_of(GENESIS))
    street.begin()
    served = 0
    for meter in [each for each in street.meters.values() if each.mains_fed][:8]:
        slaves = street.slaves_of(meter)
        device = ElectricityDevice(meter, "", ZONE, lambda: street.lived_s, slaves=slaves, privileged=True)
        for obis, attributes in device.attributes.items():
            described = CLASSES[device.class_of(obis)]
            for attribute in attributes:
                value = device.get(described.class_id, obis, attribute, None)
                value = value.data() if isinstance(value, Encoded) else value
                assert described.attributes[attribute].shape.fits(value), (described.name, obis, attribute, value)
                served += 1
    assert served > 8 * 400
