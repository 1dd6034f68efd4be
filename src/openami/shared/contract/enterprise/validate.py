"""Checks received elements against their schema, and lets pass what real senders do differently.

The schema processor notes a path with every complaint, which takes time in proportion to the elements before it; so
that a large message full of the same deviation stays harmless, large bulk messages are checked some items at a time,
and very long lists by a streaming pass that knows no paths.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from lxml import etree

from openami.shared.contract.enterprise.errors import InvalidMessage, MissingElement
from openami.shared.contract.enterprise.parse import line_of
from openami.shared.contract.enterprise.schemas import GLOBAL
from openami.shared.contract.enterprise.tolerate import first_missing, normalise, without_extras

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.shared.contract.enterprise.model import Extra
    from openami.shared.contract.enterprise.shapes import Shape

LARGE_BYTES = 256 * 1024
LONG_LIST = 5_000
ITEMS_TOGETHER = 64
_HEADER, _LOG = "MessageHeader", "Log"
_QUALIFIED = f"{{{GLOBAL}}}"


class Validation:
    """The check of messages with one root element."""

    def __init__(self, root: str, shape: Shape, validator: Callable[[], etree.XMLSchema]) -> None:
        self._root = root
        self._shape = shape
        self._validator = validator

    def accept(self, element: etree._Element, size: int) -> list[Extra]:
        """Check a message from a body of so many bytes; tolerable deviations are put right in place.

        Returns the attributes that the schema does not know; raises MissingElement or InvalidMessage.
        """
        item = self._shape.item
        if size <= LARGE_BYTES or item is None:
            return self._accept(element, long=size > LARGE_BYTES and _has_long_list(element))[0]
        if element.find(item.xml_name) is None:
            normalise(element, self._shape)
        items = element.findall(item.xml_name)
        if len(items) < 2 or element.find(_HEADER) is None:
            return self._accept(element, long=_has_long_list(element))[0]
        return self._accept_items(element, items)

    def refuse(self, element: etree._Element) -> None:
        """Check what is to be sent; nothing is tolerated."""
        validator = self._validator()
        if not validator.validate(element):
            raise self._missing(element) or self._invalid(validator)

    def _accept_items(self, element: etree._Element, items: list[etree._Element]) -> list[Extra]:
        """Check the items in small messages of their own; all are back in place afterwards.

        Some items go together while they are as the schema wants them; each by itself where one of them is not.
        """
        small = etree.Element(element.tag)
        header, log = element.find(_HEADER), element.find(_LOG)
        small.extend([part for part in (header, log) if part is not None])
        found: list[Extra] = []
        deviates = False
        try:
            for first in range(0, len(items), ITEMS_TOGETHER):
                some = items[first : first + ITEMS_TOGETHER]
                if not deviates and self._are_valid(small, some):
                    element.extend(some)
                    continue
                for number, item in enumerate(some, start=first + 1):
                    small.insert(1, item)
                    try:
                        extras, deviates = self._accept(small, long=_has_long_list(item), deviates=deviates)
                    except InvalidMessage as problem:
                        raise self._renumbered(problem, item.tag, number) from None
                    finally:
                        element.append(item)
                    found += [type(extra)(_numbered(extra.path, item.tag, number), extra.xml) for extra in extras]
        finally:
            element.insert(0, small[0])
            element.extend(list(small))
        return found

    def _are_valid(self, small: etree._Element, items: list[etree._Element]) -> bool:
        """Whether items are good as they are; they stay out of the small message if they are not."""
        some: Any = small
        some[1:1] = items
        if not _SOME_HAVE_LONG_LIST(small) and self._validator().validate(small):
            return True
        del some[1 : len(items) + 1]
        return False

    def _renumbered(self, problem: InvalidMessage, tag: str, number: int) -> InvalidMessage:
        place = _numbered(problem.element, tag, number)
        return type(problem)(problem.root, place, problem.reason, line=problem.line)

    def _accept(
        self, element: etree._Element, *, long: bool = False, deviates: bool = False
    ) -> tuple[list[Extra], bool]:
        """The attributes left out, and whether the element had to be stripped; `deviates` expects that it has to be."""
        validator = self._validator()
        valid = _streams if long else _validates
        if not deviates and valid(validator, element):
            return [], False
        normalise(element, self._shape)
        if not deviates and valid(validator, element):
            return [], False
        known, attributes = without_extras(element, self._shape)
        if valid(validator, known):
            return attributes, True
        raise self._missing(known) or (self._streamed(known) if long else self._invalid(validator))

    def _missing(self, element: etree._Element) -> MissingElement | None:
        place = first_missing(element, self._shape)
        if place is None:
            return None
        return MissingElement(self._root, place, "is mandatory but missing", line=line_of(element))

    def _invalid(self, validator: etree.XMLSchema) -> InvalidMessage:
        """The schema processor's first complaint; the path is cut down to the part inside the message."""
        error: Any = next(iter(cast("Any", validator.error_log)))
        element = (error.path or "").partition(self._root)[2].strip("/") or self._root
        return InvalidMessage(self._root, element, _reason(error.message), line=error.line)

    def _streamed(self, element: etree._Element) -> InvalidMessage:
        """The first complaint of the streaming pass; it knows the name of the element only."""
        try:
            _stream(self._validator(), element)
        except etree.XMLSyntaxError as problem:
            found = re.match(r"Element '([^']+)'", str(problem))
            item = self._shape.item
            path = [each for each in (item.xml_name if item else "", "...", found[1] if found else "") if each]
            return InvalidMessage(self._root, "/".join(path), _reason(str(problem)))
        raise AssertionError("an element that was invalid is valid")


def _validates(validator: etree.XMLSchema, element: etree._Element) -> bool:
    return validator.validate(element)


def _streams(validator: etree.XMLSchema, element: etree._Element) -> bool:
    try:
        _stream(validator, element)
    except etree.XMLSyntaxError:
        return False
    return True


def _stream(validator: etree.XMLSchema, element: etree._Element) -> None:
    etree.fromstring(etree.tostring(element, with_tail=False), etree.XMLParser(schema=validator))


# the same of all items at once, as `_has_long_list` says it of one
_LONG = f"*[{LONG_LIST + 1}]"
_SOME_HAVE_LONG_LIST = etree.XPath(f"boolean(*[{_LONG}] or */*[{_LONG}] or */*/*[{_LONG}])")


def _has_long_list(element: etree._Element) -> bool:
    """True if an element, up to the depth at which messages have lists, has very many children."""
    return any(len(inner) > LONG_LIST or any(len(each) > LONG_LIST for each in inner) for inner in (element, *element))


def _numbered(path: str, tag: str, number: int) -> str:
    """The path with the item's place in the whole message."""
    return re.sub(rf"^{re.escape(tag)}(\[1\])?(?=/|$)", f"{tag}[{number}]", path)


def _reason(message: str) -> str:
    return message.replace(_QUALIFIED, "").partition("': ")[2] or message
