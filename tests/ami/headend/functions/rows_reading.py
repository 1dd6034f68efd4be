"""What functions that only look find at the meter."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from tests.ami.headend.functions.rows import DAY, DAYS, HOUR, TAMPER, decoupled, keyed, outage, rich, row, sag, tampered
from tests.ami.headend.functions.world import SERIAL, World
from tests.ami.meter.conftest import ZONE

from openami.ami.meter import derived, quality
from openami.ami.meter.breaker import Trigger
from openami.ami.meter.settings import ADMINISTRATIVE_STATUS, ALARM_FILTER
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.ami.headend.functions.model import Found


@row({"class_id": 3, "obis": "1-0:1.8.0", "attribute": 2})
def read_attribute(world: World, found: Found) -> None:
    assert found == {"value": world.meter.register_at(world.now_s)}


@row()
def read_all_attributes(world: World, found: Found) -> None:
    values = found["values"]
    assert len(values) > 100
    assert next(value for name, value in values.items() if "0-0:96.1.0" in name) == SERIAL
    register = world.meter.register_at(world.now_s)
    assert register in [value for name, value in values.items() if "1-0:1.8.0" in name]


@row()
def read_object_list(world: World, found: Found) -> None:
    listed = {each["obis"]: each for each in found["objects"]}
    assert listed["0-0:96.3.10.255"]["class_id"] == 70
    assert {"1-0:1.8.0.255", "0-1:24.1.0.255", "0-0:44.0.0.255"} <= listed.keys()


@row()
def read_registers(world: World, found: Found) -> None:
    low, normal, *_ = derived.tariff_registers(world.meter, world.now_s, ZONE)
    registers = found["registers"]
    assert registers["1-0:1.8.0"] == {"value": str(world.meter.register_at(world.now_s)), "unit": 30}
    assert (registers["1-0:1.8.1"]["value"], registers["1-0:1.8.2"]["value"]) == (str(low), str(normal))
    month_s = derived.month_start_s(world.now_s, ZONE)
    assert registers["1-0:1.6.0"]["value"] == derived.maximum_demand(world.meter, month_s, world.now_s).watts


@row()
def read_mbus_registers(world: World, found: Found) -> None:
    for channel, slave in (("1", world.gas), ("2", world.water)):
        said = found["channels"][channel]
        assert (said["identification"], said["unit"]) == (slave.device.mbus_id, 13)
        assert int(float(said["value"]) * 1000 + 0.5) == slave.register_at(world.now_s)


@row({"obis": "1-0:99.1.0", **DAY})
def read_profile(world: World, found: Found) -> None:
    energy = [each[-1] for each in found["rows"]]
    assert len(energy) == 86400 // world.meter.device.interval_s
    start_s = world.fleet.genesis_s
    assert sum(energy) == world.meter.register_at(start_s + 86400) - world.meter.register_at(start_s)


@row({"channel": 2, **DAY})
def read_mbus_profile(world: World, found: Found) -> None:
    assert [each[-1] for each in found["rows"]] == [
        world.water.register_at(world.fleet.genesis_s + hour * 3600) for hour in range(25)
    ]


@row(DAYS, lambda world: world.live(48 * HOUR))
def read_billing(world: World, found: Found) -> None:
    at_s = derived.month_start_s(world.now_s, ZONE)
    (billed,) = found["rows"]
    assert billed[0] == datetime.fromtimestamp(at_s, zone(ZONE)).isoformat()
    assert billed[1] == world.meter.register_at(at_s)


@row(DAY)
def read_quality_profile(world: World, found: Found) -> None:
    assert len(found["rows"]) == 96
    assert all(2200 < volts < 2400 for _, volts, *_ in found["rows"])


@row(before=sag)
def read_quality(world: World, found: Found) -> None:
    assert 220 < float(found["registers"]["1-0:32.7.0"]["value"]) < 240
    assert found["counters"]["1-0:32.32.0"] == 1


@row()
def read_harmonics(world: World, found: Found) -> None:
    (now,) = quality.harmonics(world.meter, 0, np.array([world.now_s]))
    assert found["registers"]["1-0:31.7.124"]["value"] == f"{now / 10:.1f}"


@row(DAYS, outage)
def read_outages(world: World, found: Found) -> None:
    assert [each[-1] for each in found["rows"]] == [3600]


@row(DAYS | {"log": "fraud"}, tampered)
def read_events(world: World, found: Found) -> None:
    at = datetime.fromtimestamp(world.now_s, zone(ZONE)).isoformat()
    assert found == {"logs": {"fraud": [{"at": at, "code": TAMPER}]}}


@row(before=tampered)
def read_alarms(world: World, found: Found) -> None:
    assert found == {"alarms": 1 << 13}


@row()
def read_alarm_filter(world: World, found: Found) -> None:
    assert found == {"filter": world.meter.settings.of(ALARM_FILTER, 2).integer()}


@row()
def read_configuration(world: World, found: Found) -> None:
    assert found == {"configuration": [1, "0000001001000000"]}


@row(before=lambda world: world.meter.write_setting(world.now_s, ADMINISTRATIVE_STATUS, 2, bytes((0x16, 1))))
def read_administrative_status(world: World, found: Found) -> None:
    assert found == {"status": 1}


@row()
def read_firmware_version(world: World, found: Found) -> None:
    assert found["version"] == world.meter.image.version == "OPENAMI-METER-1"


@row()
def read_modem(world: World, found: Found) -> None:
    assert found["operator"] == "OpenAMI Mobile"
    assert 12 <= found["cell"][2] < 30


@row(before=decoupled)
def scan_mbus_channels(world: World, found: Found) -> None:
    (only,) = found["channels"].items()
    assert (only[0], only[1]["identification"], only[1]["medium"]) == ("1", world.gas.device.mbus_id, 3)


@row({"channel": 1}, keyed)
def read_mbus_key_status(world: World, found: Found) -> None:
    assert found == {"key_status": {"1": 1}}


@row(before=lambda world: world.meter.trigger(world.now_s, Trigger.REMOTE_DISCONNECT))
def read_breaker(world: World, found: Found) -> None:
    assert found == {"state": "disconnected", "output": False, "mode": world.meter.breaker.mode, "relay": True}


@row(before=rich)
def read_credit(world: World, found: Found) -> None:
    assert found == {"credit": 4000}
