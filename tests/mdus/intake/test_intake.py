"""Files into the series over HTTP: kept, read in batches, refused in part, replayed, found again as what they said."""

from __future__ import annotations

import gzip
import os
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from psycopg import OperationalError
from psycopg.errors import DeadlockDetected
from pyarrow import parquet
from sqlalchemy.exc import DBAPIError

from openami.mdus.flow import Flow
from openami.mdus.intake import handlers
from openami.mdus.intake.drop import TAKEN, DropFolder
from openami.mdus.unify import adapters
from openami.shared.audit import verify

if TYPE_CHECKING:
    import httpx

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

BEARER = {"authorization": "Bearer token"}
VECTORS = Path(__file__).parents[2] / "vectors" / "unify"
HEAD = "100,NEM12,202603010000,SENDER,RECEIVER\n"


def nem12(day: str, values: list[str], *, nmi: str = "NEM1201009", length: int = 30, stream: str = "E1") -> str:
    return f"200,{nmi},{stream},{stream},{stream},N1,,KWH,{length},\n300,{day},{','.join(values)},A,,,20260309000000,\n"


def whole(*parts: str) -> bytes:
    return (HEAD + "".join(parts) + "900\n").encode()


async def upload(world: Any, name: str, body: bytes, **asked: str) -> Any:
    response: httpx.Response = await world.client.post(
        "/api/intake", params={"name": name, **asked}, content=body, headers=BEARER
    )
    assert response.status_code == 202, response.text
    await world.settle()
    return await world.api(f"/api/intake/{response.json()['id']}")


async def kept(world: Any, channel: dict[str, Any], first: str, last: str) -> list[int]:
    span = {"from": f"{first}T00:00:00Z", "to": f"{last}T00:00:00Z"}
    shown = await world.api(f"/api/series/{channel['channel']}", **span)
    return [value for value, quality in zip(shown["values"], shown["qualities"], strict=True) if quality != "empty"]


@pytest.fixture(autouse=True)
def later(clock: Any) -> None:
    clock.advance_to(datetime(2026, 3, 20, tzinfo=UTC))


async def test_a_file_whose_bytes_are_gone_cannot_be_replayed_and_says_why(world: Any) -> None:
    file = await upload(world, "march.csv", whole(nem12("20260301", ["0.5"] * 48)))
    world.middle.raw.path_of(file["digest"]).unlink()
    answer = await world.client.post(f"/api/intake/{file['id']}/replay", json={"person": "ann"}, headers=BEARER)
    assert answer.status_code == 422
    assert "keep_deliveries_days" in answer.text
    assert (await world.api(f"/api/intake/{file['id']}"))["state"] == "done"


async def test_an_unknown_meter_is_refused_with_its_channel_and_comes_in_when_it_may(world: Any) -> None:
    body = whole(nem12("20260301", ["0.5"] * 48), nem12("20260302", ["0.25"] * 48))
    file = await upload(world, "march.csv", body)
    assert (file["state"], file["format"], file["readings"]) == ("done", "nem12", 0)
    assert {one["position"] for one in file["refusals"]} == {"NEM1201009/E1"}
    assert "is registered" in file["refusals"][0]["reason"]
    assert [one["id"] for one in (await world.api("/api/intake", refused="1"))["files"]] == [file["id"]]
    path = f"/api/intake/{file['id']}/replay"
    answer = await world.client.post(path, json={"person": "ann", "register": True}, headers=BEARER)
    assert answer.json()["state"] == "waiting"
    await world.settle()
    file = await world.api(f"/api/intake/{file['id']}")
    assert (file["state"], file["readings"], file["refused"], file["progress"]) == ("done", 96, 0, 1.0)
    (channel,) = (await world.api("/api/channels"))["channels"]
    assert (channel["zone"], channel["interval_s"], channel["unit"]) == ("Etc/GMT-10", 1800, "Wh")
    assert await kept(world, channel, "2026-02-27", "2026-03-05") == [500] * 48 + [250] * 48
    async with world.database.read() as tx:
        from openami.mdus.tables import audit  # noqa: PLC0415

        assert await verify(tx, audit) == 1


