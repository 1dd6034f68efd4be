"""The guides say what is so: their settings load, their commands and operations exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from typer.testing import CliRunner

from openami.cli import app
from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.contract.enterprise.constants import Constants
from openami.shared.seam.model import Envelope, Seam
from openami.shared.seam.transport import Partner
from openami.shared.settings import load_settings

GUIDE = (Path(__file__).parents[2] / "docs/guides/connect-your-sap.md").read_text(encoding="utf-8")


def test_every_table_of_settings_can_be_loaded(tmp_path: Path) -> None:
    *settings, constants = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    assert len(settings) == 4
    for block in settings:
        load_settings(data_dir=tmp_path, **tomllib.loads(block))
    (tmp_path / "constants.toml").write_text(constants, encoding="utf-8")
    assert Constants.read(tmp_path).of("UtilitiesDeviceERPSmartMeterCreateRequest/MessageHeader/TenantID")


def test_the_template_for_process_integration_is_filled_with_operation_and_message() -> None:
    (template,) = re.findall(r'office_url = "(.*\{interface\}.*)"', GUIDE)
    operation = "MeterReadingDocumentERPResultBulkCreateRequest_In"
    envelope = Envelope(UUID(int=7), Seam.ENTERPRISE, "office", operation, f"/services/{operation}", b"")
    address = urlsplit(Partner(template, "MDUS", "secret").address(envelope))
    assert address.path == "/XISOAPAdapter/MessageServlet", "no path is put behind it"
    assert parse_qs(address.query) == {
        "senderService": ["MDUS"],
        "interface": [operation],
        "interfaceNamespace": ["http://sap.com/xi/IS-U/Global2"],
        "MessageId": [str(UUID(int=7))],
    }


def test_every_operation_that_is_named_exists() -> None:
    names = set(re.findall(r"`(\w+_(?:In|Out))`", GUIDE))
    assert names
    assert names <= {one.name for one in catalogue().operations}


@pytest.mark.parametrize("command", sorted(set(re.findall(r"openami ((?:services|testkit) [a-z-]+)", GUIDE))))
def test_every_command_exists(command: str) -> None:
    assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0
