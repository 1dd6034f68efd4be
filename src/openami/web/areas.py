"""The areas as the console sees them: JSON, or the plain fact that one does not answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.datastructures import UploadFile

    from openami.shared.settings import Settings

TIMEOUT_S = 10.0
LANDSCAPE = ("field", "headend", "mdus", "office")


class AreaDownError(OpenAmiError):
    """An area that a page needs does not answer."""


class NotThereError(OpenAmiError):
    """What a page was asked for does not exist."""


class Areas:
    """Asks the areas; one client for all pages."""

    def __init__(self, settings: Settings, token: str, client: httpx.AsyncClient | None = None) -> None:
        """Take where the areas are and the service token; tests give a client of their own."""
        self._settings = settings
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
        self._headers = {"authorization": f"Bearer {token}"}

    async def get(self, area: str, path: str, **query: Any) -> Any:  # noqa: ANN401 - any JSON value
        """A JSON page of an area.

        Raises:
            AreaDownError: the area does not answer.
            NotThereError: it answers that there is no such thing.
        """
        response = await self._send("GET", area, path, params={key: value for key, value in query.items() if value})
        return _json(area, response)

    async def text(self, area: str, path: str) -> str:
        """A text page of an area (a bill's HTML)."""
        return (await self._send("GET", area, path)).text

    async def post(self, area: str, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """A person's command to an area."""
        return _json(area, await self._send("POST", area, path, json=body))

    async def upload(self, area: str, path: str, file: UploadFile, **query: str) -> Any:  # noqa: ANN401 - as above
        """A file that a person chose, passed on as it comes."""

        async def pieces() -> AsyncIterator[bytes]:
            while piece := await file.read(1 << 20):
                yield piece

        asked = {key: value for key, value in query.items() if value}
        return _json(area, await self._send("POST", area, path, params=asked, content=pieces()))

    async def or_none(self, area: str, path: str, **query: Any) -> Any:  # noqa: ANN401 - any JSON value
        """A JSON page of an area, or None where a page can do without it."""
        try:
            return await self.get(area, path, **query)
        except OpenAmiError:
            return None

    async def from_all(self, path: str) -> dict[str, Any]:
        """The same JSON page of all areas; None from one that does not answer."""
        answers = await asyncio.gather(*(self.or_none(area, path) for area in LANDSCAPE))
        return dict(zip(LANDSCAPE, answers, strict=True))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(self, method: str, area: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401 - as above
        if {".", ".."} & set(path.split("/")):
            raise NotThereError(f"There is no {path}.")
        url = self._settings.url_of(area) + quote(path)  # a name from an address may hold "?", "#" or worse
        try:
            response = await self._client.request(method, url, headers=self._headers, **request)
        except httpx.TransportError as error:
            raise AreaDownError(
                f"The area {area} does not answer.", hint=f"Is it running? Look with: openami logs {area}"
            ) from error
        if response.is_success:
            return response
        said = _said(response)
        found = said.get("found") or f"{area} answered {response.status_code} to {method} {path}."
        raise NotThereError(found, hint=said.get("hint", ""))


def _json(area: str, response: httpx.Response) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return response.json()
    except ValueError as error:
        raise AreaDownError(
            f"What answers for the area {area} is none of ours: it sent no JSON.",
            hint=f"Look at OPENAMI_{area.upper()}_URL.",
        ) from error


def _said(response: httpx.Response) -> dict[str, Any]:
    """Why an area refused, where it says so as ours do."""
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
