"""One association with one meter over a wire that `wires` opens.

The DLMS stack below is sans-IO; here octets get a wire, waiting gets a limit in wall time, and everything that can go
wrong gets a class that says whether trying again can help.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

from openami.ami.dlms.client import DEFAULT_MAX_PDU_OCTETS, ClientConnection
from openami.ami.dlms.enums import ActionResult, AssociationResult, Conformance, Mechanism
from openami.ami.dlms.errors import (
    ActionRefusedError,
    AssociationRefusedError,
    DlmsError,
    RemoteProtocolError,
    ReplayedCounterError,
    ServiceRefusedError,
)
from openami.ami.dlms.events import (
    NEED_DATA,
    ConfirmedServiceError,
    DataNotification,
    EventNotification,
    ExceptionResponse,
    GetRequest,
    GetResponse,
    ReleaseRequest,
)
from openami.ami.dlms.failures import refused
from openami.ami.dlms.gateway import GatewayAddress
from openami.ami.dlms.protection import Protection as PlainProtection
from openami.ami.dlms.queries import opened
from openami.ami.dlms.security import Prover
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.headend.functions.model import HopelessError
from openami.ami.headend.model import Link, Purpose
from openami.ami.headend.protections import CounterJumpError
from openami.ami.headend.standards import standard_of
from openami.ami.headend.turns import Turn, Turns
from openami.ami.headend.wires import ConnectionLostError, SessionError
from openami.shared.secrets import SealBrokenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from openami.ami.dlms.axdr import Encoded
    from openami.ami.dlms.client import ClientEvent
    from openami.ami.dlms.enums import DataAccessResult
    from openami.ami.dlms.events import Event, _NeedData
    from openami.ami.dlms.queries import Query
    from openami.ami.dlms.references import AttributeRef
    from openami.ami.headend.model import Meter
    from openami.ami.headend.protections import Protection, Protections
    from openami.ami.headend.shipment import Seals
    from openami.ami.headend.wires import Wire, Wires

_T = TypeVar("_T")

CLIENT_SAP: Final = 1  # client management process, wPort 1 (cosem 1.2)
SERVER_SAP: Final = 1  # management logical device
# A quarter-hour profile of two years with four columns stays below; more is not an answer but a flood.
SESSION_OCTETS_MAX: Final = 16 * 1024 * 1024
TRACE_MAX: Final = 500
DATAGRAM_OCTETS: Final = 1200
"""The longest APDU over UDP: with wrapper, gateway and IP headers it travels in one packet anywhere."""
LIST_MAX: Final = 16
"""Attributes in one request: more make answers of many blocks, which a bad link loses as a whole."""


class NoAnswerError(SessionError):
    """The meter did not answer within the time allowed."""


class FloodError(SessionError):
    """The peer sent more octets than any answer can have."""


class WrongMeterError(SessionError):
    """Another meter answers at this address than the one we were told of."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a session waits, in wall seconds, and how often it asks again for what can be asked twice."""

    connect_s: float = 5.0
    answer_s: float = 10.0
    repeats: int = 2


@dataclass(slots=True)
class Traffic:
    """Octets of one session, for the record."""

    sent: int = 0
    received: int = 0
    trace: list[str] | None = None
    """What was said, if that is to be kept."""

    def note(self, sign: str, octets: bytes) -> None:
        """Keep octets of a session that is watched."""
        if self.trace is not None and len(self.trace) < TRACE_MAX:
            self.trace.append(sign + octets.hex())


