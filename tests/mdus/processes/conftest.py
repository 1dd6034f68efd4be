"""A fake SAP before the real middle, over HTTP, and a field that is played: what the scripts of the test kit need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.zeep_client import ZeepSender, ZeepWriter, served

from openami.shared.contract.enterprise.catalogue import Side
from openami.testing.faults import Faults
from openami.testing.field import PlayedField
from openami.testing.party import Party
from openami.testing.scripts import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import timedelta
    from pathlib import Path

    from openami.shared.contract import field as cim
    from openami.testing.home import Home


@dataclass
class WorldsAms:
    """The AMS of a world."""

    world: Any

    async def send(self, message: cim.Envelope) -> None:
        await self.world.ams(message)

    async def question(self, verb: cim.Verb, noun: str, home: Home) -> cim.Envelope:
        del home
        return self.world.told(verb, noun)[-1]  # type: ignore[no-any-return]


def played_field(world: Any) -> PlayedField:
    """The field of a world, whose clock jumps from timer to timer."""

    async def wait(by: timedelta) -> None:
        await world.until(world.clock.now() + by)

    return PlayedField(WorldsAms(world), world.clock, wait)


@pytest.fixture(scope="session")
def writers() -> dict[bytes, ZeepWriter]:
    """zeep's reading of each WSDL, made once."""
    return {}


@pytest.fixture
def faults() -> Faults:
    """Which faults the fake SAP makes; none, unless a test says so."""
    return Faults()


@pytest.fixture
async def sap(world: Any, writers: dict[bytes, ZeepWriter], tmp_path: Path, faults: Faults) -> AsyncIterator[Party]:
    """A fake SAP whose messages zeep writes, by the WSDL that the running middle hands out, and posts over HTTP."""
    document = (await world.client.get("/services?wsdl")).content
    if document not in writers:
        writers[document] = ZeepWriter(document, tmp_path)
    writer = writers[document]
    async with served(world.client._transport.app) as url:
        post = ZeepSender(writer, url, "OFFICE", "secret")
        made = Party(Side.OFFICE, world.clock, post, settle=world.settle, encode=writer, faults=faults)
        world.listeners.append(made.hear)
        yield made
        post.close()


@pytest.fixture
def stage(world: Any, sap: Party, homes: Callable[..., Home]) -> Stage:
    numbers = iter(range(1, 100))
    return Stage(sap, played_field(world), lambda: homes(next(numbers)))
