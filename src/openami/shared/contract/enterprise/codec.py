"""Bytes to message and back: the one place where XML, schema and values meet."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, cast

from openami.shared.contract.enterprise.catalogue import Operation, catalogue
from openami.shared.contract.enterprise.constants import Constants, filled
from openami.shared.contract.enterprise.decode import Readers, class_of
from openami.shared.contract.enterprise.encode import Pieces, Writers
from openami.shared.contract.enterprise.errors import InvalidMessage, MissingElement, NotReadable, UnknownMessage
from openami.shared.contract.enterprise.parse import MAXIMUM_BYTES, SOAP, line_of, message_element, parsed
from openami.shared.contract.enterprise.schemas import GLOBAL, schema_files
from openami.shared.contract.enterprise.shapes import Shape, shapes
from openami.shared.contract.enterprise.tolerate import first_missing, first_unreadable
from openami.shared.contract.enterprise.validate import Validation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lxml import etree

    from openami.shared.contract.enterprise.model import Extra, Message

_QUALIFIED = f"{{{GLOBAL}}}"


class Codec:
    """Decodes and encodes the messages of one set of schema files; threads may share it.

    With an overlay its files decide what is valid. Values stay those of the generated classes: what a replaced schema
    adds arrives as extras and is sent with the constants of the customer, and what it no longer has is missing.
    """

    def __init__(self, overlay: Path | None = None) -> None:
        self.overlay = overlay
        self.files = schema_files(overlay)
        self.shapes = shapes()
        self._validations = {
            root: Validation(root, shape, partial(self.files.validator, self.shapes.root_files[root]))
            for root, shape in shapes(overlay).roots.items()
            if root in self.shapes.roots
        }
        self._written = self.shapes.roots if overlay is None else _filled(self.shapes.roots, overlay)
        self._items_written = {
            id(shape.item.content): self._written[root].part(shape.item.xml_name)
            for root, shape in self.shapes.roots.items()
            if shape.item is not None
        }
        self._readers = Readers(self.shapes)
        self._writers = Writers(self.shapes)
        self._roots: dict[type[Any], str] = {}

    def decode(self, body: bytes, *, maximum_bytes: int = MAXIMUM_BYTES) -> Message:
        """The message in a SOAP request; see `parse` and InvalidMessage for what is refused."""
        element = message_element(body, maximum_bytes=maximum_bytes)
        return self.decode_element(element, *self.shape_of(element), len(body))

    def decode_element(self, element: etree._Element, root: str, shape: Shape, size: int) -> Message:
        """The message in an element from a body of so many bytes; see `decode`."""
        attributes = self.validate(element, root, size)
        message = self.read(element, root, shape)
        return replace(message, extras=(*message.extras, *attributes)) if attributes else message

    def read(self, element: etree._Element, root: str, shape: Shape) -> Message:
        """The value of a validated element."""
        try:
            return cast("Message", self._readers.of(shape)(element, []))
        except (ValueError, ArithmeticError, TypeError) as problem:
            missing = first_missing(element, shape)
            if missing is not None:
                raise MissingElement(root, missing, "is mandatory but missing", line=line_of(element)) from problem
            place, reason = first_unreadable(element, shape) or (root, str(problem))
            raise InvalidMessage(root, place, reason, line=line_of(element)) from problem

    def extras_in(self, element: etree._Element, shape: Shape) -> list[Extra]:
        """What a part of a validated message has that its shape does not know."""
        found: list[Extra] = []
        self._readers.of(shape)(element, found)
        return found

    def shape_of(self, element: etree._Element) -> tuple[str, Shape]:
        """Root name and shape of a message element; raises UnknownMessage."""
        tag = element.tag
        root = tag.removeprefix(_QUALIFIED)
        if not tag.startswith(_QUALIFIED) or root not in self.shapes.roots:
            raise UnknownMessage(tag)
        return root, self.shapes.roots[root]

    def validate(self, element: etree._Element, root: str, size: int) -> list[Extra]:
        """Check a received element from a body of so many bytes; see Validation.accept."""
        return self._validations[root].accept(element, size)

    def root_of(self, message: Message | type[Message]) -> str:
        """The name of the message's root element."""
        kind = message if isinstance(message, type) else type(message)
        if not self._roots:
            self._roots.update({class_of(shape): root for root, shape in self.shapes.roots.items()})
        if kind not in self._roots:
            raise UnknownMessage(kind.__name__)
        return self._roots[kind]

    def operation_of(self, message: Message | type[Message]) -> Operation:
        """The operation that the message belongs to."""
        return catalogue().of(self.root_of(message))

    def encode(self, message: Message) -> bytes:
        """The message in a SOAP 1.1 envelope, validated; raises InvalidMessage if the schema forbids it."""
        return enveloped(self._element(message))

    def encode_bare(self, message: Message) -> bytes:
        """The message without envelope, as a document of its own."""
        return b'<?xml version="1.0" encoding="UTF-8"?>\n%b\n' % self._element(message)

    def _element(self, message: Message) -> bytes:
        """The message's element. Of a list that knows its own XML only the samples are validated."""
        root = self.root_of(message)
        content, _ = self._writers.of(self._written[root])
        out = Pieces([f'<n0:{root} xmlns:n0="{GLOBAL}">'])
        try:
            content(message, out)
            out.append(f"</n0:{root}>")
            whole, sampled = out.joined()
        except (ValueError, TypeError, AttributeError) as problem:
            raise InvalidMessage(root, type(message).__name__, str(problem)) from problem
        self._check(root, sampled)
        return whole

    def as_sent(self, item: Shape) -> Shape:
        """How an item of a bulk message is written: with the constants of the customer."""
        return self._items_written[id(item)]

    def inside(self, value: object, shape: Shape) -> str:
        """What an element of this shape has inside for a value: its children, not yet validated."""
        out = Pieces()
        self._writers.of(shape)[0](value, out)
        return "".join(out)

    def _check(self, root: str, text: bytes) -> None:
        """Validate what is to be sent; raises InvalidMessage."""
        try:
            element = parsed(text, maximum_bytes=sys.maxsize)
        except NotReadable as problem:
            raise InvalidMessage(root, root, str(problem)) from problem
        self._validations[root].refuse(element)


