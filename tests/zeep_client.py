"""zeep, a SOAP client that nobody here wrote, as the sender of messages."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import requests
import uvicorn
import zeep
from lxml import etree
from tests.certificates import free_port

from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.shapes import Shape, shapes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import ASGIApp

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
        self.client = client_of(document, folder)

    def __call__(self, message: Message) -> bytes:
        root = codec.codec().root_of(message)
        arguments = as_arguments(message, shapes().roots[root])
        name = codec.operation_of(message).name
        envelope = self.client.create_message(self.client.service, name, **arguments)
        return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


class ZeepSender:
    """Posts by zeep's own transport over HTTP, and lets zeep read what is answered."""

    def __init__(self, writer: ZeepWriter, url: str, user: str, password: str) -> None:
        session = requests.Session()
        session.trust_env = False
        session.auth = (user, password)
        self._transport: Any = zeep.Transport(session=session)  # type: ignore[no-untyped-call]
        self._client, self._url = writer.client, url

    async def __call__(self, operation: str, body: bytes) -> tuple[int, bytes]:
        return await asyncio.to_thread(self._post, operation, body)

    def close(self) -> None:
        self._transport.session.close()

    def _post(self, operation: str, body: bytes) -> tuple[int, bytes]:
        binding = self._client.service._binding
        known = binding.get(operation)
        headers = {"SOAPAction": f'"{known.soapaction}"', "Content-Type": "text/xml; charset=utf-8"}
        response = self._transport.post(f"{self._url}/services/{operation}", body, headers)
        if response.ok:
            binding.process_reply(self._client, known, response)
        return response.status_code, response.content


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """An area's application behind a real socket, without its background loops; its URL."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running
