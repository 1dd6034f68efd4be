"""What real senders do to a message although the schema does not allow it, and we accept.

Only a message that fails validation comes here, so that correct ones pay nothing.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.decode import XSI, place, text_reader
from openami.shared.contract.enterprise.model import Extra
from openami.shared.contract.enterprise.schemas import GLOBAL
from openami.shared.contract.enterprise.shapes import Member, Shape, Simple

if TYPE_CHECKING:
    from lxml import etree

QUALIFIED = f"{{{GLOBAL}}}"


def normalise(element: etree._Element, shape: Shape) -> None:
    """Change in place what means the same in another spelling.

    Children in the message's namespace (a default namespace without `xmlns=''`) become unqualified; `xsi:nil` elements
    and empty optional ones are taken out, as they say nothing.
    """
    members = {member.xml_name: member for member in shape.elements}
    for child in list(element):
        if child.tag.startswith(QUALIFIED) and child.tag.removeprefix(QUALIFIED) in members:
            child.tag = child.tag.removeprefix(QUALIFIED)
        member = members.get(child.tag)
        if member is None:
            continue
        if child.get(f"{XSI}nil") in {"true", "1"} or (_is_optional_text(member) and _is_empty(child)):
            element.remove(child)
        elif isinstance(member.content, Shape):
            normalise(child, member.content)


def without_extras(element: etree._Element, shape: Shape) -> tuple[etree._Element, list[Extra]]:
    """A copy that has only what the shape knows, for validation, and the attributes that were left out."""
    copy, found = deepcopy(element), list[Extra]()
    _strip(copy, shape, found)
    return copy, found


def first_missing(element: etree._Element, shape: Shape, path: str = "") -> str | None:
    """The path of the first mandatory element or attribute that is missing, None if the fault is another one."""
    for member in shape.attributes:
        if member.minimum and member.xml_name not in element.attrib:
            return f"{path}/@{member.xml_name}".lstrip("/")
    for member in shape.elements:
        below = f"{path}/{member.xml_name}".lstrip("/")
        found = element.findall(member.xml_name)
        if not found and member.minimum:
            return below
        for number, child in enumerate(found, start=1):
            if isinstance(member.content, Shape):
                place = f"{below}[{number}]" if len(found) > 1 else below
                missing = first_missing(child, member.content, place)
                if missing is not None:
                    return missing
    return None


def first_unreadable(element: etree._Element, shape: Shape) -> tuple[str, str] | None:
    """Place and reason of the first text that is valid for the schema but has no Python value (the year 0000)."""
    for child in element:
        member = shape.child(child.tag)
        if member is None:
            continue
        if isinstance(member.content, Shape) and member.content.text is None:
            found = first_unreadable(child, member.content)
            if found is not None:
                return found
            continue
        text = member.content if isinstance(member.content, Simple) else member.content.text
        assert text is not None
        try:
            text_reader(text)(child.text or "")
        except (ValueError, ArithmeticError) as problem:
            return place(child), str(problem)
    return None


def _strip(element: etree._Element, shape: Shape, found: list[Extra]) -> None:
    members = {member.xml_name: member for member in shape.elements}
    _strip_attributes(element, {member.xml_name for member in shape.attributes}, found)
    counts: dict[str, int] = {}
    for child in list(element):
        member = members.get(child.tag)
        if member is None or (isinstance(member.content, Simple) and len(child)):
            element.remove(child)
        elif isinstance(member.content, Shape):
            counts[child.tag] = counts.get(child.tag, 0) + 1
            known = len(found)
            _strip(child, member.content, found)
            parent = f"{child.tag}[{counts[child.tag]}]" if member.many else child.tag
            found[known:] = [extra.below(parent) for extra in found[known:]]
        elif child.attrib:
            _strip_attributes(child, set(), [])


def _strip_attributes(element: etree._Element, known: set[str], found: list[Extra]) -> None:
    for name, text in element.attrib.items():
        if str(name) not in known:
            # xsi:type and the like say nothing that the schema does not know
            if not str(name).startswith(XSI):
                found.append(Extra(f"@{name!s}", str(text)))
            del element.attrib[name]


def _is_optional_text(member: Member) -> bool:
    return member.minimum == 0 and isinstance(member.content, Simple)


def _is_empty(element: etree._Element) -> bool:
    return len(element) == 0 and not (element.text or "").strip()
