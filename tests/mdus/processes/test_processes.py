"""Every process of the enterprise services, played by the fake SAP of the test kit against the real middle."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from openami.mdus.middle import MdusSettings
from openami.shared.capabilities import Capabilities
from openami.shared.contract.enterprise.catalogue import catalogue
from openami.testing.faults import KINDS, Faults
from openami.testing.scripts import PROCESSES

if TYPE_CHECKING:
    from openami.testing.scripts import Process, Stage

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]


@pytest.fixture
def script(request: pytest.FixtureRequest) -> Process:
    return PROCESSES[request.param]


@pytest.fixture
def mdus_settings(script: Process) -> MdusSettings:
    return MdusSettings(
        upload_every=timedelta(),
        capabilities=Capabilities(),
        uploads_by_point=script.needs == "uploads_by_point",
        events_one_by_one=script.needs == "events_one_by_one",
    )


@pytest.mark.parametrize("script", sorted(PROCESSES), indirect=True)
async def test_process(script: Process, stage: Stage):
    await script.play(stage)
    await stage.sap.flush()
    missing = script.operations - set(stage.sap.crossed)
    assert not missing, f"{script.name} says that it moves {sorted(missing)}"


class TestWithFaults:
    """The same against a SAP on a bad day: late, twice, out of order, cut off, and refusing what it is told."""

    @pytest.fixture
    def faults(self, script: Process) -> Faults:
        return Faults.of(KINDS, share=0.4, seed=len(script.name), late_s=0.0)

    @pytest.mark.parametrize("script", sorted(PROCESSES), indirect=True)
    async def test_process(self, script: Process, stage: Stage):
        await script.play(stage)
        await stage.sap.flush()
        assert not script.operations - set(stage.sap.crossed)


def test_every_operation_has_its_place_in_a_process():
    named = set().union(*(script.operations for script in PROCESSES.values()))
    assert sorted(one.name for one in catalogue().operations if one.name not in named) == []
    assert named <= {one.name for one in catalogue().operations}
    assert {script.number for script in PROCESSES.values()} == {str(number) for number in range(1, 17)}
