"""Of each operation there is a valid example, an invalid one per field, a round trip, both roles, a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from lxml import etree
from tests.office.processes.test_processes import expected
from tests.shared.contract.enterprise import test_messages as messages

from openami.mdus.services import door as mdus_door
from openami.office.services import handlers as office_handlers
from openami.shared.contract.enterprise.catalogue import Operation, Side, catalogue
from openami.shared.contract.enterprise.codec import codec, decode, encode
from openami.shared.contract.enterprise.decode import class_of
from openami.shared.contract.enterprise.errors import InvalidMessage
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.parse import message_element
from openami.shared.contract.enterprise.schemas import schema_files
from openami.shared.contract.enterprise.shapes import shapes
from openami.testing.scripts import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterable

OPERATIONS = pytest.mark.parametrize("operation", catalogue().operations, ids=lambda one: one.name)
XS = "{http://www.w3.org/2001/XMLSchema}"


def offered(side: Side) -> set[type[Any]]:
    """The message classes that a side has a handler for."""
    if side is Side.MDUS:
        desks = MagicMock()
        return {*mdus_door.handlers(desks), *mdus_door.queries(desks)}
    return set(office_handlers.handlers(MagicMock()))


OFFERED = {side: offered(side) for side in Side}
IN_PROCESSES = set().union(*(script.operations for script in PROCESSES.values()))
MOVED_BY_OFFICE = expected("single") | expected("bulk")


def moved(operation: Operation) -> set[str]:
    """The tests in which an operation crosses the seam: one has the real MDUS at its end, one the real office."""
    found = {"mdus"} if operation.name in IN_PROCESSES else set()
    return found | ({"office"} if operation.name in MOVED_BY_OFFICE else set())


@OPERATIONS
@pytest.mark.parametrize("full", [True, False], ids=["full", "least"])
def test_it_has_a_valid_example(operation: Operation, full: bool) -> None:
    validator = schema_files().validator(operation.schema)
    for root in operation.roots:
        message = example(root, full=full)
        validator.assertValid(etree.fromstring(codec().encode_bare(message)))
        assert decode(encode(message)) == message


@OPERATIONS
def test_it_has_an_invalid_example_for_each_mandatory_field(operation: Operation) -> None:
    """The fields are counted in the schema file itself, not in what we made of it."""
    for root in operation.roots:
        body = encode(example(root))
        broken = 0
        for path in mandatory(operation.schema, root):
            document = message_element(body)
            there = document.findall("/".join(path))
            for found in there:
                parent = found.getparent()
                assert parent is not None
                parent.remove(found)
            if not there:  # beside a sibling that the example has instead
                continue
            with pytest.raises(InvalidMessage) as caught:
                decode(etree.tostring(document))
            assert path[-1] in caught.value.element
            broken += 1
        assert broken >= 1


@OPERATIONS
def test_it_has_a_round_trip_of_any_value(operation: Operation) -> None:
    (roots,) = [mark.args[1] for mark in messages.test_any_value_goes_there_and_back.pytestmark]  # type: ignore[attr-defined]
    assert set(operation.roots) <= set(roots)


@OPERATIONS
def test_it_has_both_roles_and_a_place_in_a_process_of_each_side(operation: Operation) -> None:
    received = class_of(shapes().roots[operation.request])
    assert received in OFFERED[operation.receiver], f"{operation.receiver.value} handles it"
    assert received not in OFFERED[operation.receiver.other], "the other side sends it"
    assert moved(operation) == {"mdus", "office"}


def mandatory(schema: str, root: str) -> Iterable[tuple[str, ...]]:
    """The paths of the mandatory elements of a message, as its schema file says, in depth, header and log left out."""
    files = schema_files()
    types: dict[str, etree._Element] = {}
    for name in files.closure(schema):
        types |= {str(one.get("name")): one for one in files.tree(name).iter(f"{XS}complexType") if one.get("name")}
    tree = files.tree(schema)
    element = next(one for one in tree.iter(f"{XS}element") if one.get("name") == root)
    yield from _below(element, types, ())


def _below(
    element: etree._Element, types: dict[str, etree._Element], path: tuple[str, ...]
) -> Iterable[tuple[str, ...]]:
    kind = str(element.get("type", "")).rsplit(":", 1)[-1]
    holder = types.get(kind) if kind else element.find(f"{XS}complexType")
    if holder is None:
        return
    for child in holder.findall(f"{XS}sequence/{XS}element"):
        name = str(child.get("name"))
        below = (*path, name)
        if child.get("minOccurs", "1") != "0":
            yield below
        if name not in {"MessageHeader", "Log"}:
            yield from _below(child, types, below)
