"""The only file that picks concrete parts and wires them: settings in, a running area out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import uvicorn

from openami.shared import capabilities
from openami.shared.clock import RealClock, SharedClock
from openami.shared.contract.enterprise.codec import use_overlay
from openami.shared.contract.enterprise.codes import code_tables
from openami.shared.database import Database
from openami.shared.log import configure_logs
from openami.shared.object_store import joined
from openami.shared.postgres import EmbeddedPostgres
from openami.shared.seam import Inbox, Outbox, Seam, SeamTables
from openami.shared.seam.access import Rights
from openami.shared.seam.enterprise import CONTENT_TYPE as SOAP
from openami.shared.seam.enterprise import PATH as SERVICES_PATH
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.seam.field import CONTENT_TYPE as CIM
from openami.shared.seam.field import PATH as CIM_PATH
from openami.shared.seam.field import FieldDoor
from openami.shared.seam.tls import client_context, tls_server
from openami.shared.seam.transport import HttpTransport, Partner
from openami.shared.seam.views import MessageViews
from openami.shared.secrets import Secrets, load_secrets
from openami.shared.service import Area, Work, create_app, settle_memory
from openami.shared.settings import CONSOLE_USERS
from openami.shared.supervisor import DATABASES

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from starlette.types import ASGIApp

    from openami.shared.capabilities import Capabilities
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.catalogue import Side
    from openami.shared.contract.enterprise.codes import CodeTable
    from openami.shared.settings import PartnerSettings, PeerSettings, Settings

CLOCK_FILE = "clock"
AMS = "AMS1"
_TLS_DOORS = {SERVICES_PATH: {"mdus", "office"}, CIM_PATH: {"mdus", "headend"}}


@dataclass(slots=True)
class Parts:
    """What every area is built from."""

    settings: Settings
    secrets: Secrets
    clock: Clock
    postgres_url: str = field(repr=False)

    def database(self, area: str) -> Database:
        """The area's own database."""
        return Database(f"{self.postgres_url}/{DATABASES[area]}")

    def password(self, link: str) -> str:
        """The password of one link, the same at both its ends."""
        return self.secrets.token(f"link:{link}")

    def partner(self, area: str, *, user: str, link: str) -> Partner:
        """How an area is reached by a partner that calls itself `user`."""
        return Partner(self.settings.url_of(area), user, self.password(link))


def kept_at(settings: Settings, what: str) -> str:
    """Where raw deliveries and sealed series are kept: in object storage if there is one, else in the data folder."""
    return joined(settings.object_store or settings.data_dir.resolve(), what)


class Seams:
    """Outbox, inbox and doors of one area, and what they add to it."""

    def __init__(self, parts: Parts, database: Database, tables: SeamTables) -> None:
        self._parts = parts
        self._database = database
        self._tables = tables
        self.outbox = Outbox(database, parts.clock, tables)
        self.inbox = Inbox(database, parts.clock, tables)
        self._doors: list[FieldDoor | EnterpriseDoor] = []

    def field(self, *, source: str, partner: str, at: Partner, passwords: dict[str, str]) -> FieldDoor:
        """Open the field door: who we are, our one partner, who may send to us."""
        settings = self._parts.settings
        tls = _peer_tls(settings.field_peer)
        door = FieldDoor(
            database=self._database,
            clock=self._parts.clock,
            outbox=self.outbox,
            inbox=self.inbox,
            source=source,
            passwords=passwords,
            rights=_rights(settings.field_partners),
        )
        transport = HttpTransport({partner: _as_peer(at, settings.field_peer)}, content_type=CIM, tls=tls)
        self.outbox.connect(Seam.FIELD, transport.deliver, door.answered)
        self._doors.append(door)
        return door

    def enterprise(self, *, side: Side, partner: str, at: Partner, passwords: dict[str, str]) -> EnterpriseDoor:
        """Open the enterprise door: which side we are, our one partner, who may send to us."""
        settings = self._parts.settings
        door = EnterpriseDoor(
            database=self._database,
            clock=self._parts.clock,
            outbox=self.outbox,
            inbox=self.inbox,
            side=side,
            partner=partner,
            passwords=passwords,
            rights=_rights(settings.partners),
            bulk_bytes_max=settings.bulk_bytes_max,
        )
        at, tls = _as_peer(at, settings.peer), _peer_tls(settings.peer)
        transport = HttpTransport({partner: at}, content_type=SOAP, tls=tls)
        self.outbox.connect(Seam.ENTERPRISE, transport.deliver)
        door.carry = transport.deliver
        self._doors.append(door)
        return door

    def join(self, area: Area) -> Area:
        """Add the doors' routes, the message views, the loops and the work to an area."""

        async def outbox_work() -> Work:
            return Work("outbox", await self.outbox.pending())

        async def inbox_work() -> Work:
            pending, due = await self.inbox.pending()
            return Work("inbox", pending, due)

        doors = [route for door in self._doors for route in door.routes()]
        # the doors come first: routes are tried in order, and theirs are asked for a thousand times a second
        area.routes = [*doors, *area.routes, *MessageViews(self._database, self._tables).routes()]
        area.loops += [self.outbox.run, self.inbox.run]
        area.work += [outbox_work, inbox_work]
        own = area.activity
        area.activity = lambda: own() + self.outbox.delivered + self.inbox.processed
        return area


