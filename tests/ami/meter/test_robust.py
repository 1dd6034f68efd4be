"""Whatever a client asks, writes or calls: an answer or a refusal of the standard, and a meter that still works."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ami.meter.conftest import GENESIS, PASSWORD, ZONE, Reader

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.enums import Mechanism
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError, RemoteProtocolError, TypeMismatchError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.queries import read
from openami.ami.dlms.references import Selection
from openami.ami.dlms.times import CosemDateTime
from openami.ami.meter.cosem import ElectricityDevice
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.street import build_street
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.spans import zone

STREET = build_street(10, 1)
SERIAL = "OAE0000001"
REFUSALS = (AccessDeniedError, ActionRefusedError, TypeMismatchError, RemoteProtocolError)

stamps = st.binary(min_size=12, max_size=12) | st.builds(
    lambda seconds: CosemDateTime.of(instant_of(seconds), zone=zone(ZONE)).encode(),
    st.integers(seconds_of(GENESIS) - 10**8, seconds_of(GENESIS) + 10**9),
)
scalars = st.one_of(
    st.just(d.NULL),
    st.booleans().map(d.boolean),
    st.integers(0, 255).map(d.enum),
    st.integers(-(2**15), 2**15 - 1).map(d.integer16),
    st.integers(0, 2**32 - 1).map(d.unsigned32),
    st.integers(0, 2**64 - 1).map(d.unsigned64),
    st.integers(-(2**63), 2**63 - 1).map(d.integer64),
    st.binary(max_size=14).map(d.octet_string),
    stamps.map(d.octet_string),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4).map(lambda members: d.structure(*members)), max_leaves=6
)
clock_column = d.structure(d.unsigned16(8), d.octet_string(Obis.of("0-0:1.0.0")), d.integer8(2), d.unsigned16(0))
ranges = st.tuples(stamps, stamps).map(
    lambda pair: d.structure(clock_column, d.octet_string(pair[0]), d.octet_string(pair[1]), d.array([]))
)
entries = st.lists(st.integers(0, 2**16 - 1), min_size=4, max_size=4).map(
    lambda four: d.structure(*(d.unsigned32(number) for number in four[:2]), *(d.unsigned16(n) for n in four[2:]))
)
selections = st.none() | st.builds(Selection, st.integers(0, 3), values | ranges | entries)


def device_of(fleet: Fleet) -> ElectricityDevice:
    device = ElectricityDevice(fleet.meters[SERIAL], PASSWORD, ZONE, lambda: fleet.lived_s)
    assert device.admit(1, Mechanism.LOW, PASSWORD.encode())
    return device


def street_of_a_day() -> Fleet:
    fleet = Fleet(STREET, ZONE, seconds_of(GENESIS))
    fleet.begin()
    fleet.live_through(seconds_of(GENESIS) + 86400)
    return fleet


FLEET = street_of_a_day()
OBJECTS = [
    (element.elements()[0].integer(), element.elements()[2].obis())
    for element in Reader(FLEET, SERIAL).open().ask(read("0-0:40.0.0", 15)).elements()
]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(OBJECTS), st.integers(-3, 12), selections)
def test_any_question_is_answered_or_refused(target: tuple[int, Obis], attribute: int, selection: Selection | None):
    try:
        answer = device_of(FLEET).get(*target, attribute, selection)
    except REFUSALS:
        return
    assert encode(answer)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(OBJECTS), st.integers(1, 8), values | stamps.map(d.octet_string))
def test_whatever_is_written_the_meter_works_on(target: tuple[int, Obis], attribute: int, value: d.Data):
    fleet = street_of_a_day()
    device = device_of(fleet)
    for change in (device.set, device.act):
        with contextlib.suppress(*REFUSALS):
            change(*target, attribute, value)
    fleet.live_through(fleet.lived_s + 86400)
    for class_id, obis in OBJECTS:
        for number in (2, 3, 4):
            try:
                assert encode(device.get(class_id, obis, number, None))
            except AccessDeniedError:
                continue


@pytest.mark.parametrize(("class_id", "obis"), OBJECTS, ids=str)
def test_every_listed_attribute_can_be_read(class_id: int, obis: Obis):
    device = device_of(FLEET)
    listed = Reader(FLEET, SERIAL).open().ask(read("0-0:40.0.0", 15)).elements()
    element = next(each for each in listed if each.elements()[2].obis() == obis)
    rights, _methods = element.elements()[3].elements()
    for right in rights.elements():
        assert encode(device.get(class_id, obis, right.elements()[0].integer(), None))


@pytest.mark.parametrize(
    ("obis", "method", "parameter"),
    [
        ("0-0:11.0.0", 1, d.structure()),
        ("0-0:11.0.0", 1, d.structure(d.unsigned16(1), d.octet_string(b""), d.unsigned8(1))),
        ("0-0:11.0.0", 2, d.structure()),
        ("0-0:19.20.0", 1, d.array([])),
        ("0-0:19.20.0", 1, d.array([d.structure()])),
    ],
)
def test_a_parameter_of_another_shape_is_refused(obis: str, method: int, parameter: d.Data):
    device = device_of(street_of_a_day())
    with pytest.raises(REFUSALS):
        device.act(device.class_of(Obis.of(obis)), Obis.of(obis), method, parameter)


@pytest.mark.parametrize(
    ("obis", "attribute"),
    [("0-0:25.9.0", 3), ("0-0:17.0.0", 8), ("0-1:94.31.12", 2)],
    ids=("push", "limiter", "spread"),
)
def test_a_structure_of_another_length_is_refused(obis: str, attribute: int):
    device = device_of(street_of_a_day())
    with pytest.raises(REFUSALS):
        device.set(device.class_of(Obis.of(obis)), Obis.of(obis), attribute, d.structure(d.unsigned8(1)))


@pytest.mark.parametrize(
    ("obis", "value"),
    [
        ("0-1:94.31.23", d.structure(*[d.octet_string(b"x")] * 3)),
        ("0-1:94.31.23", d.structure(d.unsigned16(80), d.unsigned16(10), d.unsigned64(2**63))),
        ("0-1:94.31.12", d.structure(*[d.octet_string(b"x")] * 4)),
    ],
)
def test_members_of_another_type_are_refused_and_the_meter_lives_on(obis: str, value: d.Data):
    fleet = street_of_a_day()
    device = device_of(fleet)
    with pytest.raises(REFUSALS):
        device.set(device.class_of(Obis.of(obis)), Obis.of(obis), 2, value)
    fleet.live_through(fleet.lived_s + 86400)
