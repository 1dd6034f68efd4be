"""Every message, through the codec: an example, each mandatory field missing, each text too long, any value."""

from __future__ import annotations

import base64
import datetime as dt
import functools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from openami.shared.contract.enterprise.codec import codec, decode, encode
from openami.shared.contract.enterprise.decode import class_of
from openami.shared.contract.enterprise.errors import InvalidMessage, MissingElement
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.parse import message_element
from openami.shared.contract.enterprise.shapes import Member, Shape, Simple, shapes

ROOTS = sorted(shapes().roots)


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("full", [True, False])
def test_the_example_goes_there_and_back(root: str, full: bool) -> None:
    message = example(root, full=full)
    assert codec().root_of(message) == root
    assert decode(encode(message)) == message
    assert decode(codec().encode_bare(message)) == message
    assert message.extras == ()


def _places(shape: Shape, path: tuple[Member, ...] = ()) -> list[tuple[Member, ...]]:
    """The path of every element and attribute, without descending into header and log again and again."""
    found = []
    for member in (*shape.attributes, *shape.elements):
        found.append((*path, member))
        if isinstance(member.content, Shape) and not (path and member.xml_name in {"MessageHeader", "Log"}):
            found += _places(member.content, (*path, member))
    return found


@pytest.mark.parametrize("root", ROOTS)
def test_each_mandatory_field_is_missed_by_name(root: str) -> None:
    body = encode(example(root))
    tried = 0
    for path in _places(shapes().roots[root]):
        names = [member.xml_name for member in path]
        message = message_element(body)
        parent = message if len(path) == 1 else message.find("/".join(names[:-1]))
        if path[-1].minimum == 0 or parent is None:
            continue
        if names[-1] in parent.attrib:
            del parent.attrib[names[-1]]
        for child in parent.findall(names[-1]):
            parent.remove(child)
        with pytest.raises(MissingElement) as caught:
            decode(etree.tostring(message))
        assert [part.split("[")[0].lstrip("@") for part in caught.value.element.split("/")] == names
        assert caught.value.root == root
        tried += 1
    assert tried >= 1


@pytest.mark.parametrize("root", ROOTS)
def test_each_text_that_is_too_long_is_named(root: str) -> None:
    body = encode(example(root))
    for path in _places(shapes().roots[root]):
        text = path[-1].content
        found = message_element(body).find("/".join(member.xml_name for member in path))
        if not isinstance(text, Simple) or text.maximum_length is None or found is None:
            continue
        message = found.getroottree().getroot()
        found.text = "1" * (text.maximum_length + 1)
        with pytest.raises(InvalidMessage) as caught:
            decode(etree.tostring(message))
        assert caught.value.element.split("/")[-1].split("[")[0] == path[-1].xml_name
        assert not isinstance(caught.value, MissingElement)


_CHARACTERS = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Zs", "Zl", "Zp"))
_UUIDS = st.uuids().map(str) | st.uuids().map(lambda value: str(value).upper())


def _texts(simple: Simple) -> st.SearchStrategy[str]:
    maximum = min(simple.maximum_length or 40, 60)
    if any("fA-F" in pattern for pattern in simple.patterns):
        return _UUIDS
    if r"\d+" in simple.patterns:
        return st.text("0123456789", min_size=1, max_size=maximum)
    if simple.base == "string":
        anything = st.characters(exclude_categories=("Cs", "Cc", "Cn")) | st.sampled_from("\n\t\r <&>\"'")
        return st.text(anything, min_size=simple.minimum_length, max_size=maximum)
    if simple.base == "anyURI":
        return st.just("https://example.org/a?b=c&d=e")
    if simple.base == "duration":
        return st.just("P1DT2H")
    return st.text(_CHARACTERS, min_size=simple.minimum_length or 1, max_size=maximum)


def _decimals(simple: Simple) -> st.SearchStrategy[Decimal]:
    digits, fraction = simple.total_digits or 10, simple.fraction_digits or 0
    return st.builds(
        lambda number, places: Decimal(number).scaleb(-places, None),
        st.integers(-(10 ** min(digits, 25)) + 1, 10 ** min(digits, 25) - 1),
        st.integers(0, fraction),
    )


@functools.cache
def _simple_values(simple: Simple) -> st.SearchStrategy[Any]:
    instants = st.datetimes(min_value=dt.datetime(1900, 1, 1), max_value=dt.datetime(9999, 12, 30))  # noqa: DTZ001
    by_base: dict[str, st.SearchStrategy[Any]] = {
        "date": st.dates(),
        "time": st.times().map(lambda value: value.replace(microsecond=0)),
        "boolean": st.booleans(),
        "decimal": _decimals(simple),
        "int": st.integers(-(2**31), 2**31 - 1),
        "float": st.floats(allow_nan=False),
        "base64Binary": st.binary(max_size=20),
    }
    if simple.base == "dateTime":
        return instants.map(lambda value: value.replace(tzinfo=dt.UTC)) if simple.utc else instants
    return by_base[simple.base] if simple.base in by_base else _texts(simple)


@functools.cache
def _shape_values(shape: Shape) -> st.SearchStrategy[Any]:
    fields: dict[str, st.SearchStrategy[Any]] = {}
    if shape.text is not None:
        fields["value"] = _simple_values(shape.text)
    for member in (*shape.attributes, *shape.elements):
        content = member.content
        one = _shape_values(content) if isinstance(content, Shape) else _simple_values(content)
        if member.many:
            one = st.lists(one, min_size=member.minimum, max_size=2).map(tuple)
        elif member.minimum == 0:
            one = st.none() | one
        fields[member.name] = one
    return st.builds(class_of(shape), **fields)


@pytest.mark.parametrize("root", ROOTS)
def test_any_value_goes_there_and_back(root: str) -> None:
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(_shape_values(shapes().roots[root]))
    def round_trip(message: Any) -> None:
        assert decode(encode(message)) == message

    round_trip()


def test_binary_content_is_base64() -> None:
    shape = shapes().roots["UtilitiesSmartMeterEventERPCreateRequest"]
    body = encode(example("UtilitiesSmartMeterEventERPCreateRequest"))
    changed = body.replace(
        b"<Text>cover opened</Text>", b"<BinaryObject>" + base64.b64encode(b"\0\1") + b"</BinaryObject>"
    )
    message: Any = decode(changed)
    assert isinstance(message, class_of(shape))
    assert message.utilities_smart_meter_event.property[0].object_property_value.binary_object == b"\0\1"
