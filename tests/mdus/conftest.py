"""One middle with real doors, inbox, outbox and PostgreSQL; back office and AMS are played by the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest
from sqlalchemy import select
from starlette.routing import Route
from tests.databases import fresh, template_of

from openami.mdus.area import build
from openami.mdus.middle import MdusSettings, Middle
from openami.mdus.tables import metadata, seam
from openami.mdus.views import Views
from openami.shared.contract import field as cim
from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.seam import Inbox, Outbox, Seam
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.seam.field import FieldDoor
from openami.shared.service import create_app
from openami.testing.home import Home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from openami.mdus.series.lake import Lake
    from openami.shared.clock import ManualClock
    from openami.shared.contract.enterprise.model import HeadedMessage, Message
    from openami.shared.database import Database
    from openami.shared.postgres import EmbeddedPostgres
    from openami.shared.seam import Envelope

MessageT = TypeVar("MessageT")


@dataclass
class World:
    """What a test can do to the middle, and what it hears from it."""

    middle: Middle
    clock: ManualClock
    database: Database
    inbox: Inbox
    outbox: Outbox
    client: httpx.AsyncClient
    office_heard: list[Message] = field(default_factory=list)
    ams_heard: list[cim.Envelope] = field(default_factory=list)
    listeners: list[Callable[[bytes], object]] = field(default_factory=list)
    ams_refuses: Callable[[cim.Envelope], str | None] = lambda _message: None

    async def office(self, *messages: HeadedMessage, settle: bool = True) -> None:
        """The back office sends messages, in this order."""
        for message in messages:
            name = codec.operation_of(message).name
            response = await self.client.post(
                f"/services/{name}", content=codec.encode(message), auth=("OFFICE", "secret")
            )
            assert response.status_code == 202, response.text
        if settle:
            await self.settle()

    async def ams(self, message: cim.Envelope, *, settle: bool = True) -> cim.Envelope:
        """The AMS sends a message and gets an answer at once."""
        response = await self.client.post(
            cim.path_of(message.header), content=cim.encode(message), auth=("AMS1", "secret")
        )
        assert response.status_code in {200, 202}, response.text
        if settle:
            await self.settle()
        return cim.decode(response.content)

    async def ask(self, query: Message) -> Any:
        """The back office puts a question that is answered in the same call."""
        name = codec.operation_of(query).name
        response = await self.client.post(f"/services/{name}", content=codec.encode(query), auth=("OFFICE", "secret"))
        assert response.status_code == 200, response.text
        return codec.decode(response.content)

    async def settle(self) -> None:
        """Let inbox, duties and outbox work until nothing moves."""
        moved = True
        while moved:
            moved = await self.inbox._handle_batch(retry_parked=True)
            for duty in self.middle.duties:
                moved |= await duty.turn()
            moved |= await self.outbox._deliver_batch()

    async def later(self, by: timedelta) -> None:
        """Business time passes."""
        self.clock.advance(by)
        await self.settle()

    async def until(self, instant: datetime) -> None:
        """Business time passes up to an instant, stopping at every timer like the conductor of a landscape."""
        while self.clock.now() < instant:
            async with self.database.read() as tx:
                dues = [await duty.due(tx) for duty in self.middle.duties]
            dues.append((await self.inbox.pending())[1])
            step = min([instant, *(due for due in dues if due is not None and due > self.clock.now())])
            self.clock.advance_to(step)
            await self.settle()

    def heard(self, kind: type[MessageT]) -> list[MessageT]:
        """What the back office heard of one kind."""
        return [one for one in self.office_heard if isinstance(one, kind)]

    def told(self, verb: cim.Verb, noun: str) -> list[cim.Envelope]:
        """What the AMS heard of one kind."""
        return [one for one in self.ams_heard if (one.header.verb, one.header.noun) == (verb, noun)]

    async def api(self, path: str, **query: str) -> Any:
        """A page of the area."""
        response = await self.client.get(path, params=query, headers={"authorization": "Bearer token"})
        assert response.status_code == 200, response.text
        return response.json()

    async def states(self) -> dict[str, str]:
        """State of every device by bare id."""
        return {one["device"].lstrip("0"): one["state"] for one in (await self.api("/api/devices"))["devices"]}

    async def parked(self) -> list[str]:
        """Operations of the messages that wait for a predecessor."""
        async with self.database.engine.connect() as connection:
            query = select(seam.inbox.c.operation).where(seam.inbox.c.state == "parked")
            return list(await connection.scalars(query))

    async def deliver(self, envelope: Envelope) -> bytes:
        """The partner's ear: every message is decoded by the contract; the AMS answers at once."""
        if envelope.seam is Seam.ENTERPRISE:
            self.office_heard.append(codec.decode(envelope.body))
            for listener in self.listeners:
                listener(envelope.body)
            return b""
        message = cim.decode(envelope.body)
        self.ams_heard.append(message)
        reason = self.ams_refuses(message)
        now = self.clock.now()
        if reason is not None:
            error = cim.FieldError.of("5.1", reason)
            answer = cim.reply_to(message.header, source="AMS1", at=now, result=cim.Result.FAILED, errors=(error,))
        elif message.header.async_reply:
            answer = cim.acknowledge(message.header, source="AMS1", at=now)
        else:
            answer = cim.reply_to(message.header, source="AMS1", at=now)
        return cim.encode(answer)


