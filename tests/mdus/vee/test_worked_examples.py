"""The worked examples of the catalogue, from a data file, each under its id."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.mdus.series import Calendar, ChannelDays, Flag
from openami.mdus.vee.catalogue import Work, checks, methods, readings
from openami.mdus.vee.model import Facts, Level, Parameter, Parameters, Reads, Reference
from openami.mdus.vee.ruleset import load
from openami.shared.quality import EMPTY, MEASURED, Origin, has_value, quality

CASES = tomllib.loads((Path(__file__).parents[2] / "vectors/vee/worked.toml").read_text(), parse_float=Decimal)
ESTIMATED = quality(Origin.E03_LIKE_DAY_AVERAGE)
MONDAY = date(2026, 3, 16)


def of(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES[kind]])


def matrices(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, qualities and flags from the notation of the file."""
    if "fill" in case:
        fill = case["fill"]
        row = ["_"] * fill.get("missing", 0) + [fill["value"]] * (fill["count"] - fill.get("missing", 0))
        values, packed, flags = matrices({"values": row})
        return values, packed, np.full_like(flags, fill.get("flag", 0))
    rows = case["values"] if isinstance(case["values"][0], list) else [case["values"]]
    words = [[str(cell) for cell in row] for row in rows]
    number = [[int(cell.strip("_O~") or 0) for cell in row] for row in words]
    bytes_ = [
        [EMPTY if cell in {"_", "O"} else ESTIMATED if cell[0] == "~" else MEASURED for cell in row] for row in words
    ]
    bits = [[int(Flag.OUTAGE) if cell[0] == "O" else 0 for cell in row] for row in words]
    return np.array(number, np.int64), np.array(bytes_, np.uint8), np.array(bits, np.uint8)


def facts_of(case: dict[str, Any]) -> Facts:
    values, packed, flags = matrices(case)
    rows, n = values.shape
    day = date.fromisoformat(case["day"]) if "day" in case else MONDAY
    days = ChannelDays.of(np.arange(rows) + 1, np.full(rows, day.toordinal()), values, packed, flags)
    known: dict[str, Any] = {"more": {name: np.array(cells) for name, cells in case.get("more", {}).items()}}
    if "advance" in case:
        known |= {"advance": np.full(rows, case["advance"]), "advance_known": np.ones(rows, np.bool_)}
    for name in ("step", "rating"):
        if name in case:
            known[name] = np.full(rows, case[name], np.int64)
    if "net" in case:
        known["net"] = np.full(rows, case["net"])
    for name, default in (("inactive", "active"), ("dead", "dead")):
        if name in case:
            known[default] = np.tile(np.isin(np.arange(n), case[name]) ^ (name == "inactive"), (rows, 1))
    if case.get("holiday"):
        known["day_type"] = np.full(rows, 7, np.int8)
    if "reference" in case:
        known["reference"] = reference_of(case["reference"], day, n)
    return Facts.of(days, case.get("interval_s", 1800), **known)


def reference_of(candidates: list[dict[str, Any]], day: date, n: int) -> Reference:
    values = np.array([[matrices(one)[0][0] for one in candidates]], np.int64)
    usable = np.array([[[one.get("usable", True)] * n for one in candidates]])
    distance = np.array([[one["distance"] for one in candidates]])
    weekdays = [(day.toordinal() + one["distance"] + 6) % 7 for one in candidates]
    kinds = [[one.get("type", weekday) for one, weekday in zip(candidates, weekdays, strict=True)]]
    return Reference(values, usable, distance, np.array(kinds, np.int8))


def parameters_of(case: dict[str, Any], rule: str, override: dict[str, Any]) -> Parameters:
    rules = load(case.get("set", "default")).for_class(case.get("class", ""))
    own = {name: Parameter(value, "D", "this case") for name, value in override.items()}
    return Parameters(rule, {**rules.parameters[rule].by_name, **own})


def work_of(facts: Facts) -> Work:
    estimated = facts.days.quality == ESTIMATED
    actual = has_value(facts.days.quality) & ~estimated
    return Work(facts, facts.days.values.copy(), ~has_value(facts.days.quality) & facts.active, actual, {})


@of("check")
def test_validation(case: dict[str, Any]) -> None:
    facts, p = facts_of(case), parameters_of(case, case["rule"], case.get("parameters", {}))
    fired = checks()[case["rule"]].function(facts, p, {})
    most = Level.WARN if p["severity"] == "warn" else Level.FAIL
    worst = np.minimum(fired.level.max(axis=1), most)
    words = [("pass", "warn", "fail")[level] for level in worst]
    if fired.tested is not None:
        words = [word if tested else "untested" for word, tested in zip(words, fired.tested, strict=True)]
    assert words == case["expect"]
    if "slots" in case:
        assert np.flatnonzero(fired.level[0]).tolist() == case["slots"]
    if "levels" in case:
        assert fired.level[0].tolist() == case["levels"]
    for name, value in case.get("inputs", {}).items():
        assert fired.inputs[name].tolist() == [value]


