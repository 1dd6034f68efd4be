"""Our client reads a foreign meter: Gurux's server, whose faults a subclass mends as far as one can.

Mended: the size of PDUs (its setter calls itself), the start (it puts a collection into a collection), the reply (it
has no setters), and the notifications that it calls by names it does not have. Not to be mended from outside are
selective access, block transfer, methods, writing and release: there the dialogues of other clients, and of
captured meters, stand in (`test_foreign_fixtures`, `test_dialogues`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from openami.ami.dlms import (
    NEED_DATA,
    AccessDeniedError,
    AssociationRefusedError,
    AttributeRef,
    ClientConnection,
    Data,
    Obis,
    Query,
    WrapperFraming,
    opened,
    read,
    read_entries,
    read_many,
)

gurux_dlms = pytest.importorskip("gurux_dlms", reason="Gurux is a development dependency")
gurux_objects = pytest.importorskip("gurux_dlms.objects")
gurux_enums = pytest.importorskip("gurux_dlms.enums")

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.ami.dlms import Event

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
START = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = 96


def accessor(of: object, name: str) -> Callable[..., Any]:
    """Its callers use `getX` and `setX` where it has plain attributes."""
    attribute = name[3:4].lower() + name[4:]
    if name.startswith("get"):
        return lambda: getattr(of, attribute)
    if name.startswith("set"):
        return lambda value: setattr(of, attribute, value)
    raise AttributeError(name)


class Reply(gurux_dlms.GXServerReply):  # type: ignore[misc,name-defined]
    def __getattr__(self, name: str) -> Any:
        return accessor(self, name)


class MendedServer(gurux_dlms.GXDLMSServer):  # type: ignore[misc,name-defined]
    """Gurux's server with what it lacks."""

    def __init__(self, objects: list[Any], password: str) -> None:
        super().__init__(True, gurux_enums.InterfaceType.WRAPPER)
        self.password = password
        for each in objects:
            self.settings.objects.append(each)
        self.seen: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("notify"):
            return lambda *_: self.seen.append(name)
        raise AttributeError(name)

    def setMaxReceivePDUSize(self, value: int) -> None:  # noqa: N802 - its name
        self.settings.maxServerPDUSize = value

    def initialize(self) -> None:
        self.initialized = True

    def isTarget(self, *_: Any) -> bool:  # noqa: N802
        return True

    def onValidateAuthentication(self, _kind: Any, password: Any) -> Any:  # noqa: N802
        good = bytes(password or b"") == self.password.encode()
        return getattr(gurux_enums.SourceDiagnostic, "NONE" if good else "AUTHENTICATION_FAILURE")

    def onGetAttributeAccess(self, *_: Any) -> Any:  # noqa: N802
        return gurux_enums.AccessMode.READ_WRITE

    def onGetMethodAccess(self, *_: Any) -> Any:  # noqa: N802
        return gurux_enums.MethodAccessMode.ACCESS

    def _nothing(self, *_: Any) -> None:
        return None

    onPreGet = onPostGet = onFindObject = onPreRead = onPostRead = onPreWrite = onPostWrite = _nothing  # noqa: N815
    onConnected = onInvalidConnection = onDisconnected = onPreAction = onPostAction = _nothing  # noqa: N815

    def answer(self, octets: bytes) -> bytes:
        reply = Reply(octets)
        self.handleRequest(reply)
        return bytes(reply.reply)


def its_meter() -> list[Any]:
    register = gurux_objects.GXDLMSRegister("1.0.1.8.0.255")
    register.value, register.scaler, register.unit = 4711, 1, gurux_enums.Unit.ACTIVE_ENERGY
    clock = gurux_objects.GXDLMSClock("0.0.1.0.0.255")
    clock.time = gurux_dlms.GXDateTime(START)
    breaker = gurux_objects.GXDLMSDisconnectControl("0.0.96.3.10.255")
    breaker.outputState, breaker.controlState, breaker.controlMode = True, 1, 2
    name = gurux_objects.GXDLMSData("0.0.42.0.0.255")
    name.value = b"GRX1234567890123"
    profile = gurux_objects.GXDLMSProfileGeneric("1.0.99.1.0.255")
    profile.capturePeriod = 900
    for each in (clock, register):
        profile.captureObjects.append((each, gurux_objects.GXDLMSCaptureObject(2, 0)))
    for row in range(1, ROWS + 1):
        profile.buffer.append([gurux_dlms.GXDateTime(START + row * timedelta(minutes=15)), 1000 + row])
    return [gurux_objects.GXDLMSAssociationLogicalName(), register, clock, breaker, name, profile]


class ForeignMeter:
    """Our client joined to it."""

    def __init__(self, password: bytes) -> None:
        self.server = MendedServer(its_meter(), "12345678")
        self.server.initialize()
        self.client = ClientConnection(WrapperFraming.client(1, 1), password=password)

    def ask(self, event: Any) -> Event:
        self.client.receive_data(self.server.answer(self.client.send(event)))
        answer = self.client.next_event()
        assert answer is not NEED_DATA
        return answer  # type: ignore[return-value]

    def query(self, query: Query[Any]) -> Any:
        return query.result(self.ask(query.request))


@pytest.fixture
def foreign() -> ForeignMeter:
    meter = ForeignMeter(b"12345678")
    opened(meter.ask(meter.client.associate()))
    return meter


def test_its_registers_clock_breaker_and_name_are_read(foreign: ForeignMeter) -> None:
    assert foreign.query(read("1-0:1.8.0", 3)).integer() == 4711
    scaler, unit = foreign.query(read("1-0:1.8.0", 3, 3)).elements()
    assert (scaler.integer(), unit.integer()) == (0, 30)
    assert foreign.query(read("0-0:1.0.0", 8)).date_time().instant() == START
    assert foreign.query(read("0-0:96.3.10", 70, 2)).value is True
    assert foreign.query(read("0-0:96.3.10", 70, 3)).integer() == 1
    assert foreign.query(read("0-0:42.0.0", 1)).text() == "GRX1234567890123"
    assert foreign.server.seen, "it was asked, not we ourselves"


def test_its_lists_are_read(foreign: ForeignMeter) -> None:
    wanted = [AttributeRef(3, Obis.of("1-0:1.8.0"), 2), AttributeRef(70, Obis.of("0-0:96.3.10"), 3)]
    values = foreign.query(read_many(wanted))
    assert [value.integer() for value in values if isinstance(value, Data)] == [4711, 1]


def test_its_load_profile_is_read_by_the_vectorised_path(foreign: ForeignMeter) -> None:
    profile = foreign.query(read_entries("1-0:99.1.0"))
    first = int(START.timestamp()) + 900
    assert profile.times_s.tolist() == list(range(first, first + ROWS * 900, 900))
    assert profile.columns[1].values.tolist() == list(range(1001, 1001 + ROWS))


def test_it_refuses_a_wrong_password() -> None:
    meter = ForeignMeter(b"87654321")
    with pytest.raises(AssociationRefusedError):
        opened(meter.ask(meter.client.associate()))


def test_what_it_cannot_do_is_a_fault_and_no_hang(foreign: ForeignMeter) -> None:
    with pytest.raises(AccessDeniedError):
        foreign.query(read("1-0:1.8.0", 3, 9))
