"""Every interface class in both roles: our client reads, writes and invokes what our server holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tests.ami.dlms.conftest import SmallMeter, make_pair
from tests.ami.dlms.test_classes import WANTED

from openami.ami.dlms import AccessDeniedError, ActionRefusedError, Data, DataAccessResult, Obis, Tag, act, read, write
from openami.ami.dlms.classes import CLASSES
from openami.ami.dlms.data import INTEGER_WIDTHS
from openami.ami.dlms.enums import ActionResult

if TYPE_CHECKING:
    from openami.ami.dlms import Selection
    from openami.ami.dlms.shapes import Shape

HERE = Obis.of("0-0:128.0.0")
PLAIN = {
    Tag.NULL: Data(Tag.NULL),
    Tag.BOOLEAN: Data(Tag.BOOLEAN, True),
    Tag.BIT_STRING: Data(Tag.BIT_STRING, "10110"),
    Tag.VISIBLE_STRING: Data(Tag.VISIBLE_STRING, "said"),
    Tag.UTF8_STRING: Data(Tag.UTF8_STRING, "gesagt: ä"),
}


def sample(shape: Shape) -> Data:
    """A value of a shape: the last of its alternatives, two elements of a list, and numbers at their end."""
    if shape.either:
        return sample(shape.either[-1])
    if shape.members:
        return Data(Tag.STRUCTURE, tuple(sample(member) for _, member in shape.members))
    if shape.element is not None:
        return Data(Tag.ARRAY, (sample(shape.element),) * 2)
    tag = Tag.UNSIGNED32 if len(shape.tags) > 1 else next(iter(shape.tags))
    if tag is Tag.OCTET_STRING:
        return Data(tag, bytes(range(shape.length or 3)))
    if tag in INTEGER_WIDTHS:
        octets, signed = INTEGER_WIDTHS[tag]
        return Data(tag, -(1 << 8 * octets - 1) if signed else (1 << 8 * octets) - 1)
    return PLAIN[tag]


@dataclass
class Holder(SmallMeter):
    """A meter with one object of one class, that takes what fits and notes what is done to it."""

    class_id: int = 1
    held: dict[int, Data] = field(default_factory=dict)
    done: list[tuple[int, Data | None]] = field(default_factory=list)

    def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None) -> Data:
        assert (class_id, obis, selection) == (self.class_id, HERE, None)
        return self.held[attribute]

    def set(self, class_id: int, obis: Obis, attribute: int, value: Data) -> None:
        assert (class_id, obis) == (self.class_id, HERE)
        if not CLASSES[class_id].attributes[attribute].shape.fits(value):
            raise AccessDeniedError(DataAccessResult.TYPE_UNMATCHED)
        self.held[attribute] = value

    def act(self, class_id: int, obis: Obis, method: int, parameter: Data | None) -> Data | None:
        assert (class_id, obis) == (self.class_id, HERE)
        if parameter is None or not CLASSES[class_id].methods[method].shape.fits(parameter):
            raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
        self.done.append((method, parameter))
        return parameter


@pytest.mark.parametrize("class_id", WANTED)
def test_a_class_is_read_written_and_invoked_over_the_wire(class_id: int) -> None:
    described = CLASSES[class_id]
    wanted = {number: sample(attribute.shape) for number, attribute in described.attributes.items()}
    meter = Holder(class_id=class_id)
    pair = make_pair(meter=meter)
    pair.associate()
    for number, value in wanted.items():
        pair.query(write(HERE, class_id, number, value))
    assert meter.held == wanted
    for number, attribute in described.attributes.items():
        found = pair.query(read(HERE, class_id, number))
        assert found == wanted[number]
        assert attribute.shape.fits(found)
    for number, method in described.methods.items():
        parameter = sample(method.shape)
        assert pair.query(act(HERE, class_id, number, parameter)) == parameter
    assert meter.done == [(number, sample(method.shape)) for number, method in described.methods.items()]


def test_a_value_of_another_type_is_refused_and_nothing_is_written() -> None:
    meter = Holder(class_id=70, held={3: Data(Tag.ENUM, 1)})
    pair = make_pair(meter=meter)
    pair.associate()
    with pytest.raises(AccessDeniedError, match=r"type.unmatched"):
        pair.query(write(HERE, 70, 3, Data(Tag.UNSIGNED8, 1)))
    with pytest.raises(ActionRefusedError, match=r"type.unmatched"):
        pair.query(act(HERE, 70, 1, Data(Tag.UNSIGNED8, 0)))
    assert (meter.held, meter.done) == ({3: Data(Tag.ENUM, 1)}, [])
