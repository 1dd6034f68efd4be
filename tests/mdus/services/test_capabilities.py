"""What AMS, capability group and activation group allow: all that are set have to agree."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from openami.mdus.middle import MdusSettings
from openami.mdus.registry.ids import DeviceId, SystemId
from openami.mdus.registry.model import Device, DeviceMaster, SystemSlice
from openami.mdus.registry.slices import OPEN_DATE, Period
from openami.mdus.services.capabilities import BadCapabilitiesError, Capabilities, NotCapableError, load
from openami.testing import requests

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 3, 1)
EVER = Period(date(2026, 1, 1), OPEN_DATE)
DEVICE = Device(DeviceId("000000000000004711"), DeviceMaster("SN1", "M1", EVER), (SystemSlice(EVER, SystemId("AMS1")),))
READ = frozenset({"read"})


def test_what_is_not_named_can_do_everything():
    Capabilities().check(DEVICE, "switch", DAY)


@pytest.mark.parametrize(
    ("table", "who"),
    [
        (Capabilities(systems={"AMS1": READ}), "AMS AMS1"),
        (Capabilities(groups={"G": READ}, materials={"M1": "G"}), "Capability group G"),
        (Capabilities(activation_groups={"A": READ}, activations={"4711": "A"}), "Activation group A"),
    ],
)
def test_each_of_the_three_can_forbid(table: Capabilities, who: str):
    table.check(DEVICE, "read", DAY)
    with pytest.raises(NotCapableError, match=f"{who} of device .* does not support 'switch'"):
        table.check(DEVICE, "switch", DAY)


def test_the_shipped_table_can_be_read_and_a_wrong_one_says_why(tmp_path: Path):
    assert "switch" in load().systems["AMS1"]
    file = tmp_path / "capabilities.toml"
    file.write_text('[systems]\nAMS1 = ["fly"]\n')
    with pytest.raises(BadCapabilitiesError, match="unknown function 'fly'"):
        load(file)


@pytest.mark.postgres
@pytest.mark.enable_socket
class TestAtTheDoor:
    @pytest.fixture
    def mdus_settings(self) -> MdusSettings:
        only_intervals = Capabilities(systems={"AMS1": frozenset({"intervals", "read"})})
        return MdusSettings(upload_every=timedelta(), capabilities=only_intervals)

    async def test_orders_outside_are_refused_with_the_reason(self, world: Any, home: Any):
        await world.office(*home.initialization())
        world.clock.advance_to(datetime(2026, 3, 11, 9, tzinfo=UTC))
        world.office_heard.clear()
        await world.office(
            requests.switch(home, requests.DISCONNECT),
            requests.reading_ordered(home, date(2026, 3, 11), source="1"),
        )
        notes = [one.log.item[0].note for one in world.office_heard]
        assert ["'switch'" in notes[0], "'read on demand'" in notes[1]] == [True, True]
