"""What a fake party reports: one line for a person, JUnit XML for a pipeline."""

from __future__ import annotations

from lxml import etree

from openami.testing.report import Outcome, Told, junit, summary

TOLD = [
    Told("1", "device initialization", Outcome.PASSED, took_s=1.25),
    Told("3", "reading orders", Outcome.FAILED, "was refused: <1002>", 0.5),
    Told("7", "switching", Outcome.PARTLY, "SN1 has to open its breaker.", 0.25),
    Told("11", "text messages", Outcome.NOT_BEGUN, "did not come"),
]


def test_the_summary_counts_each_outcome_once():
    assert summary(TOLD) == "1 passed, 1 as far as it goes without a field, 1 not begun, 1 failed"
    assert summary([]) == "nothing was played"
    assert [one.failed for one in TOLD] == [False, True, False, False]


def test_the_junit_file_says_what_failed_and_what_was_skipped():
    suite = etree.fromstring(junit(TOLD, "kit"))
    assert {str(name): str(value) for name, value in suite.attrib.items()} == {
        "name": "kit", "tests": "4", "failures": "1", "skipped": "2", "time": "2.000"
    }  # fmt: skip
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {
        "device initialization": [],
        "reading orders": ["failure"],
        "switching": ["skipped"],
        "text messages": ["skipped"],
    }
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "was refused: <1002>"
