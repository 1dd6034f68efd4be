"""The interface classes: complete, parsed, and able to tell a right value from a wrong one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from openami.ami.dlms import (
    CosemDateTime,
    Data,
    LocalProtocolError,
    Obis,
    Tag,
    array,
    boolean,
    enum,
    integer8,
    octet_string,
    structure,
    unsigned8,
    unsigned16,
    unsigned32,
)
from openami.ami.dlms.classes import CLASSES
from openami.ami.dlms.selection import CLOCK_COLUMN
from openami.ami.dlms.shapes import parse_shape

WANTED = [1, 3, 4, 5, 6, 7, 8, 9, 11, 15, 17, 18, 20, 21, 22, 23, 27, 28, 29, 30, 40, 41, 42, 45, 47, 48]
WANTED += [61, 62, 63, 64, 68, 70, 71, 72, 111, 112, 113, 115, 122, 123, 124]


@pytest.mark.parametrize("class_id", WANTED)
def test_every_class_the_field_needs_is_described(class_id: int) -> None:
    described = CLASSES[class_id]
    assert described.attributes[1].name == "logical_name"
    assert list(described.attributes) == list(range(1, len(described.attributes) + 1))
    names = [attribute.name for attribute in described.attributes.values()]
    assert len(names) == len(set(names))


def test_a_class_that_nobody_assigned_is_not_made_up() -> None:
    assert 114 not in CLASSES


def test_members_are_found_by_name_and_number() -> None:
    assert CLASSES[70].method("remote_disconnect").number == 1
    assert CLASSES[7].attribute("capture_objects").number == 3
    assert CLASSES[8].attributes[2].dynamic
    assert CLASSES[64].attribute("certificates").since_version == 1
    assert CLASSES[8].method("preset_adjusting_time").shape.names() == ("preset", "start", "end")
    with pytest.raises(LocalProtocolError, match="it has logical_name, output_state"):
        CLASSES[70].attribute("state")


ZERO_STAMP = octet_string(CosemDateTime())


@pytest.mark.parametrize(
    ("class_id", "attribute", "right", "wrong"),
    [
        (3, 3, structure(integer8(0), enum(30)), structure(integer8(0), unsigned8(30))),
        (8, 2, ZERO_STAMP, octet_string(b"short")),
        (7, 3, array([CLOCK_COLUMN.data()]), array([structure(*CLOCK_COLUMN.data().elements()[:3])])),
        (70, 2, boolean(value=True), enum(1)),
        (23, 5, unsigned16(128), unsigned32(128)),
        (1, 1, octet_string(Obis.of("0-0:96.1.0")), octet_string(b"")),
        (63, 3, structure(unsigned8(1), array([unsigned16(5)])), structure(unsigned8(1), array([unsigned8(5)]))),
        (47, 7, array([structure(unsigned32(7), unsigned8(1))]), array([structure(unsigned8(7), unsigned8(1))])),
    ],
)
def test_a_right_value_fits_and_a_wrong_one_does_not(class_id: int, attribute: int, right: Data, wrong: Data) -> None:
    shape = CLASSES[class_id].attributes[attribute].shape
    assert shape.fits(right)
    assert not shape.fits(wrong)


@pytest.mark.parametrize("text", ["", "u9", "{u8", "[u8", "u8 u8", "$nothing", "{a u8,}", "u8 |"])
def test_a_type_that_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        parse_shape(text, {})


def test_anything_fits_any() -> None:
    assert all(parse_shape("any", {}).fits(Data(tag)) for tag in Tag)


PROFILES = Path(os.environ.get("OPENAMI_FIXTURES", "../shared/fixtures")) / "dlms" / "osgp_dlmsprofiles"


@pytest.mark.skipif(not PROFILES.exists(), reason="the object lists of the Dutch profiles are not on this machine")
def test_the_object_lists_of_the_dutch_profiles_use_only_described_classes() -> None:
    used: set[int] = set()
    for path in PROFILES.glob("dlmsprofile-*.json"):
        used |= {entry["class-id"] for entry in json.loads(path.read_text())["objects"] if "class-id" in entry}
    assert used <= set(CLASSES)
