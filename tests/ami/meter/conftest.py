"""A small street whose meters live from a local midnight on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.device import serve
from openami.ami.dlms.events import NEED_DATA, Event
from openami.ami.dlms.queries import Query, opened
from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.meter.cosem import ElectricityDevice
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.protection import keys_of
from openami.ami.meter.street import Street, build_street
from openami.ami.meter.times import seconds_of

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

ZONE = "Europe/Amsterdam"
GENESIS = datetime(2026, 2, 27, 23, tzinfo=UTC)  # a local midnight
PASSWORD = "0123456789abcdef"
SECRET = "a secret of the factory"


@pytest.fixture(scope="session")
def street() -> Street:
    return build_street(10, 1)


@pytest.fixture
def fleet(street: Street) -> Fleet:
    fleet = Fleet(street, ZONE, seconds_of(GENESIS))
    fleet.begin()
    return fleet


class Reader:
    """A head-end and a meter joined by a fake wire."""

    def __init__(self, fleet: Fleet, serial: str) -> None:
        meter = fleet.meters[serial]
        keys = keys_of(SECRET, serial, meter.wrapped_keys)
        device = ElectricityDevice(
            meter, PASSWORD, ZONE, lambda: fleet.lived_s, keys=keys, slaves=fleet.slaves_of(meter)
        )
        self._device = device
        self._server = ServerConnection(WrapperFraming.server())
        self._client = ClientConnection(WrapperFraming.client())

    def open(self, password: str = PASSWORD, client_sap: int = 1) -> Reader:
        self._client = ClientConnection(WrapperFraming.client(client_sap), password=password.encode())
        answer = self.exchange(self._client.send(self._client.associate()))
        opened(answer)
        return self

    def ask(self, query: Query[T]) -> T:
        return query.result(self.exchange(self._client.send(query.request)))

    def exchange(self, octets: bytes) -> Event:
        while octets:
            self._client.receive_data(serve(self._server, self._device, octets))
            event = self._client.next_event()
            octets = self._client.data_to_send()  # the next block is asked for
            if event is not NEED_DATA:
                return event  # type: ignore[return-value]
        raise AssertionError("the meter did not answer")


@pytest.fixture
def reader(fleet: Fleet) -> Reader:
    return Reader(fleet, "OAE0000001").open()
