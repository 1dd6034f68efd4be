"""Companion standards: the data fit the interface classes, and a meter is read as its standard says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.ami.dlms.conftest import make_pair

from openami.ami.dlms import ClientConnection, Conformance, CosemDateTime, Data, Obis, WrapperFraming
from openami.ami.dlms.classes import CLASSES
from openami.ami.dlms.companions import Companion, CompanionError, Manner, Quirk, _manner, companion, companions
from openami.ami.telegrams.units import UNITS

if TYPE_CHECKING:
    from pathlib import Path

ALL = list(companions().values())
ENTRIES = [(each, known) for each in ALL for known in each.objects.values()]


def test_there_are_the_dutch_the_idis_and_a_generic_one():
    assert {"dsmr-2.2", "dsmr-4.2.2", "smr-4.3", "smr-5.0", "idis-2", "generic"} <= set(companions())
    with pytest.raises(CompanionError, match="no companion standard 'klingon'"):
        companion("klingon")


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_objects_fit_the_interface_classes(each: Companion):
    for known in each.objects.values():
        interface = CLASSES[known.class_id]
        assert known.version in interface.versions or known.class_id in (40, 47), known
        assert known.readable | known.writable <= set(interface.attributes), known
        assert known.name(1 if known.by_channel else None).octets
        assert known.scale is None or known.scale[1] in UNITS.values()
        for tag, attribute in known.columns:
            assert attribute in CLASSES[each.objects[tag].class_id].attributes, (known.tag, tag)
    names = [(known.obis, known.class_id) for known in each.objects.values()]
    assert len(set(names)) >= len(names) - 4, "hardly any object has two tags"


def test_a_standard_is_based_on_another():
    smr, dsmr = companion("smr-4.3"), companion("dsmr-4.2.2")
    assert set(dsmr.objects) < set(smr.objects)
    assert "CDMA_DIAGNOSTIC" in smr.objects
    assert (smr.family, smr.manner, smr.quirks) == (dsmr.family, dsmr.manner, dsmr.quirks)
    assert smr.object("DEFINABLE_LOAD_PROFILE").period is None
    assert dsmr.object("INTERVAL_VALUES_G").period is not None


def test_the_data_say_what_their_source_says(fixtures: Path):
    for ours, theirs in (
        ("dsmr-2.2", "dsmr22"), ("dsmr-4.2.2", "dsmr422"), ("smr-5.0", "smr500"), ("smr-4.3", "smr43"),
    ):  # fmt: skip
        source = json.loads((fixtures / "dlms" / "osgp_dlmsprofiles" / f"dlmsprofile-{theirs}.json").read_text())
        known = companion(ours).objects
        for each in source["objects"]:
            found: Any = known[each["tag"]]
            assert (found.class_id, found.version) == (each["class-id"], each["version"])
            if not found.by_channel:
                assert found.name() == Obis.of(each["obis"])
            assert found.readable == {row["id"] for row in each["attributes"] if "R" in row["access"]}
            assert found.writable == {row["id"] for row in each["attributes"] if "W" in row["access"]}


def test_a_maker_has_its_own_ways():
    standard = companion("dsmr-4.2.2")
    assert standard.object("INSTANTANEOUS_VOLTAGE_L1").scale is None
    assert standard.for_device("KFM0000012345678").object("INSTANTANEOUS_VOLTAGE_L1").scale == (-1, "")
    assert standard.for_device("LGZ1030655933512").objects == standard.objects
    quirk = Quirk(("ABC",), ("10", "11"), {"list_size": 1})
    assert quirk.is_of("ABC1034567")
    assert not quirk.is_of("ABC2034567")
    assert not quirk.is_of("ABD1034567")
    mended = Companion("x", "X", "x", Manner(), {}, (quirk,)).for_device("ABC11")
    assert mended.manner.list_size == 1
    assert Conformance.MULTIPLE_REFERENCES not in mended.manner.conformance


def test_what_a_profile_cannot_say_is_refused():
    with pytest.raises(CompanionError, match="colour"):
        _manner(Manner(), {"colour": 1}, "x")
    with pytest.raises(CompanionError, match="guess"):
        _manner(Manner(), {"time": "guess"}, "x")
    with pytest.raises(CompanionError, match="has no NOTHING"):
        companion("generic").object("NOTHING")
    with pytest.raises(CompanionError, match="channel given is None"):
        companion("idis-2").object("MBUS_CLIENT_SETUP").name()
    with pytest.raises(CompanionError, match="channel given is 2"):
        companion("idis-2").object("CLOCK").name(2)
    with pytest.raises(CompanionError, match="not for reading"):
        companion("idis-2").read("ASSOCIATION_LN", 7)
    assert companion("idis-2").object("MBUS_CLIENT_SETUP").name(3) == Obis.of("0-3:24.1.0")


@pytest.mark.parametrize(("policy", "hour"), [("deviation", 10), ("negated", 14), ("zone", 11), ("utc", 12)])
def test_stamps_are_read_as_the_meter_means_them(policy: Any, hour: int):
    zone = ZoneInfo("Europe/Amsterdam")
    stamp = CosemDateTime.decode(bytes.fromhex("07EA 01 0F 04 0C 00 00 00 FF88 00"))  # 12:00, UTC+2 in winter
    manner = Manner(time=policy)
    assert manner.instant(stamp, zone) == datetime(2026, 1, 15, hour, tzinfo=UTC)
    silent = CosemDateTime.decode(bytes.fromhex("07EA 01 0F 04 0C 00 00 00 8000 00"))
    assert manner.instant(silent, zone) == datetime(2026, 1, 15, 11, tzinfo=UTC)


def test_a_meter_is_read_by_tags_in_lists_no_longer_than_it_bears():
    for name in ("generic", "idis-2"):
        standard = companion(name)
        pair = make_pair()
        pair.client = ClientConnection(
            WrapperFraming.client(1, 1), password=b"12345678", conformance=standard.manner.conformance
        )
        pair.associate()
        energy = pair.query(standard.read("ACTIVE_ENERGY_IMPORT"))
        assert energy.integer() == 1_234_567
        references = [standard.reference("ACTIVE_ENERGY_IMPORT")] * 3
        queries = standard.read_each(references)
        assert len(queries) == (3 if name == "generic" else 1)
        values = [value for query in queries for value in pair.query(query)]
        assert [value.integer() for value in values if isinstance(value, Data)] == [1_234_567] * 3


def test_methods_without_parameter_are_called_in_the_meters_way():
    assert Manner().parameter() is not None
    assert Manner(method_parameter="none").parameter() is None
    assert Conformance.GENERAL_BLOCK_TRANSFER in Manner(transfer="general").conformance
    assert Conformance.GENERAL_PROTECTION in Manner(general_protection=True).conformance
    assert Conformance.GENERAL_PROTECTION not in Manner().conformance
