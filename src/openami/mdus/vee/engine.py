"""Judging and estimating a batch: pure, no database, no clock.

Rules act in the order of the rule set. The worst verdict of an interval wins; a person's word stays; EMPTY is not
MISSING; an actual value is only ever replaced when a rule failed it. Earlier estimates are put aside and made anew,
so evaluating twice gives the same as once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.vee.catalogue import Work, checks, methods
from openami.mdus.vee.model import Facts, Filled, Finding, Fired, Level, Outcome
from openami.shared.quality import EMPTY, Origin, Verdict, is_estimated, origins, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from openami.mdus.series.model import ChannelDays
    from openami.mdus.vee.model import Parameters
    from openami.mdus.vee.ruleset import Rules

_VERDICT_OF: Final = {"fail": Verdict.FV, "warn": Verdict.WV, "note": Verdict.PV}


def evaluate(facts: Facts, rules: Rules, *, estimate: bool = True) -> Outcome:
    """Judge a batch by a rule set and, unless told otherwise, estimate what has no usable value."""
    facts = replace(facts, days=without_estimates(facts.days)) if estimate else facts
    verdict, results, findings = _judge(facts, rules)
    if not estimate:
        return Outcome(_with_verdicts(facts.days, verdict), tuple(findings), _open(facts, verdict))
    needed = _open(facts, verdict)
    if not needed.any():
        return Outcome(_with_verdicts(facts.days, verdict), tuple(findings), needed)
    return _estimated(facts, rules, verdict, results, findings)


def without_estimates(days: ChannelDays) -> ChannelDays:
    """The days with every estimate of a method taken out again; a person's estimates stay."""
    made = is_estimated(days.quality) & (origins(days.quality) != Origin.E18_AGREED)
    made &= verdicts(days.quality) != Verdict.MA
    if not made.any():
        return days
    return days.with_results(np.where(made, 0, days.values), np.where(made, np.uint8(EMPTY), days.quality))


def _estimated(
    facts: Facts,
    rules: Rules,
    verdict: NDArray[np.uint8],
    results: Mapping[str, Fired],
    findings: list[Finding],
) -> Outcome:
    needed = _open(facts, verdict)
    rows = np.flatnonzero(needed.any(axis=1))
    actual = facts.present & ~needed
    work = Work(facts, np.where(actual, facts.days.values, 0), needed.copy(), actual, results)
    origin = origins(facts.days.quality).copy()
    for method_id in (*rules.chain, *rules.scaling):
        if method_id in rules.chain and not work.needed[rows].any():
            continue
        filled = methods()[method_id].function(work, rules.parameters[method_id])
        mask = filled.mask & (work.needed if method_id in rules.chain else needed)
        if mask.any():
            work.values[mask], origin[mask] = filled.values[mask], _origin(method_id)
            work.needed[mask] = False
            findings.extend(_method_findings(method_id, facts.days, mask, filled))
    return _revalidated(facts, rules, work, needed, origin, findings)


def _revalidated(
    facts: Facts,
    rules: Rules,
    work: Work,
    needed: NDArray[np.bool_],
    origin: NDArray[np.uint8],
    findings: list[Finding],
) -> Outcome:
    """Judge what came out; an estimate that a rule fails is only warned of: there is nothing better."""
    still_open = work.needed
    done = needed & ~still_open
    values = np.where(done, work.values, facts.days.values)
    after = facts.days.with_results(values, np.where(done, origin << 3, facts.days.quality).astype(np.uint8))
    verdict, _, again = _judge(replace(facts, days=after), rules)
    verdict[done & (verdict == Verdict.FV)] = Verdict.WV
    known = {(finding.rule, finding.channel, finding.day) for finding in findings}
    findings.extend(finding for finding in again if (finding.rule, finding.channel, finding.day) not in known)
    return Outcome(_with_verdicts(after, verdict), tuple(findings), still_open)


def _judge(facts: Facts, rules: Rules) -> tuple[NDArray[np.uint8], dict[str, Fired], list[Finding]]:
    verdict = np.where(facts.present, np.uint8(Verdict.PV), np.uint8(Verdict.NV))
    results: dict[str, Fired] = {}
    findings: list[Finding] = []
    for rule_id in rules.checks:
        p = rules.parameters[rule_id]
        fired = checks()[rule_id].function(facts, p, results)
        results[rule_id] = fired
        if not fired.level.any():
            continue
        said = _said(fired, p, results)
        np.maximum(verdict, np.where(facts.present, said, 0), out=verdict)
        findings.extend(_check_findings(rule_id, facts.days, fired, said))
    person = verdicts(facts.days.quality) == Verdict.MA
    verdict[person] = Verdict.MA
    return verdict, results, findings


def _said(fired: Fired, p: Parameters, results: Mapping[str, Fired]) -> NDArray[np.uint8]:
    """The verdict that the levels stand for; a rule may be stricter on days whose sum check fails too (V16)."""
    worst = np.full((len(fired.level), 1), _VERDICT_OF[p["severity"]], np.uint8)
    if p["severity_when_sum_fails"] and "V16" in results:
        worst[results["V16"].level.any(axis=1)] = _VERDICT_OF[p["severity_when_sum_fails"]]
    by_level = np.where(fired.level >= Level.FAIL, worst, np.minimum(worst, np.uint8(Verdict.WV)))
    return np.where(fired.level > Level.NONE, by_level, np.uint8(Verdict.NV)).astype(np.uint8)


def _open(facts: Facts, verdict: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(facts.active & (~facts.present | (verdict == Verdict.FV)), np.bool_)


def _with_verdicts(days: ChannelDays, verdict: NDArray[np.uint8]) -> ChannelDays:
    packed = (origins(days.quality) << np.uint8(3)) | verdict
    return days.with_results(days.values, packed.astype(np.uint8))


def _origin(method_id: str) -> int:
    """The origin of a catalogue method by its number; methods of users count as derived."""
    number = method_id[1:]
    known = method_id.startswith("E") and number.isdigit() and 1 <= int(number) <= 20
    return Origin.E01_LINEAR + int(number) - 1 if known else Origin.DERIVED


def _check_findings(rule_id: str, days: ChannelDays, fired: Fired, said: NDArray[np.uint8]) -> Iterator[Finding]:
    for row in np.flatnonzero(fired.level.any(axis=1)):
        whole = fired.level.shape[1] == 1
        slots = () if whole else tuple(np.flatnonzero(fired.level[row]).tolist())
        yield _finding(rule_id, days, int(row), Verdict(int(said[row].max())), slots, fired.inputs)


def _method_findings(method_id: str, days: ChannelDays, mask: NDArray[np.bool_], filled: Filled) -> Iterator[Finding]:
    for row in np.flatnonzero(mask.any(axis=1)):
        slots = tuple(np.flatnonzero(mask[row]).tolist())
        yield _finding(method_id, days, int(row), Verdict.PV, slots, filled.inputs)


def _finding(
    rule_id: str,
    days: ChannelDays,
    row: int,
    verdict: Verdict,
    slots: tuple[int, ...],
    inputs: Mapping[str, NDArray[Any]],
) -> Finding:
    said = {name: _plain(column[row]) for name, column in inputs.items()}
    return Finding(rule_id, int(days.channel[row]), date.fromordinal(int(days.day[row])), verdict, slots, said)


def _plain(cell: Any) -> Any:  # noqa: ANN401 - a numpy scalar or a row of them
    return [int(one) for one in cell if one] if isinstance(cell, np.ndarray) else cell.item()
