"""Virtual channels and reference data over HTTP: defined, seen, billed, explained, followed; and refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import select

from openami.mdus.tables import audit
from openami.shared.audit import verify
from openami.shared.contract import field as cim
from openami.shared.spans import local_day

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

HALF_HOUR = cim.ReadingTypeCode.parse(cim.reading_type_table()["electricity.delivered.1800s"].code)
BEARER = {"authorization": "Bearer token"}
DAYS = (date(2026, 3, 1), date(2026, 3, 2))


async def post(world: Any, path: str, body: dict[str, Any]) -> Any:
    return await world.client.post(path, json={"person": "ann", "reason": "billing"} | body, headers=BEARER)


@pytest.fixture
async def street(world: Any, homes: Callable[..., Any]) -> tuple[Any, list[int]]:
    """Three homes with two days of values: 100, 200 and 400 in each half-hour; the third lacks one."""
    pair = [homes(number) for number in (1, 2, 3)]
    for home in pair:
        await world.office(*home.initialization())
    world.clock.advance_to(datetime(2026, 3, 2, 23, 20, tzinfo=UTC))
    readings = []
    for home, value in zip(pair, (100, 200, 400), strict=True):
        for day in DAYS:
            starts = int(local_day("Europe/Amsterdam", day).start.timestamp()) + np.arange(48, dtype=np.int64) * 1800
            block = cim.IntervalBlock.of(HALF_HOUR, starts, 1800, np.full(48, value))
            if value == 400 and day == DAYS[0]:
                block = cim.IntervalBlock.of(HALF_HOUR, starts[1:], 1800, np.full(47, value))
            readings.append(cim.MeterReading(meter=home.identity, blocks=(block,)))
    await world.ams(
        cim.event(cim.Verb.CREATED, cim.MeterReadings(tuple(readings)), source="AMS1", at=world.clock.now())
    )
    found = (await world.api("/api/channels"))["channels"]
    by_device = {one["device"].lstrip("0"): one["channel"] for one in found if one["interval_s"]}
    return world, [by_device[home.device.lstrip("0")] for home in pair]


async def test_a_name_is_billed_and_explained_like_a_channel(street: tuple[Any, list[int]]):
    world, (one, two, three) = street
    answer = await post(world, "/api/virtual", {"name": "street", "terms": f"{one}+{two}", "from": "2026-03-01"})
    assert answer.status_code == 200, answer.text
    await post(world, "/api/virtual", {"name": "half.net", "terms": f"0.5*{three}-street", "from": "2026-03-01"})
    bill = await world.api("/api/determinants", channel="street", span="2026-03-01/2026-03-03")
    assert (bill["total"], bill["intervals"], bill["missing"], bill["virtual"]) == (2 * 48 * 300, 96, 0, "street")
    assert bill["coincident"]["energy"] == 300
    net = await world.api("/api/determinants", channel="half.net", span="2026-03-02")
    assert net["total"] == -48 * 100
    gap = await world.api("/api/explain", channel="half.net", span="2026-03-01")
    assert gap["intervals"][0]["quality"] == "empty", "a value has as many parts as it needs, or is none"
    assert gap["intervals"][1]["quality"] == "derived, passed"
    parts = {part["channel"]: (part["factor"], part["value"]) for part in gap["intervals"][1]["parts"]}
    assert parts == {one: ("-1", 100), two: ("-1", 200), three: ("0.5", 400)}


async def test_from_a_day_on_it_stands_for_something_else_and_a_bill_as_of_then_does_not(
    street: tuple[Any, list[int]],
):
    world, (one, two, three) = street
    await post(world, "/api/virtual", {"name": "street", "terms": f"{one}+{two}", "from": "2026-03-01"})
    before = await world.api("/api/determinants", channel="street", span="2026-03-01/2026-03-03")
    await post(world, "/api/virtual", {"name": "street", "terms": f"{one}+{three}", "from": "2026-03-02"})
    after = await world.api("/api/determinants", channel="street", span="2026-03-01/2026-03-03")
    assert after["total"] == 48 * 300 + 48 * 500
    asked = {"channel": "street", "span": "2026-03-01/2026-03-03", "knowledge": before["knowledge"]}
    assert (await world.api("/api/determinants", **asked))["total"] == before["total"]
    (listed,) = (await world.api("/api/virtual"))["virtual"]
    assert [each["terms"] for each in listed["definitions"]] == [f"{one}+{two}", f"{one}+{three}"]
    assert (await world.client.put("/api/changes/lake", headers=BEARER)).status_code == 200
    changes = (await world.api("/api/changes/lake"))["changes"]
    names = {(each["channel"], each["day"]): each["virtual"] for each in changes}
    assert names[two, "2026-03-01"] == ["street"]
    assert names[two, "2026-03-02"] == []


async def test_a_definition_is_previewed_ended_and_undone(street: tuple[Any, list[int]]):
    """Nothing is kept by a preview; undoing twice is doing it again; all of it is in the audit."""
    world, (one, two, _) = street
    both = {"name": "street", "terms": f"{one}+{two}", "from": "2026-03-01"}
    preview = (await post(world, "/api/virtual/preview", both)).json()
    assert (preview["day"], preview["now"]) == ("2026-03-02", {"terms": "", "total": None, "missing": None})
    assert preview["then"] == {"terms": f"{one}+{two}", "total": 48 * 300, "missing": 0, "unit": "Wh", "scale": 0}
    assert [(member["channel"], member["factor"]) for member in preview["members"]] == [(one, "1"), (two, "1")]
    assert (await world.api("/api/virtual"))["virtual"] == []
    await post(world, "/api/virtual", both)
    await world.later(timedelta(minutes=1))
    end = {"name": "street", "terms": "", "from": "2026-03-02"}
    assert (await post(world, "/api/virtual/preview", end)).json()["then"]["total"] is None
    await post(world, "/api/virtual", end)
    stands: list[str | None] = []
    for _ in range(3):
        (listed,) = (await world.api("/api/virtual"))["virtual"]
        stands.append(listed["now"] and listed["now"]["terms"])
        await world.later(timedelta(minutes=1))
        assert (await post(world, "/api/virtual/street/undo", {"reason": "mistaken"})).status_code == 200
    assert stands == [None, f"{one}+{two}", None]
    async with world.database.read() as tx:
        rows = (await tx.execute(select(audit.c.action, audit.c.reason).order_by(audit.c.sequence))).all()
        assert await verify(tx, audit) == len(rows)
    acts = [tuple(row) for row in rows if row[0].startswith("virtual")]
    assert acts == [("virtual channel defined", "billing")] * 2 + [("virtual channel undone", "mistaken")] * 3
    refused = await post(world, "/api/virtual/nobody/undo", {"reason": "mistaken"})
    assert (refused.status_code, "Nobody defined" in refused.text) == (422, True)
    assert (await post(world, "/api/virtual/street/undo", {"person": " "})).status_code == 422


async def test_losses_of_a_transformer_against_a_street(street: tuple[Any, list[int]]):
    """W38 and W39 by a day: what is fed in behind it counts for it, and a loss that is known is none."""
    world, (one, two, three) = street
    await post(world, "/api/virtual", {"name": "behind", "terms": f"1.02*{one}+1.02*{two}"})
    asked = {"channel": f"0.8*{three}-behind", "span": "2026-03-02"}
    bill = await world.api("/api/determinants", **asked)
    assert bill["losses"] == {"energy": 48 * 14, "share": 14 / 320}
    assert (bill["total"], bill["virtual"]) == (48 * 14, asked["channel"])
    factors = {member["channel"]: member["factor"] for member in bill["members"]}
    assert factors == {three: "0.8", one: "-1.02", two: "-1.02"}
    cells = (await world.api("/api/explain", **asked))["intervals"]
    assert {cell["value"] for cell in cells} == {14}
    with_export = await world.api("/api/determinants", channel=f"{three}-2.5*{two}+{one}", span="2026-03-02")
    assert with_export["losses"] == {"energy": 0, "share": 0.0}
    gap = await world.api("/api/determinants", channel=f"{three}-{one}", span="2026-03-01")
    assert (gap["missing"], gap["losses"]) == (1, {"energy": 47 * 300, "share": 0.75}), "where both have values"
    assert "losses" not in await world.api("/api/determinants", channel=f"{one}+{two}", span="2026-03-02")
    assert "losses" not in await world.api("/api/determinants", channel=f"-{one}+{two}", span="2026-03-02")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{one}+999999", "There is no channel 999999"),
        ("{register}-{one}", "is a register"),
        ("{one}-strete", "openami virtual list"),
        ("{one}*x", "openami virtual list"),
    ],
    ids=["a channel that is not there", "a register", "a name that nobody defined", "no sum"],
)
async def test_a_sum_that_cannot_be_is_refused(street: tuple[Any, list[int]], text: str, words: str):
    world, (one, *_) = street
    channels = (await world.api("/api/channels"))["channels"]
    register = next(each["channel"] for each in channels if not each["interval_s"])
    asked = {"channel": text.format(one=one, register=register), "span": "2026-03-02"}
    answer = await world.client.get("/api/determinants", params=asked, headers=BEARER)
    assert answer.status_code in {404, 422}
    assert words in answer.text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "a", "terms": "a"}, "contain itself"),
        ({"name": "a", "terms": "999999"}, "999999"),
        ({"name": "a", "terms": "1", "person": ""}, "Nobody is named"),
        ({"name": "a", "terms": "", "reason": " "}, "needs a reason"),
        ({"name": "a", "terms": "1", "from": "soon"}, "is no day"),
        ({"name": "a", "terms": "1", "purpose": "check"}, "A purpose needs a channel"),
        ({"name": "a", "terms": "1", "purpose": "love", "of": "1"}, "is no purpose"),
    ],
)
async def test_what_cannot_be_is_refused(world: Any, body: dict[str, Any], words: str):
    answer = await post(world, "/api/virtual", body)
    assert answer.status_code in {404, 422}, answer.text
    assert words in answer.text


async def test_reference_data_are_loaded_whole_or_not_at_all(world: Any):
    path = "/api/reference/holiday"
    wrong = await world.client.post(
        path, params={"person": "ann"}, content=b"day,zone\n2026-04-06,\nsoon,\n", headers=BEARER
    )
    assert (wrong.status_code, "Line 3" in wrong.text) == (422, True)
    assert (await world.api("/api/reference"))["reference"] == []
    right = await world.client.post(path, params={"person": "ann"}, content=b"day,zone\n2026-04-06,\n", headers=BEARER)
    assert right.json() == {"kind": "holiday", "rows": 1}
    (known,) = (await world.api("/api/reference"))["reference"]
    assert (known["kind"], known["days"], known["first"]) == ("holiday", 1, "2026-04-06")
    nobody = await world.client.post(path, content=b"day,zone\n", headers=BEARER)
    assert nobody.status_code == 422
