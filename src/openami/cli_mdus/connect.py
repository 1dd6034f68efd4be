"""A running MDUS, or one that is started for as long as a command takes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Column, Table

from openami.cli_settings import load_settings
from openami.shared.errors import OpenAmiError
from openami.shared.secrets import load_secrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    import httpx

    from openami.shared.settings import Settings

console = Console(markup=False)
told = Console(stderr=True, markup=False)
"""What is for people only: standard output may be read by a program."""

DataDir = Annotated[Path | None, typer.Option("--data-dir", "-d", help="The landscape's folder.", show_default=False)]
Port = Annotated[int | None, typer.Option("--port", "-p", help="Port of its console.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Person = Annotated[str, typer.Option("--as", help="Who you are, for the audit.", show_default=False)]

_ANSWER_S: Final = 120.0
_CONNECT_S: Final = 5.0


def table_of(*columns: str, title: str | None = None) -> Table:
    """A table on a terminal of any width: ids that other commands ask for are broken over lines, never cut."""
    return Table(*(Column(name, overflow="fold") for name in columns), title=title, title_justify="left")


class RefusedError(OpenAmiError):
    """The MDUS did not do what it was asked."""


class SilentError(OpenAmiError):
    """The MDUS that the settings name does not answer."""


class Mdus:
    """The HTTP interface of one MDUS."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **query: Any) -> Any:  # noqa: ANN401 - any JSON value
        """A JSON page; questions that are None are not asked."""
        asked = {name: value for name, value in query.items() if value is not None}
        return _answer(await self.client.get(path, params=asked))

    async def text(self, path: str, **query: str) -> str:
        """A page that is no JSON; questions that are empty are not asked."""
        response = await self.client.get(path, params={name: value for name, value in query.items() if value})
        return response.text if response.is_success else str(_answer(response))

    async def post(self, path: str, body: Any = None, **request: Any) -> Any:  # noqa: ANN401 - as above
        """A command, as JSON."""
        return _answer(await self.client.post(path, **({"json": body} if body is not None else {}), **request))

    async def send(self, path: str, content: AsyncIterator[bytes], **query: Any) -> Any:  # noqa: ANN401 - as above
        """A body of any size, piece by piece."""
        asked = {name: value for name, value in query.items() if value}
        return _answer(await self.client.post(path, params=asked, content=content))


def ask(data_dir: Path | None, port: int | None, call: Callable[[Mdus], Awaitable[Any]]) -> Any:  # noqa: ANN401
    """Run one conversation with the MDUS of a data folder."""

    async def asked() -> Any:  # noqa: ANN401 - as above
        async with connected(load_settings(data_dir=data_dir, base_port=port)) as mdus:
            return await call(mdus)

    return run(asked())


def run(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - as above
    """Run something that waits."""
    return asyncio.run(work)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Mdus]:
    """The MDUS of these settings; one of our own is started where none answers, and stopped behind us."""
    if await _answers(settings):
        async with _client(settings) as client:
            yield Mdus(client)
        return
    if settings.mdus_url:
        raise SilentError(f"The MDUS at {settings.mdus_url} does not answer.", hint="Is it running?")
    with told.status("Starting the MDUS"):
        from openami.shared.supervisor import Supervisor  # noqa: PLC0415 - most commands find one running

        own = await Supervisor(settings, areas=("mdus",)).__aenter__()
    try:
        async with _client(settings) as client:
            yield Mdus(client)
    finally:
        with told.status("Stopping the MDUS"):
            await own.stop()


def _client(settings: Settings) -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415 - other commands start faster without it

    token = load_secrets(settings.data_dir / "secrets.json").service_token
    headers = {"authorization": f"Bearer {token}"}
    timeout = httpx.Timeout(_ANSWER_S, connect=_CONNECT_S)
    return httpx.AsyncClient(base_url=settings.url_of("mdus"), headers=headers, timeout=timeout, trust_env=False)


async def _answers(settings: Settings) -> bool:
    import httpx  # noqa: PLC0415 - as above

    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        try:
            return (await client.get(f"{settings.url_of('mdus')}/readyz")).is_success
        except httpx.TransportError:
            return False


def _answer(response: httpx.Response) -> Any:  # noqa: ANN401 - any JSON value
    if response.is_success:
        return response.json()
    said = response.json() if "json" in response.headers.get("content-type", "") else {}
    found = said.get("found") or f"The MDUS answered {response.status_code}."
    raise RefusedError(found, hint=said.get("hint", ""))
