"""Compiles, per shape, a function from an XML element to its value.

The element is expected to be valid; what a shape does not know becomes an Extra.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import importlib
from collections.abc import Callable
from dataclasses import field, fields, make_dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from lxml import etree

from openami.shared.contract.enterprise.model import Extra, Message
from openami.shared.contract.enterprise.schemas import GLOBAL
from openami.shared.contract.enterprise.shapes import Member, Shape, Simple

if TYPE_CHECKING:
    from openami.shared.contract.enterprise.shapes import Shapes

PACKAGE = f"{__package__}.messages"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"

# from a text to a value; raises ValueError
ReadText = Callable[[str], Any]
# from an element to a value; extras found on the way are appended to the list, with the path from the element
Read = Callable[[Any, list[Extra]], Any]
# the same, with the values that the element's attributes gave
ReadFrom = Callable[[Any, list[Extra], dict[str, Any]], Any]


def class_of(shape: Shape) -> type[Any]:
    """The generated class of a shape."""
    return _class_at(shape.module, shape.class_path)


@cache
def _class_at(module: str, class_path: str) -> type[Any]:
    found: Any = importlib.import_module(f"{PACKAGE}.{module}")
    for name in class_path.split("."):
        found = getattr(found, name)
    assert isinstance(found, type)
    return found


def _token(text: str) -> str:
    # only XML white space counts, so that a no-break space stays what it is
    if text.isascii():
        return " ".join(text.split())
    return " ".join(part for part in text.replace("\t", " ").replace("\n", " ").replace("\r", " ").split(" ") if part)


def _boolean(text: str) -> bool:
    return text.strip() in {"true", "1"}


def _float(text: str) -> float:
    return float(text.strip().replace("INF", "inf"))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as problem:
        raise ValueError(str(problem)) from problem


def _instant(text: str) -> dt.datetime:
    # the standard library cuts a seventh decimal off: 100 ns are the finest SAP sends, a microsecond is our finest
    return dt.datetime.fromisoformat(text.strip()).astimezone(dt.UTC)


READERS: dict[str, ReadText] = {
    "string": str,
    "date": lambda text: dt.date.fromisoformat(text.strip()),
    "time": lambda text: dt.time.fromisoformat(text.strip()),
    "boolean": _boolean,
    "decimal": lambda text: Decimal(text.strip()),
    "int": int,
    "integer": int,
    "float": _float,
    "base64Binary": _bytes,
}


def text_reader(simple: Simple) -> ReadText:
    """The function that turns a valid text of this type into its Python value."""
    if simple.base == "dateTime":
        return _instant if simple.utc else lambda text: dt.datetime.fromisoformat(text.strip())
    return READERS.get(simple.base, _token)


class Readers:
    """The compiled readers of a set of shapes."""

    def __init__(self, of: Shapes) -> None:
        self._compiled: dict[int, Read] = {}
        self._keep = of

    def of(self, shape: Shape) -> Read:
        """The reader of a shape, compiled on first use."""
        key = id(shape)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = self._compile(shape)
        return found

    def _compile(self, shape: Shape) -> Read:
        read_children = self._children(shape)
        if not shape.attributes:
            return lambda element, extras: read_children(element, extras, {})
        make = class_of(shape)
        attributes = [(m.xml_name, m.name, text_reader(_simple(m))) for m in shape.attributes]
        read_text = None if shape.text is None else text_reader(shape.text)

        def read(element: etree._Element, extras: list[Extra]) -> Any:  # noqa: ANN401 - the class varies
            values = {}
            for xml_name, name, convert in attributes:
                text = element.get(xml_name)
                if text is not None:
                    values[name] = convert(text)
            if read_text is None:
                return read_children(element, extras, values)
            return make(value=read_text(element.text or ""), **values)

        return read

    def _children(self, shape: Shape) -> ReadFrom:
        make = maker(class_of(shape))
        is_message = issubclass(class_of(shape), Message)
        texts = {m.xml_name: (m.name, text_reader(_simple(m))) for m in shape.elements if _is_text(m) and not m.many}
        parts = {m.xml_name: (m.name, m.many, self._reader(m)) for m in shape.elements if m.xml_name not in texts}
        lists = [member.name for member in shape.elements if member.many]

        def read(element: etree._Element, extras: list[Extra], values: dict[str, Any]) -> Any:  # noqa: ANN401
            own = [] if is_message else extras
            for child in element:
                tag = child.tag
                if tag in texts:
                    name, convert = texts[tag]
                    text = child.text
                    # most texts are tokens without white space: they are their own value
                    if convert is not _token or not text or " " in text or not text.isprintable():
                        text = convert(text or "")
                    values[name] = text
                elif tag in parts:
                    _read_part(child, parts[tag], values, own)
                else:
                    own.append(Extra(tag, etree.tostring(child, encoding="unicode", with_tail=False)))
            for name in lists:
                if name in values:
                    values[name] = tuple(values[name])
            if own and is_message:
                values["extras"] = tuple(own)
            return make(values)

        return read

    def _reader(self, member: Member) -> Read:
        if isinstance(member.content, Shape):
            return self.of(member.content)
        convert = text_reader(member.content)
        return lambda element, _: convert(element.text or "")


def maker(kind: type[Any]) -> Callable[[dict[str, Any]], Any]:
    """A function that makes a value of a frozen dataclass from its fields, at a third of the price of its `__init__`.

    That one has to go around the class's own `__setattr__` for each field. Here the fields are set by plain assignment
    while the value still is of a subclass without locks, of the same layout; then it is given its class.
    """
    assert not hasattr(kind, "__post_init__")
    signature = [
        (one.name, Any, field(default=one.default, default_factory=one.default_factory)) for one in fields(kind)
    ]
    plain: Any = make_dataclass(kind.__name__, signature, kw_only=True)
    fill = plain.__init__
    unlocked = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    unlocked_kind, new = type(kind.__name__, (kind,), unlocked), object.__new__

    def make(values: dict[str, Any]) -> Any:  # noqa: ANN401 - the class varies
        made: Any = new(unlocked_kind)
        fill(made, **values)
        made.__class__ = kind
        return made

    return make


def _read_part(
    child: etree._Element, part: tuple[str, bool, Read], values: dict[str, Any], extras: list[Extra]
) -> None:
    """Put the value of an element with inner elements into `values`; extras in it get its name into their paths."""
    name, many, descend = part
    known = len(extras)
    value = descend(child, extras)
    if many:
        values.setdefault(name, []).append(value)
    else:
        values[name] = value
    if len(extras) > known:
        parent = f"{child.tag}[{len(values[name])}]" if many else child.tag
        extras[known:] = [extra.below(parent) for extra in extras[known:]]


def place(element: etree._Element) -> str:
    """Where an element is, seen from its message: `UtilitiesDevice/Register[2]/TimeZoneCode`; empty for the message."""
    path = str(element.getroottree().getelementpath(element))
    if GLOBAL in path:
        path = path.partition(f"{{{GLOBAL}}}")[2].partition("/")[2]
    return "" if path == "." else path


def _is_text(member: Member) -> bool:
    return isinstance(member.content, Simple)


def _simple(member: Member) -> Simple:
    assert isinstance(member.content, Simple)
    return member.content
