"""Asks over kept HTTP/1.1 connections, many at once: what a seam needs of HTTP, and no more.

A general client (httpx) takes 1.7-2.4 ms of processor time a request where the exchange itself takes 0.1 ms; at a
thousand messages a second that is the whole machine. Bytes are parsed by httptools, TLS is Python's. Nothing is
followed, guessed or taken from the environment: no redirects, no proxies, no cookies, no compression.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import httptools
import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

    Origin = tuple[bool, str, int]  # whether TLS, host, port

CONNECTIONS_MAX = 32  # to one partner at once; what is more waits for its turn
ANSWER_BYTES_MAX = 128 * 1024 * 1024  # as large as a message may be that comes by itself
HEAD_BYTES_MAX = 512 * 1024  # of status lines and headers; more than any partner sends, and one read of the loop
_FINAL_FROM = 200  # what is below only says that an answer will come


class ConnectionLost(ConnectionError):  # noqa: N818 - what happened
    """The partner closed the connection before its answer was whole; `untouched` if not a byte of it had come."""

    def __init__(self, found: str, *, untouched: bool) -> None:
        super().__init__(found)
        self.untouched = untouched


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status and body of a response."""

    status: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where a URL leads: the origin to connect to, and what stands in the request."""

    secure: bool
    host: str
    port: int
    host_header: bytes
    target: bytes


@lru_cache(maxsize=1024)
def address_of(url: str) -> Address:
    """Take a URL apart.

    Raises:
        ValueError: it is not an http or https URL.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is not a URL: {error}.") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{url!r} is not an http or https URL.")
    secure = parsed.scheme == "https"
    return Address(secure, parsed.host, parsed.port or (443 if secure else 80), parsed.netloc, parsed.raw_path)


class HttpClient:
    """Asks any number of origins; connections that served well are kept for the next message."""

    def __init__(
        self,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        tls: ssl.SSLContext | None = None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        """Take how long to wait for a connection and for an answer, and how to speak TLS where it is not as usual."""
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._tls = tls
        self._connections_max = connections_max
        self._idle: dict[Origin, list[_Connection]] = {}
        self._turns: dict[Origin, asyncio.Semaphore] = {}

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Post once; see `request`."""
        return await self.request("POST", url, headers, body)

    async def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> HttpAnswer:
        """Ask once and return the answer, whatever its status.

        Raises:
            OSError: no connection, no TLS, no answer in time, or one that is not HTTP.
            ValueError: the URL is none.
        """
        address = address_of(url)
        request = _request(method, address, headers, body)
        origin = (address.secure, address.host, address.port)
        async with self._turns.setdefault(origin, asyncio.Semaphore(self._connections_max)):
            kept = self._kept(origin)
            if kept is not None:
                try:
                    return await self._exchange(origin, kept, request)
                except ConnectionLost as lost:
                    if not lost.untouched:
                        raise
                    # it was closed while it lay idle, which says nothing of the partner; a message that was read all
                    # the same is known by its id when it comes again
            return await self._exchange(origin, await self._connect(address), request)

    async def close(self) -> None:
        """Close the kept connections."""
        for connections in self._idle.values():
            for one in connections:
                one.close()
        self._idle.clear()

    def _kept(self, origin: Origin) -> _Connection | None:
        connections = self._idle.get(origin, [])
        while connections:
            one = connections.pop()
            if one.usable:
                return one
        return None

    async def _connect(self, address: Address) -> _Connection:
        tls = (self._tls or _usual_tls()) if address.secure else None
        async with asyncio.timeout(self._connect_timeout_s):
            _, protocol = await asyncio.get_running_loop().create_connection(
                _Connection, address.host, address.port, ssl=tls
            )
        return protocol

    async def _exchange(self, origin: Origin, connection: _Connection, request: bytes) -> HttpAnswer:
        try:
            async with asyncio.timeout(self._read_timeout_s):
                answer = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if connection.usable:
            self._idle.setdefault(origin, []).append(connection)
        else:
            connection.close()
        return answer


@lru_cache(maxsize=1)
def _usual_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _request(method: str, address: Address, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [method.encode(), b" ", address.target, b" HTTP/1.1\r\nhost: ", address.host_header, b"\r\n"]
    for name, value in headers.items():
        line = f"{name}: {value}"
        if not line.isprintable():
            raise ValueError(f"The header {name!r} has control characters.")
        lines.append(f"{line}\r\n".encode("latin-1"))
    lines.append(b"content-length: %d\r\n\r\n" % len(body))
    return b"".join((*lines, body))


class _Connection(asyncio.Protocol):
    """One connection; one exchange at a time."""

    def __init__(self) -> None:
        self.usable = True
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[HttpAnswer] | None = None
        self._begin()

    def _begin(self) -> None:
        self._content = bytearray()
        self._head_bytes = 0
        self._headed = False
        self._touched = False
        self._until_closed = True

    async def exchange(self, request: bytes) -> HttpAnswer:
        """Send a request and wait for its answer."""
        if self._transport is None or not self.usable:
            raise ConnectionLost("The connection is closed.", untouched=True)
        self._begin()
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter

    def close(self) -> None:
        """Close it, whatever is under way."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    # what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():  # nobody has asked
            self.close()
            return
        self._touched = True
        self._head_bytes += 0 if self._headed else len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(ConnectionAbortedError(f"The answer is not HTTP: {error}."))
        if not self._headed and self._head_bytes > HEAD_BYTES_MAX:
            self._fail(ConnectionAbortedError(f"The head of the answer has more than {HEAD_BYTES_MAX} bytes."))

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._headed and self._until_closed and exc is None:  # an answer of no stated length ends here
            self._finish()
        self._fail(ConnectionLost(f"The connection was closed: {exc or 'no answer'}.", untouched=not self._touched))

    # what the parser finds

    def on_message_begin(self) -> None:
        if self._waiter is None or self._waiter.done():  # more than was asked for: the rest would answer the next one
            self.usable = False

    def on_header(self, name: bytes, _value: bytes) -> None:
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._until_closed = False

    def on_headers_complete(self) -> None:
        self._headed = self._parser.get_status_code() >= _FINAL_FROM

    def on_body(self, body: bytes) -> None:
        if len(self._content) + len(body) > ANSWER_BYTES_MAX:
            self._fail(ConnectionAbortedError(f"The answer has more than {ANSWER_BYTES_MAX} bytes."))
            return
        self._content += body  # a list of pieces would take many times their bytes where a partner sends them singly

    def on_message_complete(self) -> None:
        if self._headed:
            self.usable = self.usable and self._parser.should_keep_alive()
            self._finish()

    def _finish(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(HttpAnswer(self._parser.get_status_code(), bytes(self._content)))
        if not self.usable and self._transport is not None:
            self._transport.close()

    def _fail(self, error: OSError) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.close()
