"""Connection requests: one confirmation with the proven result, cancellation, deadline, safety limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openami.mdus.commands.model import Limits
from openami.mdus.middle import MdusSettings
from openami.shared.contract import field as cim
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.messages.common import SmartMeter
from openami.shared.contract.enterprise.messages.connection import (
    DeviceToSwitch,
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationConfirmation,
)
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationRequest as Cancel,
)
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateConfirmation as Confirmation,
)
from openami.shared.contract.enterprise.messages.connection import (
    SmartMeterUtilitiesConnectionStatusChangeRequestERPCreateRequest as Request,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

NOW = datetime(2026, 3, 11, 9, tzinfo=UTC)
POSITION = cim.ReadingTypeCode.parse(cim.reading_type_table()["switch.position"].code)
AMS = SmartMeter(utilities_advanced_metering_system_id="AMS1")


def request(
    world: Any, *homes: Any, number: str = "7", category: str = "1", planned: datetime | None = None
) -> Request:
    return Request(
        message_header=header(world.clock.now(), sender="OFFICE"),
        utilities_connection_status_change_request=Request.UtilitiesConnectionStatusChangeRequest(
            id=number,
            category_code=category,
            utilities_service_disconnection_reason_code="01",
            planned_processing_date_time=planned or world.clock.now(),
            immediate_status_change_indicator=planned is None,
            device_connection_status=tuple(
                DeviceToSwitch(utilities_device_id=one.device, smart_meter=AMS) for one in homes
            ),
        ),
    )


def switched(world: Any, home: Any, name: str = "switch.disconnected", *, mrid: str = "E1") -> cim.Envelope:
    event = cim.EndDeviceEvent(
        mrid=mrid, created=world.clock.now(), device=home.identity, code=cim.event_code(name), issuer_tracking_id="7"
    )
    return cim.event(cim.Verb.CREATED, cim.EndDeviceEvents((event,)), source="AMS1", at=world.clock.now())


def position(world: Any, home: Any, question: cim.Envelope, *, closed: bool) -> cim.Envelope:
    value = cim.Reading(reading_type=POSITION, at=world.clock.now(), value=Decimal(int(closed)))
    payload = cim.MeterReadings((cim.MeterReading(meter=home.identity, readings=(value,)),))
    return cim.reply_to(question.header, source="AMS1", at=world.clock.now(), payload=payload)


def controls(world: Any, verb: cim.Verb = cim.Verb.CREATE) -> list[Any]:
    return [one.payload.controls[0] for one in world.told(verb, "EndDeviceControls")]


@pytest.fixture
async def street(world: Any, home: Any) -> Any:
    await world.office(*home.initialization())
    world.clock.advance_to(NOW)
    await world.settle()
    world.office_heard.clear()
    world.ams_heard.clear()
    return world


async def states(world: Any) -> list[str]:
    return [one["state"] for one in (await world.api("/api/commands"))["commands"]]


async def test_a_disconnect_counts_when_event_and_breaker_agree(street: Any, home: Any):
    message = request(street, home)
    await street.office(message)
    (control,) = controls(street)
    assert control.name == "disconnect"
    assert control.devices[0].identity.name("SerialNumber") == home.serial
    assert await states(street) == ["executing"], "accepted by the AMS is not done"
    await street.ams(switched(street, home))
    (question,) = street.told(cim.Verb.GET, "MeterReadings")
    assert [one.code for one in question.request.query.reading_types] == [POSITION]
    assert street.heard(Confirmation) == []
    answer = position(street, home, question, closed=False)
    await street.ams(answer)
    await street.ams(answer)
    (confirmation,) = street.heard(Confirmation)
    assert logs.is_success(confirmation.log)
    assert confirmation.message_header.reference_uuid == message.message_header.uuid
    (status,) = confirmation.utilities_connection_status_change_request.device_connection_status
    assert (status.utilities_device_connection_status_processing_result_code, status.processing_date_time) == ("1", NOW)
    assert await states(street) == ["proven"]
    steps = (await street.api("/api/commands"))["commands"][0]["steps"]
    assert [one["state"] for one in steps] == ["received", "accepted", "sent", "executing", "executing", "proven"]


async def test_repeats_on_both_seams_switch_nothing_twice(street: Any, home: Any):
    message = request(street, home)
    await street.office(message, message)
    event = switched(street, home)
    await street.ams(event)
    await street.ams(event)
    await street.office(message)
    await street.office(request(street, home))
    assert len(controls(street)) == 1
    assert len(street.told(cim.Verb.GET, "MeterReadings")) == 1
    (refusal,) = street.heard(Confirmation)
    assert refusal.log.item[0].type_id == "2002"


async def test_a_breaker_that_contradicts_is_a_failure(street: Any, home: Any):
    await street.office(request(street, home))
    await street.ams(switched(street, home))
    (question,) = street.told(cim.Verb.GET, "MeterReadings")
    await street.ams(position(street, home, question, closed=True))
    (confirmation,) = street.heard(Confirmation)
    assert confirmation.log.business_document_processing_result_code == "5"
    assert "breaker reads closed" in confirmation.log.item[0].note
    (status,) = confirmation.utilities_connection_status_change_request.device_connection_status
    assert status.utilities_device_connection_status_processing_result_code == "2"


async def test_a_refusal_of_the_ams_is_a_failure(street: Any, home: Any):
    street.ams_refuses = lambda message: "no breaker" if message.header.noun == "EndDeviceControls" else None
    await street.office(request(street, home))
    (confirmation,) = street.heard(Confirmation)
    assert "no breaker" in confirmation.log.item[0].note


async def test_the_final_reply_of_the_ams_may_refuse_too(street: Any, home: Any):
    await street.office(request(street, home))
    (told,) = street.told(cim.Verb.CREATE, "EndDeviceControls")
    error = cim.FieldError.of("7.1", "the device did not answer")
    reply = cim.reply_to(told.header, source="AMS1", at=NOW, result=cim.Result.FAILED, errors=(error,))
    await street.ams(reply)
    (confirmation,) = street.heard(Confirmation)
    assert "did not answer" in confirmation.log.item[0].note


async def test_without_proof_the_deadline_ends_it_and_the_order_is_withdrawn(street: Any, home: Any):
    await street.office(request(street, home))
    await street.until(NOW + timedelta(hours=4, minutes=1))
    (confirmation,) = street.heard(Confirmation)
    assert "no switch event" in confirmation.log.item[0].note
    assert [one.mrid for one in controls(street, cim.Verb.CANCEL)] == [controls(street)[0].mrid]
    assert await states(street) == ["expired"]


async def test_a_planned_order_waits_and_can_be_cancelled_before(street: Any, home: Any):
    planned = NOW + timedelta(hours=6)
    await street.office(request(street, home, planned=planned))
    await street.until(planned - timedelta(minutes=1))
    assert controls(street) == []
    cancel = Cancel(
        message_header=header(street.clock.now(), sender="OFFICE"),
        utilities_connection_status_change_request=Cancel.UtilitiesConnectionStatusChangeRequest(
            id="7",
            category_code="1",
            device_connection_status=(DeviceToSwitch(utilities_device_id=home.device, smart_meter=AMS),),
        ),
    )
    await street.office(cancel)
    kind = SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationConfirmation
    assert [logs.is_success(one.log) for one in street.heard(kind)] == [True]
    await street.until(planned + timedelta(hours=6))
    assert controls(street) == []
    assert await states(street) == ["cancelled"]


async def test_a_planned_order_is_sent_in_time(street: Any, home: Any):
    planned = NOW + timedelta(hours=6)
    await street.office(request(street, home, planned=planned))
    await street.until(planned)
    (control,) = controls(street)
    assert control.timing.interval.start == planned


async def test_an_order_that_has_left_cannot_be_cancelled(street: Any, home: Any):
    await street.office(request(street, home))
    cancel = Cancel(
        message_header=header(street.clock.now(), sender="OFFICE"),
        utilities_connection_status_change_request=Cancel.UtilitiesConnectionStatusChangeRequest(
            id="7",
            category_code="1",
            device_connection_status=(DeviceToSwitch(utilities_device_id=home.device, smart_meter=AMS),),
        ),
    )
    await street.office(cancel)
    (answer,) = street.heard(SmartMeterUtilitiesConnectionStatusChangeRequestERPCancellationConfirmation)
    assert answer.log.item[0].type_id == "2005"


async def test_one_request_for_two_devices_is_confirmed_once_when_both_are_through(
    street: Any, home: Any, homes: Callable[..., Any]
):
    second = homes(2)
    await street.office(*second.initialization())
    street.ams_heard.clear()
    street.office_heard.clear()
    await street.office(request(street, home, second))
    await street.ams(switched(street, home))
    (question,) = street.told(cim.Verb.GET, "MeterReadings")
    await street.ams(position(street, home, question, closed=False))
    assert street.heard(Confirmation) == []
    await street.ams(switched(street, second, "switch.failed", mrid="E2"))
    (confirmation,) = street.heard(Confirmation)
    assert confirmation.log.business_document_processing_result_code == "4"
    results = confirmation.utilities_connection_status_change_request.device_connection_status
    found = {one.utilities_device_id: one.utilities_device_connection_status_processing_result_code for one in results}
    assert found == {home.device: "1", second.device: "2"}


@pytest.mark.parametrize(("category", "number"), [("3", "2001"), ("1", "2003")])
async def test_what_cannot_be_switched_is_refused_with_its_reason(
    street: Any, homes: Callable[..., Any], category: str, number: str
):
    bare = homes(8)
    await street.office(bare.create())
    await street.office(request(street, bare, category=category))
    (refusal,) = street.heard(Confirmation)
    assert refusal.log.item[0].type_id == number
    assert controls(street) == []


class TestLimits:
    @pytest.fixture
    def mdus_settings(self) -> MdusSettings:
        return MdusSettings(limits=Limits(per_hour=2))

    async def test_too_many_disconnects_wait_for_a_second_person(self, street: Any, homes: Callable[..., Any]):
        many = [homes(number) for number in (2, 3, 4)]
        for one in many:
            await street.office(*one.initialization())
        for index, one in enumerate(many):
            await street.office(request(street, one, number=str(index)))
        assert len(controls(street)) == 2
        (held,) = [one for one in (await street.api("/api/commands"))["commands"] if one["state"] == "held"]
        assert held["note"] == "2 disconnects within 60 minutes; the limit is 2."
        path = f"/api/commands/{held['id']}/release"
        bearer = {"authorization": "Bearer token"}
        same = await street.client.post(path, json={"person": "office"}, headers=bearer)
        assert same.status_code == 422
        assert "second person" in same.json()["hint"]
        released = await street.client.post(path, json={"person": "Ada"}, headers=bearer)
        assert released.json()["released_by"] == "Ada"
        await street.settle()
        assert len(controls(street)) == 3
