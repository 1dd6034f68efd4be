"""Runs a fake SAP or a fake MDUS over HTTP: a small server for what the other side sends, a client for the rest."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from openami.shared.clock import RealClock
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.contract.enterprise.wsdl import side_wsdl
from openami.shared.errors import OpenAmiError
from openami.testing.home import Home
from openami.testing.mdus import FakeMdus
from openami.testing.party import LOOK_S, Party
from openami.testing.scripts import PROCESSES, Stage

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator, Sequence
    from datetime import date, datetime

    from starlette.requests import Request

    from openami.testing.faults import Faults
    from openami.testing.party import Post

XML: Final = "text/xml; charset=utf-8"
TIMEOUT_S: Final = 60.0


class UnknownProcessError(OpenAmiError):
    """A process that no script plays."""


class FieldNeededError(OpenAmiError):
    """A script has come to where a meter would have to do something."""


class BadAddressError(OpenAmiError):
    """An address to listen on that cannot be read."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where we listen."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """`host:port` as a person writes it.

        Raises:
            BadAddressError: it is something else.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal():
            raise BadAddressError(f"{text!r} is no address.", hint="Write host:port, such as 127.0.0.1:8555.")
        return cls(host, int(port))


@dataclass(frozen=True, slots=True)
class Told:
    """How a process ended."""

    number: str
    name: str
    outcome: str
    failed: bool


class NoField:
    """A field that nobody plays: says what would be needed. Who has meters writes a `Field` for them."""

    present = False

    async def discover(self, *homes: Home) -> None:
        """Wanted: the AMS reports new meters."""
        raise FieldNeededError(f"The AMS has to report {', '.join(home.serial for home in homes)}.")

    async def deliver(self, home: Home, day: date, *, wh: int = 100, register_wh: int | None = None) -> None:
        """Wanted: a day of a meter."""
        del wh, register_wh
        raise FieldNeededError(f"The AMS has to deliver {day} of {home.serial}.")

    async def deliver_all(self, homes: Sequence[Home], day: date, *, wh: int = 100, register_wh: int) -> None:
        """Wanted: a day of several meters."""
        await self.deliver(homes[0], day, wh=wh, register_wh=register_wh)

    async def read(self, home: Home, at: datetime, register_wh: int) -> None:
        """Wanted: a reading now."""
        del register_wh
        raise FieldNeededError(f"The AMS has to read {home.serial} at {at}.")

    async def switched(self, home: Home, *, closed: bool) -> None:
        """Wanted: a breaker that moves."""
        raise FieldNeededError(f"{home.serial} has to {'close' if closed else 'open'} its breaker.")

    async def event(self, home: Home, name: str) -> None:
        """Wanted: an event."""
        raise FieldNeededError(f"{home.serial} has to tell {name}.")

    async def wait(self, by: timedelta) -> None:
        """Wanted: time."""
        raise FieldNeededError(f"{by} have to pass.")


async def play_sap(
    mdus: str,
    user: str,
    password: str,
    endpoint: Endpoint,
    names: Sequence[str],
    faults: Faults,
    *,
    patience_s: float,
) -> list[Told]:
    """Play processes (all, if none is named) against an MDUS, one after the other.

    Raises:
        UnknownProcessError: a name that no script has.
    """
    unknown = sorted(set(names) - set(PROCESSES))
    if unknown:
        raise UnknownProcessError(f"There is no process {unknown[0]!r}.", hint="See `openami testkit processes`.")
    clock = RealClock()
    first = int(clock.now().timestamp()) % 10**9  # numbers that no run before has used
    numbers = itertools.count(1)
    async with _poster(mdus, user, password) as post:
        sap = Party(Side.OFFICE, clock, post, faults=faults, patience_s=patience_s)
        since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
        stage = Stage(sap, NoField(), lambda: Home(clock, next(numbers), since=since, first_number=first))
        async with _listening(sap, endpoint):
            chosen = [PROCESSES[name] for name in names] or sorted(PROCESSES.values(), key=lambda one: int(one.number))
            return [await _told(one.number, one.name, one.play(stage)) for one in chosen]


async def play_mdus(
    office: str, user: str, password: str, endpoint: Endpoint, faults: Faults, *, for_s: float | None = None
) -> Counter[str]:
    """Be an MDUS until the time is over or somebody interrupts; how often each operation crossed the seam."""
    async with _poster(office, user, password) as post:
        party = FakeMdus(RealClock(), post, faults=faults)
        deadline = None if for_s is None else time.monotonic() + for_s
        async with _listening(party, endpoint):
            with contextlib.suppress(asyncio.CancelledError):
                while deadline is None or time.monotonic() < deadline:
                    await party.flush()
                    await asyncio.sleep(LOOK_S)
        return party.crossed


async def _told(number: str, name: str, playing: object) -> Told:
    try:
        await playing  # type: ignore[misc]
    except FieldNeededError as reason:
        return Told(number, name, f"as far as it goes without a field: {reason.found}", failed=False)
    except (OpenAmiError, httpx.HTTPError) as error:
        return Told(number, name, str(error), failed=True)
    return Told(number, name, "passed", failed=False)


@contextlib.asynccontextmanager
async def _poster(url: str, user: str, password: str) -> AsyncIterator[Post]:
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, auth=(user, password)) as client:

        async def post(operation: str, body: bytes) -> tuple[int, bytes]:
            address = url.rstrip("/") + f"/services/{operation}"
            response = await client.post(address, content=body, headers={"content-type": XML})
            return response.status_code, response.content

        yield post


@contextlib.asynccontextmanager
async def _listening(party: Party, endpoint: Endpoint) -> AsyncIterator[None]:
    async def take(request: Request) -> Response:
        if request.method == "GET":
            address = str(request.url.replace(query=""))
            return Response(side_wsdl(party.side, address), media_type=XML)
        status, body = party.hear(await request.body())
        return Response(body, status, media_type=XML)

    routes = [Route("/services", take, methods=["GET"]), Route("/services/{interface}", take, methods=["GET", "POST"])]
    config = uvicorn.Config(
        Starlette(routes=routes), host=endpoint.host, port=endpoint.port, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started and not running.done():  # noqa: ASYNC110 - uvicorn tells it by an attribute only
        await asyncio.sleep(LOOK_S)
    try:
        yield
    finally:
        server.should_exit = True
        await running
