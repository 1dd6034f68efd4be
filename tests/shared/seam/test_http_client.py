"""The lean client against servers that answer in every way HTTP allows, and in some that it does not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from openami.shared.seam import Envelope, Refused, Seam, Unreachable
from openami.shared.seam import http_client as module
from openami.shared.seam.http_client import HttpAnswer, HttpClient, address_of
from openami.shared.seam.transport import HttpTransport, Partner, basic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OK = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nhi"


@dataclass
class Server:
    """Answers each request with the next of its scripted answers; None closes the connection instead."""

    answers: list[bytes | None]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    closes_after_answer: bool = False
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if self.closes_after_answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/Ask?a=b"


@asynccontextmanager
async def serving(*answers: bytes | None, closes_after_answer: bool = False) -> AsyncIterator[Server]:
    made = Server(list(answers), closes_after_answer=closes_after_answer)
    listening = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listening.close()
        for writer in made.writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # the loop closes what was aborted


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(connect_timeout_s=5, read_timeout_s=5)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK, HttpAnswer(202, b"hi")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", HttpAnswer(204, b"")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, HttpAnswer(202, b"hi")),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            HttpAnswer(200, b"abc"),
        ),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbad", HttpAnswer(500, b"bad")),
        (b"HTTP/1.1 301 Moved\r\nlocation: http://other/\r\ncontent-length: 0\r\n\r\n", HttpAnswer(301, b"")),
    ],
)
@pytest.mark.enable_socket
async def test_every_way_to_answer_is_understood(client: HttpClient, answer: bytes, expected: HttpAnswer) -> None:
    async with serving(answer) as server:
        assert await client.post(server.url, {"x": "y"}, b"body") == expected
    start = f"POST /services/Ask?a=b HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nx: y\r\ncontent-length: 4\r\n\r\nbody"
    assert server.requests == [start.encode()]


@pytest.mark.enable_socket
async def test_an_answer_of_no_stated_length_ends_with_the_connection(client: HttpClient) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n\r\nall of it", closes_after_answer=True) as server:
        assert await client.post(server.url, {}, b"") == HttpAnswer(200, b"all of it")


@pytest.mark.enable_socket
async def test_a_connection_is_kept_for_the_next_message(client: HttpClient) -> None:
    async with serving(OK, OK, OK) as server:
        for _ in range(3):
            await client.post(server.url, {}, b"")
        assert server.connections == 1


@pytest.mark.enable_socket
async def test_a_kept_connection_that_was_closed_costs_no_message(client: HttpClient) -> None:
    async with serving(OK, None, OK) as server:
        await client.post(server.url, {}, b"first")
        assert (await client.post(server.url, {}, b"second")).status == 202
        assert server.connections == 2


@pytest.mark.enable_socket
async def test_a_server_that_says_close_is_taken_at_its_word(client: HttpClient) -> None:
    close = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    async with serving(close, close) as server:
        for _ in range(2):
            assert (await client.post(server.url, {}, b"")).status == 202
        assert server.connections == 2


@pytest.mark.enable_socket
async def test_no_more_connections_than_allowed(client: HttpClient) -> None:
    few = HttpClient(connect_timeout_s=5, read_timeout_s=5, connections_max=2)
    async with serving(*[OK] * 10) as server:
        answers = await asyncio.gather(*(few.post(server.url, {}, b"x") for _ in range(10)))
        assert [one.status for one in answers] == [202] * 10
        assert server.connections <= 2
    await few.close()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n\x00\x00",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
    ],
    ids=[
        "closed", "not HTTP", "cut off", "two lengths", "length and chunks", "negative", "no size", "size too large",
        "chunks cut off", "upgrade", "no header",
    ],
)  # fmt: skip
@pytest.mark.enable_socket
async def test_what_is_no_whole_answer_is_an_error(client: HttpClient, answer: bytes | None) -> None:
    async with serving(answer, closes_after_answer=True) as server:
        with pytest.raises(OSError, match=r"closed|not HTTP"):
            await client.post(server.url, {}, b"")


@pytest.mark.enable_socket
async def test_a_silent_server_is_given_up_and_its_connection_not_used_again() -> None:
    impatient = HttpClient(connect_timeout_s=5, read_timeout_s=0.05)
    async with serving(b"", OK) as server:
        with pytest.raises(TimeoutError):
            await impatient.post(server.url, {}, b"")
        assert (await impatient.post(server.url, {}, b"")).content == b"hi"
        assert server.connections == 2
    await impatient.close()


@pytest.mark.enable_socket
async def test_an_endless_answer_is_cut(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 10)
    async with serving(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n" + b"x" * 50) as server:
        with pytest.raises(ConnectionAbortedError, match="more than 10 bytes"):
            await client.post(server.url, {}, b"")


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 100_000, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 700_000,
     b"HTTP/1.1 100 Continue\r\n\r\n" * 30_000],
    ids=["many headers", "a long one", "promises only"],
)  # fmt: skip
@pytest.mark.enable_socket
async def test_an_endless_head_is_cut_while_its_sender_goes_on(client: HttpClient, head: bytes) -> None:
    async with serving(head) as server:
        with pytest.raises(ConnectionAbortedError, match="head of the answer"):
            await client.post(server.url, {}, b"")


@pytest.mark.enable_socket
async def test_what_was_not_asked_for_does_not_answer_the_next_question(client: HttpClient) -> None:
    first = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none"
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfor"
    async with serving(first + half, OK) as server:
        assert (await client.post(server.url, {}, b"")).content == b"one"
        assert (await client.post(server.url, {}, b"")).content == b"hi"
        assert server.connections == 2


@pytest.mark.enable_socket
async def test_a_dripping_server_is_given_up_though_it_never_falls_silent() -> None:
    impatient = HttpClient(connect_timeout_s=5, read_timeout_s=0.1)
    given_up = asyncio.Event()

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)
        given_up.set()

    listening = await asyncio.start_server(drip, "127.0.0.1", 0)
    with pytest.raises(TimeoutError):
        await impatient.post(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", {}, b"")
    await asyncio.wait_for(given_up.wait(), 5)  # it sees that nobody listens any more
    listening.close()


@pytest.mark.parametrize("url", ["ftp://here/x", "nonsense", "http://", "http://[::1"])
def test_what_is_no_web_address_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        address_of(url)


def test_an_address_is_taken_apart() -> None:
    found = address_of("https://sap.example/XISOAPAdapter?channel=A:B:C d")
    assert (found.secure, found.host, found.port) == (True, "sap.example", 443)
    assert (found.host_header, found.target) == (b"sap.example", b"/XISOAPAdapter?channel=A:B:C%20d")


async def test_a_header_cannot_smuggle_another_request(client: HttpClient) -> None:
    with pytest.raises(ValueError, match="control characters"):
        await client.post("http://127.0.0.1/", {"x": "y\r\nz: 1"}, b"")


def envelope(partner: str = "office") -> Envelope:
    return Envelope(UUID(int=7), Seam.ENTERPRISE, partner, "Ask", "/services/Ask", b"<x/>")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", Unreachable),
        (b"HTTP/1.1 500 Fault\r\ncontent-length: 12\r\n\r\n<soap:Fault>", Refused),
        (b"HTTP/1.1 404 Nothing here\r\ncontent-length: 0\r\n\r\n", Refused),
        (None, Unreachable),
    ],
)
@pytest.mark.enable_socket
async def test_a_status_says_whether_trying_again_can_help(answer: bytes | None, error: type[Exception]) -> None:
    async with serving(answer) as server:
        partner = Partner(f"http://127.0.0.1:{server.port}", "MDUS", "päss")
        transport = HttpTransport({"office": partner}, content_type="text/xml")
        with pytest.raises(error):
            await transport.deliver(envelope())
        await transport.close()
    assert f"authorization: {basic('MDUS', 'päss')}".encode() in server.requests[0]
    assert b"x-message-id: 00000000-0000-0000-0000-000000000007" in server.requests[0]


async def test_partners_that_cannot_be_addressed_are_dead_letters() -> None:
    transport = HttpTransport({"office": Partner("nowhere", "u", "p")}, content_type="text/xml")
    with pytest.raises(Refused, match="not an http"):
        await transport.deliver(envelope())
    with pytest.raises(Refused, match="Nobody is known"):
        await transport.deliver(envelope("stranger"))
