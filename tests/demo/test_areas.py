"""The story's calls to the areas: JSON both ways, patience with a process that is just being restarted."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from openami.demo import areas as module
from openami.demo.areas import Areas, AreaSilentError, CommandRefusedError
from openami.shared.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Office:
    """Answers each request with the next status; tells what it was asked."""

    def __init__(self, *statuses: int, says: bytes = b"") -> None:
        self.statuses = list(statuses)
        self.says = says
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.statuses:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines if line)
            body = await reader.readexactly(int(headers["content-length"]))
            self.asked.append((first.rsplit(" ", 1)[0], headers, json.loads(body) if body else None))
            answer = self.says or json.dumps({"number": len(self.asked)}).encode()
            writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (self.statuses.pop(0), len(answer)) + answer)
        writer.close()


@asynccontextmanager
async def calling(tmp_path: Path, office: Office, *, patience_s: float = 60.0) -> AsyncIterator[Areas]:
    server = await asyncio.start_server(office.talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = Settings(data_dir=tmp_path, office_url=url)
    async with Areas(settings, "secret", patience_s=patience_s) as areas:
        yield areas
    server.close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)


@pytest.mark.enable_socket
async def test_a_question_carries_its_parameters_and_the_token(tmp_path: Path):
    office = Office(200)
    async with calling(tmp_path, office) as areas:
        assert await areas.get("office", "/api/bills", month="2026-03", of="H 1") == {"number": 1}
    line, headers, body = office.asked[0]
    assert (line, body) == ("GET /api/bills?month=2026-03&of=H+1", None)
    assert headers["authorization"] == "bearer secret"


@pytest.mark.enable_socket
async def test_a_command_carries_its_body_and_key(tmp_path: Path):
    office = Office(201)
    async with calling(tmp_path, office) as areas:
        assert await areas.post("office", "/api/payments", {"amount": "1.20"}, key="once") == {"number": 1}
    line, headers, body = office.asked[0]
    assert (line, body) == ("POST /api/payments", {"amount": "1.20"})
    assert headers["idempotency-key"] == "once"


@pytest.mark.enable_socket
async def test_who_is_just_starting_is_asked_again(tmp_path: Path):
    office = Office(503, 502, 504, 200)
    async with calling(tmp_path, office) as areas:
        assert await areas.get("office", "/api/work") == {"number": 4}


@pytest.mark.enable_socket
async def test_a_refusal_is_told_with_its_reason(tmp_path: Path):
    async with calling(tmp_path, Office(409)) as areas:
        with pytest.raises(CommandRefusedError, match=r'refused POST /api/bills with 409: \{"number": 1\}'):
            await areas.post("office", "/api/bills", {})


@pytest.mark.enable_socket
async def test_silence_has_an_end(tmp_path: Path):
    settings = Settings(data_dir=tmp_path, office_url="http://127.0.0.1:9")
    async with Areas(settings, "secret", patience_s=0.0) as areas:
        with pytest.raises(AreaSilentError, match="has not answered GET /api/work"):
            await areas.get("office", "/api/work")


@pytest.mark.enable_socket
async def test_who_is_starting_for_ever_is_given_up(tmp_path: Path):
    async with calling(tmp_path, Office(503), patience_s=-1.0) as areas:
        with pytest.raises(AreaSilentError, match="HTTP 503"):
            await areas.get("office", "/api/work")


@pytest.mark.enable_socket
async def test_somebody_else_on_the_port_is_told(tmp_path: Path):
    async with calling(tmp_path, Office(200, says=b"<h1>SAP</h1>")) as areas:
        with pytest.raises(AreaSilentError, match="no area of ours") as caught:
            await areas.get("office", "/api/work")
    assert "OPENAMI_OFFICE_URL" in caught.value.hint
