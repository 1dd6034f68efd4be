"""How fast the middle takes single messages, whole: over HTTP, validated, stored, handled, confirmed over HTTP.

The middle is a process of its own, as in a landscape; this process is the back office: it sends, and takes the
confirmations. Prints JSON rows. The baseline of a figure is the same number of rows written to the same database, one
transaction each, by as many connections as there are senders: what storing alone costs here. QUICK=1 takes a tenth of
the work.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import uvicorn
import uvloop
from sqlalchemy import text

from bench._ground import cpu_s, server
from bench._rows import print_rows, row
from openami.mdus.area import build
from openami.mdus.middle import MdusSettings
from openami.mdus.tables import metadata, seam
from openami.shared.clock import ManualClock
from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.database import Database
from openami.shared.seam import Inbox, Outbox, Seam
from openami.shared.seam.enterprise import CONTENT_TYPE, EnterpriseDoor
from openami.shared.seam.field import FieldDoor
from openami.shared.seam.http_client import HttpClient
from openami.shared.seam.transport import HttpTransport, Partner, basic
from openami.shared.service import create_app, settle_memory
from openami.testing.home import Home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from openami.shared.postgres import EmbeddedPostgres

CREATE = "/services/UtilitiesDeviceERPSmartMeterCreateRequest_Out"
SENDERS = 64
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class BackOffice:
    """Takes confirmations over HTTP and counts them."""

    confirmed: int = 0
    wanted: int = 0
    all_there: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one message."""
        while (await receive())["more_body"]:
            pass
        self.confirmed += scope["path"].endswith("CreateConfirmation_In")
        if self.confirmed >= self.wanted:
            self.all_there.set()
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def serve(application: ASGIApp, port: int, *, lifespan: Literal["on", "off"] = "on") -> uvicorn.Server:
    """A server that has started."""
    config = uvicorn.Config(
        application, port=port, log_level="error", access_log=False, http="httptools", lifespan=lifespan
    )
    made = uvicorn.Server(config)
    running = asyncio.create_task(made.serve())
    while not made.started and not running.done():  # noqa: ASYNC110 - uvicorn tells it by an attribute only
        await asyncio.sleep(0.01)
    return made


def middle(url: str, folder: Path, port: int, office_port: int) -> None:
    """The process of the middle, until it is killed."""

    async def run() -> None:
        database, clock = Database(url), ManualClock(NOW)
        async with database.begin() as transaction:
            await transaction.run_sync(metadata.create_all)
        inbox, outbox = Inbox(database, clock, seam), Outbox(database, clock, seam)
        stores: dict[str, Any] = {"database": database, "clock": clock, "inbox": inbox, "outbox": outbox}
        door = EnterpriseDoor(**stores, side=Side.MDUS, partner="office", passwords={"OFFICE": "secret"})
        area = build(
            database=database,
            clock=clock,
            settings=MdusSettings(),
            enterprise_door=door,
            field_door=FieldDoor(**stores, source="MDUS", passwords={}),
            folder=folder,
        )
        area.routes = [*door.routes(), *area.routes]
        area.loops += [inbox.run, outbox.run]
        office = Partner(f"http://127.0.0.1:{office_port}", "MDUS", "secret")
        outbox.connect(Seam.ENTERPRISE, HttpTransport({"office": office}, content_type=CONTENT_TYPE).deliver)
        await serve(create_app(area, token="token"), port)
        settle_memory()
        await asyncio.Event().wait()

    uvloop.run(run())


async def send(bodies: Sequence[bytes], port: int) -> None:
    """Send each message over one of the kept connections and see that it is taken."""
    client = HttpClient(connect_timeout_s=60, read_timeout_s=60, connections_max=SENDERS)
    headers = {"content-type": CONTENT_TYPE, "authorization": basic("OFFICE", "secret")}

    async def post(own: Sequence[bytes]) -> None:
        for body in own:
            answer = await client.post(f"http://127.0.0.1:{port}{CREATE}", headers, body)
            assert answer.status == 202, answer.content

    await asyncio.gather(*(post(bodies[first::SENDERS]) for first in range(SENDERS)))
    await client.close()


async def plain_s(url: str, bodies: Sequence[bytes]) -> float:
    """Seconds for as many plain transactions."""
    database = Database(url)
    async with database.begin() as transaction:
        await transaction.execute(text("CREATE TABLE baseline (body bytea)"))

    async def write(own: Sequence[bytes]) -> None:
        for body in own:
            async with database.begin() as transaction:
                await transaction.execute(text("INSERT INTO baseline VALUES (:body)"), {"body": body})

    start = time.perf_counter()
    await asyncio.gather(*(write(bodies[first::16]) for first in range(16)))
    taken = time.perf_counter() - start
    await database.close()
    return taken


async def measured(postgres: EmbeddedPostgres, folder: Path, count: int) -> list[dict[str, Any]]:
    url, port, office_port = postgres.ensure_database("bench"), free_port(), free_port()
    office, clock = BackOffice(), ManualClock(NOW)
    listening = await serve(office, office_port, lifespan="off")
    process = multiprocessing.get_context("spawn").Process(
        target=middle, args=(url, folder / "raw", port, office_port), daemon=True
    )
    process.start()
    bodies = [codec.encode(Home(clock, number).create()) for number in range(1, count + 201)]
    probe = HttpClient(connect_timeout_s=60, read_timeout_s=60)
    while not await ready(probe, port):  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.1)
    office.wanted = 200  # what is compiled and cached on first use is not measured
    await send(bodies[:200], port)
    await asyncio.wait_for(office.all_there.wait(), 120)
    office.wanted = count + 200
    office.all_there.clear()
    start, cpu = time.perf_counter(), cpu_s()
    await send(bodies[200:], port)
    accepted_s = time.perf_counter() - start
    await asyncio.wait_for(office.all_there.wait(), 600)
    confirmed_s, used_s = time.perf_counter() - start, cpu_s() - cpu
    process.kill()
    process.join()
    listening.should_exit = True
    plain = count / await plain_s(url, bodies[200:])
    beside = ("one plain transaction a message", plain)
    return [
        row(
            "single messages: over HTTP, validated, stored", count / accepted_s, "messages/s", goal=1000, beside=beside
        ),
        row("the same, handled and confirmed over HTTP", count / confirmed_s, "messages/s", goal=1000, beside=beside),
        row("processor time of all processes for it, senders' too", 1e3 * used_s / count, "ms/message", goal=2),
    ]


async def ready(client: HttpClient, port: int) -> bool:
    """Whether the middle listens."""
    try:
        answer = await client.post(f"http://127.0.0.1:{port}/healthz", {}, b"")
    except OSError:
        return False
    return answer.status == 405


def main() -> None:
    count = 300 if os.environ.get("QUICK") == "1" else 5_000
    with server() as (postgres, folder):
        print_rows(uvloop.run(measured(postgres, folder, count)))


if __name__ == "__main__":
    main()
