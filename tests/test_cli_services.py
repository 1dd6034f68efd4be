"""`openami services use-schema`: what changes is said, and the codec of the installation uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from openami.cli import app
from openami.shared.contract.enterprise import codec
from openami.shared.contract.enterprise.catalogue import Side
from openami.shared.contract.enterprise.errors import InvalidMessage
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.schemas import FOLDER
from openami.shared.contract.enterprise.wsdl import side_wsdl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def installed() -> Iterator[None]:
    yield
    codec.use_overlay(None)


@pytest.mark.usefixtures("installed")
def test_a_schema_of_the_customer_stands_in_for_ours(tmp_path: Path):
    ours = (FOLDER / "common.xsd").read_text(encoding="utf-8")
    longer = tmp_path / "common.xsd"
    at = ours.index('name="UtilitiesObjectIdentificationSystemCodeText"')
    longer.write_text(ours[:at] + ours[at:].replace('maxLength value="15"', 'maxLength value="25"', 1))
    done = CliRunner().invoke(
        app, ["services", "use-schema", str(longer), "common.xsd", "--data-dir", str(tmp_path / "data")]
    )
    assert done.exit_code == 0, done.output
    assert "has other rules" in done.output
    folder = tmp_path / "data/contract/schemas"
    body = codec.encode(example("SmartMeterMeterReadingDocumentERPCreateRequest")).replace(
        b"1-0:1.8.0", b"1-0:1.8.0-KWH-TOTAL-LONG"
    )
    with pytest.raises(InvalidMessage):
        codec.decode(body)
    codec.use_overlay(folder)
    message = codec.decode(body)
    text = message.meter_reading_document.utilties_measurement_task  # type: ignore[attr-defined]
    assert text.utilities_object_identification_system_code_text == "1-0:1.8.0-KWH-TOTAL-LONG"
    assert b'maxLength value="25"' in side_wsdl(Side.MDUS, "http://x/services", overlay=codec.codec().overlay)


def test_a_schema_that_lacks_a_message_is_not_taken(tmp_path: Path):
    bad = tmp_path / "bad.xsd"
    bad.write_text('<schema xmlns="http://www.w3.org/2001/XMLSchema"/>')
    done = CliRunner().invoke(
        app, ["services", "use-schema", str(bad), "inferred/calculation.xsd", "--data-dir", str(tmp_path / "data")]
    )
    assert done.exit_code == 1
    assert not (tmp_path / "data").exists()
