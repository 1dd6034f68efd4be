"""Firmware by image transfer (class 18): blocks in any order, verified as a whole, activated on order.

What is verified is its size and the digest in its identifier: `VERSION:SHA-256 of the content in hexadecimal`.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final

from openami.ami.dlms import data as d
from openami.ami.dlms.enums import ActionResult
from openami.ami.dlms.errors import ActionRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.meter.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openami.ami.dlms.data import Data
    from openami.ami.meter.model import Meter

IMAGE_TRANSFER: Final = Obis.of("0-0:44.0.0")
FIRMWARE: Final = Obis.of("1-0:0.2.0")
FIRMWARE_SIGNATURE: Final = Obis.of("1-0:0.2.8")
FACTORY_VERSION: Final = "OPENAMI-METER-1"
BLOCK_OCTETS: Final = 512
IMAGE_OCTETS_MAX: Final = 1 << 20

NOT_INITIATED, INITIATED, _, VERIFIED, VERIFICATION_FAILED, _, ACTIVATED, ACTIVATION_FAILED = range(8)
READY, FIRMWARE_ACTIVATED, FIRMWARE_FAILED = 17, 18, 51
_CLASS, _DATA = 18, 1


class ImageTransfer:
    """How far the transfer of an image has come, and which firmware runs."""

    def __init__(self) -> None:
        self.version = FACTORY_VERSION
        self.status = NOT_INITIATED
        self.identifier = ""
        self.size = 0
        self.blocks: dict[int, bytes] = {}

    @property
    def block_count(self) -> int:
        """How many blocks the image has."""
        return -(-self.size // BLOCK_OCTETS)

    @property
    def first_missing(self) -> int:
        """The first block that has not come."""
        return next((number for number in range(self.block_count) if number not in self.blocks), self.block_count)

    def content(self) -> bytes:
        """What has come, in order."""
        return b"".join(self.blocks[number] for number in sorted(self.blocks))[: self.size]

    @property
    def genuine(self) -> bool:
        """Whether the image is whole and is what its identifier promises."""
        content = self.content()
        digest = self.identifier.rpartition(":")[2]
        return len(content) == self.size > 0 and hashlib.sha256(content).hexdigest() == digest

    def apply(self, detail: Mapping[str, Any]) -> None:
        """One step, new or replayed."""
        match detail["step"]:
            case "initiate":
                self.status, self.blocks = INITIATED, {}
                self.identifier, self.size = detail["identifier"], detail["size"]
            case "block":
                self.blocks[detail["number"]] = base64.b64decode(detail["octets"])
            case "verify":
                self.status = detail["status"]
            case "activate":
                self.status, self.version, self.blocks = ACTIVATED, detail["version"], {}


def image_part(meter: Meter, now_s: Callable[[], int]) -> Part:
    """The image transfer object and what runs."""
    image = meter.image
    methods = _Methods(meter, now_s)
    return Part(
        objects={
            IMAGE_TRANSFER: (
                _CLASS,
                {
                    2: lambda: d.unsigned32(BLOCK_OCTETS),
                    3: lambda: d.bit_string(
                        "".join("1" if number in image.blocks else "0" for number in range(image.block_count))
                    ),
                    4: lambda: d.unsigned32(image.first_missing),
                    5: lambda: d.boolean(True),
                    6: lambda: d.enum(image.status),
                    7: lambda: d.array(_to_activate(image)),
                },
            ),
            FIRMWARE: (_DATA, {2: lambda: d.octet_string(image.version.encode())}),
            FIRMWARE_SIGNATURE: (
                _DATA,
                {2: lambda: d.octet_string(hashlib.sha256(image.version.encode()).digest())},
            ),
        },
        methods={
            (IMAGE_TRANSFER, 1): methods.initiate,
            (IMAGE_TRANSFER, 2): methods.block,
            (IMAGE_TRANSFER, 3): methods.verify,
            (IMAGE_TRANSFER, 4): methods.activate,
        },
    )


def _to_activate(image: ImageTransfer) -> list[Data]:
    if image.status != VERIFIED:
        return []
    identifier, _, digest = image.identifier.rpartition(":")
    entry = d.structure(
        d.unsigned32(image.size), d.octet_string(identifier.encode()), d.octet_string(bytes.fromhex(digest))
    )
    return [entry]


class _Methods:
    """The four methods of class 18."""

    def __init__(self, meter: Meter, now_s: Callable[[], int]) -> None:
        self._meter = meter
        self._now_s = now_s

    def initiate(self, parameter: Data | None) -> None:
        identifier, size = _members(parameter)
        if not 0 < size.integer() <= IMAGE_OCTETS_MAX:
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        name = identifier.octets().decode("ascii", "replace")
        self._step({"step": "initiate", "identifier": name, "size": size.integer()})

    def block(self, parameter: Data | None) -> None:
        image = self._meter.image
        number, octets = (each for each in _members(parameter))
        last = number.integer() == image.block_count - 1
        due = image.size - BLOCK_OCTETS * (image.block_count - 1) if last else BLOCK_OCTETS
        if image.status != INITIATED or not 0 <= number.integer() < image.block_count or len(octets.octets()) != due:
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        octets_text = base64.b64encode(octets.octets()).decode()
        self._step({"step": "block", "number": number.integer(), "octets": octets_text})

    def verify(self, _parameter: Data | None) -> None:
        genuine = self._meter.image.genuine
        status, code = (VERIFIED, READY) if genuine else (VERIFICATION_FAILED, FIRMWARE_FAILED)
        self._step({"step": "verify", "status": status, "code": code})
        if not genuine:
            raise ActionRefusedError(ActionResult.OTHER_REASON)

    def activate(self, _parameter: Data | None) -> None:
        image = self._meter.image
        if image.status != VERIFIED:
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        version = image.identifier.rpartition(":")[0]
        self._step({"step": "activate", "version": version, "code": FIRMWARE_ACTIVATED})

    def _step(self, detail: dict[str, Any]) -> None:
        self._meter.take_image(self._now_s(), detail)


def _members(parameter: Data | None) -> tuple[Data, ...]:
    if parameter is None or len(parameter.elements()) != 2:
        raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
    return parameter.elements()