def _filled(roots: Mapping[str, Shape], overlay: Path) -> dict[str, Shape]:
    """How the messages are written for the schemas of an overlay."""
    constants, theirs = Constants.read(overlay), shapes(overlay).roots
    return {root: filled(shape, theirs[root], root, constants) for root, shape in roots.items()}


_ENVELOPE_START = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Header/><soapenv:Body>'
).encode()
_ENVELOPE_END = b"</soapenv:Body></soapenv:Envelope>"


def enveloped(message: bytes) -> bytes:
    """A message's element in a SOAP envelope."""
    return b"".join((_ENVELOPE_START, message, _ENVELOPE_END))


def codec(overlay: Path | None = None) -> Codec:
    """The codec for the schema files with this overlay, else with that of the installation; built once a process."""
    return _codec(overlay if overlay is not None else _installed[0])


def use_overlay(overlay: Path | None) -> None:
    """From now on the schemas of this folder stand in for ours, in the whole process."""
    _installed[0] = overlay if overlay is not None and overlay.is_dir() else None
    codec()


_installed: list[Path | None] = [None]


@lru_cache(maxsize=8)
def _codec(overlay: Path | None) -> Codec:
    return Codec(overlay)


def decode(body: bytes, *, maximum_bytes: int = MAXIMUM_BYTES) -> Message:
    """The message in a SOAP request, by the schemas of the installation; see Codec.decode."""
    return codec().decode(body, maximum_bytes=maximum_bytes)


def encode(message: Message) -> bytes:
    """The message in a SOAP 1.1 envelope, by the schemas of the installation; see Codec.encode."""
    return codec().encode(message)


def operation_of(message: Message | type[Message]) -> Operation:
    """The operation that a message or message class belongs to."""
    return codec().operation_of(message)
