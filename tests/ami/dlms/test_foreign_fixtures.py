"""Telegrams whose licence lets us read but not copy them: they are read where they lie, or the tests are skipped."""

from __future__ import annotations

import json
import os
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from openami.ami.dlms.acse import decode_aarq
from openami.ami.dlms.apdu import decode_apdu, encode_apdu
from openami.ami.dlms.hdlc import FrameReader, PushReader
from openami.ami.dlms.hdlc.link import LLC_REQUEST
from openami.ami.dlms.push import Listener, Push
from openami.ami.dlms.security import Ciphering, Keys, SecurityControl
from openami.ami.dlms.wrapper import WrapperFrame

FIXTURES = Path(os.environ.get("OPENAMI_FIXTURES", "../shared/fixtures")) / "dlms"
pytestmark = pytest.mark.skipif(not FIXTURES.exists(), reason="the foreign fixtures are not on this machine")


def rows(name: str) -> list[dict[str, Any]]:
    path = FIXTURES / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


SWISS = rows("swiss_push_frames_smartmeter-datacollector.jsonl")
REQUESTS = rows("client_requests_generated_by_gurux.jsonl")


def heard(row: dict[str, Any]) -> list[Push]:
    reader, listener, pushes = PushReader(), Listener(), []
    for frame in row["hdlc_frames_hex"]:
        reader.receive(bytes.fromhex(frame))
        while (apdu := reader.next_apdu()) is not None:
            push = listener.take(apdu)
            if push is not None:
                pushes.append(push)
    return pushes


@pytest.mark.parametrize(
    "row", [row for row in SWISS if "UNENCRYPTED" in row["name"]], ids=lambda row: row["meter"] + row["name"]
)
def test_swiss_pushes_say_themselves_what_they_hold(row: dict[str, Any]) -> None:
    pushes = heard(row)
    # the one that is called invalid lacks a block
    assert bool(pushes) != row["name"].endswith("INVALID_DATA")
    for push in pushes:
        assert all(value.class_id is not None for value in push.values)
        numbers = [value.number for value in push.values if value.obis.octets[3] == 8]
        assert all(number is not None for number in numbers)
    for expected in row["expected_by_upstream_tests"]:
        texts = [value.value.text() for value in pushes[0].values if isinstance(value.value.value, bytes)]
        assert expected["source"] in texts
        # the clock among the values, or the time of the message where there is none
        clocks = [value.value.date_time() for value in pushes[0].values if value.class_id == 8]
        time = clocks[0] if clocks else pushes[0].notification.time
        assert time is not None
        assert f"{time.instant(zone=UTC):%m/%d/%y %H:%M:%S}" == expected["timestamp_local"]


@pytest.mark.parametrize(
    "row", [row for row in REQUESTS if "plain_apdu_hex" in row], ids=lambda row: f"{row['security']}-{row['op']}"
)
def test_what_a_foreign_client_ciphered_opens_to_the_same_octets(row: dict[str, Any]) -> None:
    title = bytes.fromhex(row["client_system_title"])
    keys = Keys(bytes.fromhex(row["gek"]), bytes.fromhex(row["gak"]), suite=row["suite"])
    bits = {"AUTHENTICATION": 0x10, "ENCRYPTION": 0x20, "AUTHENTICATION_ENCRYPTION": 0x30}[row["security"]]
    meter = Ciphering(b"MTR00001", keys, peer_title=title, control=SecurityControl(bits))
    frames = zip(row["frames_hex"], row["plain_apdu_hex"], strict=True)
    for frame, expected in frames:
        apdu = WrapperFrame.decode(bytes.fromhex(frame)).apdu
        if row["op"] == "AARQ":
            _, apdu = decode_aarq(apdu)
        plain, protected = meter.unprotect(apdu)
        assert protected
        assert plain.hex() == expected


@pytest.mark.parametrize(
    "row",
    [row for row in REQUESTS if row["security"] == "NONE" and row["op"] in ("GET", "GET-entries", "ACTION")],
    ids=lambda row: f"{row['framing']}-{row['op']}-{row['note']}",
)
def test_what_a_foreign_client_asks_is_read_and_written_alike(row: dict[str, Any]) -> None:
    for text in row["frames_hex"]:
        octets = bytes.fromhex(text)
        if row["framing"] == "HDLC":
            reader = FrameReader()
            reader.receive(octets)
            frame = reader.next_frame()
            assert frame is not None
            assert frame.information[:3] == LLC_REQUEST
            apdu = frame.information[3:]
        else:
            apdu = WrapperFrame.decode(octets).apdu
        assert encode_apdu(decode_apdu(apdu), from_client=True) == apdu