@pytest.fixture(scope="session")
def mdus_template(postgres: EmbeddedPostgres) -> str:
    """A database with the middle's tables, made once; each test gets a copy of it."""
    return template_of(postgres, "mdus_template", metadata)


@pytest.fixture
async def database(postgres: EmbeddedPostgres, mdus_template: str) -> AsyncIterator[Database]:
    """A fresh database of a middle."""
    async with fresh(postgres, "mdus", template=mdus_template) as made:
        yield made


@pytest.fixture
def mdus_settings() -> MdusSettings:
    return MdusSettings(upload_every=timedelta())


@pytest.fixture
def mdus_lake() -> Lake | None:
    """Where days are sealed; tests that are about sealing give a real one."""
    return None


@pytest.fixture
async def world(
    database: Database, clock: ManualClock, tmp_path: Path, mdus_settings: MdusSettings, mdus_lake: Lake | None
) -> AsyncIterator[World]:
    inbox, outbox = Inbox(database, clock, seam), Outbox(database, clock, seam)
    enterprise = EnterpriseDoor(
        database=database,
        clock=clock,
        outbox=outbox,
        inbox=inbox,
        side=Side.MDUS,
        partner="office",
        passwords={"OFFICE": "secret"},
    )
    door = FieldDoor(
        database=database, clock=clock, outbox=outbox, inbox=inbox, source="MDUS", passwords={"AMS1": "secret"}
    )
    area = build(
        database=database,
        clock=clock,
        settings=mdus_settings,
        enterprise_door=enterprise,
        field_door=door,
        folder=tmp_path / "deliveries",
        lake=mdus_lake,
    )
    views = next(
        owner
        for one in area.routes
        if isinstance(one, Route) and isinstance(owner := getattr(one.endpoint, "__self__", None), Views)
    )
    area.routes += [*enterprise.routes(), *door.routes()]
    app = create_app(area, token="token")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mdus") as client:
        made = World(views._middle, clock, database, inbox, outbox, client)
        outbox.connect(Seam.ENTERPRISE, made.deliver)
        outbox.connect(Seam.FIELD, made.deliver, door.answered)
        await made.middle.start()
        yield made


@pytest.fixture
def home(clock: ManualClock) -> Home:
    return Home(clock)


@pytest.fixture
def homes(clock: ManualClock) -> Callable[..., Home]:
    return lambda *args, **kwargs: Home(clock, *args, **kwargs)
