"""Runs a fake SAP or a fake MDUS over HTTP: a small server for what the other side sends, a client for the rest."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from openami.shared.clock import RealClock, SharedClock
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.contract.enterprise.wsdl import side_wsdl
from openami.shared.errors import OpenAmiError
from openami.testing.field import FakeAms, FieldNeededError, NoField, PlayedField
from openami.testing.home import Home
from openami.testing.mdus import FakeMdus
from openami.testing.party import LOOK_S, Party
from openami.testing.report import Outcome, Told
from openami.testing.roles import ROLES, Role
from openami.testing.scripts import PROCESSES, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from starlette.requests import Request

    from openami.shared.clock import Clock
    from openami.testing.faults import Faults
    from openami.testing.field import Wait
    from openami.testing.party import Post
    from openami.testing.scripts import Field

    Hear = Callable[[bytes], tuple[int, bytes]]
    Heard = Callable[[Told], None]

XML: Final = "text/xml; charset=utf-8"
TIMEOUT_S: Final = 60.0
PATIENCE_S: Final = 60.0
FOR_EVER_S: Final = 1e9
STEP: Final = timedelta(hours=1)
STEP_PAUSE_S: Final = 0.1
PORTS: Final = 65536


class UnknownProcessError(OpenAmiError):
    """A process that no script plays."""


class BadAddressError(OpenAmiError):
    """An address to listen on that cannot be read."""


class NobodyThereError(OpenAmiError):
    """The system under test does not answer."""


class AddressTakenError(OpenAmiError):
    """Somebody else listens where we are to listen."""


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
        if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port[:6]) < PORTS:
            raise BadAddressError(f"{text!r} is no address.", hint="Write host:port, such as 127.0.0.1:8555.")
        return cls(host, int(port))


@dataclass(frozen=True, slots=True)
class Peer:
    """The system under test, and how we show it who we are."""

    url: str
    user: str
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class MasterData:
    """Names of the customizing of the system under test."""

    ams: str = "AMS1"
    material: str = "METER-E"


def first_number(clock: Clock) -> int:
    """Where the numbers of a run begin that no run before has used: a second has room for a thousand."""
    return int(clock.now().timestamp()) * 1000


async def play_sap(
    mdus: Peer,
    endpoint: Endpoint,
    names: Sequence[str] = (),
    *,
    faults: Faults | None = None,
    field: Field | None = None,
    clock: Clock | None = None,
    master_data: MasterData = MasterData(),
    patience_s: float = PATIENCE_S,
    told: Heard = lambda _one: None,
) -> list[Told]:
    """Play processes against an MDUS, one after the other; `told` hears of each as it ends.

    If none is named, all are played but those that need a setting of the MDUS that is not the default.

    Raises:
        UnknownProcessError: a name that no script has.
    """
    chosen = _chosen(names, PROCESSES, "sap")
    clock = clock or RealClock()
    first = first_number(RealClock())
    numbers = itertools.count(1)
    async with poster(mdus, "services") as post:
        sap = Party(Side.OFFICE, clock, post, faults=faults, patience_s=patience_s)
        since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)

        def home() -> Home:
            made = Home(clock, next(numbers), since=since, first_number=first, ams=master_data.ams)
            made.material = master_data.material
            return made

        stage = Stage(sap, field or NoField(), home)
        ended = []
        async with listening(sap.hear, endpoint, side=Side.OFFICE):
            for script in chosen:
                if script.needs and not names:
                    note = f"needs the setting {script.needs} of the MDUS; where it is set, name the process"
                    ended.append(Told(script.number, script.name, Outcome.NOT_BEGUN, note))
                else:
                    ended.append(await _told(script.number, script.name, script.play(stage)))
                told(ended[-1])
        return ended


async def play_mdus(
    office: Peer,
    endpoint: Endpoint,
    names: Sequence[str] = (),
    *,
    faults: Faults | None = None,
    clock: Clock | None = None,
    for_s: float | None = None,
    told: Heard = lambda _one: None,
) -> list[Told]:
    """Be an MDUS: until all named processes are through, the time is over, or somebody interrupts.

    Without names every process is played that the back office begins; what it never begins is told, and no failure.

    Raises:
        UnknownProcessError: a name that no role has.
    """
    chosen = _chosen(names, ROLES, "mdus")
    deadline = None if for_s is None else time.monotonic() + for_s
    async with poster(office, "services") as post:
        party = FakeMdus(clock or RealClock(), post, faults=faults, patience_s=FOR_EVER_S)
        party.driven = True
        party.holds_back = all(one.holds_back for one in chosen)
        ended: list[Told] = []
        async with listening(party.hear, endpoint, side=Side.MDUS):
            playing = {asyncio.create_task(_play_role(party, one, ended, told)): one for one in chosen}
            with contextlib.suppress(asyncio.CancelledError):
                while any(not one.done() for one in playing) or not names:
                    await party.work()
                    if deadline is not None and time.monotonic() > deadline:
                        break
                    await asyncio.sleep(LOOK_S)
                await party.work()  # what was heard last is answered, too
            for task in playing:
                task.cancel()
            for end in await asyncio.gather(*playing, return_exceptions=True):
                if isinstance(end, Exception):
                    raise end
        through = {one.name for one in ended}
        for one in chosen:
            if one.name not in through:
                outcome = Outcome.FAILED if names else Outcome.NOT_BEGUN
                ended.append(Told(one.number, one.name, outcome, f"did not come; in the back office: {one.wants}"))
        ended += [Told("", "delivery", Outcome.FAILED, trouble) for trouble in party.troubles]
        return ended


async def _play_role(party: FakeMdus, one: Role, ended: list[Told], told: Heard) -> None:
    ended.append(await _told(one.number, one.name, one.play(party)))
    told(ended[-1])


async def _told(number: str, name: str, playing: Awaitable[None]) -> Told:
    begun = time.monotonic()
    try:
        await playing
    except FieldNeededError as reason:
        found = Outcome.PARTLY, reason.found
    except OpenAmiError as error:
        found = Outcome.FAILED, str(error)
    else:
        found = Outcome.PASSED, ""
    return Told(number, name, *found, time.monotonic() - begun)


def _chosen(names: Sequence[str], known: Any, command: str) -> list[Any]:  # noqa: ANN401 - scripts or roles
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UnknownProcessError(
            f"There is no process {unknown[0]!r}.", hint=f"See `openami testkit processes`, those of `{command}`."
        )
    return [known[name] for name in names] or sorted(known.values(), key=lambda one: int(one.number))


@contextlib.asynccontextmanager
async def poster(peer: Peer, folder: str = "") -> AsyncIterator[Post]:
    """A way to post bodies to a system: below `folder` of its URL, or at the path that is given."""
    # a connection that lay idle may be closed by the other side just when it is used again
    limits, auth = httpx.Limits(keepalive_expiry=1), (peer.user, peer.password)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, auth=auth, limits=limits) as client:

        async def post(where: str, body: bytes) -> tuple[int, bytes]:
            path = f"/{folder}/{where}" if folder else where
            try:
                response = await client.post(peer.url.rstrip("/") + path, content=body, headers={"content-type": XML})
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise NobodyThereError(
                    f"{peer.url} cannot be reached: {(str(error) or repr(error)).rstrip('.')}.",
                    hint="Does it run, is that its address?",
                ) from error
            return response.status_code, response.content

        yield post


@contextlib.asynccontextmanager
async def played_field(mdus: Peer, endpoint: Endpoint, clock: Clock, ams: str) -> AsyncIterator[PlayedField]:
    """Meters behind a fake AMS that speaks with the MDUS over HTTP."""
    async with poster(mdus) as post:
        fake = FakeAms(clock, post, source=ams)
        async with listening(fake.hear, endpoint):
            yield PlayedField(fake, clock, _waiting(clock), source=ams)


def _waiting(clock: Clock) -> Wait:
    """How business time passes: a shared clock is moved, in hours, so that what is due is done on the way."""

    async def wait(by: timedelta) -> None:
        if not isinstance(clock, SharedClock):
            raise FieldNeededError(
                f"{by} have to pass; only the clock of an OpenAMI under test can be moved (--clock)."
            )
        end = clock.now() + by
        while clock.now() < end:
            clock.advance_to(min(end, clock.now() + STEP))
            await asyncio.sleep(STEP_PAUSE_S)

    return wait


@contextlib.asynccontextmanager
async def listening(hear: Hear, endpoint: Endpoint, *, side: Side | None = None) -> AsyncIterator[None]:
    """Hear what is posted to any path of an address; GET shows the services of a side.

    Raises:
        AddressTakenError: somebody else listens there.
    """

    async def take(request: Request) -> Response:
        if request.method == "GET" and side is not None:
            return Response(side_wsdl(side, str(request.url.replace(query=""))), media_type=XML)
        status, body = hear(await request.body())
        return Response(body, status, media_type=XML)

    app = Starlette(routes=[Route("/{path:path}", take, methods=["GET", "POST"])])
    config = uvicorn.Config(app, host=endpoint.host, port=endpoint.port, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(_serve(server))
    while not server.started and not running.done():  # noqa: ASYNC110 - uvicorn tells it by an attribute only
        await asyncio.sleep(LOOK_S / 5)
    if not server.started:
        raise AddressTakenError(
            f"{endpoint.host}:{endpoint.port} cannot be listened on.", hint="Name another one by --listen."
        )
    try:
        yield
    finally:
        server.should_exit = True
        await running


async def _serve(server: uvicorn.Server) -> None:
    with contextlib.suppress(SystemExit):  # how uvicorn says that it cannot listen
        await server.serve()
