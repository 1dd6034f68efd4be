"""A small meter and a fake wire, shared by the tests of the stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.ami.dlms import (
    NEED_DATA,
    AccessDeniedError,
    ActionRefusedError,
    ActionResult,
    ClientConnection,
    CosemDateTime,
    Data,
    DataAccessResult,
    Encoded,
    EntrySelection,
    Event,
    Mechanism,
    NumberColumn,
    Obis,
    RangeSelection,
    Selection,
    ServerConnection,
    StampColumn,
    Tag,
    WrapperFraming,
    array,
    boolean,
    encode_profile,
    enum,
    integer8,
    octet_string,
    opened,
    serve,
    structure,
    unsigned32,
    utc_s_to_stamps,
)
from openami.ami.dlms.selection import CLOCK_COLUMN, CaptureObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.ami.dlms.client import ClientEvent
    from openami.ami.dlms.queries import Query

T = TypeVar("T")

PASSWORD = b"12345678"
ZONE = ZoneInfo("Europe/Amsterdam")
ENERGY = Obis.of("1-0:1.8.0.255")
CLOCK = Obis.of("0-0:1.0.0.255")
PROFILE = Obis.of("1-0:99.1.0.255")
BREAKER = Obis.of("0-0:96.3.10.255")
DEVICE_ID = Obis.of("0-0:96.1.0.255")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class SmallMeter:
    """A LogicalDevice with a register, a clock, a profile, a breaker and a text."""

    connected: bool = True
    text: bytes = b"meter"
    calls: int = 0
    first_s: int = int(datetime(2026, 3, 1, 0, 0, tzinfo=UTC).timestamp())
    period_s: int = 900
    energy_wh: np.ndarray = field(default_factory=lambda: np.arange(96 * 2, dtype=np.int64) + 100)

    def admit(self, client_sap: int, mechanism: Mechanism, password: bytes) -> bool:
        return mechanism is Mechanism.LOW and password == PASSWORD

    @property
    def stamps_s(self) -> np.ndarray:
        return self.first_s + self.period_s * np.arange(1, len(self.energy_wh) + 1, dtype=np.int64)

    def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None) -> Data | Encoded:
        if (class_id, obis, attribute) == (7, PROFILE, 2):
            return self.rows(selection)
        values: dict[tuple[int, Obis, int], Data] = {
            (3, ENERGY, 2): unsigned32(1_234_567),
            (3, ENERGY, 3): structure(integer8(0), enum(30)),
            (8, CLOCK, 2): octet_string(CosemDateTime.of(NOW, zone=ZONE)),
            (1, DEVICE_ID, 2): octet_string(self.text),
            (70, BREAKER, 2): boolean(self.connected),
            (7, PROFILE, 3): array([CLOCK_COLUMN.data(), CaptureObject(3, ENERGY, 2).data()]),
        }
        value = values.get((class_id, obis, attribute))
        if value is None:
            raise AccessDeniedError(DataAccessResult.OBJECT_UNDEFINED)
        return value

    def rows(self, selection: Selection | None) -> Encoded:
        stamps_s, energy_wh = self.stamps_s, self.energy_wh
        if selection is not None and selection.selector == 1:
            start, end = RangeSelection.of(selection).instants(zone=ZONE)
            wanted = (stamps_s >= start.timestamp()) & (stamps_s <= end.timestamp())
            stamps_s, energy_wh = stamps_s[wanted], energy_wh[wanted]
        elif selection is not None:
            rows = EntrySelection.of(selection).rows(len(stamps_s))
            stamps_s, energy_wh = stamps_s[rows], energy_wh[rows]
        stamps = utc_s_to_stamps(stamps_s, zone=ZONE)
        return encode_profile([StampColumn(stamps), NumberColumn(Tag.UNSIGNED32, energy_wh)])

    def set(self, class_id: int, obis: Obis, attribute: int, value: Data) -> None:
        if (class_id, obis, attribute) != (1, DEVICE_ID, 2):
            raise AccessDeniedError(DataAccessResult.READ_WRITE_DENIED)
        self.text = value.octets()

    def act(self, class_id: int, obis: Obis, method: int, parameter: Data | None) -> Data | None:
        self.calls += 1
        if (class_id, obis) == (1, DEVICE_ID):
            return parameter
        if (class_id, obis) != (70, BREAKER) or method not in (1, 2):
            raise ActionRefusedError(ActionResult.OBJECT_UNDEFINED)
        self.connected = method == 2
        return None


@dataclass
class ConnectionPair:
    """A client and a server joined by a wire that cuts octets where it likes."""

    client: ClientConnection
    server: ServerConnection
    meter: SmallMeter = field(default_factory=SmallMeter)
    chunk: int = 1_000_000
    octets_up: int = 0
    octets_down: int = 0

    def ask(self, event: ClientEvent) -> Event:
        octets = self.client.send(event)
        answer: object = NEED_DATA
        while answer is NEED_DATA:
            assert octets, "the client waits, but nothing was sent"
            self.octets_up += len(octets)
            back = b"".join(serve(self.server, self.meter, part) for part in self._cut(octets))
            self.octets_down += len(back)
            for part in self._cut(back):
                self.client.receive_data(part)
            answer = self.client.next_event()
            octets = self.client.data_to_send()
        return answer  # type: ignore[return-value]  # the loop ends with an event

    def query(self, query: Query[T]) -> T:
        return query.result(self.ask(query.request))

    def associate(self) -> None:
        opened(self.ask(self.client.associate()))

    def _cut(self, octets: bytes) -> list[bytes]:
        return [octets[at : at + self.chunk] for at in range(0, len(octets), self.chunk)]


def make_pair(
    *, client_pdu: int = 8192, server_pdu: int = 1224, chunk: int = 1_000_000, meter: SmallMeter | None = None
) -> ConnectionPair:
    client = ClientConnection(WrapperFraming.client(1, 1), password=PASSWORD, max_pdu_octets=client_pdu)
    server = ServerConnection(WrapperFraming.server(1), max_pdu_octets=server_pdu)
    return ConnectionPair(client, server, meter or SmallMeter(), chunk)


@pytest.fixture(name="make_pair")
def _make_pair() -> Callable[..., ConnectionPair]:
    return make_pair


@pytest.fixture
def pair() -> ConnectionPair:
    """An associated pair."""
    pair = make_pair()
    pair.associate()
    return pair
