"""The same message as different systems write it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from openami.shared.contract.enterprise.codec import decode, encode
from openami.shared.contract.enterprise.headers import message_key
from openami.shared.contract.enterprise.messages.register import UtilitiesDeviceERPSmartMeterRegisterCreateRequest

FOLDER = Path(__file__).parents[3] / "vectors" / "enterprise"
FILES = sorted(FOLDER.glob("*.xml"))


def read(name: str) -> UtilitiesDeviceERPSmartMeterRegisterCreateRequest:
    message = decode((FOLDER / name).read_bytes())
    assert isinstance(message, UtilitiesDeviceERPSmartMeterRegisterCreateRequest)
    return message


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_dialect_says_the_same(path: Path) -> None:
    message, plain = read(path.name), read("plain.xml")
    assert message_key(message.message_header) == message_key(plain.message_header)
    same_key = dataclasses.replace(message.message_header, uuid=plain.message_header.uuid)
    assert dataclasses.replace(message, message_header=same_key) == plain


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_we_send_of_it_has_one_spelling(path: Path) -> None:
    message = read(path.name)
    sent = encode(message)
    assert decode(sent) == message
    assert sent.upper() == encode(read("plain.xml")).upper()


def test_only_additions_are_extras() -> None:
    extras = {path.stem: [extra.path for extra in read(path.name).extras] for path in FILES}
    assert extras.pop("project_additions") == [
        "UtilitiesDevice/RegisterNumber",
        "UtilitiesDevice/Register[1]/RegisterType",
        "UtilitiesDevice/DeviceCharacteristics",
        "UtilitiesDevice/Register[1]/@RegisterKind",
    ]
    assert not any(extras.values())


def test_every_file_has_its_source() -> None:
    sources = (FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    assert FILES
    for path in FILES:
        assert f"| {path.name} |" in sources
