"""One association with one meter over one TCP connection: the only place of the head-end that opens a socket.

The DLMS stack below is sans-IO; here octets get a wire, waiting gets a limit in wall time, and everything that can go
wrong gets a class that says whether trying again can help.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.enums import ActionResult, AssociationResult
from openami.ami.dlms.errors import ActionRefusedError, AssociationRefusedError, DlmsError
from openami.ami.dlms.events import NEED_DATA, DataNotification, EventNotification, ReleaseRequest
from openami.ami.dlms.gateway import GatewayAddress
from openami.ami.dlms.queries import opened
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.headend.links import LinkDownError
from openami.shared.errors import OpenAmiError
from openami.shared.secrets import SealBrokenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openami.ami.dlms.client import ClientEvent
    from openami.ami.dlms.events import Event, _NeedData
    from openami.ami.dlms.queries import Query
    from openami.ami.headend.model import Address

_T = TypeVar("_T")

CLIENT_SAP: Final = 1  # client management process, wPort 1 (cosem 1.2)
SERVER_SAP: Final = 1  # management logical device
READ_OCTETS: Final = 64 * 1024
# A quarter-hour profile of two years with four columns stays below; more is not an answer but a flood.
SESSION_OCTETS_MAX: Final = 16 * 1024 * 1024


class SessionError(OpenAmiError):
    """A session with a meter failed on the way, not at the meter."""


class NoAnswerError(SessionError):
    """The meter did not answer within the time allowed."""


class ConnectionLostError(SessionError):
    """The connection ended in the middle of the session."""


class FloodError(SessionError):
    """The peer sent more octets than any answer can have."""


class WrongMeterError(SessionError):
    """Another meter answers at this address than the one we were told of."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a session waits, in wall seconds."""

    connect_s: float = 5.0
    answer_s: float = 10.0


@dataclass(slots=True)
class Traffic:
    """Octets of one session, for the record."""

    sent: int = 0
    received: int = 0


class Session:
    """An open association; `open_session` makes and ends it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        client: ClientConnection,
        timing: Timing,
        traffic: Traffic,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._client = client
        self._timing = timing
        self.traffic = traffic

    async def ask(self, query: Query[_T]) -> _T:
        """What the meter answers to a question.

        Raises:
            AccessDeniedError, ActionRefusedError, ServiceRefusedError: the meter answers with a reason instead.
            RemoteProtocolError: it answers something else.
            SessionError: it does not answer.
        """
        return query.result(await self._exchange(query.request))

    async def associate(self) -> None:
        """Open the association with the password of the connection.

        Raises:
            AssociationRefusedError: the meter does not want us.
        """
        opened(await self._exchange(self._client.associate()))

    async def release(self) -> None:
        """End the association; a meter that does not say goodbye has still given its data."""
        with suppress(DlmsError, SessionError):
            await self._exchange(ReleaseRequest())

    async def _exchange(self, request: ClientEvent) -> Event | _NeedData:
        await self._write(self._client.send(request))
        try:
            async with asyncio.timeout(self._timing.answer_s) as limit:
                while True:
                    answer = self._client.next_event()
                    if answer is NEED_DATA:
                        await self._write(self._client.data_to_send())
                        await self._read()
                        # a long answer in many blocks may take longer in all, but never without a sign of life
                        limit.reschedule(asyncio.get_running_loop().time() + self._timing.answer_s)
                    elif not isinstance(answer, DataNotification | EventNotification):
                        return answer
        except TimeoutError as error:
            raise NoAnswerError(
                f"No answer to {type(request).__name__} within {self._timing.answer_s:g} s.", hint="It is tried again."
            ) from error

    async def _write(self, octets: bytes) -> None:
        if not octets:
            return
        self.traffic.sent += len(octets)
        try:
            self._writer.write(octets)
            await self._writer.drain()
        except OSError as error:
            raise ConnectionLostError(f"The connection broke while sending: {error}.") from error

    async def _read(self) -> None:
        try:
            octets = await self._reader.read(READ_OCTETS)
        except OSError as error:
            raise ConnectionLostError(f"The connection broke while waiting: {error}.") from error
        if not octets:
            raise ConnectionLostError("The other side closed the connection before it answered.")
        self.traffic.received += len(octets)
        if self.traffic.received > SESSION_OCTETS_MAX:
            raise FloodError(f"More than {SESSION_OCTETS_MAX} octets came in one session.")
        self._client.receive_data(octets)


@asynccontextmanager
async def open_session(address: Address, password: bytes, timing: Timing, traffic: Traffic) -> AsyncIterator[Session]:
    """Connect, associate, and in the end release and close, whatever happened.

    Raises:
        LinkDownError: the concentrator does not take the connection.
        AssociationRefusedError: the meter does not want us.
        SessionError, DlmsError: everything else.
    """
    try:
        async with asyncio.timeout(timing.connect_s):
            reader, writer = await asyncio.open_connection(address.host, address.port)
    except (OSError, TimeoutError) as error:
        reason = "no connection in time" if isinstance(error, TimeoutError) else str(error)
        raise LinkDownError(f"{address.segment} cannot be reached: {reason}.", hint="It is tried again.") from error
    gateway = GatewayAddress(address.network_id, address.physical_address) if address.physical_address else None
    client = ClientConnection(WrapperFraming.client(CLIENT_SAP, SERVER_SAP, gateway), password=password)
    session = Session(reader, writer, client, timing, traffic)
    try:
        await session.associate()
        yield session
        await session.release()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def retry_helps(error: Exception) -> bool:
    """Whether the same session may succeed later without anybody doing anything.

    A meter that refuses the password will refuse it again, and count it as an attack; another meter at the address
    stays another meter; a secret that does not open stays shut; a method without a transition finds none later.
    """
    if isinstance(error, AssociationRefusedError):
        return error.result is AssociationResult.REJECTED_TRANSIENT
    if isinstance(error, ActionRefusedError):
        return error.result is ActionResult.TEMPORARY_FAILURE
    return not isinstance(error, WrongMeterError | SealBrokenError)
