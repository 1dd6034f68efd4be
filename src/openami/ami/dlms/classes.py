"""The COSEM interface classes as typed descriptions, read from classes.toml beside this file.

CLASSES[3].attributes[3]              # scaler_unit of a register
CLASSES[70].method("remote_disconnect").number
CLASSES[8].attributes[2].shape.fits(value)
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, TypeVar

from openami.ami.dlms.errors import LocalProtocolError
from openami.ami.dlms.shapes import Shape, parse_shape

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its number, name and type; dynamic ones the meter changes by itself."""

    number: int
    name: str
    shape: Shape
    dynamic: bool = False
    since_version: int = 0


@dataclass(frozen=True, slots=True)
class Method:
    """One method: its number, name and the type of its parameter."""

    number: int
    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class InterfaceClass:
    """A COSEM interface class with its attributes and methods by number."""

    class_id: int
    name: str
    versions: tuple[int, ...]
    attributes: Mapping[int, Attribute]
    methods: Mapping[int, Method]

    def attribute(self, name: str) -> Attribute:
        """The attribute of this name."""
        return _named(name, self.attributes, self)

    def method(self, name: str) -> Method:
        """The method of this name."""
        return _named(name, self.methods, self)


_Member = TypeVar("_Member", Attribute, Method)


def _named(name: str, members: Mapping[int, _Member], of: InterfaceClass) -> _Member:
    for member in members.values():
        if member.name == name:
            return member
    known = ", ".join(member.name for member in members.values())
    msg = f"Class {of.class_id} {of.name} has no {name!r}; it has {known}."
    raise LocalProtocolError(msg)


def _read() -> dict[int, InterfaceClass]:
    text = resources.files("openami.ami.dlms").joinpath("classes.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    shapes: dict[str, str] = tables["shapes"]
    return {int(number): _class(int(number), table, shapes) for number, table in tables["classes"].items()}


def _class(class_id: int, table: dict[str, Any], shapes: dict[str, str]) -> InterfaceClass:
    texts = ["logical_name: ln", *table["attributes"]]
    attributes = [_attribute(number, text, shapes) for number, text in enumerate(texts, 1)]
    methods = [_method(int(number), text, shapes) for number, text in table.get("methods", {}).items()]
    return InterfaceClass(
        class_id,
        table["name"],
        tuple(table.get("versions", [0])),
        {attribute.number: attribute for attribute in attributes},
        {method.number: method for method in methods},
    )


def _attribute(number: int, text: str, shapes: dict[str, str]) -> Attribute:
    head, *flags = (part.strip() for part in text.split(";"))
    name, _, kind = head.partition(": ")
    since = [int(flag[1:]) for flag in flags if flag.startswith("v")]
    return Attribute(number, name, parse_shape(kind, shapes), "dynamic" in flags, since[0] if since else 0)


def _method(number: int, text: str, shapes: dict[str, str]) -> Method:
    name, _, kind = text.partition(": ")
    return Method(number, name, parse_shape(kind, shapes))


CLASSES: Final[Mapping[int, InterfaceClass]] = _read()
