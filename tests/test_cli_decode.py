"""`openami decode` over every telegram of this repository: a line a telegram, each of the documented shape."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from openami import cli
from openami.ami.mbus import Header, encode, encode_telegram
from openami.ami.mbus.driver import drivers
from openami.ami.mbus.records import RawRecord
from openami.ami.telegrams.languages import LANGUAGES

VECTORS = Path(__file__).parent / "vectors"
FRAMES = VECTORS / "mbus" / "libmbus"
CAPTURES = VECTORS / "dlms" / "captures"
runner = CliRunner()


def lines_of(file: Path | str, *options: str, octets: bytes | None = None) -> list[dict[str, Any]]:
    """What the command prints for a file, or for bytes on its input."""
    result = runner.invoke(cli.app, ["decode", "--json", *options, str(file)], input=octets)
    assert result.exit_code == 0, result.exception
    told = [json.loads(line) for line in result.output.splitlines()]
    assert told, "something is said of any bytes"
    for each in told:
        check_shape(each)
    return told


def check_shape(told: dict[str, Any]) -> None:
    """The shape that issue and guide promise to other programs."""
    assert list(told) == ["language", "meter", "time", "readings", "error"]
    assert told["language"] in {*LANGUAGES, "unknown"}
    assert all(
        told[name] is None or (isinstance(told[name], str) and told[name]) for name in ("meter", "time", "error")
    )
    if told["time"]:
        datetime.fromisoformat(told["time"])
    assert told["readings"] or told["error"], "no readings without a reason"
    for reading in told["readings"]:
        assert set(reading) in ({"obis", "value", "unit", "time"}, {"quantity", "value", "unit", "time"})
        assert reading.get("obis") or reading.get("quantity") is not None
        assert reading["value"] is None or isinstance(reading["value"], int | float | str)
        assert not isinstance(reading["value"], bool)
        assert all(reading[name] is None or isinstance(reading[name], str) for name in ("unit", "time"))


def files(folder: Path, *patterns: str) -> list[Path]:
    found = sorted(path for pattern in patterns for path in folder.glob(pattern) if not path.name.startswith("LICENSE"))
    assert found, folder
    return found


def rows(name: str, *columns: str) -> list[bytes]:
    """The telegrams in a file of JSON lines."""
    kept = [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]
    return [row[column].encode() for row in kept for column in columns if row.get(column)]


def whole(telegrams: list[dict[str, Any]], language: str) -> bool:
    return all(each["language"] == language and each["readings"] and not each["error"] for each in telegrams)


@pytest.mark.parametrize("path", files(FRAMES / "test-frames", "*.hex"), ids=lambda path: path.stem)
def test_wired_mbus(path: Path) -> None:
    assert whole(lines_of(path), "mbus")


@pytest.mark.parametrize(
    "path",
    [
        *files(FRAMES / "error-frames", "*.hex"),
        *files(FRAMES / "unsupported-frames", "*.hex"),
        *files(VECTORS / "mbus" / "pymeterbus", "*.hex"),
    ],
    ids=lambda path: path.stem,
)
def test_wired_mbus_with_faults_or_beside_the_standard(path: Path) -> None:
    for told in lines_of(path):
        assert told["language"] in {"mbus", "unknown"}


@pytest.mark.parametrize("path", files(VECTORS / "p1", "*.txt"), ids=lambda path: path.stem)
def test_p1(path: Path) -> None:
    (told,) = lines_of(path)
    assert whole([told], "p1")
    assert told["meter"]


@pytest.mark.parametrize("path", files(CAPTURES, "*.log"), ids=lambda path: path.stem)
def test_dlms_captures(path: Path) -> None:
    options = [
        part
        for option, suffix in (("--key", ".key"), ("--auth-key", ".gak"))
        if path.with_suffix(suffix).exists()
        for part in (option, path.with_suffix(suffix).read_text().strip())
    ]
    told = lines_of(path, *options)
    assert {each["language"] for each in told} == {"dlms"}
    if path.stem == "mbus_kmswest":
        assert "ciphered" in told[0]["error"], "its key was not published"
    else:
        assert told[0]["readings"]


def test_dlms_pushes_of_consumer_ports() -> None:
    for octets in rows("dlms/han_payloads.jsonl", "llc_and_apdu_hex"):
        assert whole(lines_of("-", octets=octets), "dlms")


def test_bare_dlms_messages_are_told_or_refused() -> None:
    telegrams = [*rows("dlms/apdus.jsonl", "hex"), *rows("dlms/hdlc_frames.jsonl", "hex_without_flags")]
    assert len(telegrams) > 70
    for octets in telegrams:
        lines_of("-", octets=octets)


def test_sml() -> None:
    assert whole(lines_of(VECTORS / "sml" / "ttyUSB0-2.dump"), "sml")
    for octets in rows("sml/smartmeter-obis_sml_hex.jsonl", "hex"):
        assert whole(lines_of("-", octets=octets), "sml")


def test_iec62056_21() -> None:
    for octets in rows("iec62056_21/smartmeter-obis_d0_telegrams.jsonl", "telegram"):
        assert whole(lines_of("-", octets=octets), "iec62056-21")


@pytest.mark.parametrize("driver", drivers(), ids=lambda driver: driver.name)
def test_telegrams_of_drivers(driver: Any) -> None:
    for example in driver.examples:
        options = [] if example.key is None else ["--key", example.key.hex()]
        told = lines_of("-", *options, octets=example.octets.hex().encode())
        assert len(told) == 1
        assert whole(told, told[0]["language"])
        assert len(told[0]["readings"]) == len(example.readings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_answers_to_any_file_in_the_same_shape(language: str) -> None:
    for path in (FRAMES / "test-frames" / "EDC.hex", VECTORS / "p1" / "telegram_v5.txt", VECTORS / "SOURCES.md"):
        if path.exists():
            assert {each["language"] for each in lines_of(path, "--language", language)} == {language}


def test_no_shipped_telegram_is_left_out() -> None:
    """A new kind of file in the folder of a language needs a test here."""
    known = {".hex", ".txt", ".log", ".key", ".gak", ".json", ".jsonl", ".xml", ".md", ".dump"}
    for folder in ("mbus", "p1", "dlms", "sml", "iec62056_21"):
        assert {path.suffix for path in (VECTORS / folder).rglob("*") if path.is_file()} <= known


def long_text(text: str) -> bytes:
    """A wired M-Bus answer whose only record is a text, sent with its last character first."""
    record = bytes([0x0D, 0xFD, 0x11, len(text)]) + text.encode("latin-1")[::-1]
    return encode(encode_telegram(Header("12345678", "OAM", 1, 7, 0), [RawRecord(record[:1], record[1:3], record[3:])]))


NASTY = ["[bold]x[/]", "[/nothing]", "a\x85b", "\x1b[2Jgone", "back\\slash"]


@pytest.mark.parametrize("text", NASTY)
def test_whatever_text_a_meter_sends_stays_a_text_on_one_line(text: str) -> None:
    result = runner.invoke(cli.app, ["decode", "--json", "-"], input=long_text(text))
    (line,) = result.output.splitlines()
    assert json.loads(line)["readings"][0]["value"] == text


@pytest.mark.parametrize("text", NASTY)
def test_a_terminal_shows_it_and_does_what_it_says_not(text: str) -> None:
    result = runner.invoke(cli.app, ["decode", "-"], input=long_text(text))
    assert result.exit_code == 0, result.exception
    assert "\x1b[2J" not in result.output
    shown = text.replace("\x1b", "\\x1b").replace("\x85", "\\x85")
    assert shown in result.output


def test_a_person_reads_words_and_whole_values() -> None:
    result = runner.invoke(cli.app, ["decode", str(VECTORS / "p1" / "telegram_v5.txt")], env={"COLUMNS": "80"})
    assert "import, rate 1 " in result.output
    assert "…" not in result.output, "what is long goes on in the next line"
    assert "2017-01-02T15:10:05Z" in result.output
    assert "None" not in result.output
    wired = next((VECTORS / "mbus" / "libmbus" / "test-frames").glob("kamstrup*.hex"))
    shown = runner.invoke(cli.app, ["decode", str(wired)]).output
    assert ("OBIS" in result.output, "OBIS" in shown) == (True, False)
