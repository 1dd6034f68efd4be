"""An office on a real database, with a scripted middle behind its real door (HTTP in memory, no sockets)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest
from tests.databases import fresh, template_of

from openami.office.area import build
from openami.office.context import OfficeSettings
from openami.office.tables import metadata, seam
from openami.shared.contract.enterprise import codec, confirm, headers, logs
from openami.shared.contract.enterprise.catalogue import Side, catalogue
from openami.shared.contract.enterprise.messages.common import Quantity
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPBulkCreateRequest,
    SmartMeterMeterReadingDocumentERPCreateRequest,
)
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultBulkCreateRequest,
    MeterReadingDocumentERPResultCreateRequest,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPItemBulkChangeRequest,
    UtilitiesTimeSeriesERPItemBulkCreateRequest,
    UtilitiesTimeSeriesERPItemChangeRequest,
    UtilitiesTimeSeriesERPItemCreateRequest,
    UtilitiesTimeSeriesItem,
)
from openami.shared.contract.enterprise.model import Bulk, Confirmation, HeadedMessage
from openami.shared.seam import Inbox, Outbox, Seam
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.service import create_app
from openami.shared.spans import local_day, zone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from openami.shared.clock import ManualClock
    from openami.shared.database import Database
    from openami.shared.postgres import EmbeddedPostgres
    from openami.shared.seam.model import Envelope
    from openami.shared.service import Area

ZONE = "Europe/Amsterdam"
MessageT = TypeVar("MessageT", bound=HeadedMessage)


@dataclass
class Middle:
    """The other side of the seam: keeps what the office sends, and says what a test wants it to say."""

    clock: ManualClock
    area: Area
    outbox: Outbox
    inbox: Inbox
    client: httpx.AsyncClient
    door: EnterpriseDoor
    received: list[Any] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)

    async def deliver(self, envelope: Envelope) -> bytes:
        self.received.append(codec.decode(envelope.body))
        return b""

    def of(self, kind: type[MessageT]) -> list[MessageT]:
        """The messages of a kind so far; of a bulk, its items."""
        found: list[MessageT] = []
        for message in self.received:
            parts = (message, *message.items) if isinstance(message, Bulk) else (message,)
            found += [part for part in parts if isinstance(part, kind)]
        return found

    def header(self) -> Any:
        return headers.header(self.clock.now(), sender="MDUS")

    async def pump(self) -> None:
        """Deliver and handle until nothing moves."""
        while await self.outbox._deliver_batch() or await self.inbox._handle_batch(retry_parked=True):
            pass

    async def send(self, *messages: HeadedMessage, pump: bool = True) -> None:
        """Post messages at the office's door, as the middle does."""
        for message in messages:
            name = codec.codec().operation_of(message).name
            response = await self.client.post(
                f"/services/{name}", content=codec.encode(message), auth=("MDUS", "secret")
            )
            assert response.status_code == 202, response.text
        if pump:
            await self.pump()

    def confirmations(self, log: Any = None) -> list[HeadedMessage]:
        """The answers to all requests of the office that have none yet."""
        answers = []
        for message in self.received:
            key = headers.message_key(message.message_header)
            operation = codec.codec().operation_of(message)
            manual = "ConnectionStatusChange" in operation.name and "Cancellation" not in operation.name
            if isinstance(message, Confirmation) or key in self.answered or manual:
                continue
            if catalogue().confirmation_of(operation) is None or operation.receiver is not Side.MDUS:
                continue
            self.answered.add(key)
            answers.append(confirm.confirmation_for(message, log or logs.success(), created=self.clock.now()))
        return answers

    async def confirm(self, log: Any = None) -> None:
        """Answer all requests of the office."""
        await self.send(*self.confirmations(log))

    def result(
        self,
        order: SmartMeterMeterReadingDocumentERPCreateRequest | None,
        value: str,
        *,
        day: date | None = None,
        time: str = "23:59:59",
        type_code: str = "01",
        task: str | None = None,
    ) -> MeterReadingDocumentERPResultCreateRequest:
        """The result of a reading order; without one, an unsolicited reading of a task."""
        content = MeterReadingDocumentERPResultCreateRequest.MeterReadingDocument
        document = order.meter_reading_document if order else None
        task_id = task or (document.utilties_measurement_task.utilities_measurement_task_id if document else None)
        read_on = day or (document.scheduled_meter_reading_date if document else self.clock.now().date())
        return MeterReadingDocumentERPResultCreateRequest(
            message_header=self.header(),
            meter_reading_document=content(
                id=document.id if document else None,
                meter_reading_reason_code=document.meter_reading_reason_code if document else "10",
                scheduled_meter_reading_date=read_on,
                utilties_measurement_task=content.UtiltiesMeasurementTask(utilities_measurement_task_id=task_id),
                result=content.Result(
                    actual_meter_reading_date=read_on,
                    actual_meter_reading_time=datetime.strptime(time, "%H:%M:%S").time(),  # noqa: DTZ007 - a time only
                    meter_reading_type_code=type_code,
                    meter_reading_result_value=Decimal(value),
                ),
            ),
        )

    def orders(self) -> list[SmartMeterMeterReadingDocumentERPCreateRequest]:
        """All reading orders so far."""
        found = []
        for message in self.received:
            if isinstance(message, SmartMeterMeterReadingDocumentERPCreateRequest):
                found.append(message)
            if isinstance(message, SmartMeterMeterReadingDocumentERPBulkCreateRequest):
                found += message.items
        return found

    def results(self, *results: MeterReadingDocumentERPResultCreateRequest) -> HeadedMessage:
        return MeterReadingDocumentERPResultBulkCreateRequest(message_header=self.header(), items=results)

    def upload(
        self, *series: tuple[str, Iterable[UtilitiesTimeSeriesItem]], change: bool = False
    ) -> UtilitiesTimeSeriesERPItemBulkCreateRequest | UtilitiesTimeSeriesERPItemBulkChangeRequest:
        """An interval upload of some profiles."""
        if change:
            changed = UtilitiesTimeSeriesERPItemChangeRequest
            return UtilitiesTimeSeriesERPItemBulkChangeRequest(
                message_header=self.header(),
                items=tuple(
                    changed(
                        message_header=self.header(),
                        utilities_time_series=changed.UtilitiesTimeSeries(id=profile, item=tuple(items)),
                    )
                    for profile, items in series
                ),
            )
        created = UtilitiesTimeSeriesERPItemCreateRequest
        return UtilitiesTimeSeriesERPItemBulkCreateRequest(
            message_header=self.header(),
            items=tuple(
                created(
                    message_header=self.header(),
                    utilities_time_series=created.UtilitiesTimeSeries(id=profile, item=tuple(items)),
                )
                for profile, items in series
            ),
        )

    @staticmethod
    def day_items(
        day: date,
        wh: int,
        *,
        interval_s: int = 1800,
        status: str = "01",
        unit: str = "KWH",
        hours: tuple[int, int] = (0, 24),
    ) -> list[UtilitiesTimeSeriesItem]:
        """The items of a local day (or of some of its hours), each with the same energy."""
        span = local_day(ZONE, day)
        items = []
        start = span.start
        while start < span.end:
            end = start + timedelta(seconds=interval_s)
            if hours[0] <= start.astimezone(zone(ZONE)).hour < hours[1]:
                items.append(
                    UtilitiesTimeSeriesItem(
                        quantity=Quantity(value=Decimal(wh).scaleb(-3), unit_code=unit),
                        utc_validity_start_date_time=start,
                        utc_validity_end_date_time=end,
                        item_status=(UtilitiesTimeSeriesItem.ItemStatus(utilities_time_series_item_type_code=status),),
                    )
                )
            start = end
        return items


