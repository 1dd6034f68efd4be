"""`openami ingest` and its companions against a real middle: what a person sees, what a program reads."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from openami.cli_mdus import connect, edits, files, values, vee
from openami.cli_mdus.connect import Mdus, RefusedError
from openami.mdus.vee import inspections
from openami.mdus.vee.model import Finding
from openami.shared.quality import Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

NEM12 = "100,NEM12,202603010000,A,B\n200,NMI0000001,E1,E1,E1,N1,,KWH,30,\n300,20260301,{},A,,,20260309000000,\n900\n"


@pytest.fixture
async def mdus(world: Any) -> AsyncIterator[Mdus]:
    """The middle at work, as a command reaches it."""
    world.clock.advance_to(datetime(2026, 3, 20, tzinfo=UTC))
    world.client.headers["authorization"] = "Bearer token"
    (duty,) = (one for one in world.middle.duties if one.name == "files")
    working = asyncio.create_task(duty.run())
    yield Mdus(world.client)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    world.middle.files.close()


@pytest.fixture
def march(tmp_path: Path) -> Path:
    path = tmp_path / "march.csv"
    path.write_text(NEM12.format(",".join(["0.5"] * 48)))
    return path


def command(monkeypatch: pytest.MonkeyPatch, mdus: Mdus, function: Any, *args: Any, **asked: Any) -> Any:
    """Run a command as typer does, in a thread of its own, its conversation on the loop of the middle."""
    loop = asyncio.get_running_loop()

    @asynccontextmanager
    async def connected(_settings: Any) -> AsyncIterator[Mdus]:
        yield mdus

    monkeypatch.setattr(connect, "connected", connected)
    monkeypatch.setattr(connect, "run", lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(60))
    return asyncio.to_thread(function, *args, **asked)


async def test_a_file_is_sent_followed_and_told(
    mdus: Mdus, march: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await command(monkeypatch, mdus, files.ingest, [march.parent], as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["file"], told["readings"], told["refused"]) == (str(march), 0, 1)
    assert told["refusals"][0]["position"] == "NMI0000001/E1"
    await command(monkeypatch, mdus, files.quarantine, as_json=True)
    assert [one["id"] for one in json.loads(capsys.readouterr().out)["files"]] == [told["id"]]
    await command(monkeypatch, mdus, files.replay, str(told["id"]), register=True, person="ann")
    assert "48 readings, 0 events, 0 parts refused" in capsys.readouterr().out
    await command(monkeypatch, mdus, files.files)
    assert "march.csv" in capsys.readouterr().out


async def test_what_nobody_can_read_is_told_with_the_way_out(
    mdus: Mdus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear customer,")
    with pytest.raises(Exception, match="1"):  # typer's Exit
        await command(monkeypatch, mdus, files.ingest, [letter])
    assert "not read" in capsys.readouterr().out
    with pytest.raises(RefusedError, match="no file 99"):
        await command(monkeypatch, mdus, files.replay, "99")
    with pytest.raises(RefusedError, match="klingon"):
        await command(monkeypatch, mdus, files.ingest, [letter], format_="klingon")


async def test_values_are_shown_explained_edited_and_summed(
    mdus: Mdus, march: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def said(function: Any, *args: Any, **asked: Any) -> str:
        await command(monkeypatch, mdus, function, *args, **asked)
        return capsys.readouterr().out

    await command(monkeypatch, mdus, files.ingest, [march], register=True)
    capsys.readouterr()
    meter, day = "NMI0000001/E1", "2026-03-01"
    assert "NMI000" in await said(values.channels)
    assert json.loads(await said(values.channels, as_json=True))[0]["device"] == meter
    explained = json.loads(await said(values.explain, meter, day, as_json=True))
    assert len(explained["intervals"]) == 48
    assert "measured" in await said(values.explain, meter, day)
    assert explained["intervals"][0]["cause"].startswith("file march.csv; validated by default")
    assert "every bit the same" in await said(values.recompute, meter, day)
    assert "1" in await said(values.versions, meter, day)
    assert json.loads(await said(values.versions, meter, day, as_json=True))["versions"][0]["changed"] == 48
    hours = "2026-03-01T00:00/2026-03-01T01:00"
    asked = {"values": "0.75", "reason": "read by hand", "person": "ann"}
    assert "750" in await said(edits.edit, meter, hours, **asked | {"values": "750"}, preview=True)
    made = json.loads(await said(edits.edit, meter, hours, **asked | {"values": "750"}, as_json=True))
    assert "read by hand" in await said(edits.edits, as_json=True)
    assert "total" in await said(values.determinants, meter, day, tou=["peak=sun 07:00-23:00"], tiers="1000")
    told = json.loads(await said(values.determinants, meter, day, as_json=True))
    assert told["total"] == 48 * 500 + 2 * 250
    assert "undone" in await said(edits.undo, made["edit"], reason="mistaken", person="ann")
    with pytest.raises(RefusedError, match="not proposed"):
        await command(monkeypatch, mdus, edits.approve, made["edit"], person="bob")


async def test_inspections_are_listed_assigned_and_done_by_commands(
    mdus: Mdus, world: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asking = Finding("V03", 17, date(2026, 3, 4), Verdict.WV, (0,), {"drift_s": 300, "inspect": True})
    async with world.middle.database.begin() as tx:
        await inspections.ask(tx, [asking], world.clock.now())
    await command(monkeypatch, mdus, vee.inspections, as_json=True)
    (task,) = json.loads(capsys.readouterr().out)
    assert (task["rule"], task["device"], task["state"]) == ("V03", "17", "open")
    await command(monkeypatch, mdus, vee.assign, task["number"], "Jansen", person="ann")
    await command(monkeypatch, mdus, vee.inspections)
    assert "Jansen" in capsys.readouterr().out
    await command(monkeypatch, mdus, vee.done, task["number"], "Battery replaced", person="ann")
    await command(monkeypatch, mdus, vee.inspections, state="done", as_csv=True)
    assert "Jansen,Battery replaced" in capsys.readouterr().out
    with pytest.raises(RefusedError, match="is to be done"):
        await command(monkeypatch, mdus, vee.done, task["number"], "twice", person="ann")
    with pytest.raises(RefusedError, match="'lost' is no state"):
        await command(monkeypatch, mdus, vee.inspections, state="lost", as_csv=True)
