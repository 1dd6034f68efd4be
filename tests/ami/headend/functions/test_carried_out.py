"""Every function against the simulated meters: ordered as a person or the MDUS does, over real sockets, ciphered."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from tests.ami.headend.test_street import START, ship_all

from openami.ami.dlms.events import ActionRequest
from openami.ami.headend import store
from openami.ami.headend.functions import firmware
from openami.ami.headend.functions.catalogue import FUNCTIONS
from openami.ami.headend.functions.model import BadParametersError
from openami.ami.headend.sessions import Session
from openami.ami.meter.prepayment import token_of
from openami.ami.meter.protection import factory_keys
from openami.shared.contract import field as contract

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

PERIOD = {"from": START.isoformat(), "to": (START + timedelta(days=1)).isoformat()}
PUSH = {"destination": "127.0.0.1:1"}
CALENDAR = {
    "name": "TWO",
    "days": {"1": {"00:00": 1, "07:00": 2}},
    "weeks": {"W": [1] * 7},
    "seasons": {"S": {"from": "01-01", "week": "W"}},
}
PARAMETERS: dict[str, dict[str, Any]] = {
    "read_attribute": {"class_id": 3, "obis": "1-0:1.8.0", "attribute": 2},
    "read_profile": {"obis": "1-0:99.1.0", **PERIOD},
    "read_mbus_profile": {"channel": 1, **PERIOD},
    "read_mbus_key_status": {"channel": 1},
    **dict.fromkeys(("read_billing", "read_quality_profile", "read_outages", "read_events"), PERIOD),
    "configure_clock": {"time_zone_min": -60, "enabled": True},
    "set_activity_calendar": CALENDAR,
    "set_special_days": {"days": [{"date": "12-25", "day": 1}]},
    "set_alarm_filter": {"filter": 8192},
    **dict.fromkeys(("set_alarm_push", "set_sms_push", "set_interval_push", "set_last_gasp_push"), PUSH),
    "schedule_push": {"times": ["00:05", "12:05"]},
    "set_configuration": {"flags": "0000001001000000"},
    "set_administrative_status": {"status": 1},
    "set_randomisation": {"window_s": 300},
    "set_harmonics_limits": {"limit_permille": 80},
    "define_load_profile": {"columns": ["1-0:1.8.0", "1-0:32.7.0"], "period_s": 3600},
    "decouple_mbus_channel": {"channel": 2},
    "couple_mbus_channel": {"channel": 2},
    "set_mbus_key": {"channel": 1, "wrapped_key": bytes(24).hex()},
    "set_limiter": {"threshold_w": 20_000, "over_s": 60},
    "set_emergency_limit": {"group": 3, "threshold_w": 9000, "from": START.isoformat(), "duration_s": 60},
    "set_breaker_mode": {"mode": 4},
    "display_text": {"text": "Hello"},
    "add_credit": {"amount": 500},
    "set_payment_mode": {"prepaid": True, "price": 250},
    "write_attribute": {"class_id": 1, "obis": "0-0:96.13.1", "attribute": 2, "value": "090131"},
    "set_communication": {"list_max": 4},
    "set_lifecycle": {"status": "in use"},
    "set_protocol": {"profile": "dsmr"},
    "forget_mbus_channel": {"channel": 4},
    "bundle": {"actions": [{"function": "read_alarms"}, {"function": "read_modem", "parameters": {"x": 1}}]},
}
APART = {
    *("couple_mbus", "decouple_mbus", "enter_token", "delete_answers"),
    *("update_firmware", "activate_firmware", "replace_keys"),
}
"""Functions that need what another has prepared: each has a test of its own below."""


async def prepared(bench: Any, street: Any) -> str:
    devices = await ship_all(bench, street)
    gas = next(device for device in devices if device["kind"] == "gas")
    serial: str = next(each for each in devices if each["home"] == gas["home"] and each["kind"] == "electricity")[
        "serial"
    ]
    await bench.provision(serial)
    return serial


async def ordered(bench: Any, function: str, *serials: str, parameters: Any = None, **more: Any) -> str:
    body = {"function": function, "serials": list(serials), "parameters": parameters or {}, **more}
    answer = await bench.http.post("/api/orders", json=body)
    assert answer.status_code == 202, answer.text
    key: str = answer.json()["id"]
    return key


async def outcome(bench: Any, key: str) -> dict[str, Any]:
    (item,) = (await bench.http.get(f"/api/orders/{key}")).json()["items"]
    assert item["state"] == "done", (item["action"], item["error"])
    found: dict[str, Any] = item["outcome"]
    return found


async def done(bench: Any, function: str, serial: str, **parameters: Any) -> dict[str, Any]:
    key = await ordered(bench, function, serial, parameters=parameters)
    await bench.quiet()
    return await outcome(bench, key)


async def test_every_function_is_carried_out(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    async with bench.running():
        await street.live_until(START + timedelta(hours=30))
        found = {}
        for name in (name for name in FUNCTIONS if name not in APART):
            found[name] = await done(bench, name, serial, **PARAMETERS.get(name, {}))
    truth = await street.get(f"/api/meters/{serial}")
    assert found["read_attribute"]["value"] == truth["register"]
    assert len(found["read_profile"]["rows"]) == 86400 // truth["interval_s"]
    assert len(found["read_mbus_profile"]["rows"]) == 25
    assert set(found["scan_mbus_channels"]["channels"]) == {"1", "2"}
    assert found["set_activity_calendar"] == {"active": "TWO"}
    assert found["open_relay"] == {"relay": False}
    assert found["set_limiter"] == {"active_w": 20_000}
    assert found["read_firmware_version"]["version"] == "OPENAMI-METER-1"
    assert found["bundle"]["answers"][0]["found"] == {"alarms": 0}
    assert "does not take x" in found["bundle"]["answers"][1]["error"]
    assert found["read_keys"]["keys"].keys() == {"encryption", "authentication", "key_encryption"}
    assert len(found["read_all_attributes"]["values"]) > 100
    assert found["add_credit"]["credit"] == 500


async def test_a_channel_is_decoupled_and_coupled_by_its_identification(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    async with bench.running():
        channels = (await done(bench, "scan_mbus_channels", serial))["channels"]
        wanted = channels["2"]["identification"]
        assert await done(bench, "decouple_mbus", serial, identification=wanted) == {"channel": 2}
        assert set((await done(bench, "scan_mbus_channels", serial))["channels"]) == {"1"}
        assert await done(bench, "couple_mbus", serial, identification=wanted) == {"channel": 2}


async def test_a_token_is_taken_once(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    token = token_of(factory_keys("secret", serial).authentication, serial, 1, 700).hex()
    async with bench.running():
        assert await done(bench, "enter_token", serial, token=token) == {"credit": 700}
        key = await ordered(bench, "enter_token", serial, parameters={"token": token})
        await bench.quiet()
        (item,) = (await bench.http.get(f"/api/orders/{key}")).json()["items"]
        assert (item["state"], item["error_code"]) == ("failed", "7.2")


async def test_firmware_is_a_campaign_that_goes_on_and_can_be_rolled_back(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    for version, octet in (("OPENAMI-METER-2", b"2"), ("OPENAMI-METER-1", b"1")):
        content = base64.b64encode(octet * 5000).decode()
        answer = await bench.http.post("/api/images", json={"version": version, "content": content})
        assert answer.status_code == 200, answer.text
    down = {"kind": "link_down", "transformer": (await street.get("/api/street"))["transformers"][0]["name"]}
    begins = START + timedelta(hours=1)
    async with bench.running():
        key = await ordered(
            bench, "update_firmware", serial, parameters={"image": "OPENAMI-METER-2"}, not_before=begins.isoformat()
        )
        await street.live_until(begins - timedelta(minutes=1))
        await street.fault(**down, **{"from": begins.isoformat(), "to": (begins + timedelta(minutes=30)).isoformat()})
        await street.live_until(begins + timedelta(hours=1, minutes=30))
        found = await outcome(bench, key)
        assert (found["previous"], found["version"]) == ("OPENAMI-METER-1", "OPENAMI-METER-2")
        (item,) = (await bench.http.get(f"/api/orders/{key}")).json()["items"]
        assert item["attempts"] > 1, "the link was down at first"
        back = (await bench.http.post(f"/api/orders/{key}/rollback")).json()["orders"]
        await bench.quiet()
        assert (await outcome(bench, back[0]))["version"] == "OPENAMI-METER-1"


async def test_a_transfer_that_was_killed_goes_on_where_it_stopped(living: Any, monkeypatch: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    image = {"version": "OPENAMI-METER-2", "content": base64.b64encode(b"2" * 5000).decode()}
    assert (await bench.http.post("/api/images", json=image)).status_code == 200
    sent: list[int] = []
    ask = Session.ask

    async def counted(self: Any, query: Any) -> Any:
        request = query.request
        if isinstance(request, ActionRequest) and request.methods[0].class_id == firmware.IMAGE_CLASS:
            block = request.methods[0].method == 2
            if block and len(sent) == 3:
                monkeypatch.setattr(Session, "ask", ask)
                raise asyncio.CancelledError  # what a kill does to the task
            sent.extend([request.methods[0].method] * block)
        return await ask(self, query)

    monkeypatch.setattr(Session, "ask", counted)
    async with bench.running():
        key = await ordered(bench, "update_firmware", serial, parameters={"image": "OPENAMI-METER-2"})
        while len(sent) < 3:  # noqa: ASYNC110 - the killed task tells nobody
            await asyncio.sleep(0.01)
    async with bench.running():
        await street.live_until(START + timedelta(minutes=20))
        found = await outcome(bench, key)
    assert (found["version"], found["blocks_sent"], found["resumed_at"]) == ("OPENAMI-METER-2", 7, 3)


async def test_keys_change_and_the_meter_is_read_with_the_new_ones(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    async with bench.running():
        before = (await done(bench, "read_keys", serial))["keys"]
        changed = await done(bench, "generate_keys", serial)
        assert changed["checks"]["encryption"] != before["encryption"]
        given = {"encryption": bytes(range(16)).hex(), "authentication": bytes(16).hex()}
        await done(bench, "replace_keys", serial, **given)
        assert (await done(bench, "read_alarms", serial)) == {"alarms": 0}
        await street.live_until(START + timedelta(days=1, hours=1))
    async with bench.database.begin() as transaction:
        row = await store.meter_row(transaction, serial)
    assert row is not None
    assert (row.failures, row.sealed_pending_keys) == (0, None)


async def test_keys_that_the_meter_refuses_are_rolled_back(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    async with bench.database.begin() as transaction:
        meter = await store.load_meter(transaction, serial, offset_s=0)
        assert meter is not None
        sealer = bench.head_end.sealer
        kept = json.loads(sealer.open(meter.sealed_keys, context=serial)) | {"key_encryption": bytes(16).hex()}
        wrong = sealer.seal(json.dumps(kept).encode(), context=serial)
        await store.change_meter(transaction, serial, sealed_keys=wrong)
    async with bench.running():
        key = await ordered(bench, "generate_keys", serial)
        await bench.quiet()
        (item,) = (await bench.http.get(f"/api/orders/{key}")).json()["items"]
        assert item["state"] == "failed"
        assert "keeps its old keys" in item["error"]
        assert (await done(bench, "read_alarms", serial)) == {"alarms": 1 << 13}, "it was a fraud attempt"
        events = (await done(bench, "read_system_events", serial))["events"]
        assert [event["kind"] for event in events] == ["keys rolled back"]


async def test_the_mdus_orders_functions_texts_and_load_control_over_the_seam(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    device = contract.ControlledDevice(names=(contract.Name.of(serial),))
    orders: tuple[tuple[str, dict[str, Any]], ...] = (
        ("function", {"action": contract.EndDeviceAction(command='set_limiter {"threshold_w": 4000}')}),
        ("display_text", {"display": contract.PanDisplay(start=START, text="Good day")}),
        ("load_control", {"demand_response": contract.PanDemandResponse(start=START, duration_min=30)}),
        ("clock_sync", {}),
    )
    async with bench.running():
        for number, (name, body) in enumerate(orders):
            control = contract.EndDeviceControl(
                mrid=f"order-{number}", code=contract.control_code(name), devices=(device,), **body
            )
            accepted = await bench.tell(contract.Verb.CREATE, contract.EndDeviceControls((control,)))
            assert accepted.reply.result is contract.Result.OK, accepted.reply
            await bench.quiet()
        bad = contract.EndDeviceControl(
            mrid="bad",
            code=contract.control_code("function"),
            devices=(device,),
            action=contract.EndDeviceAction(command="set_fire"),
        )
        refused = await bench.tell(contract.Verb.CREATE, contract.EndDeviceControls((bad,)))
        assert [error.code for error in refused.reply.errors] == ["2.20"]
        await street.live_until(START + timedelta(hours=1))
    names = [
        event.name
        for message in await bench.sent(contract.Verb.CREATED, "EndDeviceEvents")
        for event in message.payload.events
        if event.detail("function")
    ]
    assert names == ["config.changed", "order.done", "load.reduced", "clock.changed", "load.restored"]
    replies = await bench.sent(contract.Verb.REPLY, "EndDeviceControls")
    assert [reply.reply.result for reply in replies] == [contract.Result.OK] * 4


async def test_an_order_for_later_can_be_taken_back_until_it_is_sent(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    later = START + timedelta(hours=2)
    async with bench.running():
        key = await ordered(bench, "open_relay", serial, not_before=later.isoformat())
        await street.live_until(START + timedelta(hours=1))
        assert (await bench.http.post(f"/api/orders/{key}/cancel")).json()["cancelled"] == 1
        await street.live_until(later + timedelta(hours=1))
        assert (await bench.http.get(f"/api/orders/{key}")).json()["states"] == {"cancelled": 1}
        late = {"function": "open_relay", "serials": [serial], "deadline": START.isoformat()}
        with pytest.raises(BadParametersError):
            await bench.http.post("/api/orders", json=late)


async def test_what_is_said_is_kept_while_debugging_is_on(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    async with bench.running():
        await done(bench, "enable_debugging", serial)
        await done(bench, "read_alarms", serial)
        await done(bench, "disable_debugging", serial)
        await done(bench, "read_alarms", serial)
        sessions = (await done(bench, "read_message_logs", serial))["sessions"]
        traces = [session["trace"] for session in sessions]
        assert [trace is not None for trace in traces][:2] == [False, True]
        assert {line[0] for line in traces[1]} == {">", "<"}
        assert (await done(bench, "delete_answers", serial))["deleted"] > 0


async def test_a_retired_meter_is_not_read_until_it_is_in_use_again(living: Any) -> None:
    bench, street = living
    serial = await prepared(bench, street)
    async with bench.running():
        await bench.quiet()
        await done(bench, "set_lifecycle", serial, status="retired")
        visits = bench.head_end.reader.visits
        await street.live_until(START + timedelta(days=1, hours=1))
        assert bench.head_end.reader.visits == visits
        await done(bench, "set_lifecycle", serial, status="in use")
        await bench.quiet()
        assert bench.head_end.reader.visits > visits
    assert len(await bench.told_wh(serial)) >= 24, "and nothing of the time between is lost"