def _rights(partners: Mapping[str, PartnerSettings]) -> dict[str, Rights]:
    """What partners of a seam show, and may do, by user name."""
    return {
        user: Rights(
            one.password.get_secret_value() if one.password else None, one.certificate_sha256, tuple(one.operations)
        )
        for user, one in partners.items()
    }


def _as_peer(at: Partner, peer: PeerSettings) -> Partner:
    """A partner, called by the user that the settings name, if they do."""
    return Partner(at.url, peer.user, peer.password.get_secret_value()) if peer.user else at


def _peer_tls(peer: PeerSettings) -> ssl.SSLContext | None:
    """How TLS is spoken with a peer, where it is not the usual way."""
    if not (peer.authorities or peer.certificate):
        return None
    return client_context(authorities=peer.authorities, certificate=peer.certificate, key=peer.key)


def clock_of(settings: Settings) -> Clock:
    """The business time of an installation; a shared clock that nobody has set yet starts now."""
    real = RealClock()
    return SharedClock.create(settings.data_dir / CLOCK_FILE, real.now()) if settings.clock == "shared" else real


async def serve_area(name: str, settings: Settings, *, supervised: bool) -> None:
    """Run one area until a signal comes, or until its supervisor is gone."""
    configure_logs(name, settings.log_level)
    secrets = load_secrets(settings.data_dir / "secrets.json")
    clock = clock_of(settings)
    with contextlib.ExitStack() as stack:
        url = settings.postgres_url.get_secret_value() if settings.postgres_url else ""
        if not url and name in DATABASES:
            server = EmbeddedPostgres(settings.data_dir / "postgres", secrets.token("postgres"))
            stack.enter_context(server)
            server.ensure_database(DATABASES[name])
            url = server.url("").rstrip("/")
        use_overlay(settings.contract_folder / "schemas")
        area = _BUILDERS[name](Parts(settings, secrets, clock, url))
        if area.database is not None:
            await area.database.migrate(_PACKAGES[name])
        address = settings.address(name)
        application = create_app(area, token=secrets.service_token, viewer_token=secrets.viewer_token)
        config = uvicorn.Config(
            application,
            host=address.host,
            port=address.port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=5,
            lifespan="on",
            http="httptools",
        )
        server_http = uvicorn.Server(config)
        settle_memory()
        watch = asyncio.create_task(_until_orphaned(server_http)) if supervised else None
        partners = _tls_listener(name, settings, application)
        await server_http.serve()
        if partners is not None:
            partners[0].should_exit = True
            await partners[1]
        if watch is not None:
            watch.cancel()


