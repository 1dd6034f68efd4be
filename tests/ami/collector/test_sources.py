"""Sources as URLs, and lines cut into telegrams."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.collector.cutting import OCTETS_MAX, cutter_of
from openami.ami.collector.sources import Source, SourceError, source_of
from openami.ami.telegrams.languages import LANGUAGES
from openami.shared.settings import Settings

VECTORS = Path(__file__).parents[2] / "vectors"


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("listen://[::]:4070?language=p1", Source("listen", "listen://:::4070", "::", 4070, language="p1")),
        ("tcp://meter:8088", Source("tcp", "tcp://meter:8088", "meter", 8088)),
        (
            "mqtt://u:p%40ss@broker/meters/+/raw?every=900",
            Source(
                "mqtt", "mqtt://broker:1883/meters/+/raw", "broker", 1883, "meters/+/raw",
                every_s=900, user="u", password="p@ss",
            ),
        ),
        ("mqtts://broker/m/#", Source("mqtts", "mqtts://broker:8883/m/#", "broker", 8883, "m/#")),
        ("file:///spool?language=sml", Source("file", "file:///spool", folder=Path("/spool"), language="sml")),
    ],
)  # fmt: skip
def test_a_url_names_a_source(url: str, source: Source):
    assert source_of(url) == source
    assert "p@ss" not in repr(source)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://host/x", "no kind of source"),
        ("nonsense", "no kind of source"),
        ("tcp://host", "names no port"),
        ("listen://host:99999", "names no port"),
        ("mqtt://broker", "names no topic"),
        ("file:///", "names no folder"),
        ("tcp://host:1?language=klingon", "klingon"),
        ("tcp://host:1?every=often", "no seconds"),
    ],
)
def test_a_url_that_cannot_be_says_why(url: str, reason: str):
    with pytest.raises(SourceError, match=reason) as error:
        source_of(url)
    assert error.value.hint


SML = (VECTORS / "sml" / "ttyUSB0-2.dump").read_bytes()
P1 = (VECTORS / "p1" / "telegram_v5.txt").read_bytes()
MBUS = bytes.fromhex("".join((VECTORS / "mbus" / "libmbus" / "test-frames" / "SEN_Pollustat.hex").read_text().split()))


@pytest.mark.parametrize(("language", "octets", "count"), [("sml", SML, 2), ("p1", P1 + P1, 2), ("mbus", MBUS * 3, 3)])
@pytest.mark.parametrize("size", [1, 17, 100_000])
def test_a_line_is_cut_by_the_marks_of_its_language(language: str, octets: bytes, count: int, size: int):
    cutter, found = cutter_of(language), []
    for at in range(0, len(octets), size):
        found += cutter.feed(octets[at : at + size])
    assert len(found) == count
    assert cutter.pause() == []


def test_receivers_write_lines_and_ports_push_bursts():
    lines = cutter_of("wmbus")
    assert lines.feed(b"T1;0x44\nC1") == [b"T1;0x44"]
    assert lines.feed(b";0x45\n\n") == [b"C1;0x45"]
    assert lines.feed(bytes(OCTETS_MAX + 1)) == lines.feed(b"\n") == [], "a line without end is dropped"
    bursts = cutter_of(None)
    assert bursts.feed(b"ab") == []
    assert bursts.pause() == [b"ab"]
    assert bursts.pause() == []
    assert bursts.feed(bytes(OCTETS_MAX + 1)) == [bytes(OCTETS_MAX + 1)]


@given(st.sampled_from([None, *LANGUAGES]), st.lists(st.binary(max_size=60), max_size=8))
def test_any_line_is_cut(language: str | None, chunks: list[bytes]):
    cutter = cutter_of(language)
    found = [telegram for chunk in chunks for telegram in cutter.feed(chunk)] + cutter.pause()
    assert sum(map(len, found)) <= sum(map(len, chunks))


def test_the_sources_of_the_guide_are_sources():
    text = (Path(__file__).parents[3] / "docs" / "guides" / "telegrams.md").read_text()
    block = next(each for each in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "collect = " in each)
    table = tomllib.loads(block)
    assert [source_of(url).scheme for url in table["collect"]] == ["listen", "tcp", "mqtt", "file"]
    assert Settings(**table).collect_keys["12345678"].get_secret_value() == bytes(range(16)).hex().upper()