@dataclass
class Desk:
    """A person at the office: posts commands, looks at pages, moves the billing along."""

    client: httpx.AsyncClient
    middle: Middle
    area: Area

    async def post(self, path: str, expect: int = 200, key: str = "", **body: Any) -> Any:
        response = await self.client.post(
            path,
            json=body,
            headers={"authorization": "Bearer token"} | ({"idempotency-key": key} if key else {}),
        )
        assert response.status_code == expect, response.text
        await self.middle.pump()
        return response.json()

    async def get(self, path: str, expect: int = 200) -> Any:
        response = await self.client.get(path, headers={"authorization": "Bearer token"})
        assert response.status_code == expect, response.text
        return response.json() if "json" in response.headers["content-type"] else response.text

    async def bill(self, month: str) -> Any:
        """Run the billing of a month to its end, and return the run's report."""
        await self.post("/api/billing-runs", month=month)
        runs = self.area.loops[0].__self__  # type: ignore[attr-defined]
        while await runs.work_one():
            pass
        return (await self.get("/api/billing-runs"))[0]

    async def home(self, number: int = 1, *, at: str = "2026-02-28T10:00:00+01:00", **more: Any) -> dict[str, Any]:
        """Receive and install one electricity meter with customer and contract; the middle confirms."""
        serial = f"E{number:04}"
        kind = more.pop("kind", "electricity")
        interval_s = more.pop("interval_s", 1800 if kind == "electricity" else 3600)
        device = {"serial": serial, "kind": kind, "interval_s": interval_s, "exports": more.pop("exports", False)}
        received = await self.post("/api/devices/receive", devices=[device])
        customer = {"id": f"K{number}", "name": f"Customer {number}"} | more.pop("customer", {})
        installation = {
            "device": serial,
            "point_of_delivery": f"8716859000000{number:05}",
            "installed_at": at,
            "address": {"street": "Kade", "house": str(number), "postal_code": "1011 AB", "city": "Amsterdam"},
            "feeder": "T1",
            "customer": customer,
        }
        placed = await self.post("/api/installations", installations=[installation | more])
        await self.middle.confirm()
        page = await self.get(f"/api/devices/{serial}")
        channel, *channel_in = [task for task in page["registers"] if task["interval_s"]]
        register, *register_in = [task for task in page["registers"] if not task["interval_s"]]
        feed_in = (
            {"feed_in_profile": channel_in[0]["profile_id"], "feed_in_register": register_in[0]["id"]}
            if channel_in
            else {}
        )
        return feed_in | {
            "serial": serial,
            "device": received["devices"][0]["id"],
            "point": installation["point_of_delivery"],
            "contract": placed["installations"][0]["contract"],
            "profile": channel["profile_id"],
            "channel": channel["id"],
            "register": register["id"],
        }


