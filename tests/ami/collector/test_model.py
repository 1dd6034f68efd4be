from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from openami.ami.collector.model import KeptTelegram, telegram_of
from openami.ami.mbus import Acknowledge, LongFrame, ShortFrame, decode
from openami.ami.meter.slave import telegram_of as slave_telegram_of
from openami.ami.meter.street import MODERN, Kind, build_street

ZONE = "Europe/Amsterdam"


def test_a_gas_telegram_says_who_when_and_how_much(make_telegram) -> None:
    raw = make_telegram(4_567_890, datetime(2026, 7, 1, 10, tzinfo=UTC), status=0x04)
    telegram = telegram_of(decode(raw), raw, ZONE)
    assert telegram is not None
    assert (telegram.mbus_id, telegram.manufacturer, telegram.medium) == ("12345678", "OAM", 3)
    assert (telegram.measured_at, telegram.volume_litres) == (datetime(2026, 7, 1, 10, tzinfo=UTC), 4_567_890)
    assert (telegram.status, telegram.error, telegram.raw) == (4, None, raw)


def test_the_doubled_hour_of_autumn_is_told_apart(make_telegram) -> None:
    hours = [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1)]
    found = [telegram_of(decode(raw), raw, ZONE) for raw in (make_telegram(1, hour) for hour in hours)]
    assert [each.measured_at for each in found if each] == hours


def test_frames_without_data_are_not_kept() -> None:
    assert telegram_of(Acknowledge(), b"\xe5", ZONE) is None
    assert telegram_of(ShortFrame(0x5B, 1), b"", ZONE) is None


def test_a_whole_frame_that_is_not_understood_is_kept_with_the_reason() -> None:
    telegram = telegram_of(LongFrame(8, 1, 0x72, b"\x01"), b"raw", ZONE)
    assert telegram is not None
    assert telegram.volume_litres is None
    assert telegram.error


def test_the_same_bytes_are_the_same_telegram() -> None:
    assert KeptTelegram(b"a").digest == KeptTelegram(b"a", mbus_id="1").digest != KeptTelegram(b"b").digest


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=252))
def test_any_frame_gives_a_telegram_or_a_reason(control: int, address: int, information: int, data: bytes) -> None:
    telegram = telegram_of(LongFrame(control, address, information, data), data, ZONE)
    assert telegram is not None
    assert (telegram.error is None) == (telegram.volume_litres is not None or telegram.energy_wh is not None)


def test_a_heat_telegram_says_energy_and_volume() -> None:
    street = build_street(10, 1, MODERN)
    heat = next(each for each in street.devices if each.kind is Kind.HEAT)
    at = datetime(2026, 7, 1, 10, tzinfo=UTC)
    raw = slave_telegram_of(heat, int(at.timestamp()), 46_520_000, 0, ZONE).octets
    telegram = telegram_of(decode(raw), raw, ZONE)
    assert telegram is not None
    assert (telegram.error, telegram.mbus_id, telegram.measured_at) == (None, heat.mbus_id, at)
    assert (telegram.energy_wh, telegram.volume_litres) == (46_520_000, 1_000_000)
