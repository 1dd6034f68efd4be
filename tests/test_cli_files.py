from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from lxml import etree
from typer.testing import CliRunner

from openami import cli
from openami.cli_files import BadKeyError

if TYPE_CHECKING:
    from pathlib import Path

runner = CliRunner()
# EN 13757-3, annex E: a water meter of maker PAD
MBUS = "68 1F 1F 68 08 02 72 78 56 34 12 24 40 01 07 55 00 00 00 03 13 15 31 00 DA 02 3B 13 01 8B 60 04 37 18 02 18 16"
NEM12 = """100,NEM12,202603010000,SENDER,RECEIVER
200,NEM1201009,E1,E1,E1,N1,METER1,KWH,30,
300,20260301,{values},A,,,20260302000000,
900
"""


def test_decode_says_what_a_telegram_says() -> None:
    result = runner.invoke(cli.app, ["decode", "--json", "-"], input=MBUS)
    told = json.loads(result.output)
    assert (told["language"], told["meter"]) == ("mbus", "PAD12345678")
    assert told["readings"][0] == {"quantity": "volume", "value": 12.565, "unit": "m3", "time": None}


def test_decode_shows_a_table_to_people() -> None:
    output = runner.invoke(cli.app, ["decode", "-"], input=MBUS).output
    assert "12.565" in output
    assert "PAD12345678" in output


def test_decode_names_what_it_does_not_understand(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\x00\x01\x02")
    told = json.loads(runner.invoke(cli.app, ["decode", "--json", str(tmp_path / "noise")]).output)
    assert told["readings"] == []
    assert told["error"]
    assert "cannot be read" in str(runner.invoke(cli.app, ["decode", str(tmp_path / "nothing")]).exception)
    assert isinstance(runner.invoke(cli.app, ["decode", "--key", "xyz", "-"], input=MBUS).exception, BadKeyError)


@pytest.fixture
def nem12(tmp_path: Path) -> Path:
    file = tmp_path / "readings.csv"
    file.write_text(NEM12.format(values=",".join(["0.5"] * 48)))
    return file


def test_ingest_tells_what_a_file_holds_and_stores_nothing(nem12: Path) -> None:
    told = json.loads(runner.invoke(cli.app, ["ingest", "--dry-run", "--json", str(nem12)]).output)
    assert told["format"] == "nem12"
    (channel,) = told["channels"]
    assert (channel["interval_s"], channel["count"], float(channel["sum"])) == (1800, 48, 24.0)
    assert told["refused"] == []
    assert "48" in runner.invoke(cli.app, ["ingest", "--dry-run", str(nem12)]).output
    unknown = nem12.with_name("letter.txt")
    unknown.write_text("Dear customer,")
    result = runner.invoke(cli.app, ["ingest", "--dry-run", "--json", str(unknown), str(nem12)])
    letter, readings = map(json.loads, result.output.splitlines())
    assert result.exit_code == 1
    assert (letter["format"], letter["channels"], len(letter["refused"])) == ("", [], 1)
    assert readings == told
    assert set(letter) == set(told)


def test_ingest_reads_folders_and_files_with_a_mapping_of_yours(nem12: Path) -> None:
    mapping = nem12.with_name("mine.toml")
    mapping.write_text(
        'name = "mine"\nheader = ["t", "kWh"]\n[[series]]\nmeter = [["meter", "SerialNumber"]]\nvalue = "kWh"\n'
        'unit = "KWH"\ntime = "t"\nformat = "%Y-%m-%d %H:%M"\ninterval_s = 3600\n'
    )
    table = nem12.with_name("mine.csv")
    table.write_text("t,meter,kWh\n2026-03-01 00:00,M1,1.5\n2026-03-01 01:00,M1,x\n")
    result = runner.invoke(cli.app, ["ingest", "--dry-run", "--json", "--mapping", str(mapping), str(table)])
    told = json.loads(result.output)
    assert (told["channels"][0]["sum"], told["refused"][0]["position"]) == (1.5, "line 3")
    folder = runner.invoke(cli.app, ["ingest", "--dry-run", "--json", str(nem12.parent)])
    assert [json.loads(line)["format"] for line in folder.output.splitlines()] == ["", "", "nem12"]
    assert "no file" in str(runner.invoke(cli.app, ["ingest", str(table) + "x"]).exception)


def test_services_export_writes_schemas_that_parse_and_examples_that_are_valid(tmp_path: Path) -> None:
    assert runner.invoke(cli.app, ["services", "export", str(tmp_path)]).exit_code == 0
    assert len(list((tmp_path / "wsdl").glob("*.wsdl"))) > 80
    for example in (tmp_path / "examples").glob("UtilitiesDeviceERPSmartMeter*.xml"):
        assert etree.parse(example).getroot().tag.endswith(example.stem)