def _tls_listener(
    name: str, settings: Settings, application: ASGIApp
) -> tuple[uvicorn.Server, asyncio.Task[None]] | None:
    """The doors of an area over TLS, where that is set: its services; the field seam once a partner of it is named."""
    tls = settings.tls
    paths = [path for path, areas in _TLS_DOORS.items() if name in areas]
    if not settings.field_partners and CIM_PATH in paths:
        paths.remove(CIM_PATH)
    if tls is None or not paths:
        return None
    server = tls_server(
        application,
        host=tls.host,
        port=getattr(tls, f"{name}_port"),
        paths=paths,
        certificate=tls.certificate,
        key=tls.key,
        client_authorities=tls.client_authorities,
    )
    return server, asyncio.create_task(server.serve())


async def _until_orphaned(server: uvicorn.Server) -> None:
    """Our supervisor holds the other end of standard input: when it ends, so do we."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    server.should_exit = True


def _field(parts: Parts) -> Area:
    from openami.ami.concentrator.cache import Mode  # noqa: PLC0415 - each process imports its own area only
    from openami.ami.concentrator.segment import Line  # noqa: PLC0415
    from openami.ami.meter.area import build  # noqa: PLC0415
    from openami.ami.meter.street import STREETS  # noqa: PLC0415

    settings = parts.settings
    given = settings.fleet_secret
    return build(
        database=parts.database("field"),
        clock=parts.clock,
        zone=settings.zone,
        homes=settings.homes,
        seed=settings.seed,
        fleet_secret=given.get_secret_value() if given else parts.secrets.token("fleet"),
        host=settings.host,
        first_concentrator_port=settings.first_concentrator_port,
        collector_host=settings.host,
        collector_port=settings.collector_port,
        mode=Mode(settings.concentrator_mode),
        line=Line(settings.segment_bits_per_s, settings.segment_latency_s, settings.segment_loss),
        equipment=STREETS[settings.street],
    )


def _headend(parts: Parts) -> Area:
    from openami.ami.headend.area import HeadEndSettings, build  # noqa: PLC0415 - as above
    from openami.ami.headend.tables import seam  # noqa: PLC0415
    from openami.ami.mbus.driver import add_drivers  # noqa: PLC0415

    settings, database = parts.settings, parts.database("headend")
    if settings.driver_dir is not None:
        add_drivers(settings.driver_dir)
    seams = Seams(parts, database, seam)
    door = seams.field(
        source=AMS,
        partner="mdus",
        at=parts.partner("mdus", user=AMS, link="field"),
        passwords={"MDUS": parts.password("field")},
    )
    area = build(
        database=database,
        clock=parts.clock,
        settings=HeadEndSettings(
            source=AMS,
            zone_name=settings.zone,
            collector_host=settings.host,
            collector_port=settings.collector_port,
            callers_port=settings.callers_port,
            instance=settings.instance or socket.gethostname(),
            collect=tuple(settings.collect),
            collect_keys={name: key.get_secret_value() for name, key in settings.collect_keys.items()},
        ),
        door=door,
        sealer=parts.secrets.sealer,
    )
    return seams.join(area)


def _mdus(parts: Parts) -> Area:
    from openami.mdus.area import build  # noqa: PLC0415 - as above
    from openami.mdus.channel_links import Judging  # noqa: PLC0415
    from openami.mdus.middle import MdusSettings  # noqa: PLC0415
    from openami.mdus.series.lake import Lake  # noqa: PLC0415
    from openami.mdus.tables import seam  # noqa: PLC0415
    from openami.shared.contract.enterprise.catalogue import Side  # noqa: PLC0415

    settings, database = parts.settings, parts.database("mdus")
    seams = Seams(parts, database, seam)
    field_door = seams.field(
        source="MDUS",
        partner=AMS,
        at=parts.partner("headend", user="MDUS", link="field"),
        passwords={AMS: parts.password("field")},
    )
    enterprise_door = seams.enterprise(
        side=Side.MDUS,
        partner="office",
        at=parts.partner("office", user="MDUS", link="enterprise"),
        passwords={"OFFICE": parts.password("enterprise")},
    )
    area = build(
        database=database,
        clock=parts.clock,
        settings=MdusSettings(
            zone=settings.zone,
            systems={AMS: AMS},
            reply_address=f"{settings.url_of('mdus')}/cim/reply",
            judging=Judging(settings.rule_set, settings.data_dir / "rulesets"),
            second_person=settings.edits_need_approval,
            uploads_by_point=settings.uploads_by_point,
            events_one_by_one=settings.events_one_by_one,
            keep=timedelta(days=settings.keep_days) if settings.keep_days else None,
            keep_deliveries=timedelta(days=settings.keep_deliveries_days) if settings.keep_deliveries_days else None,
            drop_folder=settings.drop_folder or settings.data_dir / "drop",
            drop_registers=settings.drop_registers,
            **_of_the_customer(settings),
        ),
        enterprise_door=enterprise_door,
        field_door=field_door,
        folder=kept_at(settings, "deliveries"),
        lake=Lake(database.url, kept_at(settings, "lake")),
    )
    return seams.join(area)


def _of_the_customer(settings: Settings) -> dict[str, Any]:
    """The tables of the middle that a customer edits: codes, events, capabilities."""
    from openami.mdus.events import rules as events  # noqa: PLC0415 - as above
    from openami.mdus.registry.codes import CodeTables  # noqa: PLC0415
    from openami.mdus.services.codes import EnterpriseCodes  # noqa: PLC0415

    tables = _tables(settings)
    forwarding = _own(settings, "forwarding.csv") or events.SHIPPED
    return {
        "codes": EnterpriseCodes(CodeTables(tables, day_starts_s={"7": settings.gas_day_starts_h * 3600})),
        "event_table": events.table_of(tables, forwarding.read_text(encoding="utf-8")),
        "capabilities": _capabilities(settings),
    }


def _office(parts: Parts) -> Area:
    from openami.office.area import build  # noqa: PLC0415 - as above
    from openami.office.context import OfficeSettings  # noqa: PLC0415
    from openami.office.tables import seam  # noqa: PLC0415
    from openami.shared.contract.enterprise.catalogue import Side  # noqa: PLC0415

    database = parts.database("office")
    seams = Seams(parts, database, seam)
    door = seams.enterprise(
        side=Side.OFFICE,
        partner="mdus",
        at=parts.partner("mdus", user="OFFICE", link="enterprise"),
        passwords={"MDUS": parts.password("enterprise")},
    )
    settings = OfficeSettings(zone=parts.settings.zone, ams_id=AMS, capabilities=_capabilities(parts.settings))
    tables = _tables(parts.settings)
    return seams.join(build(database=database, clock=parts.clock, door=door, settings=settings, codes=tables))


def _capabilities(settings: Settings) -> Capabilities:
    """What AMS and devices can do, for both sides."""
    return capabilities.load(_own(settings, "capabilities.toml") or capabilities.DEFAULT)


def _own(settings: Settings, name: str) -> Path | None:
    """A file of the customer, if it is there."""
    path = settings.contract_folder / name
    return path if path.exists() else None


def _tables(settings: Settings) -> Mapping[str, CodeTable]:
    """The code tables, with those of the customer in place of ours."""
    return code_tables(_own(settings, "tables"))


def _web(parts: Parts) -> Area:
    from openami.web.area import build  # noqa: PLC0415

    return build(
        settings=parts.settings,
        clock=parts.clock,
        token=parts.secrets.service_token,
        session_key=parts.secrets.token("console-session").encode(),
        users_file=parts.settings.data_dir / CONSOLE_USERS,
    )


_BUILDERS: dict[str, Callable[[Parts], Area]] = {
    "field": _field,
    "headend": _headend,
    "mdus": _mdus,
    "office": _office,
    "web": _web,
}
_PACKAGES = {
    "field": "openami.ami.meter",
    "headend": "openami.ami.headend",
    "mdus": "openami.mdus",
    "office": "openami.office",
}
