"""New firmware over the real protocol: what meters say while they verify and activate, and what is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.ami.headend.functions.rows import IMAGE, begun_image, whole_image

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import encode
from openami.ami.dlms.enums import ActionResult
from openami.ami.dlms.errors import ActionRefusedError
from openami.ami.headend.functions.firmware import POLLS, FirmwareFailedError, check_image
from openami.ami.headend.functions.model import BadParametersError
from openami.ami.meter.firmware import IMAGE_TRANSFER, _Methods

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ami.headend.functions.world import World

UPDATE = {"image": "OPENAMI-METER-2", "content": IMAGE}
OLD, NEW = "OPENAMI-METER-1", "OPENAMI-METER-2"


def at_it(name: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter that begins with a method, says that it is still at it, and shows a state meanwhile."""

    def begun(self: _Methods, _parameter: object) -> None:
        self._meter.image.status = status
        raise ActionRefusedError(ActionResult.TEMPORARY_FAILURE)

    monkeypatch.setattr(_Methods, name, begun)


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What happens at the meter during each pause between two looks at it; nothing any more where the list ends."""
    pauses: list[Callable[[], object]] = []

    async def sleep(_seconds: float) -> None:
        if pauses:
            pauses.pop(0)()

    monkeypatch.setattr("openami.ami.headend.functions.firmware.asyncio.sleep", sleep)
    return pauses


async def test_a_meter_may_take_its_time_to_verify_and_to_activate(
    world: World, polls: list[Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = world.meter.image
    at_it("verify", 2, monkeypatch)
    at_it("activate", 5, monkeypatch)
    polls += [
        lambda: None,
        lambda: image.apply({"step": "verify", "status": 3}),
        lambda: image.apply({"step": "activate", "version": NEW}),
    ]
    found = await world.done("update_firmware", UPDATE)
    assert (found["previous"], found["version"], image.version) == (OLD, NEW, NEW)
    assert not polls


@pytest.mark.parametrize(("name", "during", "ended"), [("verify", 2, 4), ("activate", 5, 7)])
async def test_what_a_meter_could_not_do_is_told(
    world: World, polls: list[Callable[[], object]], monkeypatch: pytest.MonkeyPatch, name: str, during: int, ended: int
) -> None:
    at_it(name, during, monkeypatch)
    polls.append(lambda: setattr(world.meter.image, "status", ended))
    with pytest.raises(FirmwareFailedError, match=f"could not {name} the image"):
        await world.done("update_firmware", UPDATE)
    assert (polls, world.meter.image.version) == ([], OLD)


async def test_a_meter_that_never_ends_is_not_waited_for_for_ever(
    world: World, polls: list[Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_it("verify", 2, monkeypatch)
    polls += [lambda: None] * POLLS
    with pytest.raises(FirmwareFailedError, match="could not verify"):
        await world.done("update_firmware", UPDATE)
    assert len(polls) == 1, "one pause between any two looks"


async def test_any_other_answer_is_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_self: _Methods, _parameter: object) -> None:
        raise ActionRefusedError(ActionResult.READ_WRITE_DENIED)

    monkeypatch.setattr(_Methods, "verify", refused)
    with pytest.raises(ActionRefusedError, match="was refused"):
        await world.done("update_firmware", UPDATE)
    assert world.meter.image.version == OLD


async def test_an_image_may_be_left_verified_for_later(world: World) -> None:
    found = await world.done("update_firmware", {**UPDATE, "activate": False})
    assert (found["version"], found["verified"], world.meter.image.version) == (OLD, NEW, OLD)
    assert (await world.done("activate_firmware"))["version"] == NEW


async def test_what_runs_already_is_not_sent(world: World) -> None:
    found = await world.done("update_firmware", {**UPDATE, "image": OLD})
    assert found == {"previous": OLD, "version": OLD, "blocks_sent": 0}
    assert world.meter.image.status == 0, "nothing was begun"


async def test_a_transfer_goes_on_at_the_first_block_that_is_missing(world: World) -> None:
    begun_image(world)
    world.meter.image.blocks[0] = IMAGE[:512]
    found = await world.done("update_firmware", {**UPDATE, "resume": True})
    assert (found["resumed_at"], found["blocks_sent"], found["version"]) == (1, 2, NEW)


async def test_what_was_verified_is_transferred_anew_and_not_gone_on_with(world: World) -> None:
    whole_image(world)
    found = await world.done("update_firmware", {**UPDATE, "resume": True})
    assert (found["resumed_at"], found["blocks_sent"], found["version"]) == (0, 3, NEW)


async def test_a_meter_that_runs_something_else_then_is_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _Methods, "activate", lambda self, _: self._meter.image.apply({"step": "activate", "version": "OTHER"})
    )
    with pytest.raises(FirmwareFailedError, match="runs OTHER, not OPENAMI-METER-2"):
        await world.done("update_firmware", UPDATE)


async def test_a_meter_that_takes_no_images_is_left_alone(world: World) -> None:
    world.meter.alter(world.now_s, IMAGE_TRANSFER, 5, encode(d.boolean(value=False)))
    with pytest.raises(FirmwareFailedError, match="does not take images"):
        await world.done("update_firmware", UPDATE)
    assert world.meter.image.status == 0


async def test_an_activated_meter_may_have_forgotten_the_image(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def restarted(self: _Methods, _parameter: object) -> None:
        self._meter.image.version, self._meter.image.status = NEW, 0

    monkeypatch.setattr(_Methods, "activate", restarted)
    assert (await world.done("update_firmware", UPDATE))["version"] == NEW


@pytest.mark.parametrize("octets", [0, (1 << 20) + 1])
def test_what_can_be_no_image_is_refused(octets: int) -> None:
    with pytest.raises(BadParametersError, match=f"{octets} octets"):
        check_image(bytes(octets))
    check_image(b"1")
    check_image(bytes(1 << 20))
