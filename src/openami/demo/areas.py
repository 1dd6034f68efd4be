"""The areas as the story sees them: JSON over HTTP, patient with a process that is just being restarted."""

from __future__ import annotations

import asyncio
import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from openami.shared.errors import OpenAmiError
from openami.shared.seam.http_client import HttpClient

if TYPE_CHECKING:
    from typing import Self

    from openami.shared.settings import Settings

PATIENCE_S = 60.0
PAUSE_S = 0.05
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 120.0
_AWAY = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


class AreaSilentError(OpenAmiError):
    """An area did not answer for a minute."""


class CommandRefusedError(OpenAmiError):
    """An area refused a command of the story."""


class Areas:
    """Calls the JSON interfaces of a landscape; repeats what got no answer, since every command is idempotent."""

    def __init__(self, settings: Settings, token: str, *, patience_s: float = PATIENCE_S) -> None:
        self._settings = settings
        self._patience_s = patience_s
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._client = HttpClient(connect_timeout_s=CONNECT_TIMEOUT_S, read_timeout_s=READ_TIMEOUT_S)

    async def get(self, area: str, path: str, **query: str) -> Any:  # noqa: ANN401 - any JSON value
        """GET a JSON page of an area."""
        return await self._call("GET", area, f"{path}?{urlencode(query)}" if query else path, {})

    async def post(self, area: str, path: str, body: dict[str, Any], *, key: str = "") -> Any:  # noqa: ANN401 - as above
        """POST a command to an area and return what it answers; `key` is its idempotency key."""
        return await self._call("POST", area, path, {"idempotency-key": key} if key else {}, json.dumps(body).encode())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._client.close()

    async def _call(self, method: str, area: str, path: str, headers: dict[str, str], body: bytes = b"") -> Any:  # noqa: ANN401
        url = self._settings.url_of(area) + path
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                answer = await self._client.request(method, url, self._headers | headers, body)
                if answer.status not in _AWAY:
                    break
                trouble = f"HTTP {answer.status}"
            except OSError as error:
                trouble = repr(error)
            if time.monotonic() > deadline:
                raise AreaSilentError(
                    f"The area {area} has not answered {method} {path} for {self._patience_s:.0f} s ({trouble}).",
                    hint=f"Is it running? Read {self._settings.data_dir / 'logs' / area}.log.",
                )
            await asyncio.sleep(PAUSE_S)
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise CommandRefusedError(
                f"{area} refused {method} {path} with {answer.status}: {answer.content.decode(errors='replace')[:500]}",
                hint=f"Read {self._settings.data_dir / 'logs' / area}.log.",
            )
        try:
            return json.loads(answer.content)
        except ValueError as error:
            raise AreaSilentError(
                f"What answers at {url} is no area of ours: it sent no JSON.",
                hint=f"Look at --port, or at OPENAMI_{area.upper()}_URL.",
            ) from error
