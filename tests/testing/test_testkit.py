"""The test kit over HTTP: its fake SAP against its fake MDUS, with faults; and what its command line says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from lxml import etree
from tests.certificates import free_port
from typer.testing import CliRunner

from openami.cli import app
from openami.shared.clock import ManualClock, RealClock, SharedClock
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.contract.enterprise.codec import decode, encode
from openami.testing import party, requests, run
from openami.testing.faults import KINDS, Faults, UnknownFaultError, broken
from openami.testing.home import Home
from openami.testing.party import NothingCameError, Party, WrongAnswerError
from openami.testing.processes import PROCESSES
from openami.testing.report import Outcome
from openami.testing.run import (
    AddressTakenError,
    BadAddressError,
    Endpoint,
    NobodyThereError,
    Peer,
    UnknownProcessError,
    first_number,
    listening,
    play_mdus,
    play_sap,
    poster,
)

if TYPE_CHECKING:
    from pathlib import Path


def free_endpoint() -> Endpoint:
    return Endpoint("127.0.0.1", free_port())


def at(endpoint: Endpoint) -> str:
    return f"http://{endpoint.host}:{endpoint.port}"


def test_runs_a_second_apart_have_no_number_in_common():
    """A run that follows another at once is before a system that knows the numbers of that one."""
    clock = ManualClock(datetime(2026, 11, 29, 4, 10, tzinfo=UTC))
    seen: set[str] = set()
    for _ in range(300):  # the numbers of a home's parts lie up to 300 apart
        first = first_number(clock)
        home = Home(clock, 1, first_number=first)
        located = home.located().utilities_device.location[0]
        parent = located.installation_point_hierarchy_relationship.parent_installation_point_id
        own = {home.device, home.register, home.intervals, home.profile}
        own |= {home.serial, home.point, located.installation_point_id, parent}
        assert len(own) == 8
        assert own.isdisjoint(seen)
        assert max(map(len, own)) <= 18
        seen |= own
        clock.advance_to(clock.now() + timedelta(seconds=1))


def test_what_happens_at_any_moment_is_told_in_whole_seconds():
    """A clock that runs has microseconds, the dates and times of the contract have none."""
    home = Home(
        ManualClock(datetime(2026, 11, 29, tzinfo=UTC)), since=datetime(2026, 3, 1, 9, 8, 7, 654321, tzinfo=UTC)
    )
    home.until = home.since + timedelta(days=3, microseconds=7)
    for message in home.initialization():
        assert decode(encode(message)) == message


async def test_a_line_that_breaks_without_a_word_is_told_by_its_kind(monkeypatch: pytest.MonkeyPatch):
    async def breaks(*_: object, **__: object) -> httpx.Response:
        raise httpx.ReadError("")

    monkeypatch.setattr(httpx.AsyncClient, "post", breaks)
    async with poster(Peer("http://mdus.test", "OFFICE")) as post:
        with pytest.raises(NobodyThereError, match="ReadError"):
            await post("/services", b"")


async def test_a_shared_clock_goes_on_while_somebody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the other side does every few hours comes although nobody moves the clock, but not before its time."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    clock = SharedClock.create(tmp_path / "clock", noon)
    sap = Party(Side.OFFICE, clock, poster, patience_s=20)  # type: ignore[arg-type]
    monkeypatch.setattr(party, "LOOK_S", 0)
    with pytest.raises(NothingCameError):
        await Party(Side.OFFICE, clock, poster, patience_s=0.01).until(lambda: False, "Nothing")  # type: ignore[arg-type]
    assert clock.now() == noon
    monkeypatch.setattr(party, "GRACE_S", 0)
    assert await sap.until(lambda: clock.now() >= noon + timedelta(hours=4), "An upload")
    assert clock.now() == noon + timedelta(hours=4)


@pytest.mark.enable_socket
async def test_what_needs_a_setting_is_played_only_where_it_is_named(monkeypatch: pytest.MonkeyPatch):
    name = "interval upload by point of delivery"
    monkeypatch.setattr(run, "PROCESSES", {name: PROCESSES[name]})
    mdus = Peer(at(free_endpoint()), "OFFICE")  # nobody
    (told,) = await play_sap(mdus, free_endpoint())
    assert (told.outcome, told.failed) == (Outcome.NOT_BEGUN, False)
    assert "uploads_by_point" in told.note
    (told,) = await play_sap(mdus, free_endpoint(), [name])
    assert "cannot be reached" in told.note


@pytest.mark.enable_socket
@pytest.mark.parametrize("kinds", [(), ("late", "duplicate", "reordered", "malformed")])
async def test_the_commands_play_sap_and_mdus_together(kinds: tuple[str, ...], tmp_path: Path):
    sap, mdus, report = free_endpoint(), free_endpoint(), tmp_path / "report.xml"
    faults = Faults.of(kinds, share=0.5, seed=3, late_s=0.01)
    playing = asyncio.create_task(play_mdus(Peer(at(sap), "MDUS"), mdus, faults=faults))
    arguments = ["testkit", "sap", "--mdus", at(mdus), "--listen", f"{sap.host}:{sap.port}", "--junit", str(report)]
    arguments += ["--process", "monitoring", "--process", "device initialization", "--late-s", "0.01"]
    arguments += [part for kind in kinds for part in ("--fault", kind)]
    done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--seed", "4", "--patience-s", "40"])
    assert done.exit_code == 0, done.output
    assert "1 passed, 1 as far as it goes without a field" in done.output
    assert "1 device initialization: as far as it goes without a field: The AMS has to report SN" in done.output
    suite = etree.parse(str(report)).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "0", "1")
    playing.cancel()
    told = {one.name: one.outcome for one in await playing}
    assert told["device initialization"] is Outcome.PASSED
    assert told["text messages"] is Outcome.NOT_BEGUN


@pytest.mark.enable_socket
async def test_a_process_that_fails_is_told_with_the_reason_and_the_exit_code(tmp_path: Path):
    sap, mdus, report = free_endpoint(), free_endpoint(), tmp_path / "report.xml"
    playing = asyncio.create_task(play_mdus(Peer(at(sap), "MDUS"), mdus, faults=Faults.of(["refused"], share=1)))
    arguments = ["testkit", "sap", "--mdus", at(mdus), "--listen", f"{sap.host}:{sap.port}", "--junit", str(report)]
    done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--process", "device initialization"])
    assert done.exit_code == 1
    assert "Refused by the test." in done.output
    assert ".." not in done.output
    assert "1 failed." in done.output
    (failure,) = etree.parse(str(report)).getroot().iter("failure")
    assert "was refused" in str(failure.get("message"))
    playing.cancel()
    await playing


@pytest.mark.enable_socket
async def test_what_a_back_office_never_begins_is_told_and_fails_where_it_was_wanted():
    nobody, ours = free_endpoint(), free_endpoint()
    told = await play_mdus(Peer(at(nobody), "MDUS"), ours, ["text messages"], for_s=0.1)
    assert [(one.name, one.failed, one.note) for one in told] == [
        ("text messages", True, "did not come; in the back office: Send a text.")
    ]
    told = await play_mdus(Peer(at(nobody), "MDUS"), ours, for_s=0.1)
    assert {one.outcome for one in told} == {Outcome.NOT_BEGUN}


@pytest.mark.enable_socket
async def test_a_system_that_is_not_there_is_told_with_its_address():
    nobody, ours = free_endpoint(), free_endpoint()
    (told,) = await play_sap(Peer(at(nobody), "OFFICE"), ours, ["monitoring"])
    assert told.failed
    assert f"{at(nobody)} cannot be reached" in told.note
    assert "Does it run" in told.note


async def test_a_sentence_of_a_library_ends_in_one_full_stop(monkeypatch: pytest.MonkeyPatch):
    async def breaks(*_: object, **__: object) -> httpx.Response:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")

    monkeypatch.setattr(httpx.AsyncClient, "post", breaks)
    async with poster(Peer("http://mdus.test", "OFFICE")) as post:
        with pytest.raises(NobodyThereError) as told:
            await post("/services", b"")
    assert told.value.found.endswith("without sending a response.")
    assert ".." not in str(told.value)


@pytest.mark.enable_socket
async def test_an_address_that_somebody_has_is_told():
    taken = free_endpoint()
    async with listening(lambda _body: (202, b""), taken):
        with pytest.raises(AddressTakenError, match="cannot be listened on"):
            async with listening(lambda _body: (202, b""), taken):
                pass


async def test_a_party_says_what_did_not_come_and_what_was_wrong():
    sent: list[bytes] = []

    async def post(_operation: str, body: bytes) -> tuple[int, bytes]:
        sent.append(body)
        return 202, b""

    async def settle() -> None:
        return

    sap = Party(Side.OFFICE, RealClock(), post, settle=settle)
    home = Home(RealClock())
    create = home.create()
    await sap.send(create)
    with pytest.raises(NothingCameError, match="a confirmation of UtilitiesDeviceERPSmartMeterCreateRequest"):
        await sap.confirmed(create)
    with pytest.raises(WrongAnswerError, match="HTTP 202"):
        await sap.ask(requests.state_query(home))
    assert sap.hear(b"<nonsense")[0] == 500
    malformed = Party(Side.OFFICE, RealClock(), post, settle=settle, faults=Faults.of(["malformed"], share=1))
    with pytest.raises(WrongAnswerError, match=r"A broken .* was taken"):
        await malformed.send(create)


def test_the_same_seed_makes_the_same_faults():
    first, second = (Faults.of(KINDS, share=0.5, seed=9) for _ in range(2))
    assert [first.strikes("late") for _ in range(50)] == [second.strikes("late") for _ in range(50)]
    assert not Faults.of([]).strikes("late")
    with pytest.raises(UnknownFaultError, match="'odd'"):
        Faults.of(["odd"])
    assert len(broken(b"123456")) == 4


async def test_wrong_names_are_told():
    with pytest.raises(UnknownProcessError, match="'nothing'"):
        await play_sap(Peer("http://x", ""), Endpoint("127.0.0.1", 1), ["nothing"])
    with pytest.raises(UnknownProcessError, match="'nothing'"):
        await play_mdus(Peer("http://x", ""), Endpoint("127.0.0.1", 1), ["nothing"])


@pytest.mark.parametrize(
    "text",
    ["8555", "", ":8555", "here:", "here:http", "here:0", "here:65536", "here:" + "9" * 5000, "here:٣", "here:-1"],
)
def test_what_is_no_address_to_listen_on_is_told(text: str):
    with pytest.raises(BadAddressError, match="no address") as caught:
        Endpoint.parse(text)
    assert "127.0.0.1:8555" in caught.value.hint


@pytest.mark.parametrize(("text", "host", "port"), [("here:1", "here", 1), ("[::1]:65535", "[::1]", 65535)])
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int):
    assert Endpoint.parse(text) == Endpoint(host, port)


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://[::1", "http://\0"])
async def test_an_address_of_a_system_that_is_none_is_told(url: str):
    async with poster(Peer(url, "OFFICE"), "services") as post:
        with pytest.raises(NobodyThereError, match="cannot be reached"):
            await post("Ask", b"")


def test_the_command_line_lists_the_processes_and_edits_tables(tmp_path: Path):
    runner = CliRunner()
    listed = runner.invoke(app, ["testkit", "processes"])
    assert listed.exit_code == 0
    for name in ("usage calculation", "quantities by both routes", "Send a text.", "uploads_by_point"):
        assert name in " ".join(listed.output.replace("│", " ").split()), listed.output
    for command in ("sap", "mdus"):
        assert "--fault" in runner.invoke(app, ["testkit", command, "--help"]).output
    for table in ("reading_reasons", "capabilities", "forwarding"):
        done = runner.invoke(app, ["services", "edit-table", table, "--data-dir", str(tmp_path)])
        assert done.exit_code == 0, done.output
    assert (tmp_path / "contract/tables/reading_reasons.toml").exists()
    assert (tmp_path / "contract/capabilities.toml").exists()
    assert runner.invoke(app, ["services", "edit-table", "odd", "--data-dir", str(tmp_path)]).exit_code == 1