@pytest.fixture(scope="session")
def office_template(postgres: EmbeddedPostgres) -> str:
    """A database with the office's tables, made once; each test gets a copy of it."""
    return template_of(postgres, "office_template", metadata)


@pytest.fixture
async def database(postgres: EmbeddedPostgres, office_template: str) -> AsyncIterator[Database]:
    """A fresh database of an office."""
    async with fresh(postgres, "office", template=office_template) as made:
        yield made


@pytest.fixture
def settings() -> OfficeSettings:
    return OfficeSettings()


@pytest.fixture
async def middle(database: Database, clock: ManualClock, settings: OfficeSettings) -> AsyncIterator[Middle]:
    clock._now = datetime(2026, 2, 28, 7, tzinfo=UTC)
    outbox, inbox = Outbox(database, clock, seam), Inbox(database, clock, seam)
    door = EnterpriseDoor(
        database=database,
        clock=clock,
        outbox=outbox,
        inbox=inbox,
        side=Side.OFFICE,
        partner="mdus",
        passwords={"MDUS": "secret"},
    )
    area = build(database=database, clock=clock, door=door, settings=settings)
    area.routes += door.routes()
    app = create_app(area, token="token")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://office") as client:
        other_side = Middle(clock, area, outbox, inbox, client, door)
        outbox.connect(Seam.ENTERPRISE, other_side.deliver)
        yield other_side


@pytest.fixture
def desk(middle: Middle) -> Desk:
    return Desk(middle.client, middle, middle.area)
