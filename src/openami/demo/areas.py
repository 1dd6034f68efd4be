"""The areas as the story sees them: JSON over HTTP, patient with a process that is just being restarted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from typing import Self

    from openami.shared.settings import Settings

PATIENCE_S = 60.0
PAUSE_S = 0.05


class AreaSilentError(OpenAmiError):
    """An area did not answer for a minute."""


class CommandRefusedError(OpenAmiError):
    """An area refused a command of the story."""


class Areas:
    """Calls the JSON interfaces of a landscape; repeats what got no answer, since every command is idempotent."""

    def __init__(self, settings: Settings, token: str, *, patience_s: float = PATIENCE_S) -> None:
        self._settings = settings
        self._patience_s = patience_s
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {token}"}, timeout=httpx.Timeout(120.0, connect=5.0), trust_env=False
        )

    async def get(self, area: str, path: str, **query: str) -> Any:  # noqa: ANN401 - any JSON value
        """GET a JSON page of an area."""
        return await self._call("GET", area, path, params=query)

    async def post(self, area: str, path: str, body: dict[str, Any], *, key: str = "") -> Any:  # noqa: ANN401 - as above
        """POST a command to an area and return what it answers; `key` is its idempotency key."""
        headers = {"idempotency-key": key} if key else {}
        return await self._call("POST", area, path, json=body, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call(self, method: str, area: str, path: str, **request: Any) -> Any:  # noqa: ANN401 - as above
        url = self._settings.url_of(area) + path
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                response = await self._client.request(method, url, **request)
                if response.status_code not in {502, 503, 504}:
                    break
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise AreaSilentError(
                        f"The area {area} has not answered {method} {path} for {self._patience_s:.0f} s ({error!r}).",
                        hint=f"Is it running? Read {self._settings.data_dir / 'logs' / area}.log.",
                    ) from error
            await asyncio.sleep(PAUSE_S)
        if not response.is_success:
            raise CommandRefusedError(
                f"{area} refused {method} {path} with {response.status_code}: {response.text[:500]}",
                hint=f"Read {self._settings.data_dir / 'logs' / area}.log.",
            )
        return response.json()
