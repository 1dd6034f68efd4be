"""A meter of each companion profile: spoken to in its manner, read where its standard has things, commanded, told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.ami.headend.conftest import CLOCK, PASSWORD, StreetMeter

from openami.ami.dlms.data import Data, integer8, structure, unsigned16
from openami.ami.dlms.enums import Conformance, DataAccessResult, Mechanism
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.security import Prover
from openami.ami.dlms.selection import CaptureObject
from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.headend import shipment, store
from openami.ami.headend.model import Address, Meter, Stream
from openami.ami.headend.profiles import layout_of
from openami.ami.headend.sessions import Session
from openami.ami.headend.standards import PROFILES, UnknownProfileError, known_profile, standard_of
from openami.shared.contract import field as contract

if TYPE_CHECKING:
    from openami.ami.dlms.references import Selection

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]
DAILY = {"generic": "1-0:98.2.0.255"} | dict.fromkeys(PROFILES, "1-0:99.2.0.255") | {"esmr5": "1-0:98.2.0.255"}


@dataclass
class CompanionMeter(StreetMeter):
    """A meter that has things where its standard has them, and takes only what its standard asks for."""

    standard: str = "generic"
    mechanism: Mechanism = Mechanism.LOW
    ends: list[ServerConnection] = field(default_factory=list)

    def end(self) -> ServerConnection:
        if self.mechanism is Mechanism.LOW:
            end = ServerConnection(WrapperFraming.server())
        else:
            end = ServerConnection(WrapperFraming.server(), prover=Prover(self.mechanism, PASSWORD, b"MDM00001"))
        self.ends.append(end)
        return end

    def admit(self, client_sap: int, mechanism: Mechanism, password: bytes) -> bool:
        good = password == self.password if mechanism is Mechanism.LOW else True
        return client_sap == 1 and mechanism is self.mechanism and good

    def content(self, obis: str) -> Any:
        if obis in DAILY.values():
            if obis != DAILY[self.standard]:
                raise AccessDeniedError(DataAccessResult.OBJECT_UNDEFINED)
            obis = "1-0:98.2.0.255"
        return super().content(obis)


def meter_of(profile: str, title: bytes = b"") -> Meter:
    return Meter("E1", Address("h", 1), b"", profile=profile, system_title=title)


def mechanism_of(profile: str) -> Mechanism:
    """What a meter without keys can be asked for: its digest, or else its password."""
    wanted = standard_of(meter_of(profile)).mechanism
    return wanted if wanted in {Mechanism.HIGH_MD5, Mechanism.HIGH_SHA1, Mechanism.HIGH_SHA256} else Mechanism.LOW


@pytest.mark.parametrize("profile", ["generic", *PROFILES])
async def test_a_meter_of_each_profile_is_read_and_switched(bench: Any, clock: Any, profile: str) -> None:
    start = clock.now()
    meter = CompanionMeter("E0001", clock, standard=profile, mechanism=mechanism_of(profile))
    meter.fill(start - timedelta(hours=2), 4)
    meter.daily[start - timedelta(hours=1)] = 4711
    line = bench.street.add(meter) | {"profile": profile}
    assert (await bench.http.post("/api/shipment", json={"devices": [line]})).status_code == 200
    await bench.provision("E0001", installed=start - timedelta(hours=2))
    device = contract.ControlledDevice(names=(contract.Name.of("E0001"),))
    control = contract.EndDeviceControl(mrid="off", code=contract.DISCONNECT, devices=(device,))
    async with bench.running():
        clock.advance(timedelta(minutes=2))
        await bench.quiet()
        await bench.tell(contract.Verb.CREATE, contract.EndDeviceControls((control,)))
        await bench.quiet()
    async with bench.database.read() as connection:
        row = await store.meter_row(connection, "E0001")
    assert row is not None
    assert row.last_error is None
    assert (row.profile, row.failures, row.breaker) == (profile, 0, "disconnected")
    assert list((await bench.told_wh("E0001")).values()) == [100, 101, 102, 103]
    dials = [
        reading.value
        for message in await bench.sent(contract.Verb.CREATED, "MeterReadings")
        for each in message.payload.readings
        for reading in each.readings
        if reading.reading_type.macro_period
    ]
    assert 4711 in [value.scaleb(3) for value in dials] or 4711 in dials
    listed = Conformance.MULTIPLE_REFERENCES in meter.ends[0].agreed.conformance
    assert listed is (profile != "dsmr2"), "DSMR 2.2 is asked for one attribute at a time"


def test_logs_are_where_the_standard_has_them() -> None:
    idis, esmr, dsmr = (standard_of(meter_of(name)).streams for name in ("idis", "esmr5", "dsmr"))
    assert (idis[Stream.QUALITY_LOG], idis[Stream.COMMUNICATION_LOG]) == ("0-0:99.98.4", "0-0:99.98.5")
    assert (esmr[Stream.QUALITY_LOG], esmr[Stream.COMMUNICATION_LOG]) == ("0-0:99.98.5", "0-0:99.98.4")
    assert Stream.QUALITY_LOG not in dsmr, "its place is taken by the log of sessions"
    assert standard_of(meter_of("generic")).streams == {stream: stream.value for stream in Stream}


async def test_a_makers_quirk_mends_the_power_of_ten_that_it_does_not_tell(bench: Any, clock: Any) -> None:
    voltage = "1-0:32.7.0.255"
    standard = standard_of(meter_of("dsmr", b"KFM\x00\x00\x00\x00\x01"))
    assert standard.scales[voltage] == -1
    assert not standard_of(meter_of("dsmr", b"OTH\x00\x00\x00\x00\x01")).scales

    class Kaifa(CompanionMeter):
        def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None) -> Data:
            if str(obis) == voltage:
                return unsigned16(2304) if attribute == 2 else structure(integer8(0), unsigned16(35))
            return super().get(class_id, obis, attribute, selection)

    line = bench.street.add(Kaifa("E0001", clock)) | {"profile": "dsmr", "system_title": b"KFM\0\0\0\0\1".hex()}
    assert (await bench.http.post("/api/shipment", json={"devices": [line]})).status_code == 200
    async with bench.database.read() as connection:
        meter = await store.load_meter(connection, "E0001", offset_s=0)
    assert meter is not None
    from openami.ami.headend.model import Purpose  # noqa: PLC0415

    visit = await bench.head_end.reader.visit(meter, Purpose.PERSON, lambda dialogue: dialogue.register(voltage))
    assert visit.error is None, visit.error
    assert str(visit.result.value) == "230.4"


async def test_the_longest_apdu_and_the_longest_list_are_what_was_set(bench: Any, clock: Any, monkeypatch: Any) -> None:
    meter = CompanionMeter("E0001", clock)
    meter.fill(clock.now() - timedelta(days=1), 48)
    await bench.ship(meter)
    await bench.provision("E0001", installed=clock.now() - timedelta(days=1))
    async with bench.database.begin() as transaction:
        await store.change_meter(transaction, "E0001", communication={"list_max": 2, "pdu_octets_max": 200})
    heard: list[int] = []
    read = Session._read

    async def measured(self: Any) -> None:
        before = self.traffic.received
        await read(self)
        heard.append(self.traffic.received - before)

    monkeypatch.setattr(Session, "_read", measured)
    async with bench.running():
        clock.advance(timedelta(minutes=2))
        await bench.quiet()
    assert meter.ends[0].agreed.max_pdu_octets == 200
    assert max(heard) < 250
    assert len(await bench.told_wh("E0001")) == 48


def test_columns_of_devices_behind_the_meter_are_not_its_own() -> None:
    columns = [CLOCK, CaptureObject(3, Obis.of("1-0:1.8.1"), 2), CaptureObject(3, Obis.of("1-0:1.8.2"), 2)]
    columns += [CaptureObject(4, Obis.of("0-1:24.2.1"), attribute) for attribute in (2, 5)]
    assert [column.obis for column in layout_of(columns, 86400).measured] == ["1-0:1.8.1.255", "1-0:1.8.2.255"]


def test_a_profile_that_there_is_not_is_refused() -> None:
    assert known_profile("idis") == "idis"
    with pytest.raises(UnknownProfileError, match="no profile 'klingon'"):
        known_profile("klingon")
    device = {"serial": "E1", "kind": "electricity", "concentrator_host": "h", "concentrator_port": 1}
    device |= {"lls_password": "x", "profile": "klingon"}
    with pytest.raises(shipment.BadShipmentError, match=r"device E1.*klingon"):
        shipment.rows_of([device], object(), None)  # type: ignore[arg-type]
