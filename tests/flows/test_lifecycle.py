"""A landscape starts, falls, is restarted, stops, leaves nothing running, and finds its data again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from openami.demo.areas import Areas
from openami.shared.secrets import load_secrets
from openami.shared.settings import load_settings
from openami.shared.supervisor import FolderInUseError, PortTakenError, Supervisor

if TYPE_CHECKING:
    from pathlib import Path

    from openami.shared.settings import Settings

pytestmark = [
    pytest.mark.landscape,
    pytest.mark.enable_socket,
    pytest.mark.timeout(300),
]
PORT = 21900
DEVICE = {"devices": [{"serial": "OAE0000001", "kind": "electricity", "interval_s": 1800}]}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir(mode=0o755)
    return load_settings(data_dir=tmp_path / "data", base_port=PORT)


def areas_of(settings: Settings) -> Areas:
    return Areas(settings, load_secrets(settings.data_dir / "secrets.json").service_token)


def is_running(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_a_second_start_finds_its_data_and_nothing_runs_after_the_stop(settings: Settings) -> None:
    async with Supervisor(settings, areas=("office",)) as landscape:
        async with areas_of(settings) as areas:
            await areas.post("office", "/api/devices/receive", DEVICE, key="once")
        pid = landscape.pid("office")
    assert pid is not None
    assert not is_running(pid)
    async with Supervisor(settings, areas=("office",)):
        async with areas_of(settings) as areas:
            assert [device["serial"] for device in await areas.get("office", "/api/devices")] == ["OAE0000001"]
            again = await areas.post("office", "/api/devices/receive", DEVICE, key="once")
        assert len(again["devices"]) == 1, "the same command again is the same command"


async def test_a_killed_area_is_restarted_and_answers(settings: Settings) -> None:
    async with Supervisor(settings, areas=("office",)) as landscape:
        pid = landscape.pid("office")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while landscape.starts("office") < 2:  # noqa: ASYNC110 - another process's life
            await asyncio.sleep(0.01)
        await landscape.wait_ready()
        assert landscape.pid("office") != pid


async def test_two_landscapes_do_not_share_a_folder(settings: Settings) -> None:
    async with Supervisor(settings, areas=()):
        with pytest.raises(FolderInUseError, match="Another landscape runs"):
            await Supervisor(settings, areas=()).__aenter__()


async def test_a_port_that_is_taken_is_named_before_anything_starts(settings: Settings) -> None:
    taken = f"{settings.host}:{PORT + 1}, which office needs"
    with socket.create_server((settings.host, PORT + 1)), pytest.raises(PortTakenError, match=taken) as refused:
        await Supervisor(settings, areas=("office",)).__aenter__()
    assert "--port" in refused.value.hint
    assert not (settings.data_dir / "postgres").exists()


async def test_areas_end_when_their_supervisor_is_gone(settings: Settings) -> None:
    async with Supervisor(settings, areas=("web",)) as landscape:
        process = landscape._children["web"].process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()  # what the kernel does when the supervisor dies
        assert await asyncio.wait_for(process.wait(), 30) == 0