async def test_sums_in_the_series_are_those_of_the_dry_run(world: Any) -> None:
    path = VECTORS / "nem12" / "Example_NEM12_substituted_interval.csv"
    told = {one["id"]: one for one in adapters.dry_run(path)["channels"]}
    file = await upload(world, path.name, path.read_bytes(), register="1")
    assert file["refusals"] == []
    assert file["readings"] == sum(one["count"] for one in told.values())
    channels = (await world.api("/api/channels"))["channels"]
    sums = {
        one["device"]: Decimal(sum(await kept(world, one, "2003-07-30", "2003-08-03"))).scaleb(one["scale"] - 3)
        for one in channels
    }
    assert sums == {name: Decimal(str(one["sum"])) for name, one in told.items()}


@pytest.mark.parametrize(("unit", "kept_in", "total"), [("therm", "J", 24 * 105_480_400), ("kWh", "Wh", 24_000)])
async def test_gas_energy_of_a_file_is_registered_and_kept(world: Any, unit: str, kept_in: str, total: int) -> None:
    """A therm is 105 480 400 J by definition."""
    mapping = (
        'name = "gas"\nheader = ["meter", "hour", "energy"]\nzone = "UTC"\n[[series]]\n'
        'meter = [["meter", "SerialNumber"]]\nvalue = "energy"\ntime = "hour"\ninterval_s = 3600\n'
        f'unit = "{unit}"\ncommodity = "gas"\n'
    )
    lines = ["meter,hour,energy", *(f"G1,2026-03-01 {hour:02d}:00:00,1.000" for hour in range(24))]
    file = await upload(world, "gas.csv", "\n".join(lines).encode(), mapping=mapping, register="1")
    assert (file["readings"], file["refusals"]) == (24, [])
    (channel,) = (await world.api("/api/channels"))["channels"]
    assert (channel["obis"], channel["unit"]) == ("7-0:33.29.0", kept_in)
    values = await kept(world, channel, "2026-03-01", "2026-03-02")
    assert Decimal(sum(values)).scaleb(channel["scale"]) == total


async def test_what_is_wrong_with_a_file_does_not_cost_the_rest(world: Any) -> None:
    body = whole(nem12("20260301", ["0.5"] * 48), nem12("20260302", ["0.5"] * 47), nem12("20260303", ["0.5"] * 48))
    file = await upload(world, "holes.csv", body, register="1")
    assert file["readings"] == 96
    (refusal,) = file["refusals"]
    assert refusal["position"] == "line 5"
    assert "the 200 record says 30 minutes" in refusal["reason"]


async def test_five_minutes_and_late_repeated_overlapping_days_in_any_order(world: Any) -> None:
    fives = await upload(world, "5.csv", whole(nem12("20260302", ["0.1"] * 288, length=5)), register="1")
    assert (fives["readings"], fives["refusals"]) == (288, [])
    earlier = whole(nem12("20260301", ["0.2"] * 288, length=5), nem12("20260302", ["0.1"] * 287 + ["0.4"], length=5))
    again = await upload(world, "earlier.csv", earlier, register="1")
    assert again["refusals"] == []
    (channel,) = (await world.api("/api/channels"))["channels"]
    assert await kept(world, channel, "2026-02-27", "2026-03-05") == [200] * 288 + [100] * 287 + [400]
    status = await world.api("/api/status")
    same = await upload(world, "again.csv", earlier, register="1")
    assert (same["id"], same["name"]) == (again["id"], "earlier.csv")
    assert (await world.api("/api/status"))["channel_day_versions"] == status["channel_day_versions"]


async def test_a_killed_process_goes_on_with_the_next_batch(world: Any) -> None:
    lines = [nem12(f"202603{day:02}", ["0.5"] * 48, nmi=f"NMI{n:07}") for n in range(500) for day in (1, 2, 3, 4, 5)]
    body = whole(*lines)
    answer = await world.client.post("/api/intake?name=big.csv&register=1", content=body, headers=BEARER)
    (duty,) = (one for one in world.middle.duties if one.name == "files")
    assert await duty.turn()
    first = await world.api(f"/api/intake/{answer.json()['id']}")
    assert (first["state"], first["batches"]) == ("running", 1)
    assert 0 < first["progress"] < 1
    world.middle.files.close()  # as if the process were new
    await world.settle()
    done = await world.api(f"/api/intake/{answer.json()['id']}")
    assert (done["state"], done["readings"], done["refused"]) == ("done", 500 * 5 * 48, 0)
    assert done["batches"] > 1


