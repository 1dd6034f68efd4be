"""A concentrator reads its meters every hour, as far as its segment lets it: the oldest reading first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from openami.ami.concentrator.cache import CLOCK, KEPT_S, LOGS, PROFILES, CachedMeter, empty_profile
from openami.ami.concentrator.router import Session
from openami.ami.dlms.axdr import Encoded, encode
from openami.ami.dlms.client import ClientConnection
from openami.ami.dlms.data import Data
from openami.ami.dlms.errors import DlmsError
from openami.ami.dlms.events import NEED_DATA
from openami.ami.dlms.gateway import GatewayAddress
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.queries import opened, read, read_many, read_profile
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.wrapper import WrapperBuffer, WrapperFraming
from openami.ami.meter.cosem import MANAGEMENT_CLIENT, PUBLIC_CLIENT, SERIAL
from openami.ami.meter.street import Kind, lls_password
from openami.ami.meter.times import instant_of
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openami.ami.concentrator.segment import Segment
    from openami.ami.dlms.events import Event
    from openami.ami.dlms.queries import Query
    from openami.ami.meter.fleet import Fleet
    from openami.ami.meter.street import Device, Transformer

log = structlog.get_logger()

EVERY_S: Final = 3600
AHEAD_S: Final = 86_400
"""A clock that runs ahead stamps its events in the future."""
REGISTERS: Final = tuple(Obis.of(f"1-0:{code}") for code in ("1.8.0", "2.8.0", "1.8.1", "1.8.2"))
EVENT_CODE: Final = Obis.of("0-0:96.11.0")
VALUES: Final = tuple(
    [
        AttributeRef(class_id, obis, part)
        for class_id, obis, parts in (
            (8, CLOCK, (2,)),
            (1, SERIAL, (2,)),
            (1, EVENT_CODE, (2,)),
            *((3, obis, (2, 3)) for obis in REGISTERS),
            *((7, obis, (3, 4)) for obis in (*PROFILES, *LOGS)),
        )
        for part in parts
    ]
)
"""What is read beside the rows of profiles; a meter need not have all of it."""

_T = TypeVar("_T")


class NoAnswerError(OpenAmiError):
    """A meter did not answer, or its answer was lost on the segment."""


class AirSpentError(OpenAmiError):
    """The segment is busy until the next hour."""


class Collecting:
    """The client of one segment's meters, and what it knows of them."""

    def __init__(self, transformer: Transformer, segment: Segment, fleet_secret: str) -> None:
        self.meters: dict[str, CachedMeter] = {}
        self.changed: set[str] = set()
        """Meters of which something was read, or not, since they were stored."""
        self._transformer = transformer
        self._segment = segment
        self._fleet_secret = fleet_secret
        self._hour = -1
        self._air_s = 0.0

    def collect(self, fleet: Fleet) -> None:
        """Look for new meters and read all; once an hour."""
        hour = fleet.lived_s // EVERY_S
        if hour == self._hour:
            return
        self._hour, self._air_s = hour, float(EVERY_S)
        devices = [
            device
            for device in fleet.street.devices
            if device.transformer == self._transformer.name
            and device.kind is Kind.ELECTRICITY
            and fleet.meters[device.serial].hangs
        ]
        devices.sort(key=lambda device: self._read_s(device.serial))
        try:
            for device in devices:
                self._one(fleet, device)
        except AirSpentError:
            log.info("concentrator.air_spent", transformer=self._transformer.name)

    def know(self, meters: Iterable[CachedMeter]) -> None:
        """Take back what was read before a restart."""
        self.meters.update({meter.serial: meter for meter in meters})

    def password_of(self, serial: str) -> bytes:
        """The password that the factory gave a meter."""
        return lls_password(self._fleet_secret, serial).encode()

    def _read_s(self, serial: str) -> int:
        known = self.meters.get(serial)
        return 0 if known is None else known.read_s

    def _one(self, fleet: Fleet, device: Device) -> None:
        known = self.meters.get(device.serial)
        try:
            self.changed.add(device.serial)
            if known is None:
                known = self.meters[device.serial] = self._discover(fleet, device)
            self._read(fleet, device, known)
        except (NoAnswerError, DlmsError) as error:
            log.info("concentrator.not_read", serial=device.serial, reason=str(error))
            if known is not None:
                known.failures += 1

    def _discover(self, fleet: Fleet, device: Device) -> CachedMeter:
        """Ask who is there, as anybody may; its password is the one that its factory gave the concentrator."""
        dialogue = _Dialogue(self, fleet, device, PUBLIC_CLIENT)
        serial = dialogue.open().ask(read(SERIAL, 1)).octets().decode("ascii")
        log.info("concentrator.discovered", transformer=self._transformer.name, serial=serial)
        return CachedMeter(serial, self.password_of(serial), fleet.lived_s)

    def _read(self, fleet: Fleet, device: Device, known: CachedMeter) -> None:
        dialogue = _Dialogue(self, fleet, device, MANAGEMENT_CLIENT, known.password).open()
        values = dialogue.ask(read_many(VALUES))
        for reference, value in zip(VALUES, values, strict=True):
            if isinstance(value, Data):
                known.values[reference.class_id, reference.obis, reference.attribute] = Encoded(encode(value))
        now_s = fleet.lived_s
        for obis in (*PROFILES, *LOGS):
            if obis not in known.profiles:
                known.profiles[obis] = empty_profile(known.values[7, obis, 3].data())
            profile = known.profiles[obis]
            if obis in PROFILES:
                since_s = profile.newest_s + 1 if profile.newest_s else now_s - KEPT_S
                profile.add(dialogue.ask(read_profile(obis, instant_of(since_s), instant_of(now_s))))
            else:
                span = instant_of(now_s - KEPT_S), instant_of(now_s + AHEAD_S)
                profile.replace(dialogue.ask(read_profile(obis, *span)))
        known.read_s, known.failures = fleet.lived_s, 0

    def exchange(self, fleet: Fleet, session: Session, octets: bytes) -> bytes:
        """One frame to a meter and its answer, over the segment.

        Raises:
            NoAnswerError: nothing came back.
            AirSpentError: the segment has carried all that it can this hour.
        """
        self._carry(octets)
        buffer = WrapperBuffer()
        buffer.receive(octets)
        frame = buffer.next_frame()
        assert frame is not None
        if not fleet.answers(fleet.meters[session.serial]):
            raise NoAnswerError(f"{session.serial} does not answer.", hint="It is read again in an hour.")
        answer = session.serve(fleet, frame)
        self._carry(answer)
        return answer

    def _carry(self, octets: bytes) -> None:
        arrived, took_s = self._segment.carry(octets)
        self._air_s -= took_s
        if self._air_s < 0:
            raise AirSpentError("The segment is busy.", hint="What is left is read in the next hour.")
        if not arrived:
            raise NoAnswerError("A frame was lost on the segment.", hint="The meter is read again in an hour.")


class _Dialogue:
    """One association of the concentrator with a meter."""

    def __init__(
        self, collecting: Collecting, fleet: Fleet, device: Device, client_sap: int, password: bytes = b""
    ) -> None:
        self._collecting, self._fleet = collecting, fleet
        self._session = Session(device, collecting._fleet_secret, lambda: fleet.lived_s)  # noqa: SLF001 - its own
        framing = WrapperFraming.client(client_sap, address=GatewayAddress(0, device.gateway_address))
        self._client = ClientConnection(framing, password=password) if password else ClientConnection(framing)

    def open(self) -> _Dialogue:
        opened(self._exchange(self._client.send(self._client.associate())))
        return self

    def ask(self, query: Query[_T]) -> _T:
        return query.result(self._exchange(self._client.send(query.request)))

    def _exchange(self, octets: bytes) -> Event:
        while octets:
            self._client.receive_data(self._collecting.exchange(self._fleet, self._session, octets))
            event = self._client.next_event()
            octets = self._client.data_to_send()
            if event is not NEED_DATA:
                return event  # type: ignore[return-value]
        raise NoAnswerError("The meter's answer is not whole.", hint="It is read again in an hour.")