class Session:
    """An open association; `Sessions.open` makes and ends it."""

    def __init__(
        self,
        wire: Wire,
        client: ClientConnection,
        timing: Timing,
        traffic: Traffic,
        protection: Protection | None = None,
        reserve: Callable[[], Awaitable[object]] | None = None,
        list_max: int = LIST_MAX,
        turn: Turn | None = None,
    ) -> None:
        self._wire = wire
        self._client = client
        self._timing = timing
        self._protection = protection
        self._reserve = reserve
        self._list_max = list_max
        self._turn = turn
        self.traffic = traffic
        self.repeated = 0
        self.replays = 0
        self.answered = False
        """Whether the meter has said anything yet."""

    @property
    def counter_received(self) -> int | None:
        """The last counter accepted from the meter; None in a session that is not ciphered."""
        return None if self._protection is None else self._protection.received.last

    @property
    def stood_in(self) -> bool:
        """Whether a concentrator answers in the place of the meter, from what it has read."""
        return self._client.stood_in

    async def ask(self, query: Query[_T]) -> _T:
        """What the meter answers to a question.

        Raises:
            AccessDeniedError, ActionRefusedError, ServiceRefusedError: the meter answers with a reason instead.
            RemoteProtocolError: it answers something else.
            SessionError: it does not answer.
        """
        return query.result(await self._exchange(query.request))

    async def ask_all(self, attributes: Sequence[AttributeRef]) -> list[Encoded | DataAccessResult]:
        """The values of many attributes, with a reason in the place of one that is refused.

        They travel in lists if the meter takes such, else one by one.
        """
        listed = Conformance.MULTIPLE_REFERENCES in self._client.agreed.conformance
        step = self._list_max if listed else 1
        found: list[Encoded | DataAccessResult] = []
        for start in range(0, len(attributes), step):
            part = tuple(attributes[start : start + step])
            answer = await self._exchange(GetRequest(part, listed=listed and len(part) > 1))
            if not isinstance(answer, GetResponse) or len(answer.results) != len(part):
                raise _not_values(answer, len(part))
            found += answer.results
        return found

    async def associate(self) -> None:
        """Open the association with the secrets of the connection.

        Raises:
            AssociationRefusedError: the meter does not want us.
        """
        opened(await self._exchange(self._client.associate()))

    async def release(self) -> None:
        """End the association; a meter that does not say goodbye has still given its data."""
        with suppress(DlmsError, SessionError):
            await self._exchange(ReleaseRequest())

    async def _exchange(self, request: ClientEvent) -> Event | _NeedData:
        """Ask and wait; a reading whose answer was lost is asked for again, nothing else is."""
        again = self._timing.repeats if isinstance(request, GetRequest) else 0
        while True:
            if self._reserve is not None:
                await self._reserve()
            self._write(self._client.send(request))
            try:
                return await self._answer()
            except TimeoutError as error:
                if again <= 0:
                    raise NoAnswerError(
                        f"No answer to {type(request).__name__} within {self._timing.answer_s:g} s.",
                        hint="It is tried again.",
                    ) from error
                again -= 1
                self.repeated += 1
                self._client.give_up()

    async def _answer(self) -> Event | _NeedData:
        while True:
            try:
                answer = self._client.next_event()
            except ReplayedCounterError:
                self.replays += 1  # a frame that came twice: its first copy was taken
                continue
            if answer is NEED_DATA:
                self._write(self._client.data_to_send())
                await self._read()
            elif not isinstance(answer, DataNotification | EventNotification):
                return answer

    def _write(self, octets: bytes) -> None:
        if octets:
            self.traffic.sent += len(octets)
            self.traffic.note(">", octets)
            self._wire.write(octets)

    async def _read(self) -> None:
        # a long answer in many blocks may take longer in all, but never without a sign of life
        octets = await self._wire.read(self._timing.answer_s, self._turn)
        self.answered = True
        self.traffic.received += len(octets)
        if self.traffic.received > SESSION_OCTETS_MAX:
            raise FloodError(f"More than {SESSION_OCTETS_MAX} octets came in one session.")
        self.traffic.note("<", octets)
        self._client.receive_data(octets)


