"""The shapes of the messages as values, read from the schema files.

Generator, codec, examples and reference all work from these, so that the schema files stay the only truth. Understood
is the part of XML Schema that the contract uses: sequences of elements, attributes and attribute groups, simple
content, restrictions with facets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.errors import SchemaProblem
from openami.shared.contract.enterprise.schemas import XS, SchemaFiles, schema_files

if TYPE_CHECKING:
    from pathlib import Path

    from lxml import etree

HEADER_TYPE = "BusinessDocumentMessageHeader"
# shorter names in Python for the types that every message uses
CLASS_NAMES = {HEADER_TYPE: "MessageHeader", f"{HEADER_TYPE}Party": "Party"}


@dataclass(frozen=True, slots=True)
class Simple:
    """A text with rules. `base` is the XML Schema type at its root; `utc` marks stamps that must end in Z."""

    name: str
    base: str
    minimum_length: int = 0
    maximum_length: int | None = None
    patterns: tuple[str, ...] = ()
    total_digits: int | None = None
    fraction_digits: int | None = None

    @property
    def utc(self) -> bool:
        """True for a date-time that is an instant, not a local time."""
        return self.base == "dateTime" and any(pattern.endswith("Z") for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Member:
    """An element or attribute of a shape: `xml_name` on the wire, `name` in Python; `maximum` None means unbounded.

    `constant` is its XML where there is no value; one that our values do not know at all has no `name`.
    """

    xml_name: str
    name: str
    content: Simple | Shape
    minimum: int = 1
    maximum: int | None = 1
    constant: str = ""

    @property
    def many(self) -> bool:
        """True if it may occur more than once."""
        return self.maximum is None or self.maximum > 1

    @property
    def shape(self) -> Shape:
        """The shape of an element that has one."""
        assert isinstance(self.content, Shape)
        return self.content


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """An element with children or attributes; becomes the class `class_path` of the generated module `module`."""

    module: str
    class_path: str
    elements: tuple[Member, ...] = ()
    attributes: tuple[Member, ...] = ()
    text: Simple | None = None
    type_name: str = field(default="", compare=False)

    def child(self, xml_name: str) -> Member | None:
        """The child element of this name, if any."""
        return next((member for member in self.elements if member.xml_name == xml_name), None)

    def part(self, xml_name: str) -> Shape:
        """The shape of the child element of this name."""
        member = self.child(xml_name)
        assert member is not None
        return member.shape

    @property
    def headed(self) -> bool:
        """True for asynchronous messages, single or bulk, and for the items of a bulk message."""
        header = self.child("MessageHeader")
        return header is not None and isinstance(header.content, Shape) and header.content.type_name == HEADER_TYPE

    @property
    def has_log(self) -> bool:
        """True for confirmations and responses."""
        return self.child("Log") is not None

    @property
    def item(self) -> Member | None:
        """The repeated message of a bulk message."""
        return _item_of(self)


@cache
def _item_of(shape: Shape) -> Member | None:
    """Looked for once: every message that comes in asks for it."""
    for member in shape.elements:
        if shape.headed and member.many and isinstance(member.content, Shape) and member.content.headed:
            return member
    return None


def module_name(file_name: str) -> str:
    """`inferred/device.xsd` becomes `inferred_device`."""
    return file_name.removesuffix(".xsd").replace("/", "_")


def python_name(xml_name: str) -> str:
    """`UTCValidityStartDateTime` becomes `utc_validity_start_date_time`."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", xml_name)
    return re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", words).lower()


