"""Any COSEM value can be altered while the meter runs, of every class, and given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.ami.meter.conftest import GENESIS, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.queries import read
from openami.ami.meter.altering import BadValueError, alteration_of
from openami.ami.meter.cosem import ElectricityDevice
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.settings import KEPT
from openami.ami.meter.street import MODERN, build_street
from openami.ami.meter.times import seconds_of

if TYPE_CHECKING:
    from openami.ami.dlms.obis import Obis

SERIAL = "OAE0000003"  # with gas and water on its channels
STREET = build_street(10, 1, MODERN)
ODD = d.structure(d.visible_string("altered"), d.integer64(-7))


def new_fleet() -> Fleet:
    fleet = Fleet(STREET, ZONE, seconds_of(GENESIS))
    fleet.begin()
    fleet.live_through(fleet.lived_s + 86400)
    return fleet


def targets() -> list[tuple[int, Obis, int]]:
    fleet = new_fleet()
    slaves = fleet.slaves_of(fleet.meters[SERIAL])
    device = ElectricityDevice(fleet.meters[SERIAL], "", ZONE, lambda: 0, slaves=slaves, privileged=True)
    return [
        (device.class_of(obis), obis, attribute)
        for obis, attributes in device.attributes.items()
        for attribute in attributes
    ]


TARGETS = targets()


def alter(fleet: Fleet, obis: object, attribute: object, value: str | None) -> None:
    body = {"obis": str(obis), "attribute": attribute, "value": value}
    alteration_of(body, fleet, fleet.meters[SERIAL]).carry_out(fleet.meters[SERIAL], fleet.lived_s)


@pytest.mark.parametrize("class_id", sorted({class_id for class_id, _, _ in TARGETS}))
def test_every_attribute_of_every_class_can_be_altered_and_given_back(class_id: int):
    fleet = new_fleet()
    reader = Reader(fleet, SERIAL).open()
    for _, obis, attribute in (each for each in TARGETS if each[0] == class_id and (each[1], each[2]) not in KEPT):
        before = reader.ask(read(obis, class_id, attribute))
        alter(fleet, obis, attribute, encode(ODD).hex())
        assert reader.ask(read(obis, class_id, attribute)) == ODD
        alter(fleet, obis, attribute, None)
        assert reader.ask(read(obis, class_id, attribute)) == before


def test_what_is_kept_is_written_and_acts():
    fleet = new_fleet()
    reader = Reader(fleet, SERIAL).open()
    alter(fleet, "0-0:1.0.0", 8, encode(d.boolean(False)).hex())
    assert not reader.ask(read("0-0:1.0.0", 8, 8)).boolean()
    assert fleet.meters[SERIAL].altered == {}
    with pytest.raises(BadValueError, match="kept as BOOLEAN, not UNSIGNED8"):
        alter(fleet, "0-0:1.0.0", 8, encode(d.unsigned8(1)).hex())


def test_an_altered_value_lasts_but_counts_nothing():
    fleet = new_fleet()
    meter = fleet.meters[SERIAL]
    counted = meter.register_at(fleet.lived_s)
    alter(fleet, "1-0:1.8.0", 2, encode(d.unsigned32(7)).hex())
    assert meter.register_at(fleet.lived_s) == counted
    facts, happenings = fleet.take_changes()
    again = Fleet(STREET, ZONE, fleet.genesis_s)
    again.replay(facts, happenings, fleet.lived_s)
    assert Reader(again, SERIAL).open().ask(read("1-0:1.8.0", 3)).integer() == 7
    alter(again, "1-0:1.8.0", 2, None)
    assert Reader(again, SERIAL).open().ask(read("1-0:1.8.0", 3)).integer() == counted


@pytest.mark.parametrize(
    ("obis", "attribute", "value", "found"),
    [
        ("1-0:1.8.0", 9, "1100", "no attribute 9"),
        ("1-0:9.9.9", 2, "1100", "no attribute 2"),
        ("1-0:1.8.0", 2, "zz", "cannot be read"),
        ("1-0:1.8.0", 2, "06", "cannot be read"),
        ("1-0:1.8.0", "two", "1100", "cannot be read"),
        ("register", 2, "1100", "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused(obis: str, attribute: object, value: str, found: str):
    with pytest.raises(BadValueError, match=found):
        alter(new_fleet(), obis, attribute, value)


def test_a_gas_meter_speaks_no_cosem():
    fleet = new_fleet()
    gas = next(serial for serial in fleet.meters if serial.startswith("OAG"))
    with pytest.raises(BadValueError, match="no attribute"):
        alteration_of({"obis": "1-0:1.8.0", "attribute": 2, "value": "1100"}, fleet, fleet.meters[gas])
