"""Values over HTTP: explained, proven, edited by two people, summed for a bill; by the names that people use."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from openami.mdus.middle import MdusSettings
from openami.mdus.tables import audit
from openami.shared.audit import verify
from openami.shared.contract import field as cim
from openami.shared.spans import local_day

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

BEARER = {"authorization": "Bearer token"}
HALF_HOUR = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.1800s"].code)
PEAK = [100] * 14 + [300] * 20 + [100] * 14


def delivery(world: Any, home: Any, day: int, values: Sequence[int | None]) -> cim.Envelope:
    begin = int(local_day("Europe/Amsterdam", date(2026, 3, day)).start.timestamp())
    have = np.array([value is not None for value in values])
    starts = begin + np.arange(len(values), dtype=np.int64) * 1800
    numbers = np.array([value or 0 for value in values], np.int64)
    block = cim.IntervalBlock.of(HALF_HOUR, starts[have], 1800, numbers[have])
    one = cim.MeterReading(meter=home.identity, blocks=(block,))
    return cim.event(cim.Verb.CREATED, cim.MeterReadings((one,)), source="AMS1", at=world.clock.now())


@pytest.fixture
def mdus_settings(request: pytest.FixtureRequest) -> MdusSettings:
    return MdusSettings(upload_every=timedelta(), second_person=getattr(request, "param", False))


@pytest.fixture
async def street(world: Any, home: Any) -> Any:
    """A week of one home, with a hole in its last day that has been estimated."""
    await world.office(*home.initialization())
    world.clock.advance_to(datetime(2026, 3, 9, 23, 20, tzinfo=UTC))
    for day in range(2, 9):
        await world.ams(delivery(world, home, day, list(PEAK)), settle=False)
    await world.ams(delivery(world, home, 9, [*PEAK[:20], *[None] * 8, *PEAK[28:]]), settle=False)
    world.clock.advance_to(datetime(2026, 3, 11, 12, tzinfo=UTC))
    await world.settle()
    return world


async def post(world: Any, path: str, expected: int = 200, **body: Any) -> Any:
    answer = await world.client.post(path, json=body, headers=BEARER)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def test_each_value_is_explained_by_what_came_and_what_was_said(street: Any, home: Any) -> None:
    found = await street.api("/api/explain", channel=home.serial, span="2026-03-09")
    assert [one["quality"] for one in found["intervals"][:2]] == ["measured, passed"] * 2
    measured, guessed = found["intervals"][0], found["intervals"][22]
    assert len(measured["delivery"]) == 64
    assert measured["cause"].startswith("created MeterReadings; validated by default 2026.2")
    assert guessed["quality"] == "estimated (E03), passed"
    assert guessed["value"] == 300
    (method,) = (one for one in guessed["fired"] if one["rule"] == "E03")
    assert method["sentence"].startswith("A gap takes")
    assert method["rule_set"].startswith("default 2026.2 ")
    assert method["inputs"]
    assert all(one["rule"] != "E03" for one in measured["fired"])


async def test_a_delivery_whose_bytes_went_by_policy_is_said_so(street: Any, home: Any) -> None:
    found = await street.api("/api/explain", channel=home.serial, span="2026-03-09")
    assert found["forgotten"] == []
    digest = found["intervals"][0]["delivery"]
    street.middle.raw.path_of(digest).unlink()
    again = await street.api("/api/explain", channel=home.serial, span="2026-03-09")
    assert again == found | {"forgotten": [digest]}, "the hash and all that was said stay"


async def test_every_judgement_comes_out_again_bit_for_bit(street: Any, home: Any) -> None:
    found = await street.api("/api/recompute", channel=home.serial, span="2026-03-02/2026-03-10")
    assert len(found["proofs"]) == 9, "seven whole days, and the last one judged and then estimated"
    assert found["equal"]
    told = (await street.api("/api/versions", channel=home.serial, span="2026-03-09"))["versions"]
    assert [(one["version"], one["author"], one["changed"]) for one in told] == [(1, "AMS1", 48), (2, "vee", 8)]


async def test_what_a_bill_is_made_from_and_whether_it_may_be_written(street: Any, home: Any) -> None:
    asked = {"channel": home.serial, "span": "2026-03-02/2026-03-10"}
    found = await street.api(
        "/api/determinants", **asked, tou="peak=mon-fri 07:00-17:00", tiers="20000", demand_s="3600"
    )
    days, peak_days = 8, 6
    assert found["total"] == days * sum(PEAK)
    assert found["estimated"] == 8 * 300
    assert found["buckets"] == {"otherwise": days * sum(PEAK) - peak_days * 6000, "peak": peak_days * 6000}
    assert found["tiers"] == [20_000, days * sum(PEAK) - 20_000]
    assert (found["demand"]["energy"], found["demand"]["at"]) == (600, "2026-03-02T06:00:00Z")
    assert (found["released"], found["not_yet"]) == (True, [])
    strict = await street.api("/api/determinants", **asked, max_estimated_share="0.01")
    assert not strict["released"]
    assert strict["not_yet"] == ["8 of 384 intervals are estimated, 3 may."]
    open_ = await street.api("/api/determinants", channel=home.serial, span="2026-03-09/2026-03-12")
    assert "have no value" in open_["not_yet"][0]


async def test_a_bill_looks_again_at_exactly_what_it_knew(street: Any, home: Any) -> None:
    asked = {"channel": home.serial, "span": "2026-03-09"}
    first = await street.api("/api/determinants", **asked)
    await street.ams(delivery(street, home, 9, [777] * 48))
    now = await street.api("/api/determinants", **asked)
    again = await street.api("/api/determinants", **asked, knowledge=first["knowledge"])
    assert now["total"] == 48 * 777
    assert again == first


async def test_sums_of_channels_losses_and_what_they_take_together(street: Any, home: Any, homes: Any) -> None:
    other = homes(2)
    await street.office(*other.initialization())
    await street.ams(delivery(street, other, 9, [50] * 47 + [90]))
    channels = (await street.api("/api/channels"))["channels"]
    own, child = (
        next(one["channel"] for one in channels if one["interval_s"] and one["device"] == each.device)
        for each in (home, other)
    )
    span = "2026-03-09"
    both = await street.api("/api/determinants", channel=f"{own}+{child}", span=span)
    parts = [sum(PEAK), 47 * 50 + 90]
    assert (both["total"], both["sums"]) == (sum(parts), parts)
    assert both["coincident"]["parts"] == [300, 50]
    losses = await street.api("/api/determinants", channel=f"{own}-{child}", span=span)
    assert losses["losses"] == {"energy": parts[0] - parts[1], "share": round(1 - parts[1] / parts[0], 6)}
    assert losses["total"] == parts[0] - parts[1]


async def test_an_edit_is_previewed_applied_and_undone_and_the_audit_holds(street: Any, home: Any) -> None:
    wanted = {
        "channel": home.serial, "span": "2026-03-09T10:00/2026-03-09T11:00", "action": "set", "values": ["120", "130"],
        "reason": "read by hand", "person": "ann",
    }  # fmt: skip
    cells = (await post(street, "/api/edits/preview", **wanted))["cells"]
    assert [(one["before"], one["after"], one["slot"]) for one in cells] == [(300, 120, 20), (300, 130, 21)]
    made = await post(street, "/api/edits", **wanted)
    assert made["applied"]
    shown = await street.api("/api/explain", channel=home.serial, span=wanted["span"])
    assert [(one["value"], one["quality"]) for one in shown["intervals"]] == [
        (120, "edited, accepted by a person"),
        (130, "edited, accepted by a person"),
    ]
    await post(street, f"/api/edits/{made['edit']}/undo", 422, person="ann", reason="")
    await post(street, f"/api/edits/{made['edit']}/undo", person="ann", reason="the wrong meter")
    shown = await street.api("/api/explain", channel=home.serial, span=wanted["span"])
    assert [one["value"] for one in shown["intervals"]] == [300, 300]
    (kept,) = (await street.api("/api/edits"))["edits"]
    assert (kept["state"], kept["author"], kept["reason"]) == ("undone", "ann", "read by hand")
    async with street.database.read() as tx:
        assert await verify(tx, audit) == 3


@pytest.mark.parametrize("mdus_settings", [True], indirect=True)
async def test_a_second_person_approves_where_the_installation_wants_it(street: Any, home: Any) -> None:
    made = await post(
        street, "/api/edits", channel=home.serial, span="2026-03-09", values=["0"], reason="empty house", person="ann"
    )
    assert not made["applied"]
    refused = await post(street, f"/api/edits/{made['edit']}/approve", 422, person="ann")
    assert "Another person" in refused["hint"]
    await post(street, f"/api/edits/{made['edit']}/approve", person="bob")
    found = await street.api("/api/determinants", channel=home.serial, span="2026-03-09")
    assert found["total"] == 0


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"channel": "nobody", "span": "2026-03-09"}, "UnknownNameError"),
        ({"channel": "99999", "span": "2026-03-09"}, "UnknownNameError"),
        ({"channel": "1+99999", "span": "2026-03-09"}, "UnknownNameError"),
        ({"channel": "SN1", "span": "last week"}, "BadSpanError"),
        ({"channel": "SN1", "span": "2026-13"}, "BadSpanError"),
        ({"channel": "SN1", "span": "2026-03-09/2026-03-08"}, "BadSpanError"),
        ({"channel": "SN1", "span": "2026-03", "tou": "peak=mo-fr 7-23"}, "BadTariffError"),
        ({"channel": "SN1", "span": "2026-03", "tou": "peak=mon 23:00-07:00"}, "BadTariffError"),
        ({"channel": "SN1", "span": "2026-03", "tiers": "0.0001"}, "BadValueError"),
        ({"channel": "SN1", "span": "2026-03", "demand_s": "1000"}, "ShapeError"),
    ],
)
async def test_what_cannot_be_answered_says_why(street: Any, asked: dict[str, str], error: str) -> None:
    answer = await street.client.get("/api/determinants", params=asked, headers=BEARER)
    assert (answer.status_code, answer.json()["error"]) == (422, error)


async def test_the_rules_are_told_with_evidence_and_source(world: Any) -> None:
    told = await world.api("/api/rules", rule_set="california")
    assert [one["id"] for one in told["checks"]][:3] == ["V01", "V02", "V03"]
    (spike,) = (one for one in told["checks"] if one["id"] == "V15")
    assert spike["parameters"]["theta"] == {"value": "1.8", "evidence": "S2", "source": "through UBP 1.4.4"}
