"""Hostile and broken documents, and text that must survive."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from openami.shared.contract.field.errors import (
    HostileXmlError,
    MalformedXmlError,
    TooLargeError,
    UnwritableTextError,
)
from openami.shared.contract.field.markup import Limits, XmlWriter, child, escape, local_name, namespace, parse_xml

BILLION_LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]><lolz>&lol2;</lolz>"""
EXTERNAL = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'


@pytest.mark.parametrize(
    "data",
    [
        BILLION_LAUGHS,
        EXTERNAL,
        b'<!doctype r SYSTEM "http://example.org/x.dtd"><r/>',
        EXTERNAL.decode().encode("utf-16"),
        EXTERNAL.decode().encode("utf-32"),
        EXTERNAL.decode().encode("utf-16-be"),
    ],
)
def test_documents_with_a_dtd_are_refused_in_every_disguise(data: bytes) -> None:
    with pytest.raises(HostileXmlError):
        parse_xml(data)


def test_absurd_depth_is_refused() -> None:
    assert parse_xml(b"<a>" * 32 + b"</a>" * 32) is not None
    with pytest.raises(HostileXmlError, match="deeper than 32"):
        parse_xml(b"<a>" * 33 + b"</a>" * 33)
    with pytest.raises(MalformedXmlError):  # libxml2 itself stops at 256
        parse_xml(b"<a>" * 100_000)


def test_a_document_beyond_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLargeError, match="101 bytes"):
        parse_xml(b"<" + b"a" * 100, Limits(bytes=100))


@pytest.mark.parametrize("data", [b"", b"   ", b"<a>", b"<a></b>", b"\xff\xfa", b"<a>&unknown;</a>", b"{}"])
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedXmlError):
        parse_xml(data)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_tree_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(MalformedXmlError, HostileXmlError):
        parse_xml(data)


XML_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=50)


@given(XML_TEXT, XML_TEXT)
def test_written_text_reads_back_or_is_refused(text: str, value: str) -> None:
    writer = XmlWriter()
    try:
        writer.leaf("t", text, kind=value)
    except UnwritableTextError:
        assert any(ord(letter) < 32 for letter in text + value)
        return
    element = parse_xml(writer.octets())
    assert (element.text or "") == text
    # Attribute values normalise white space (XML 1.0, 3.3.3); ours are names and codes.
    assert (element.get("kind") or "").split() == value.split()


def test_what_one_writer_wrote_another_takes_over_as_it_is() -> None:
    inner, whole = XmlWriter(), XmlWriter("<?xml version='1.0'?>")
    inner.leaf("name", "Zähler <1>")
    inner.empty("type", ref="a&b")
    whole.open("all", of="two")
    whole.raw(inner.parts())
    whole.raw([b"<x/>"])
    whole.close("all")
    inside = '<name>Zähler &lt;1&gt;</name><type ref="a&amp;b"/>'.encode()
    assert inner.octets() == inside
    assert whole.octets() == b"<?xml version='1.0'?><all of=\"two\">" + inside + b"<x/></all>"


@pytest.mark.parametrize("text", ["\x00", "a\x0bb", "\ud800", "\uffff"])
def test_characters_that_xml_cannot_carry_are_refused(text: str) -> None:
    with pytest.raises(UnwritableTextError, match=r"U\+"):
        escape(text)


def test_names_without_their_namespaces() -> None:
    tree = etree.fromstring(b"<a xmlns='urn:x'><b/><c><d/></c><!-- --></a>")
    assert (local_name(tree), namespace(tree)) == ("a", "urn:x")
    assert child(tree, "c", "d") is not None
    assert child(tree, "b", "d") is None