@pytest.mark.parametrize("readings_a_part", [0, 50_000])
async def test_a_file_of_known_meters_that_is_half_taken_in_goes_on_as_it_was_begun(
    world: Any, monkeypatch: pytest.MonkeyPatch, readings_a_part: int
) -> None:
    monkeypatch.setattr(handlers, "READINGS_A_PART", readings_a_part)
    meters = [f"NMI{number:07}" for number in range(250)]
    days = [
        whole(*(nem12(f"202603{day:02}", [value] * 48, nmi=one) for one in meters for day in range(1, 10)))
        for value in ("0.5", "0.75")
    ]
    await upload(world, "first.csv", days[0], register="1")
    answer = await world.client.post("/api/intake?name=again.csv", content=days[1], headers=BEARER)
    (duty,) = (one for one in world.middle.duties if one.name == "files")
    assert await duty.turn()
    begun = await world.api(f"/api/intake/{answer.json()['id']}")
    assert (begun["state"], begun["batches"], begun["readings_a_part"]) == ("running", 1, readings_a_part)
    assert 50_000 <= begun["readings"] < 250 * 9 * 48
    world.middle.files.close()
    monkeypatch.setattr(handlers, "READINGS_A_PART", 1)  # another version of us, which would cut otherwise
    await world.settle()
    done = await world.api(f"/api/intake/{answer.json()['id']}")
    assert (done["state"], done["readings"], done["refused"]) == ("done", 250 * 9 * 48, 0)


