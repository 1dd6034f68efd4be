"""What our messages carry where a customer's schema wants more than our values have.

A table of the customer, `constants.toml` beside the schemas, gives texts by place; `*` stands for anything:

    [constants]
    "SmartMeterUtilitiesMeasurementTaskERPChangeRequest/UtilitiesMeasurementTask/PlantCode" = "1000"
    "*/MessageHeader/@tenant" = "DE"

An element or attribute that we do not know is written with its text wherever its parent is; one that we know, where we
have no value for it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.encode import escaped, escaped_attribute
from openami.shared.contract.enterprise.errors import SchemaProblem
from openami.shared.contract.enterprise.shapes import Member, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "constants.toml"
_NOTHING = Shape("", "")


@dataclass(frozen=True, slots=True)
class Constants:
    """Texts by the pattern of their place, such as `ROOT/MessageHeader/PlantCode` or `*/Item/@unitCode`."""

    texts: tuple[tuple[str, str], ...] = ()

    def of(self, place: str) -> str | None:
        """The text for a place: the first that fits."""
        return next((text for pattern, text in self.texts if fnmatchcase(place, pattern)), None)

    @classmethod
    def read(cls, overlay: Path | None) -> Constants:
        """The table in an overlay folder; none is an empty one. Raises SchemaProblem."""
        path = None if overlay is None else overlay / FILE
        if path is None or not path.is_file():
            return cls()
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))["constants"].items()
        except (OSError, ValueError, KeyError, AttributeError) as problem:
            hint = 'Write [constants], then "PLACE" = "text".'
            raise SchemaProblem(f"The constants in {path} cannot be read: {problem!r}.", hint=hint) from problem
        for place, text in table:
            if not isinstance(text, str):
                raise SchemaProblem(f"The constant {place} in {path} is {text!r}.", hint="Write a text, in quotes.")
        return cls(tuple(table))


def filled(ours: Shape, theirs: Shape, place: str, constants: Constants) -> Shape:
    """How values of our shape are written for theirs: in its order, with the constants it has places for."""
    elements = tuple(_filled(ours.elements, theirs.elements, f"{place}/", constants))
    attributes = tuple(_filled(ours.attributes, theirs.attributes, f"{place}/@", constants))
    if elements == ours.elements and attributes == ours.attributes:
        return ours
    return replace(ours, elements=elements, attributes=attributes)


def _filled(ours: tuple[Member, ...], theirs: tuple[Member, ...], place: str, constants: Constants) -> Iterator[Member]:
    own = {member.xml_name: member for member in ours}
    for their in theirs:
        at = f"{place}{their.xml_name}"
        member = own.pop(their.xml_name, None)
        if member is not None and isinstance(member.content, Shape) and isinstance(their.content, Shape):
            yield replace(member, content=filled(member.content, their.content, at, constants))
        elif constant := _written(their, at, constants):
            yield replace(member or replace(their, name=""), constant=constant)
        elif member is not None:
            yield member
    yield from own.values()  # what they do not have: the schema says so when it is sent


def _written(member: Member, place: str, constants: Constants) -> str:
    """The element (or attribute) made of constants alone; empty if there are none."""
    name, text = member.xml_name, constants.of(place)
    if "@" in place:
        return "" if text is None else f' {name}="{escaped_attribute(text)}"'
    content = member.content
    if not isinstance(content, Shape):
        return "" if text is None else f"<{name}>{escaped(text)}</{name}>"
    attributes = "".join(_written(each, f"{place}/@{each.xml_name}", constants) for each in content.attributes)
    inside = "".join(_written(each, f"{place}/{each.xml_name}", constants) for each in content.elements)
    inside += escaped(text or "") if content.text is not None else ""
    return f"<{name}{attributes}>{inside}</{name}>" if attributes or inside else ""


def without_value(ours: Shape, theirs: Shape, place: str, constants: Constants) -> Iterator[str]:
    """The places that their shape must have, for which we have neither a value nor a constant."""
    own = {member.xml_name: member for member in (*ours.attributes, *ours.elements)}
    attributes = {member.xml_name for member in theirs.attributes}
    for their in (*theirs.attributes, *theirs.elements):
        at = f"{place}/{'@' if their.xml_name in attributes else ''}{their.xml_name}"
        member = own.get(their.xml_name)
        if isinstance(their.content, Shape) and (member is None or isinstance(member.content, Shape)):
            if member is None and not their.minimum:
                continue
            inner = member.content if member is not None and isinstance(member.content, Shape) else _NOTHING
            lacking = list(without_value(inner, their.content, at, constants))
            yield from lacking
            if member is None and not lacking and not _written(their, at, constants):
                yield at
        elif member is None and their.minimum and constants.of(at) is None:
            yield at