class Sessions:
    """Opens associations with meters: over the right wire, with the right secrets."""

    def __init__(
        self, wires: Wires, protections: Protections, sealer: Seals, timing: Timing, turns: Turns | None = None
    ) -> None:
        self._wires = wires
        self._protections = protections
        self._sealer = sealer
        self._timing = timing
        self._turns = turns or Turns()

    @asynccontextmanager
    async def open(self, meter: Meter, purpose: Purpose, traffic: Traffic) -> AsyncIterator[Session]:
        """Connect, associate, and in the end release, whatever happened.

        Raises:
            LinkDownError: the concentrator does not take the connection.
            AssociationRefusedError: the meter does not want us.
            SessionError, DlmsError: everything else.
        """
        if purpose is not Purpose.SCHEDULE:
            async with self._opened(meter, traffic, None) as session:
                yield session
            return
        with self._turns.of(meter.serial) as turn:
            await turn.take()
            async with self._opened(meter, traffic, turn) as session:
                yield session

    @asynccontextmanager
    async def _opened(self, meter: Meter, traffic: Traffic, turn: Turn | None) -> AsyncIterator[Session]:
        protection = await self._protections.of(meter)
        session, wire = await self._associated(meter, protection, traffic, turn)
        good = False
        try:
            yield session
            await session.release()
            good = session.repeated + session.replays == 0  # late answers may still be on their way to a later session
        except DlmsError:
            await session.release()
            raise
        finally:
            self._wires.give(meter.address, wire, good=good)

    async def _associated(
        self, meter: Meter, protection: Protection | None, traffic: Traffic, turn: Turn | None
    ) -> tuple[Session, Wire]:
        """An open association; a kept wire that has died, and a counter that is too low, get a second try."""
        wire = await self._wires.take(meter.serial, meter.address, self._timing.connect_s)
        session = self._session(wire, meter, protection, traffic, turn)
        try:
            await session.associate()
        except ConnectionLostError:
            self._wires.give(meter.address, wire, good=False)
            if wire.fresh or session.answered or meter.address.link is Link.DIAL_IN:
                raise
        except ServiceRefusedError as error:
            self._wires.give(meter.address, wire, good=False)
            if protection is None or error.expected_counter is None:
                raise
            await self._protections.raise_to(meter, error.expected_counter)
        except BaseException:
            self._wires.give(meter.address, wire, good=False)
            raise
        else:
            return session, wire
        wire = await self._wires.take(meter.serial, meter.address, self._timing.connect_s, fresh=True)
        session = self._session(wire, meter, protection, traffic, turn)
        try:
            await session.associate()
        except BaseException:
            self._wires.give(meter.address, wire, good=False)
            raise
        return session, wire

    def _session(
        self, wire: Wire, meter: Meter, protection: Protection | None, traffic: Traffic, turn: Turn | None
    ) -> Session:
        address = meter.address
        gateway = GatewayAddress(address.network_id, address.physical_address) if address.physical_address else None
        standard = standard_of(meter)
        framing = WrapperFraming.client(standard.manner.client_sap, standard.manner.server_sap, gateway)
        list_max = meter.list_max or standard.list_max or LIST_MAX
        octets_max = meter.pdu_octets_max or DEFAULT_MAX_PDU_OCTETS
        if address.link is Link.UDP:
            octets_max = min(octets_max, DATAGRAM_OCTETS)
        how: _How = {"conformance": standard.manner.conformance, "max_pdu_octets": octets_max}
        password = self._sealer.open(meter.sealed_password, context=meter.serial) if meter.sealed_password else b""
        if protection is None:
            return Session(
                *(wire, self._plain(framing, meter, password, how), self._timing, traffic),
                list_max=list_max,
                turn=turn,
            )
        ciphering, prover = protection.ends(self._protections.title, meter.system_title, standard.mechanism, password)

        async def reserve() -> None:
            if protection.low:
                await self._protections.prepare([meter])

        client = ClientConnection(framing, protection=ciphering, prover=prover, **how)
        return Session(wire, client, self._timing, traffic, protection, reserve, list_max, turn)

    def _plain(self, framing: WrapperFraming, meter: Meter, password: bytes, how: _How) -> ClientConnection:
        """A connection that is not ciphered: a password, or a secret that is proved where the standard wants that."""
        standard, known = standard_of(meter), PlainProtection(usual_title=meter.system_title)
        if standard.mechanism in {Mechanism.HIGH_MD5, Mechanism.HIGH_SHA1, Mechanism.HIGH_SHA256}:
            prover = Prover(standard.mechanism, password, self._protections.title)
            return ClientConnection(framing, protection=known, prover=prover, **how)
        return ClientConnection(framing, protection=known, password=password, **how)


class _How(TypedDict):
    conformance: Conformance
    max_pdu_octets: int


def _not_values(answer: object, wanted: int) -> Exception:
    if isinstance(answer, ExceptionResponse | ConfirmedServiceError):
        return refused(answer)
    return RemoteProtocolError(f"Found {type(answer).__name__} where {wanted} values are due.")


def retry_helps(error: Exception) -> bool:
    """Whether the same session may succeed later without anybody doing anything.

    A meter that refuses the password will refuse it again, and count it as an attack; another meter at the address
    stays another meter; a secret that does not open stays shut; a method without a transition finds none later.
    """
    if isinstance(error, AssociationRefusedError):
        return error.result is AssociationResult.REJECTED_TRANSIENT
    if isinstance(error, ActionRefusedError):
        return error.result is ActionResult.TEMPORARY_FAILURE
    return not isinstance(error, WrongMeterError | SealBrokenError | CounterJumpError | HopelessError)
