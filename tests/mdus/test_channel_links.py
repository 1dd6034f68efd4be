"""How a channel of the registry is judged: rule set and class by its profile or medium, rating and rollover."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from openami.mdus.channel_links import Judging, series_channel
from openami.mdus.registry.channels import Channel
from openami.mdus.registry.ids import DeviceId, TaskId
from openami.mdus.registry.model import Device, DeviceMaster, Register
from openami.mdus.registry.slices import OPEN_DATE, OPEN_INSTANT, Period
from openami.shared.spans import Span

ALWAYS = Period(date(2026, 1, 1), OPEN_DATE)
SPAN = Span(datetime(2026, 1, 1, tzinfo=UTC), OPEN_INSTANT)


def device(profile: str, obis: str = "1-0:1.29.0") -> Device:
    register = Register(TaskId("T"), ALWAYS, obis, "KWH", validation_profile=profile)
    return Device(DeviceId("D"), DeviceMaster("S", "M", ALWAYS), registers=(register,))


def channel(obis: str = "1-0:1.29.0", **more: object) -> Channel:
    usual: dict[str, object] = {"unit": "Wh", "scale": 0, "interval_s": 900, "zone": "Europe/Amsterdam", "span": SPAN}
    return Channel(id=1, device=DeviceId("D"), task=TaskId("T"), obis=obis, **(usual | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("profile", "obis", "unit", "judged"),
    [
        ("", "1-0:1.29.0", "Wh", ("ontario", "residential", 55_200)),
        ("california", "1-0:1.29.0", "Wh", ("california", "residential", 55_200)),
        ("Aemo/Commercial", "1-0:1.29.0", "Wh", ("aemo", "commercial", None)),
        ("industrial", "1-0:1.29.0", "Wh", ("ontario", "industrial", None)),
        ("ZB07", "7-0:3.29.0", "m3", ("ontario", "gas", 6_000)),
        ("", "7-0:33.29.0", "Wh", ("ontario", "gas", None)),
        ("", "8-0:1.29.0", "m3", ("ontario", "water", 3_125)),
        ("", "9-0:1.29.0", "m3", ("ontario", "water", 3_125)),
        ("", "6-0:1.29.0", "Wh", ("ontario", "heat", 116_300)),
    ],
)
def test_profile_medium_and_installation_say_how_a_channel_is_judged(
    profile: str, obis: str, unit: str, judged: tuple[str, str, int | None]
) -> None:
    """A gas meter is rated in litres: what energy flows through it is not bounded by that number."""
    made = series_channel(channel(obis, unit=unit), device(profile, obis), {}, Judging("ontario"))
    assert (made.rule_set, made.kind, made.rating_w) == judged


def test_an_interval_channel_knows_where_its_register_begins_anew() -> None:
    register = channel("1-0:1.8.0", interval_s=0, rollover=10**8, step=1000)
    made = series_channel(channel(register=1), device(""), {1: register})
    assert (made.register, made.modulus, made.register_step) == (1, 10**8, 1000)
    assert series_channel(register, device(""), {}).modulus == 10**8


def test_net_energy_may_be_negative() -> None:
    assert series_channel(channel("1-0:16.29.0"), device(""), {}).net
    assert not series_channel(channel(), device(""), {}).net
