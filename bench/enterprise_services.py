"""How fast the middle takes single messages, whole: over its door, validated, stored, handled, confirmed.

Prints JSON rows. The baseline of a figure is the same number of rows written to the same database one transaction each:
what storing alone costs here. QUICK=1 takes a tenth of the work.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from openami.mdus.area import build
from openami.mdus.middle import MdusSettings
from openami.mdus.tables import metadata, seam
from openami.shared.clock import ManualClock
from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.database import Database
from openami.shared.postgres import EmbeddedPostgres
from openami.shared.seam import Envelope, Inbox, Outbox, Seam
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.seam.field import FieldDoor
from openami.shared.service import create_app
from openami.testing.home import Home

CREATE = "/services/UtilitiesDeviceERPSmartMeterCreateRequest_Out"
CLIENTS = 16


async def measured(url: str, folder: Path, count: int) -> tuple[float, float]:
    """Seconds for so many messages to be received and confirmed, and for as many plain transactions."""
    database, clock = Database(url), ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with database.begin() as transaction:
        await transaction.run_sync(metadata.create_all)
        await transaction.execute(text("CREATE TABLE baseline (body bytea)"))
    inbox, outbox = Inbox(database, clock, seam), Outbox(database, clock, seam)
    stores: dict[str, Any] = {"database": database, "clock": clock, "inbox": inbox, "outbox": outbox}
    door = EnterpriseDoor(**stores, side=Side.MDUS, partner="office", passwords={"OFFICE": "secret"})
    field = FieldDoor(**stores, source="MDUS", passwords={})
    area = build(
        database=database,
        clock=clock,
        settings=MdusSettings(),
        enterprise_door=door,
        field_door=field,
        folder=folder,
    )
    area.routes += door.routes()
    confirmed = 0

    async def deliver(envelope: Envelope) -> bytes:
        nonlocal confirmed
        confirmed += envelope.operation.endswith("CreateConfirmation_In")
        return b""

    outbox.connect(Seam.ENTERPRISE, deliver)
    bodies = [codec.encode(Home(clock, number).create()) for number in range(1, count + 1)]
    loops = [asyncio.create_task(inbox.run()), asyncio.create_task(outbox.run())]
    app = create_app(area, token="token")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mdus") as client:

        async def post(own: list[bytes]) -> None:
            for body in own:
                (await client.post(CREATE, content=body, auth=("OFFICE", "secret"))).raise_for_status()

        start = time.perf_counter()
        await asyncio.gather(*(post(bodies[first::CLIENTS]) for first in range(CLIENTS)))
        while confirmed < count:  # noqa: ASYNC110 - what is measured must not be slowed by events
            await asyncio.sleep(0.001)
        ours = time.perf_counter() - start
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    start = time.perf_counter()
    for body in bodies:
        async with database.begin() as transaction:
            await transaction.execute(text("INSERT INTO baseline VALUES (:body)"), {"body": body})
    plain = time.perf_counter() - start
    await database.close()
    return ours, plain


def main() -> None:
    count = 100 if os.environ.get("QUICK") == "1" else 2_000
    with (
        tempfile.TemporaryDirectory(prefix="openami-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", "bench") as server,
    ):
        Path(folder).chmod(0o755)
        ours, plain = asyncio.run(measured(server.ensure_database("bench"), Path(folder) / "raw", count))
    row = {
        "name": "single messages: received, validated, stored, confirmed",
        "value": round(count / ours, 1),
        "unit": "messages/s",
        "baseline": "one plain transaction a message",
        "baseline_value": round(count / plain, 1),
        "ratio": round(plain / ours, 2),
        "goal": ">= 1000",
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
