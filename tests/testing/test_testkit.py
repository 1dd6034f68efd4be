"""The test kit over HTTP: its fake SAP against its fake MDUS, with faults; and what its command line says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.certificates import free_port
from typer.testing import CliRunner

from openami.cli import app
from openami.shared.clock import RealClock
from openami.shared.contract.enterprise.catalogue import Side
from openami.testing import requests
from openami.testing.faults import KINDS, Faults, UnknownFaultError, broken
from openami.testing.home import Home
from openami.testing.party import NothingCameError, Party, WrongAnswerError
from openami.testing.run import BadAddressError, Endpoint, UnknownProcessError, play_mdus, play_sap

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.enable_socket
@pytest.mark.parametrize("kinds", [(), ("duplicate", "reordered", "malformed")])
async def test_fake_sap_and_fake_mdus_play_together(kinds: tuple[str, ...]):
    sap, mdus = Endpoint("127.0.0.1", free_port()), Endpoint("127.0.0.1", free_port())
    playing = asyncio.create_task(
        play_mdus(f"http://127.0.0.1:{sap.port}", "MDUS", "", mdus, Faults.of(kinds, seed=3), for_s=30)
    )
    await asyncio.sleep(0)
    told = await play_sap(
        f"http://127.0.0.1:{mdus.port}",
        "OFFICE",
        "",
        sap,
        ["monitoring"],
        Faults.of(kinds, seed=4),
        patience_s=20,
    )
    playing.cancel()
    crossed = await playing
    assert crossed["UtilitiesDeviceERPSmartMeterCreateRequest_Out"] >= 1
    assert [(one.number, one.outcome) for one in told] == [("16", "passed")], told


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
        await play_sap("http://x", "", "", Endpoint("127.0.0.1", 1), ["nothing"], Faults(), patience_s=1)
    with pytest.raises(BadAddressError, match="no address"):
        Endpoint.parse("8555")


def test_the_command_line_lists_the_processes_and_edits_tables(tmp_path: Path):
    runner = CliRunner()
    listed = runner.invoke(app, ["testkit", "processes"])
    assert listed.exit_code == 0
    assert "usage calculation" in listed.output
    for table in ("reading_reasons", "capabilities", "forwarding"):
        done = runner.invoke(app, ["services", "edit-table", table, "--data-dir", str(tmp_path)])
        assert done.exit_code == 0, done.output
    assert (tmp_path / "contract/tables/reading_reasons.toml").exists()
    assert (tmp_path / "contract/capabilities.toml").exists()
    assert runner.invoke(app, ["services", "edit-table", "odd", "--data-dir", str(tmp_path)]).exit_code == 1
