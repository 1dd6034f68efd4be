"""Events: each once, in our words, and those that the back office wants in its codes."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.events.model import DeviceEvent
from openami.mdus.events.rules import enterprise_table
from openami.mdus.registry.ids import DeviceId
from openami.shared.contract import field as cim
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.confirm import confirmation_for
from openami.shared.contract.enterprise.messages.event import UtilitiesSmartMeterEventERPBulkCreateRequest as Upload
from openami.shared.contract.field.tables import event_table

if TYPE_CHECKING:
    from collections.abc import Callable

AT = datetime(2026, 3, 9, 14, 30, tzinfo=UTC)
TAMPER = "tamper.cover_open"


def happened(home: Any, name: str = TAMPER, *, mrid: str = "E1", at: datetime = AT) -> cim.EndDeviceEvent:
    detail = cim.EventDetail("cover", "terminal")
    return cim.EndDeviceEvent(
        mrid=mrid, created=at, device=home.identity, code=cim.event_code(name), details=(detail,), reason="opened"
    )


def report(world: Any, *events: cim.EndDeviceEvent) -> cim.Envelope:
    return cim.event(cim.Verb.CREATED, cim.EndDeviceEvents(events), source="AMS1", at=world.clock.now())


@pytest.fixture
async def street(world: Any, home: Any) -> Any:
    await world.office(*home.initialization())
    config = cim.MeterConfig(meters=(cim.Meter(serial_number=home.serial, names=home.identity.names),))
    await world.ams(cim.event(cim.Verb.CREATED, config, source="AMS1", at=world.clock.now()))
    world.clock.advance_to(AT + timedelta(minutes=1))
    world.office_heard.clear()
    return world


@pytest.mark.postgres
@pytest.mark.enable_socket
async def test_tampering_reaches_the_back_office_once_in_its_codes(street: Any, home: Any):
    message = report(street, happened(home))
    await street.ams(message)
    await street.ams(message)
    await street.ams(report(street, happened(home)))
    (upload,) = street.heard(Upload)
    (item,) = upload.items
    event = item.utilities_smart_meter_event
    assert (event.category_code, event.type_code, event.severity_code, event.origin_type_code) == (
        "3",
        "3002",
        "3",
        "1",
    )
    assert (event.utilities_device_id, event.date_time) == (home.device, AT)
    texts = {one.code: one.object_property_value.text for one in event.property}
    assert texts == {"NAME": TAMPER, "TEXT": "opened"}
    (shown,) = (await street.api("/api/events", device="4711"))["events"]
    assert (shown["name"], shown["details"], shown["forwarding"]) == (TAMPER, {"cover": "terminal"}, "sent")


@pytest.mark.postgres
@pytest.mark.enable_socket
async def test_noise_is_kept_and_not_forwarded(street: Any, home: Any):
    await street.ams(report(street, happened(home, "power.on"), happened(home, "clock.changed", mrid="E2")))
    assert street.heard(Upload) == []
    assert {one["forwarding"] for one in (await street.api("/api/events"))["events"]} == {"kept"}


@pytest.mark.postgres
@pytest.mark.enable_socket
async def test_events_of_strangers_are_refused_one_by_one(street: Any, home: Any, homes: Callable[..., Any]):
    answer = await street.ams(report(street, happened(homes(9)), happened(home)))
    assert answer.reply is not None
    assert answer.reply.result is cim.Result.PARTIAL
    assert [one.object_name for one in answer.reply.errors if one.is_error] == ["SN9"]
    assert len(street.heard(Upload)) == 1


@pytest.mark.postgres
@pytest.mark.enable_socket
async def test_a_device_that_is_not_registered_yet_says_nothing_to_the_back_office(world: Any, home: Any):
    await world.office(home.create())
    await world.ams(report(world, happened(home)))
    assert world.heard(Upload) == []
    assert len((await world.api("/api/events"))["events"]) == 1


@pytest.mark.postgres
@pytest.mark.enable_socket
async def test_what_the_back_office_says_of_events_is_recorded(street: Any, home: Any):
    await street.ams(report(street, happened(home), happened(home, mrid="E2")))
    (upload,) = street.heard(Upload)
    verdicts = [logs.success(), logs.failed("unknown type")]
    await street.office(confirmation_for(upload, verdicts, created=street.clock.now()))
    shown = {one["forwarding"]: one["note"] for one in (await street.api("/api/events"))["events"]}
    assert set(shown) == {"confirmed", "refused"}
    assert "unknown type" in shown["refused"]


def test_every_event_of_the_vocabulary_has_a_line_in_the_mapping_table():
    assert set(event_table()) <= set(enterprise_table())
    for name, codes in enterprise_table().items():
        assert all(len(code) <= 4 and code.isdecimal() for code in (codes.category, codes.type, codes.origin)), name
        assert len(codes.severity) <= 2, name
    types = [codes.type for codes in enterprise_table().values()]
    assert len(types) == len(set(types)), "a type tells one event"
    assert not enterprise_table()["other"].forward


@given(
    st.text(string.digits, min_size=1, max_size=18),
    st.text(max_size=10),
    st.datetimes(timezones=st.just(UTC)),
    st.text(),
)
def test_the_id_in_the_back_office_follows_from_the_event(device: str, code: str, at: datetime, mrid: str):
    event = DeviceEvent(DeviceId(device), TAMPER, code, "alarm", at, mrid)
    padded = DeviceEvent(DeviceId("0" + device), TAMPER, code, "info", at, mrid, reason="other words")
    assert event.enterprise_id == padded.enterprise_id
    assert len(event.enterprise_id) == 22
    assert event.enterprise_id.isalnum()
