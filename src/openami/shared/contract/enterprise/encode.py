"""Compiles, per shape, a function from a value to XML text.

The text is put together directly: no tree is built, which is several times as fast. The codec validates the result, so
that nothing leaves that the schema forbids.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Self

from openami.shared.contract.enterprise.shapes import Member, Shape, Simple

if TYPE_CHECKING:
    from decimal import Decimal

    from openami.shared.contract.enterprise.shapes import Shapes

WriteText = Callable[[Any], str]

# a carriage return would come back as a line feed
_TEXT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE_ESCAPES = _TEXT_ESCAPES | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def escaped(text: str) -> str:
    """The text as element content."""
    return text.translate(_TEXT_ESCAPES)


def escaped_attribute(text: str) -> str:
    """The text as the value of an attribute in double quotes."""
    return text.translate(_ATTRIBUTE_ESCAPES)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _decimal(value: Decimal) -> str:
    return format(value, "f")


def _float(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ("NaN" if value != value else f"{value:.0f}".upper())  # noqa: PLR0124


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _instant(value: dt.datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone; an instant of the contract is UTC")
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _local(value: dt.datetime) -> str:
    if value.tzinfo is not None:
        raise ValueError(f"{value} has a time zone; this element takes a local time without one")
    return value.isoformat()


def _time(value: dt.time) -> str:
    if value.tzinfo is not None or value.microsecond:
        raise ValueError(f"{value} is not a local time in whole seconds")
    return value.isoformat()


WRITERS: dict[str, WriteText] = {
    "date": dt.date.isoformat,
    "time": _time,
    "boolean": _boolean,
    "decimal": _decimal,
    "int": str,
    "integer": str,
    "float": _float,
    "base64Binary": _bytes,
}


def text_writer(simple: Simple) -> WriteText:
    """The function that turns a Python value into a text of this type, already escaped; raises ValueError."""
    if simple.base == "dateTime":
        return _instant if simple.utc else _local
    return WRITERS.get(simple.base, escaped)


class Prewritten:
    """A list of elements that knows its own XML, in place of a tuple of values."""

    __slots__ = ()

    @classmethod
    def written(cls, lists: Sequence[Self], member: Member) -> tuple[list[bytes], list[bytes]]:
        """The elements of each list of a message, and samples of all, such that all are valid if those are.

        They are written as `member` says, with its constants; samples stand wherever there is a list. Raises
        ValueError for what cannot be written.
        """
        raise NotImplementedError


class Pieces(list[str]):
    """The pieces of a text in order; lists that know their own XML stand beside it, each with its place."""

    def __init__(self, pieces: Iterable[str] = ()) -> None:
        super().__init__(pieces)
        self._lists: list[tuple[int, Prewritten, Member]] = []

    def put(self, elements: Prewritten, member: Member) -> None:
        """The next elements are these."""
        self._lists.append((len(self), elements, member))

    def joined(self) -> tuple[bytes, bytes]:
        """The whole text, and the same with no more than samples of such lists."""
        if not self._lists:
            text = "".join(self).encode()
            return text, text
        # a message has lists of one kind: all of them are written together
        _, first, member = self._lists[0]
        lists, samples = type(first).written([elements for _, elements, _ in self._lists], member)
        places = [0, *(place for place, _, _ in self._lists), len(self)]
        texts = ["".join(self[begin:end]).encode() for begin, end in pairwise(places)]
        return _woven(texts, [*lists, b""]), _woven(texts, [*samples, b""])


def _woven(first: Sequence[bytes], second: Sequence[bytes]) -> bytes:
    return b"".join(chain.from_iterable(zip(first, second, strict=True)))


Write = Callable[[Any, Pieces], None]


def _nothing(_value: object, _out: Pieces) -> None:
    """Writes what has no value of its own: its constant stands for it."""


class Writers:
    """The compiled writers of a set of shapes; each writes the inside of an element and, apart, its attributes."""

    def __init__(self, of: Shapes) -> None:
        self._compiled: dict[int, tuple[Write, Write | None]] = {}
        self._keep = of

    def of(self, shape: Shape) -> tuple[Write, Write | None]:
        """The writers of content and of attributes (None if the shape has none)."""
        key = id(shape)
        if key not in self._compiled:
            self._compiled[key] = (self._content(shape), self._attributes(shape))
        return self._compiled[key]

    def _attributes(self, shape: Shape) -> Write | None:
        if not shape.attributes:
            return None
        members = []
        for member in shape.attributes:
            assert isinstance(member.content, Simple)
            plain = text_writer(member.content)
            text = escaped_attribute if plain is escaped else plain
            members.append((member.name, member.xml_name, text, member.constant))

        def write(value: Any, out: Pieces) -> None:  # noqa: ANN401 - the class varies
            for name, xml_name, text, constant in members:
                inner = getattr(value, name) if name else None
                out.append(constant if inner is None else f' {xml_name}="{text(inner)}"')

        return write

    def _content(self, shape: Shape) -> Write:
        if shape.text is not None:
            text = text_writer(shape.text)
            return lambda value, out: out.append(text(value.value))
        members = [
            (member.name, self._element(member) if member.name else _nothing, member.many, member.constant, member)
            for member in shape.elements
        ]

        def write(value: Any, out: Pieces) -> None:  # noqa: ANN401 - the class varies
            for name, element, many, constant, member in members:
                inner = getattr(value, name) if name else None
                if inner is None:
                    if constant:
                        out.append(constant)
                elif isinstance(inner, Prewritten):
                    out.put(inner, member)
                elif many:
                    for each in inner:
                        element(each, out)
                else:
                    element(inner, out)

        return write

    def _element(self, member: Member) -> Write:
        start, end = f"<{member.xml_name}>", f"</{member.xml_name}>"
        if isinstance(member.content, Simple):
            text = text_writer(member.content)
            return lambda value, out: out.append(f"{start}{text(value)}{end}")
        content, attributes = self.of(member.content)

        def write(value: Any, out: Pieces) -> None:  # noqa: ANN401 - the class varies
            if attributes is None:
                out.append(start)
            else:
                out.append(f"<{member.xml_name}")
                attributes(value, out)
                out.append(">")
            content(value, out)
            out.append(end)

        return write
