"""What became of the processes that a fake party played: for a person, and as JUnit XML for a pipeline."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Sequence


class Outcome(StrEnum):
    """How a process ended."""

    PASSED = "passed"
    PARTLY = "as far as it goes without a field"
    NOT_BEGUN = "not begun"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """One process and how it ended; `note` says why it did not pass."""

    number: str
    name: str
    outcome: Outcome
    note: str = ""
    took_s: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether it counts against the system under test."""
        return self.outcome is Outcome.FAILED


def summary(told: Sequence[Told]) -> str:
    """One line: how many ended how."""
    counts = Counter(one.outcome for one in told)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]) or "nothing was played"


def junit(told: Sequence[Told], suite: str) -> bytes:
    """The outcomes as JUnit XML: what did not come to its end is skipped, with the reason."""
    root = etree.Element(
        "testsuite",
        name=suite,
        tests=str(len(told)),
        failures=str(sum(one.failed for one in told)),
        skipped=str(sum(one.outcome in {Outcome.PARTLY, Outcome.NOT_BEGUN} for one in told)),
        time=f"{sum(one.took_s for one in told):.3f}",
    )
    for one in told:
        case = etree.SubElement(root, "testcase", classname=suite, name=one.name, time=f"{one.took_s:.3f}")
        if one.failed:
            etree.SubElement(case, "failure", message=one.note)
        elif one.outcome is not Outcome.PASSED:
            etree.SubElement(case, "skipped", message=f"{one.outcome}: {one.note}")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
