"""New firmware by image transfer (class 18): goes on where it was interrupted, activates only what was verified."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from openami.ami.dlms import data as d
from openami.ami.dlms import queries
from openami.ami.dlms.enums import ActionResult
from openami.ami.dlms.errors import ActionRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import AttributeRef
from openami.ami.headend.dialogues import given
from openami.ami.headend.functions.model import BadParametersError, Function, Parameters, plain
from openami.ami.headend.functions.reading import firmware_version
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.functions.model import Found

IMAGE: Final = "0-0:44.0.0"
IMAGE_CLASS: Final = 18
INITIATED: Final = 1
POLLS: Final = 20
POLL_S: Final = 0.25


class Step(NamedTuple):
    """What is done with a transferred image: the method, and the states that it ends in."""

    name: str
    method: int
    done: int
    failed: int


VERIFY: Final = Step("verify", 3, 3, 4)
ACTIVATE: Final = Step("activate", 4, 6, 7)


class FirmwareFailedError(OpenAmiError):
    """A meter does not run the firmware that it was given."""


def identifier_of(version: str, content: bytes) -> bytes:
    """What an image is called at the meter: its version and the digest that it is verified by."""
    return f"{version}:{hashlib.sha256(content).hexdigest()}".encode()


async def update(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Transfer an image, verify it, activate it, and read back what runs."""
    version, content = str(wanted["image"]), wanted["content"]
    before = str((await firmware_version(dialogue, {}))["version"])
    if before == version:
        return {"previous": before, "version": before, "blocks_sent": 0}
    sent, resumed_at = await _transfer(dialogue, version, content, resume=bool(wanted.get("resume")))
    await _begin(dialogue, VERIFY)
    found: Found = {"previous": before, "blocks_sent": sent, "resumed_at": resumed_at}
    if not wanted.get("activate", True):
        return found | {"version": before, "verified": version}
    await _begin(dialogue, ACTIVATE)
    after = str((await firmware_version(dialogue, {}))["version"])
    if after != version:
        raise FirmwareFailedError(f"{dialogue.meter.serial} runs {after}, not {version}.", hint="Look at its log.")
    return found | {"version": after}


async def activate(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """Activate what was transferred and verified before."""
    await _begin(dialogue, ACTIVATE)
    return await firmware_version(dialogue, {})


async def status(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """How far a transfer has come."""
    refs = [AttributeRef(IMAGE_CLASS, Obis.of(IMAGE), each) for each in (4, 5, 6)]
    first, enabled, state = await dialogue.session.ask_all(refs)
    return {"first_missing": plain(given(first)), "enabled": plain(given(enabled)), "status": plain(given(state))}


async def _transfer(dialogue: Dialogue, version: str, content: bytes, *, resume: bool) -> tuple[int, int]:
    """Send the blocks that are missing; how many were sent, and from which on."""
    size, enabled, state, first = await dialogue.session.ask_all(
        [AttributeRef(IMAGE_CLASS, Obis.of(IMAGE), each) for each in (2, 5, 6, 4)]
    )
    if not given(enabled).data().boolean():
        raise FirmwareFailedError(f"{dialogue.meter.serial} does not take images.", hint="Enable its image transfer.")
    block_octets, begin = given(size).data().integer(), 0
    if resume and given(state).data().integer() == INITIATED:
        begin = given(first).data().integer()
    else:
        start = d.structure(d.octet_string(identifier_of(version, content)), d.unsigned32(len(content)))
        await dialogue.session.ask(queries.act(IMAGE, IMAGE_CLASS, 1, start))
    blocks = -(-len(content) // block_octets)
    for number in range(begin, blocks):
        block = content[number * block_octets : (number + 1) * block_octets]
        entry = d.structure(d.unsigned32(number), d.octet_string(block))
        await dialogue.session.ask(queries.act(IMAGE, IMAGE_CLASS, 2, entry))
    return max(blocks - begin, 0), begin


async def _begin(dialogue: Dialogue, step: Step) -> None:
    """Verify or activate, and wait until it is done.

    Result 2, temporary failure, is no refusal here: the meter is still at it (Blue Book 4.4.6).
    """
    try:
        await dialogue.session.ask(queries.act(IMAGE, IMAGE_CLASS, step.method))
    except ActionRefusedError as error:
        if error.result is not ActionResult.TEMPORARY_FAILURE:
            raise
    else:
        if step is ACTIVATE:
            return  # what runs now tells more than the state, which a restart may have cleared
    for attempt in range(POLLS):
        if attempt:
            await asyncio.sleep(POLL_S)
        (answer,) = await dialogue.session.ask_all([AttributeRef(IMAGE_CLASS, Obis.of(IMAGE), 6)])
        state = given(answer).data().integer()
        if state == step.done:
            return
        if state == step.failed:
            break
    raise FirmwareFailedError(f"{dialogue.meter.serial} could not {step.name} the image.", hint="It is sent again.")


def check_image(content: bytes) -> None:
    """Refuse what can be no image.

    Raises:
        BadParametersError: it is empty or too long.
    """
    if not 0 < len(content) <= 1 << 20:
        raise BadParametersError(f"An image of {len(content)} octets cannot be sent.", hint="One to a million octets.")


FIRMWARE: Final = (
    Function(
        "update_firmware",
        "Transfers an image block by block, verifies and activates it; goes on where it was interrupted.",
        update,
        ("UpdateFirmware",),
        ("image",),
        ("activate",),
        "firmware.changed",
        objects=(IMAGE,),
    ),
    Function(
        "activate_firmware",
        "Activates an image that was verified.",
        activate,
        event="firmware.changed",
        objects=(IMAGE,),
    ),
    Function("read_firmware_status", "Reads how far an image transfer has come.", status, objects=(IMAGE,)),
)
