"""zeep, a SOAP client that nobody here wrote, as the sender of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zeep
from lxml import etree

from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.shapes import Shape, shapes

if TYPE_CHECKING:
    from pathlib import Path

    from openami.shared.contract.enterprise.model import Message


def client_of(document: bytes, folder: Path) -> Any:
    path = folder / "service.wsdl"
    path.write_bytes(document)
    return zeep.Client(str(path))  # type: ignore[no-untyped-call]


def as_arguments(value: Any, shape: Shape) -> dict[str, Any]:
    """A message as the plain dictionaries that zeep takes."""
    found: dict[str, Any] = {}
    if shape.text is not None:
        found["_value_1"] = value.value
    for member in (*shape.attributes, *shape.elements):
        inner = getattr(value, member.name)
        if inner is None or inner == ():
            continue
        content = member.content
        if isinstance(content, Shape):
            found[member.xml_name] = (
                [as_arguments(each, content) for each in inner] if member.many else as_arguments(inner, content)
            )
        else:
            found[member.xml_name] = list(inner) if member.many else inner
    return found


class ZeepWriter:
    """Makes the bytes of messages as zeep reads a WSDL."""

    def __init__(self, document: bytes, folder: Path) -> None:
        self._client = client_of(document, folder)

    def __call__(self, message: Message) -> bytes:
        root = codec.codec().root_of(message)
        arguments = as_arguments(message, shapes().roots[root])
        name = codec.operation_of(message).name
        envelope = self._client.create_message(self._client.service, name, **arguments)
        return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
