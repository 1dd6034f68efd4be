"""One middle with real doors, inbox, outbox and PostgreSQL; back office and AMS are played by the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest
from sqlalchemy import select
from starlette.routing import Route

from openami.mdus.area import build
from openami.mdus.middle import MdusSettings, Middle
from openami.mdus.tables import metadata, seam
from openami.mdus.views import Views
from openami.shared.contract import field as cim
from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.messages.common import DecimalValuePrecision, SmartMeter
from openami.shared.contract.enterprise.messages.device import UtilitiesDeviceERPSmartMeterCreateRequest as Create
from openami.shared.contract.enterprise.messages.location import DeviceLocation
from openami.shared.contract.enterprise.messages.location import (
    UtilitiesDeviceERPSmartMeterLocationNotification as Located,
)
from openami.shared.contract.enterprise.messages.measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification as PointAssigned,
)
from openami.shared.contract.enterprise.messages.register import (
    UtilitiesDeviceERPSmartMeterRegisterCreateRequest as RegisterCreate,
)
from openami.shared.contract.enterprise.messages.time_series import MeasurementTaskAssignmentRole
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest as SeriesAssigned,
)
from openami.shared.seam import Inbox, Outbox, Seam
from openami.shared.seam.enterprise import EnterpriseDoor
from openami.shared.seam.field import FieldDoor
from openami.shared.service import create_app
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from openami.mdus.series.lake import Lake
    from openami.shared.clock import ManualClock
    from openami.shared.contract.enterprise.model import HeadedMessage, Message
    from openami.shared.database import Database
    from openami.shared.seam import Envelope

MessageT = TypeVar("MessageT")
OPEN = date(9999, 12, 31)
AMS = SmartMeter(utilities_advanced_metering_system_id="AMS1")
ZONE = "Europe/Amsterdam"


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
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
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
    (views,) = {getattr(one.endpoint, "__self__", None) for one in area.routes if isinstance(one, Route)}
    assert isinstance(views, Views)
    area.routes += [*enterprise.routes(), *door.routes()]
    app = create_app(area, token="token")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mdus") as client:
        made = World(views._middle, clock, database, inbox, outbox, client)
        outbox.connect(Seam.ENTERPRISE, made.deliver)
        outbox.connect(Seam.FIELD, made.deliver, door.answered)
        await made.middle.start()
        yield made


class Home:
    """One home with a meter, as the back office writes about it; every message is new when it is asked for."""

    def __init__(self, clock: ManualClock, number: int = 1, *, interval_s: int = 1800, since: datetime | None = None):
        self._clock = clock
        self.number = number
        self.device = f"{4710 + number:018}"
        self.serial = f"SN{number}"
        self.register = f"{100 + number:018}"
        self.intervals = f"{200 + number:018}"
        self.profile = f"{300 + number:018}"
        self.point = f"NL00000000000000{number:02}"
        self.recurrence = str(interval_s // 60)
        self.since = since or datetime(2026, 2, 27, 23, tzinfo=UTC)
        self.until: datetime | None = None

    def head(self) -> Any:
        return header(self._clock.now(), sender="OFFICE")

    def create(self) -> Create:
        return Create(
            message_header=self.head(),
            utilities_device=Create.UtilitiesDevice(
                id=self.device,
                start_date=date(2026, 2, 1),
                end_date=OPEN,
                serial_id=self.serial,
                material_id="METER-E",
                smart_meter=AMS,
            ),
        )

    def registers(self) -> RegisterCreate:
        part = RegisterCreate.UtilitiesDevice.Register
        specifications = part.Specifications(
            measure_unit_code="KWH",
            decimal_value_precision=DecimalValuePrecision(total_digit_number_value=9, fraction_digit_number_value=3),
        )
        common: dict[str, Any] = {
            "start_date": self._local(self.since).date(),
            "end_date": OPEN,
            "time_zone_code": "CET",
            "utilities_division_category_code": "1",
            "specifications": specifications,
        }
        register = part(
            utilities_measurement_task_id=self.register,
            utilities_object_identification_system_code_text="1-0:1.8.0",
            utilties_measurement_task_category_code="5",
            **common,
        )
        intervals = part(
            utilities_measurement_task_id=self.intervals,
            utilities_object_identification_system_code_text="1-0:1.29.0",
            utilties_measurement_task_category_code="4",
            utilities_measurement_recurrence_code=self.recurrence,
            **common,
        )
        return RegisterCreate(
            message_header=self.head(),
            utilities_device=RegisterCreate.UtilitiesDevice(
                id=self.device, register=(register, intervals), smart_meter=AMS
            ),
        )

    def located(self) -> Located:
        began, ended = self._local(self.since), self._local(self.until) if self.until else None
        last = max(began.date(), ended.date() - timedelta(days=1)) if ended else OPEN
        location = DeviceLocation(
            start_date=began.date(),
            end_date=last,
            installation_point_id=f"DL{self.number}",
            installation_point_address_information=DeviceLocation.InstallationPointAddressInformation(
                country_code="NL"
            ),
            installation_point_hierarchy_relationship=DeviceLocation.InstallationPointHierarchyRelationship(
                parent_installation_point_id=f"CO{self.number}"
            ),
            modification_information=DeviceLocation.ModificationInformation(
                installation_date=began.date(),
                installation_time=began.time(),
                remove_date=ended.date() if ended else None,
                remove_time=ended.time() if ended else None,
                time_zone_code="CET",
            ),
        )
        return Located(
            message_header=self.head(),
            utilities_device=Located.UtilitiesDevice(
                location_list_complete_transmission_indicator=True,
                logical_location_list_complete_transmission_indicator=True,
                id=self.device,
                location=(location,),
                smart_meter=AMS,
            ),
        )

    def pointed(self, task: str) -> PointAssigned:
        content = PointAssigned.UtilitiesMeasurementTask
        began = self._local(self.since)
        end = self._local(self.until) if self.until else datetime.combine(OPEN, time(23, 59, 59))
        return PointAssigned(
            message_header=self.head(),
            utilities_measurement_task=content(
                id=task,
                utilities_point_of_delivery_assignment_list_complete_transmission_indicator=True,
                utilities_point_of_delivery_assignment=(
                    content.UtilitiesPointOfDeliveryAssignment(
                        start_date=began.date(),
                        start_time=began.time(),
                        end_date=end.date(),
                        end_time=end.time(),
                        utilities_point_of_delivery_party_id=self.point,
                    ),
                ),
                utilities_device=content.UtilitiesDevice(
                    utilities_device_id=self.device,
                    smart_meter=content.UtilitiesDevice.SmartMeter(advanced_metering_system_id="AMS1"),
                ),
            ),
        )

    def series(self) -> SeriesAssigned:
        began = self._local(self.since)
        end = self._local(self.until) if self.until else datetime.combine(OPEN, time(23, 59, 59))
        return SeriesAssigned(
            message_header=self.head(),
            utilities_time_series=SeriesAssigned.UtilitiesTimeSeries(
                measurement_task_assignment_role_list_complete_transmission_indicator=True,
                id=self.profile,
                utilities_measurement_recurrence_code=self.recurrence,
                measure_unit_code="KWH",
                items_remotely_stored_indicator=False,
                measurement_task_assignment_role=(
                    MeasurementTaskAssignmentRole(
                        start_date=began.date(),
                        start_time=began.time(),
                        end_date=end.date(),
                        end_time=end.time(),
                        utilities_time_series_assignment_role_code="0001",
                        utilities_measurement_task_id=self.intervals,
                        utilities_device_smart_meter=AMS,
                    ),
                ),
            ),
        )

    def initialization(self) -> list[Any]:
        """Everything that initializes the device, in the order of the book."""
        return [
            self.create(),
            self.registers(),
            self.located(),
            self.pointed(self.register),
            self.pointed(self.intervals),
            self.series(),
        ]

    @property
    def identity(self) -> cim.Identity:
        return cim.Identity.named(self.serial, "SerialNumber")

    @staticmethod
    def _local(moment: datetime) -> datetime:
        return moment.astimezone(zone(ZONE)).replace(tzinfo=None)


@pytest.fixture
def home(clock: ManualClock) -> Home:
    return Home(clock)


@pytest.fixture
def homes(clock: ManualClock) -> Callable[..., Home]:
    return lambda *args, **kwargs: Home(clock, *args, **kwargs)