@of("calendar")
def test_local_days(case: dict[str, Any]) -> None:
    calendar = Calendar(case["zone"], case["interval_s"], case.get("day_start_s", 0))
    assert [calendar.count(date.fromisoformat(day).toordinal()) for day in case["days"]] == case["expect"]


@of("estimate")
def test_estimation(case: dict[str, Any]) -> None:
    facts = facts_of(case)
    work = work_of(facts)
    chain = load(case.get("set", "default")).for_class(case.get("class", "")).chain
    for method in (one for one in case["methods"] if one in chain):
        filled = methods()[method].function(
            work, parameters_of(case, method, case.get("parameters", {}).get(method, {}))
        )
        mask = filled.mask & work.needed
        work.values[mask] = filled.values[mask]
        work.needed[mask] = False
    if "expect" in case:
        found = ["_" if needed else int(value) for value, needed in zip(work.values[0], work.needed[0], strict=True)]
        assert found == case["expect"]
    if "sum" in case:
        assert int(work.values.sum()) == case["sum"]
    if "open" in case:
        assert int(work.needed.sum()) == case["open"]
    if "range" in case:
        assert [int(work.values.min()), int(work.values.max())] == case["range"]


@of("limit")
def test_the_longest_gap_for_a_line(case: dict[str, Any]) -> None:
    facts = facts_of({"values": [10, *["_"] * case["missing"], 20], "interval_s": 900})
    for names, expected in ((case["filled_by"], 0), (case["left_by"], case["missing"])):
        for name in names:
            filled = methods()["E01"].function(work_of(facts), parameters_of({"set": name}, "E01", {}))
            assert int((~filled.mask & work_of(facts).needed).sum()) == expected, name


@of("scale")
def test_scaling(case: dict[str, Any]) -> None:
    facts = facts_of(case)
    work = work_of(facts)
    if case["method"] == "E10":
        work = replace(work, actual=np.zeros_like(work.actual))
    filled = methods()[case["method"]].function(work, parameters_of(case, case["method"], case.get("parameters", {})))
    assert np.where(filled.mask, filled.values, work.values)[0].tolist() == case["expect"]


def seconds(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@of("reading")
def test_registers_that_nobody_read(case: dict[str, Any]) -> None:
    """E14, E15, E19: values of the file in thousandths."""
    zone = case.get("zone", "UTC")
    times = [np.array([seconds(day, zone)]) for day, _ in case["reads"]]
    values = [np.array([int(value * 1000)]) for _, value in case["reads"]]
    at_s = np.array([seconds(case["at"], zone)])
    earlier = [place for place, one in enumerate(times) if one < at_s]
    last, after = earlier[-1], min(earlier[-1] + 1, len(times) - 1)
    reads = Reads(
        at_s=at_s, before_s=times[last], before=values[last], oldest_s=times[0], oldest=values[0],
        after_s=times[after], after=values[after], after_known=np.array([after > last]),
        used=np.array([int(case.get("used", 0) * 1000)]), used_known=np.array(["used" in case]),
        step=np.array([case.get("constant", Decimal("0.001")) * 1000], np.int64),
    )  # fmt: skip
    filled = readings()[case["rule"]].function(reads, parameters_of(case, case["rule"], {}))
    assert bool(filled.mask[0]) is ("expect" in case)
    if "expect" in case:
        assert int(filled.values[0]) == case["expect"] * 1000


def test_every_rule_of_the_catalogue_has_an_example() -> None:
    shown = {case["rule"] for case in CASES["check"]} | {one for case in CASES["estimate"] for one in case["methods"]}
    shown |= {case["method"] for case in CASES["scale"]} | {case["rule"] for case in CASES["reading"]}
    assert shown == {*checks(), *methods(), *readings()}


def test_the_catalogue_is_whole() -> None:
    """V01 to V36 and E01 to E20, each with a sentence; and every worked example W01 to W89 is a test."""
    assert {f"V{number:02d}" for number in range(1, 37)} <= {*checks()}
    assert {f"E{number:02d}" for number in range(1, 21)} == {*methods(), *readings()}
    assert all(one.sentence.endswith(".") for one in (*checks().values(), *methods().values(), *readings().values()))
    here = Path(__file__).parent
    words = " ".join(case["id"] for cases in CASES.values() for case in cases)
    words += " ".join(re.findall(r"def test_(\w+)", (here / "test_worked_functions.py").read_text())).upper()
    found = {int(number) for number in re.findall(r"\bW(\d\d)", words.replace("_", " "))}
    for first, last in re.findall(r"W(\d\d) TO W(\d\d)", words.replace("_", " ")):
        found |= set(range(int(first), int(last)))
    assert found == set(range(1, 90))