class Shapes:
    """All shapes of one set of schema files, by root element."""

    def __init__(self, files: SchemaFiles) -> None:
        self._types: dict[str, tuple[str, etree._Element]] = {}
        self._groups: dict[str, etree._Element] = {}
        self._shapes: dict[str, Shape] = {}
        self.root_files: dict[str, str] = {}
        roots: dict[str, str] = {}
        for name in files.closure(*files.names):
            for node in files.tree(name):
                key = node.get("name", "")
                if node.tag in {f"{XS}complexType", f"{XS}simpleType"}:
                    self._types[key] = (name, node)
                elif node.tag == f"{XS}attributeGroup":
                    self._groups[key] = node
                elif node.tag == f"{XS}element":
                    roots[key] = node.get("type", "")
                    self.root_files[key] = name
        self._class_names = CLASS_NAMES | {name: root.removesuffix("_sync") for root, name in roots.items()}
        self.roots = {root: self._named_shape(type_name) for root, type_name in roots.items()}

    def named(self) -> tuple[Shape, ...]:
        """Every shape with a type name that a message uses, in the order in which their modules define them."""
        order = list(self._types)
        return tuple(sorted(self._shapes.values(), key=lambda shape: order.index(shape.type_name)))

    def _named_shape(self, type_name: str) -> Shape:
        if type_name not in self._shapes:
            content = self._content(type_name)
            if not isinstance(content, Shape):
                raise SchemaProblem(f"Type {type_name} of a message is not a complex type.")
            self._shapes[type_name] = content
        return self._shapes[type_name]

    def _content(self, type_name: str) -> Simple | Shape:
        """What a type name stands for; a complex type that only adds optional scheme attributes is its text."""
        if type_name.startswith("xs:"):
            return Simple(type_name, type_name.removeprefix("xs:"))
        if type_name in self._shapes:
            return self._shapes[type_name]
        try:
            file_name, node = self._types[type_name]
        except KeyError as unknown:
            raise SchemaProblem(f"Type {type_name} is used but not defined.") from unknown
        if node.tag == f"{XS}simpleType":
            return self._simple(type_name, node)
        class_name = self._class_names.get(type_name, type_name.removesuffix("Message"))
        shape = self._complex(node, module_name(file_name), class_name, type_name)
        if isinstance(shape, Shape):
            self._shapes[type_name] = shape
        return shape

    def _simple(self, name: str, node: etree._Element) -> Simple:
        restriction = node.find(f"{XS}restriction")
        if restriction is None:
            raise SchemaProblem(f"Simple type {name} is not a restriction.")
        parent = self._content(restriction.get("base", ""))
        assert isinstance(parent, Simple)
        facets = {facet.tag.removeprefix(XS): int(facet.get("value", "0")) for facet in _numeric_facets(restriction)}
        length = facets.get("length")
        return Simple(
            name=name,
            base=parent.base,
            minimum_length=length or facets.get("minLength", parent.minimum_length),
            maximum_length=length or facets.get("maxLength", parent.maximum_length),
            patterns=parent.patterns + tuple(facet.get("value", "") for facet in restriction.iter(f"{XS}pattern")),
            total_digits=facets.get("totalDigits", parent.total_digits),
            fraction_digits=facets.get("fractionDigits", parent.fraction_digits),
        )

    def _complex(self, node: etree._Element, module: str, class_path: str, type_name: str = "") -> Shape | Simple:
        extension = node.find(f"{XS}simpleContent/{XS}extension")
        if extension is not None:
            text = self._content(extension.get("base", ""))
            assert isinstance(text, Simple)
            attributes = self._attributes(extension)
            return Shape(module, class_path, (), attributes, text, type_name) if attributes else text
        elements = tuple(self._element(each, module, class_path) for each in node.iterfind(f"{XS}sequence/{XS}element"))
        return Shape(module, class_path, elements, self._attributes(node), None, type_name)

    def _attributes(self, node: etree._Element) -> tuple[Member, ...]:
        """The attributes of the node itself; those that come by group only qualify an identifier or code."""
        members = []
        for attribute in node.iterfind(f"{XS}attribute"):
            xml_name = attribute.get("name", "")
            content = self._content(attribute.get("type", ""))
            minimum = 1 if attribute.get("use") == "required" else 0
            members.append(Member(xml_name, python_name(xml_name), content, minimum))
        return tuple(members)

    def _element(self, node: etree._Element, module: str, class_path: str) -> Member:
        xml_name = node.get("name", "")
        inline = node.find(f"{XS}complexType")
        content = (
            self._content(node.get("type", ""))
            if inline is None
            else self._complex(inline, module, f"{class_path}.{xml_name}")
        )
        limit = node.get("maxOccurs", "1")
        maximum = None if limit == "unbounded" else int(limit)
        is_item = isinstance(content, Shape) and content.headed and maximum != 1
        # the exact item names repeat the message's name and differ by bulk message: one Python name serves all
        name = "items" if is_item else python_name(xml_name)
        return Member(xml_name, name, content, int(node.get("minOccurs", "1")), maximum)


def _numeric_facets(restriction: etree._Element) -> list[etree._Element]:
    wanted = {f"{XS}{name}" for name in ("length", "minLength", "maxLength", "totalDigits", "fractionDigits")}
    return [facet for facet in restriction if facet.tag in wanted]


def shapes(overlay: Path | None = None) -> Shapes:
    """The shapes of the schema files with this overlay, read once a process."""
    return _shapes(overlay)


@lru_cache(maxsize=8)
def _shapes(overlay: Path | None) -> Shapes:
    return Shapes(schema_files(overlay))
