"""XML in and out of the field seam: hostile documents refused before they cost anything, text written as it must be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree

from openami.shared.contract.field.errors import (
    HostileXmlError,
    MalformedXmlError,
    TooLargeError,
    UnwritableTextError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
# XML 1.0 Char production, inverted; lone surrogates are not characters either.
_NOT_A_CHARACTER = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_NEEDS_ESCAPE = re.compile('[&<>"\r]')
_PLAIN: Final = re.compile("[A-Za-z0-9 .:+_-]*").fullmatch  # nearly every text there is: one look is enough


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one message may cost us. The profile says 10 MB inflated; a SOAP layer and indents need some air."""

    bytes: int = 16 * 1024 * 1024
    depth: int = 32
    """The deepest honest tree (envelope, MeterConfig, Registers, Channels, Names, authority) has 14 levels."""


DEFAULT_LIMITS: Final = Limits()


def parse_xml(data: bytes, limits: Limits = DEFAULT_LIMITS) -> etree._Element:
    """Parse one document from a stranger.

    Raises:
        TooLargeError: more bytes than one message may have.
        HostileXmlError: a DTD or an entity, an encoding that hides them, or absurd depth.
        MalformedXmlError: not well-formed.
    """
    check_size(data, limits)
    if b"\x00" in data[:4] or data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise HostileXmlError("The message is not in UTF-8 or another ASCII superset.", hint="Send UTF-8.")
    if _DOCTYPE.search(data):
        raise HostileXmlError("The message has a document type or an entity.", hint="Send plain elements only.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MalformedXmlError(f"The message is not well-formed XML: {error}.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise HostileXmlError("The message has a document type.", hint="Send plain elements only.")
    if root.xpath("boolean(" + "/*" * (limits.depth + 1) + ")"):
        raise HostileXmlError(f"The message nests deeper than {limits.depth} elements.")
    return root


def check_size(data: bytes, limits: Limits) -> None:
    """Refuse a message that is larger than one may be.

    Raises:
        TooLargeError: it is.
    """
    if len(data) > limits.bytes:
        raise TooLargeError(
            f"The message has {len(data)} bytes, {limits.bytes} are allowed.",
            hint="Send numbered messages (Property MessageIndex i/n).",
        )


def local_name(element: etree._Element) -> str:
    """The name without its namespace: partners vary namespaces, never names."""
    tag = element.tag
    return tag[tag.rfind("}") + 1 :] if isinstance(tag, str) else ""


def namespace(element: etree._Element) -> str:
    """The namespace, empty if there is none."""
    tag = element.tag
    return tag[1 : tag.rfind("}")] if isinstance(tag, str) and tag.startswith("{") else ""


def text_of(element: etree._Element) -> str:
    """The text of a leaf, without the white space of XML around it (a no-break space is text)."""
    return (element.text or "").strip(" \t\r\n")


def child(element: etree._Element, *names: str) -> etree._Element | None:
    """The first descendant along a path of local names, or None."""
    found: etree._Element | None = element
    for name in names:
        found = next((each for each in found if local_name(each) == name), None) if found is not None else None
    return found


def escape(text: str) -> str:
    """Text as element content or attribute value.

    Raises:
        UnwritableTextError: a character that XML 1.0 cannot carry, not even escaped.
    """
    if _PLAIN(text) is not None:
        return text
    if (found := _NOT_A_CHARACTER.search(text)) is not None:
        raise UnwritableTextError(
            f"XML cannot carry the character U+{ord(found[0]):04X} in {text[:40]!r}.", hint="Remove it at the source."
        )
    return _NEEDS_ESCAPE.sub(lambda hit: _ESCAPES[hit[0]], text)


def _pairs(attributes: Mapping[str, str]) -> str:
    return "".join([f' {name.replace("__", ":")}="{escape(value)}"' for name, value in attributes.items()])


class XmlWriter:
    """Collects markup in schema order. Elements take the default namespace that `open` set last."""

    __slots__ = ("_parts",)

    def __init__(self, *head: str) -> None:
        self._parts = [each.encode() for each in head]

    def open(self, tag: str, **attributes: str) -> None:
        """Start an element; attribute values are escaped here."""
        self._parts.append((f"<{tag}{_pairs(attributes)}>" if attributes else f"<{tag}>").encode())

    def close(self, tag: str) -> None:
        """End an element."""
        self._parts.append(f"</{tag}>".encode())

    def leaf(self, tag: str, text: str, **attributes: str) -> None:
        """Write an element with text."""
        start = f"{tag}{_pairs(attributes)}" if attributes else tag
        self._parts.append(f"<{start}>{escape(text)}</{tag}>".encode())

    def empty(self, tag: str, **attributes: str) -> None:
        """Write an element without content."""
        self._parts.append(f"<{tag}{_pairs(attributes)}/>".encode())

    def raw(self, markup: Iterable[bytes]) -> None:
        """Append markup that is known to be well-formed; it is not copied before `octets`."""
        self._parts += markup

    def parts(self) -> tuple[bytes, ...]:
        """All that was written, for `raw` of another writer: long messages are nothing else and are joined but once."""
        return tuple(self._parts)

    def octets(self) -> bytes:
        """All that was written, in UTF-8."""
        return b"".join(self._parts)
