"""Types of attributes as written in classes.toml: parsed once, then used to check values and to name their members."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.ami.dlms.data import Data, Tag
from openami.ami.dlms.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCALARS: dict[str, frozenset[Tag]] = {
    "null": frozenset({Tag.NULL}),
    "bool": frozenset({Tag.BOOLEAN}),
    "bits": frozenset({Tag.BIT_STRING}),
    "enum": frozenset({Tag.ENUM}),
    "bcd": frozenset({Tag.BCD}),
    "i8": frozenset({Tag.INTEGER8}),
    "i16": frozenset({Tag.INTEGER16}),
    "i32": frozenset({Tag.INTEGER32}),
    "i64": frozenset({Tag.INTEGER64}),
    "u8": frozenset({Tag.UNSIGNED8}),
    "u16": frozenset({Tag.UNSIGNED16}),
    "u32": frozenset({Tag.UNSIGNED32}),
    "u64": frozenset({Tag.UNSIGNED64}),
    "f32": frozenset({Tag.FLOAT32}),
    "f64": frozenset({Tag.FLOAT64}),
    "octets": frozenset({Tag.OCTET_STRING}),
    "text": frozenset({Tag.VISIBLE_STRING}),
    "utf8": frozenset({Tag.UTF8_STRING}),
    "stamp": frozenset({Tag.DATE_TIME}),
    "any": frozenset(Tag),
}
_LENGTHS = {"octets12": 12, "octets5": 5, "octets4": 4, "ln": 6}
_TOKEN = re.compile(r"[{}\[\],|]|\$?[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value must look like: one of `tags`, of `length` octets, with `members` or `element`s, or `either`."""

    tags: frozenset[Tag] = frozenset()
    length: int | None = None
    members: tuple[tuple[str, Shape], ...] = ()
    element: Shape | None = None
    either: tuple[Shape, ...] = ()

    def fits(self, data: Data) -> bool:
        """Whether a value has this shape."""
        if self.either:
            return any(shape.fits(data) for shape in self.either)
        if data.tag not in self.tags:
            return False
        if self.length is not None:
            return len(data.octets()) == self.length
        if self.members:
            found = data.elements()
            return len(found) == len(self.members) and all(
                shape.fits(member) for (_, shape), member in zip(self.members, found, strict=True)
            )
        return self.element is None or all(map(self.element.fits, data.elements()))

    def names(self) -> tuple[str, ...]:
        """The names of a structure's members."""
        return tuple(name for name, _ in self.members)


def parse_shape(text: str, known: Mapping[str, str]) -> Shape:
    """The shape in the notation of classes.toml; `known` are the shapes it may refer to by $name."""
    parser = _Parser(_TOKEN.findall(text), known)
    shape = parser.either()
    if parser.tokens:
        msg = f"{text!r} goes on after its end: {' '.join(parser.tokens)}."
        raise LocalProtocolError(msg)
    return shape


class _Parser:
    def __init__(self, tokens: list[str], known: Mapping[str, str]) -> None:
        self.tokens = tokens
        self.known = known

    def either(self) -> Shape:
        shapes = [self.one()]
        while self.tokens[:1] == ["|"]:
            self.tokens.pop(0)
            shapes.append(self.one())
        return shapes[0] if len(shapes) == 1 else Shape(either=tuple(shapes))

    def one(self) -> Shape:
        word = self.tokens.pop(0) if self.tokens else ""
        if word == "[":
            element = self.either()
            self.expect("]")
            return Shape(frozenset({Tag.ARRAY, Tag.COMPACT_ARRAY}), element=element)
        if word == "{":
            return Shape(frozenset({Tag.STRUCTURE}), members=self.members())
        if word.startswith("$") and word[1:] in self.known:
            return parse_shape(self.known[word[1:]], self.known)
        if word in _LENGTHS:
            return Shape(_SCALARS["octets"], _LENGTHS[word])
        if word in _SCALARS:
            return Shape(_SCALARS[word])
        msg = f"{word!r} is no type."
        raise LocalProtocolError(msg)

    def members(self) -> tuple[tuple[str, Shape], ...]:
        found = []
        while True:
            # a member without a name of its own is called by its type (ln)
            has_name = len(self.tokens) > 1 and self.tokens[1] not in (",", "}", "|")
            name = self.tokens.pop(0) if has_name else "".join(self.tokens[:1])
            found.append((name, self.either()))
            if self.tokens[:1] != [","]:
                self.expect("}")
                return tuple(found)
            self.tokens.pop(0)

    def expect(self, token: str) -> None:
        if self.tokens[:1] != [token]:
            msg = f"{token!r} is missing before {' '.join(self.tokens[:3])!r}."
            raise LocalProtocolError(msg)
        self.tokens.pop(0)
