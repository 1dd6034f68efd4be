"""EDIFACT syntax over messages of every kind: segments are those that others count, and elements what they read.

Without counterpart: the `.expected.json` of mako's APERAK, CONTRL and UTILMD name rules of the German market that each
message breaks (AHB, MIG); of the market's messages only MSCONS carries readings, so no product here checks the others.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from openami.mdus.unify.adapters.edifact import Text
from openami.mdus.unify.adapters.mscons import Mscons

ALL = Path(__file__).parents[5] / "shared" / "fixtures" / "edifact"
pytestmark = pytest.mark.skipif(not ALL.exists(), reason="the collection of ../shared/fixtures is not here")
SUMMARY = json.loads((ALL / "structure_summary.json").read_text()) if ALL.exists() else []


def segments_of(path: Path) -> list[list[list[str]]]:
    with path.open("rb") as stream:
        text = Text(stream)
        found = [text.service.parse(segment) for segment in text.segments()]
        assert text.rest == ""
    return found


def part(segment: list[list[str]], element: int, component: int = 0) -> str | None:
    return segment[element][component] if element < len(segment) and component < len(segment[element]) else None


@pytest.mark.parametrize("expected", SUMMARY, ids=lambda expected: expected["file"])
def test_segments_are_those_that_another_counts(expected: dict[str, Any]) -> None:
    segments = segments_of(ALL / expected["file"])
    assert len(segments) == expected["segments"]
    assert Counter(segment[0][0] for segment in segments) == expected["tags"]
    by_tag = {segment[0][0]: segment for segment in segments}
    if "sender" in expected:
        assert [part(by_tag["UNB"], place) for place in (2, 3, 5)] == [
            expected[name] for name in ("sender", "receiver", "reference")
        ]
    if "unz_count_declared" in expected:
        assert part(by_tag["UNZ"], 1) == str(expected["unz_count_declared"])
    heads = [at for at, segment in enumerate(segments) if segment[0][0] == "UNH"]
    for at, message in zip(heads, expected["messages"], strict=True):
        assert (part(segments[at], 1), ":".join(segments[at][2])) == (message["ref"], message["type"])
        end = next((n for n in range(at, len(segments)) if segments[n][0][0] == "UNT"), None)
        if "unt_count_declared" in message and end is not None:
            assert (part(segments[end], 1), end - at + 1) == (
                str(message["unt_count_declared"]),
                message["unt_count_actual"],
            )


RESPONSE = ALL / "ediparse" / "aperak-message-example-response.json"


def leaves(parsed: Any) -> list[str]:
    """Every value that the other parser took out of the segments, in its order; what it calls them is its own."""
    if isinstance(parsed, dict):
        return [leaf for name, value in parsed.items() if name != "bezeichner" for leaf in leaves(value)]
    if isinstance(parsed, list):
        return [leaf for value in parsed for leaf in leaves(value)]
    return [] if parsed is None else [str(parsed)]


def test_what_another_parser_reads_in_an_acknowledgement_is_in_our_elements() -> None:
    segments = segments_of(ALL / "ediparse" / "aperak-message-example-request.txt")
    ours = Counter(component for segment in segments for element in segment[1:] for component in element if component)
    theirs = Counter(leaves(json.loads(RESPONSE.read_text())))
    assert theirs - ours == ours - theirs == Counter()


@pytest.mark.parametrize("name", ["aperak/invalid/missing_acw_ref", "contrl/invalid/missing_uci",
                                  "utilmd/invalid/bad_lokations_id"])  # fmt: skip
def test_a_message_without_readings_is_refused_by_its_name(name: str) -> None:
    path = ALL / "mako" / f"{name}.edi"
    assert path.with_suffix(".expected.json").exists()
    batches = list(Mscons().read(io.BytesIO(path.read_bytes())))
    assert [one for batch in batches for one in batch.series] == []
    refusals = [one for batch in batches for one in batch.refusals]
    assert [name.split("/", maxsplit=1)[0].upper() in one.reason for one in refusals] == [True]