async def test_files_of_known_meters_go_by_columns_with_the_same_answer(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(
        world, "first.csv", whole(*(nem12(day, ["0.5"] * 48) for day in ("20260301", "20260304"))), register="1"
    )
    by_columns: list[int] = []
    take = Flow.take_columns

    async def counted(self: Flow, tx: Any, columns: Any, *args: Any, **told: Any) -> Any:
        by_columns.append(len(columns))
        return await take(self, tx, columns, *args, **told)

    monkeypatch.setattr(Flow, "take_columns", counted)
    stranger = nem12("20260302", ["0.5"] * 48, nmi="NEM1299999")
    body = whole(nem12("20260302", ["0.25"] * 48), stranger, nem12("20260303", ["0.25"] * 47 + ["x"]))
    file = await upload(world, "second.csv", body)
    assert by_columns == [3]
    assert (file["state"], file["readings"], file["refused"]) == ("done", 48 + 47, 2)
    assert {one["position"].partition(" ")[0] for one in file["refusals"]} >= {"NEM1299999/E1"}
    (channel,) = (await world.api("/api/channels"))["channels"]
    assert await kept(world, channel, "2026-03-02", "2026-03-03") == [250] * 48


def deadlock() -> DBAPIError:
    return DBAPIError("UPDATE", {}, DeadlockDetected("deadlock detected"))


async def test_a_batch_that_loses_a_deadlock_is_taken_once_more(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [deadlock(), deadlock()]
    take = Flow.take

    async def unlucky(self: Flow, *args: Any, **asked: Any) -> Any:
        taken = await take(self, *args, **asked)
        if failures:
            raise failures.pop()
        return taken

    monkeypatch.setattr(Flow, "take", unlucky)
    monkeypatch.setattr(handlers, "PAUSES_S", (0.0, 0.0))
    file = await upload(world, "a.csv", whole(nem12("20260301", ["0.5"] * 48)), register="1")
    assert (file["state"], file["readings"], file["refused"], failures) == ("done", 48, 0, [])


async def test_a_batch_that_always_fails_is_refused_in_the_end(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[int] = []

    async def hopeless(*_: Any, **__: Any) -> Any:
        attempts.append(1)
        raise deadlock()

    monkeypatch.setattr(Flow, "take", hopeless)
    monkeypatch.setattr(handlers, "PAUSES_S", (0.0, 0.0))
    file = await upload(world, "a.csv", whole(nem12("20260301", ["0.5"] * 48)), register="1")
    assert (file["state"], file["readings"], file["refused"], len(attempts)) == ("done", 0, 1, 3)
    assert "deadlock" in file["refusals"][0]["reason"]


async def test_a_lost_connection_refuses_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body = whole(nem12("20260301", ["0.5"] * 48))
    answer = await world.client.post("/api/intake?name=a.csv&register=1", content=body, headers=BEARER)
    (duty,) = (one for one in world.middle.duties if one.name == "files")

    async def gone(*_: Any, **__: Any) -> Any:
        raise DBAPIError("UPDATE", {}, OperationalError("the connection is lost"), connection_invalidated=True)

    with monkeypatch.context() as patch:
        patch.setattr(Flow, "take", gone)
        with pytest.raises(DBAPIError, match="connection is lost"):
            await duty.turn()
    await world.settle()
    file = await world.api(f"/api/intake/{answer.json()['id']}")
    assert (file["state"], file["readings"], file["refused"]) == ("done", 48, 0)


async def test_a_file_that_nobody_reads_waits_for_its_mapping(world: Any) -> None:
    body = b"when;meter;kWh\n" + b"".join(b"2026-03-01 %02d:00;M7;1.25\n" % hour for hour in range(24))
    file = await upload(world, "house.csv", body)
    assert file["state"] == "refused"
    assert "no format that is known" in file["reason"]
    mapping = (
        'name = "house"\ndelimiter = ";"\nheader = ["when", "meter", "kWh"]\nzone = "Europe/Amsterdam"\n'
        '[[series]]\nmeter = [["meter", "SerialNumber"]]\nvalue = "kWh"\nunit = "KWH"\ntime = "when"\n'
        'format = "%Y-%m-%d %H:%M"\ninterval_s = 3600\n'
    )
    again = await upload(world, "house.csv", body, mapping=mapping, register="1")
    assert (again["id"], again["state"], again["format"]) == (file["id"], "done", "house")
    assert (again["readings"], again["refusals"]) == (24, [])
    device = await world.api("/api/devices/M7")
    assert device["material"] == "FROM FILE"


async def test_compressed_and_packed_files_come_out_the_same(world: Any, tmp_path: Path) -> None:
    plain = whole(nem12("20260301", ["0.5"] * 48, nmi="A000000001"))
    assert (await upload(world, "a.csv.gz", gzip.compress(plain), register="1"))["readings"] == 48
    archive = tmp_path / "b.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("b.csv", plain.replace(b"A000000001", b"B000000001"))
        made.writestr("readme.txt", "not for machines")
    zipped = await upload(world, "b.zip", archive.read_bytes(), register="1")
    assert zipped["readings"] == 48
    assert [one["position"] for one in zipped["refusals"]] == ["readme.txt"]
    packed = tmp_path / "c.parquet"
    columns = {
        "meter": ["C1"], "reading_type": ["0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"],
        "start": [int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())], "interval_s": [900], "scale": [0],
        "values": [np.arange(96).tolist()],
    }  # fmt: skip
    parquet.write_table(pa.table(columns), packed)
    taken = await upload(world, "c.parquet", packed.read_bytes(), register="1")
    assert (taken["readings"], taken["refusals"]) == (96, [])
    assert len((await world.api("/api/channels"))["channels"]) == 3


async def test_an_archive_of_two_formats_is_replayed_as_both(world: Any, tmp_path: Path) -> None:
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("one.csv", whole(nem12("20260301", ["0.5"] * 48)))
        made.write(VECTORS / "headend" / "sensus_cmep_mepmd01.dat", "two.dat")
    first = await upload(world, "two.zip", archive.read_bytes())
    assert (first["format"], first["readings"]) == ("cmep", 0)
    path = f"/api/intake/{first['id']}/replay"
    await world.client.post(path, json={"person": "ann", "register": True}, headers=BEARER)
    await world.settle()
    again = await world.api(f"/api/intake/{first['id']}")
    assert again["refusals"] == []
    assert again["readings"] > 48


async def test_dial_values_of_a_file_become_registers(world: Any) -> None:
    path = VECTORS / "headend" / "sensus_cmep_mepmd01.dat"
    file = await upload(world, path.name, path.read_bytes(), register="1", zone="America/New_York")
    told = adapters.dry_run(path)["channels"]
    channels = (await world.api("/api/channels"))["channels"]
    assert {(one["unit"], one["interval_s"]) for one in channels} == {("US gal", 0)}
    assert len(channels) == len(told)
    assert file["refusals"] == []
    assert file["readings"] == sum(one["count"] for one in told)


async def test_registers_of_nem13_are_kept_as_registers(world: Any) -> None:
    path = VECTORS / "nem12" / "Example_NEM13_consumption_data.csv"
    file = await upload(world, path.name, path.read_bytes(), register="1")
    assert file["refusals"] == []
    (channel,) = (await world.api("/api/channels"))["channels"]
    assert (channel["interval_s"], channel["obis"]) == (0, "1-0:1.8.0")
    span = {"from": "2000-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}
    shown = await world.api(f"/api/registers/{channel['channel']}", **span)
    assert (shown["values"], file["readings"]) == ([6_342_800, 7_654_900], 2)


async def test_periods_that_lie_on_no_grid_are_refused_with_their_own_length(world: Any) -> None:
    path = VECTORS / "greenbutton" / "gas_direct.xml"
    world.clock.advance_to(datetime(2026, 4, 2, tzinfo=UTC))
    file = await upload(world, path.name, path.read_bytes(), register="1")
    assert (file["state"], file["readings"]) == ("done", 0)
    first = file["refusals"][0]
    assert first["position"] == "/v1/User/1234567890/UsagePoint/NET_USAGE/MeterReading/1"
    assert "5 consumptions of periods of no fixed length, the first from 2021-05-26T00:00:00Z" in first["reason"]


async def test_a_file_of_days_is_kept_by_days_also_where_the_clocks_change(world: Any) -> None:
    world.clock.advance_to(datetime(2026, 4, 2, tzinfo=UTC))
    mapping = (
        'name = "days"\nheader = ["when", "meter", "kWh"]\nzone = "Europe/Amsterdam"\n'
        '[[series]]\nmeter = [["meter", "SerialNumber"]]\nvalue = "kWh"\nunit = "KWH"\ntime = "when"\n'
        'format = "%Y-%m-%d"\ninterval_s = 86400\n'
    )
    body = "when,meter,kWh\n" + "".join(f"2026-03-{day},D7,{day}.5\n" for day in range(27, 32))
    file = await upload(world, "days.csv", body.encode(), mapping=mapping, register="1", zone="Europe/Amsterdam")
    assert (file["readings"], file["refusals"]) == (5, [])
    (channel,) = (await world.api("/api/channels"))["channels"]
    assert channel["interval_s"] == 86_400
    assert await kept(world, channel, "2026-03-20", "2026-04-02") == [day * 1000 + 500 for day in range(27, 32)]


async def test_mscons_days_and_readings_are_kept_as_what_they_are_and_months_refused(world: Any) -> None:
    world.clock.advance_to(datetime(2026, 4, 2, tzinfo=UTC))
    times = "DTM+163:{}?+00:303'DTM+164:{}?+00:303'".format
    lines = [
        "LIN+1'PIA+5+1-1?:1.29.0:SRW'",
        "QTY+220:24:KWH'" + times("202603272300", "202603282300"),
        "QTY+220:23:KWH'" + times("202603282300", "202603292200"),
        "QTY+220:700:KWH'" + times("202601312300", "202602282300"),
        "LIN+2'PIA+5+1-1?:1.8.0:SRW'QTY+220:5000.5:KWH'DTM+9:202603292200?+00:303'",
    ]
    head = "UNB+UNOC:3+A:500+B:500+260330:0430+1'UNH+1+MSCONS:D:04B:UN:2.4c'BGM+7+1+9'UNS+D'NAD+DP'LOC+172+CH1'"
    file = await upload(
        world, "days.txt", (head + "".join(lines) + "UNT+9+1'UNZ+1+1'").encode(), register="1", zone="Europe/Berlin"
    )
    (refused,) = file["refusals"]
    assert (file["readings"], refused["position"]) == (3, "segment 9, CH1/1-1:1.29.0")
    assert "1 consumptions of periods of no fixed length" in refused["reason"]
    by_length = {one["interval_s"]: one for one in (await world.api("/api/channels"))["channels"]}
    assert await kept(world, by_length[86_400], "2026-03-20", "2026-04-01") == [24_000, 23_000]
    span = {"from": "2026-03-20T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
    register = await world.api(f"/api/registers/{by_length[0]['channel']}", **span)
    assert (register["values"], register["obis"]) == ([5_000_500], "1-0:1.8.0")


async def test_a_day_of_23_hours_of_a_file_is_whole(world: Any) -> None:
    """The clocks of Amsterdam change on 29 March 2026; NEM time does not."""
    world.clock.advance_to(datetime(2026, 4, 2, tzinfo=UTC))
    body = whole(*(nem12(f"202603{day}", ["0.5"] * 48) for day in (28, 29, 30, 31)))
    file = await upload(world, "dst.csv", body, register="1", zone="Europe/Amsterdam")
    assert (file["readings"], file["refusals"]) == (4 * 48, [])
    found = await world.api("/api/determinants", channel="NEM1201009/E1", span="2026-03-29")
    assert (found["intervals"], found["missing"], found["total"]) == (46, 0, 23_000)


async def test_an_estimate_gives_way_to_a_late_file(world: Any) -> None:
    days = [nem12(f"202603{day:02}", ["0.5"] * 48) for day in range(2, 16)]
    late = nem12("20260309", ["0.75"] * 48)
    await upload(world, "gap.csv", whole(*days[:7], *days[8:]), register="1")
    async with world.database.begin() as tx:
        await world.middle.vee.estimate_due(tx, datetime(2026, 3, 15, tzinfo=UTC).date(), world.clock.now())
    asked = {"channel": "NEM1201009/E1", "span": "2026-03-09"}
    assert (await world.api("/api/determinants", **asked))["estimated"] == 24_000
    await upload(world, "late.csv", whole(late))
    found = await world.api("/api/determinants", **asked)
    assert (found["estimated"], found["measured"]) == (0, 36_000)
    told = (await world.api("/api/versions", **asked))["versions"]
    assert [one["author"] for one in told] == ["vee", "upload"]


async def test_meters_of_the_back_office_are_left_as_they_are(world: Any, home: Any) -> None:
    await world.office(*home.initialization())
    before = await world.api(f"/api/devices/{home.device}")
    body = whole(nem12("20260301", ["0.5"] * 48, nmi=home.serial, length=30))
    file = await upload(world, "known.csv", body, register="1")
    assert file["refusals"] == []
    assert file["readings"] == 48
    assert (await world.api(f"/api/devices/{home.device}"))["registers"] == before["registers"]


@pytest.mark.parametrize("asked", ["format=klingon", "zone=Mars/Crater", "mapping=%5B"])
async def test_what_cannot_be_asked_is_refused_before_the_file_comes(world: Any, asked: str) -> None:
    answer = await world.client.post(f"/api/intake?name=x&{asked}", content=b"x", headers=BEARER)
    assert answer.status_code == 422
    assert (await world.api("/api/intake"))["files"] == []


async def test_empty_uploads_and_unknown_numbers_are_told(world: Any) -> None:
    answer = await world.client.post("/api/intake?name=x", content=b"", headers=BEARER)
    assert (answer.status_code, answer.json()["error"]) == (422, "EmptyFileError")
    assert (await world.client.get("/api/intake/99", headers=BEARER)).status_code == 404
    assert (await world.client.post("/api/intake/99/replay", json={}, headers=BEARER)).status_code == 404
    assert list(world.middle.spool.iterdir()) == []


async def test_the_drop_folder_takes_complete_files_and_puts_them_away(world: Any, tmp_path: Path) -> None:
    middle = world.middle
    folder = tmp_path / "drop"
    drop = DropFolder(folder, middle.spool, world.database, middle.files, True, middle.wake_all)
    assert await drop.look() == []
    growing, body = folder / "march.csv", whole(nem12("20260301", ["0.5"] * 48))
    (folder / "later.csv.part").write_bytes(body)
    growing.write_bytes(body[:50])
    assert await drop.look() == [], "seen for the first time"
    growing.write_bytes(body)
    os.utime(growing, ns=(1, 1))
    assert await drop.look() == [], "it has grown"
    assert await drop.look() == ["march.csv"]
    await world.settle()
    (file,) = (await world.api("/api/intake"))["files"]
    assert (file["source"], file["readings"], file["state"]) == ("drop folder", 48, "done")
    assert sorted(one.name for one in folder.iterdir()) == ["later.csv.part", TAKEN]
    growing.write_bytes(body + b"\n")
    await drop.look()
    await drop.look()
    assert sorted(one.name for one in (folder / TAKEN).iterdir()) == ["2-march.csv", "march.csv"]
